"""What OpenRLHF makes of an export: the decoded token ids of its data set.

python read_openrlhf.py EXPORT MODEL METHOD OUT TEMPLATE
"""

import json
import re
import sys
from pathlib import Path
from types import SimpleNamespace

from datasets import load_dataset
from openrlhf.datasets.reward_dataset import RewardDataset
from transformers import AutoTokenizer

export, model, method, out, _ = sys.argv[1:]
tokenizer = AutoTokenizer.from_pretrained(model)
rows = load_dataset("json", data_files=f"{export}/clear.{method}.jsonl", split="train", cache_dir=f"{out}.cache")
told = Path(export, f"clear.{method}.sh").read_text()  # the command's own options
options = dict(re.findall(r"--data\.(\w+_key) (\S+)", told))
keys = SimpleNamespace(**options, apply_chat_template=True)
made = RewardDataset(
    rows, tokenizer, 512, SimpleNamespace(args=SimpleNamespace(data=keys)), is_dpo=True, num_processors=1
)
read = []
for number in range(len(made)):
    chosen, _, rejected, _, length = made[number]
    read.append({
        "prompt": tokenizer.decode(chosen[0][:length]),
        "chosen": tokenizer.decode(chosen[0][length:]),
        "rejected": tokenizer.decode(rejected[0][length:]),
    })  # fmt: skip
Path(out).write_text(json.dumps(read))
