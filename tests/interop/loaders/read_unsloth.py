"""What Unsloth makes of an export: the decoded token ids of TRL's data sets under its patches.

python read_unsloth.py EXPORT MODEL METHOD OUT TEMPLATE
"""

import unsloth

VERSION = unsloth.__version__  # it is imported before all that it patches

import json
import sys
from pathlib import Path
from typing import Any

from datasets import load_dataset
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import DPOConfig, DPOTrainer, KTOConfig, KTOTrainer
from unsloth.models.dpo import PatchDPOTrainer, PatchKTOTrainer


def main(export: str, model: str, method: str, out: str, _: str) -> None:
    """OUT holds the rows as JSON."""
    PatchDPOTrainer()
    PatchKTOTrainer()
    tokenizer = AutoTokenizer.from_pretrained(model)
    rows = load_dataset("json", data_files=f"{export}/clear.{method}.jsonl", split="train", cache_dir=f"{out}.cache")
    settings: dict[str, Any] = {"output_dir": f"{out}.run", "use_cpu": True, "report_to": [], "max_length": 512}
    trainer, config = (DPOTrainer, DPOConfig) if method == "dpo" else (KTOTrainer, KTOConfig)
    settings |= {"per_device_train_batch_size": 2, "dataset_num_proc": 1}
    network = AutoModelForCausalLM.from_pretrained(model)
    made = trainer(model=network, args=config(**settings), train_dataset=rows, processing_class=tokenizer).train_dataset
    read = [
        {name.removesuffix("_ids"): tokenizer.decode(row[name]) for name in row
         if name.endswith("_ids") and name[0] != "K"} | ({"label": row["label"]} if method == "kto" else {})
        for row in made
    ]  # fmt: skip
    Path(out).write_text(json.dumps(read))


if __name__ == "__main__":  # it starts processes, which import this file
    main(*sys.argv[1:])
