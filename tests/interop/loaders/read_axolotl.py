"""What Axolotl makes of an export: the texts that it hands TRL.

python read_axolotl.py EXPORT MODEL METHOD OUT TEMPLATE
"""

import json
import sys
from pathlib import Path

import yaml
from axolotl.utils.data.rl import prepare_preference_datasets
from axolotl.utils.dict import DictDefault
from axolotl.utils.schemas.enums import RLType
from transformers import AutoTokenizer


def main(export: str, model: str, method: str, out: str, _: str) -> None:
    """OUT holds the rows as JSON."""
    told = yaml.safe_load(Path(export, f"clear.{method}.yaml").read_text())
    told["datasets"][0]["path"] = f"{export}/clear.{method}.jsonl"
    told |= {"base_model": model, "tokenizer_config": model, "rl": RLType(method), "sequence_len": 512}
    told |= {"dataset_prepared_path": f"{out}.prepared", "dataset_num_proc": 1}
    rows, _ = prepare_preference_datasets(DictDefault(told), AutoTokenizer.from_pretrained(model))
    names = ("prompt", "chosen", "rejected") if method == "dpo" else ("prompt", "completion", "label")
    Path(out).write_text(json.dumps([{name: row[name] for name in names} for row in rows]))


if __name__ == "__main__":  # it starts processes, which import this file
    main(*sys.argv[1:])
