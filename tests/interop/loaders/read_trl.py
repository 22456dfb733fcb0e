"""What TRL makes of an export: the decoded token ids of its own data sets.

python read_trl.py EXPORT MODEL METHOD OUT TEMPLATE
"""

import json
import sys
from pathlib import Path

from datasets import load_dataset
from transformers import AutoTokenizer
from trl import DPOConfig, DPOTrainer, KTOConfig, KTOTrainer

export, model, method, out, _ = sys.argv[1:]
tokenizer = AutoTokenizer.from_pretrained(model)
rows = load_dataset("json", data_files=f"{export}/clear.{method}.jsonl", split="train", cache_dir=f"{out}.cache")
settings = {"output_dir": f"{out}.run", "use_cpu": True, "report_to": [], "max_length": 512}
if method == "dpo":
    trainer = DPOTrainer(model=model, args=DPOConfig(**settings), train_dataset=rows, processing_class=tokenizer)
else:
    config = KTOConfig(**settings, per_device_train_batch_size=2)
    trainer = KTOTrainer(model=model, args=config, train_dataset=rows, processing_class=tokenizer)
read = [
    {name.removesuffix("_ids"): tokenizer.decode(row[name]) for name in row if name.endswith("_ids") and name[0] != "K"}
    | ({"label": row["label"]} if method == "kto" else {})
    for row in trainer.train_dataset
]
Path(out).write_text(json.dumps(read))
