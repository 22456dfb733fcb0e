"""What ms-swift makes of an export: the decoded token ids that its template encodes.

python read_ms_swift.py EXPORT MODEL METHOD OUT TEMPLATE
"""

import json
import os
import sys
from pathlib import Path

export, model, method, out, flavour = sys.argv[1:]
os.environ["MODELSCOPE_CACHE"] = f"{out}.cache"
from swift.dataset import load_dataset
from swift.model import get_model_processor
from swift.template import get_template

_, processor = get_model_processor(model, load_model=False, model_type="llama")
rows, _ = load_dataset([f"{export}/clear.{method}.jsonl"], load_from_cache_file=False)
template = get_template(processor, template_type=flavour, loss_scale="last_round", default_system="")
template.set_mode("rlhf" if method == "dpo" else "kto")
decode = template.tokenizer.decode


def split(ids: list[int], labels: list[int]) -> tuple[str, str]:
    """The prompt and what is learnt, as texts."""
    start = next(at for at, label in enumerate(labels) if label != -100)
    return decode(ids[:start]), decode(ids[start:])


read = []
for row in rows:
    made = template.encode(dict(row))
    prompt, chosen = split(made["chosen_input_ids"], made["chosen_labels"])
    if method == "kto":
        read.append({"prompt": prompt, "completion": chosen, "label": bool(made["label"])})
    else:
        again, rejected = split(made["rejected_input_ids"], made["rejected_labels"])
        read.append({"prompt": prompt, "chosen": chosen, "rejected": rejected})
        if prompt != again:
            read[-1]["prompt of rejected"] = again
Path(out).write_text(json.dumps(read))
