"""What LLaMA-Factory makes of an export: the decoded token ids of its data set, by the entry of dataset_info.json.

python read_llama_factory.py EXPORT MODEL METHOD OUT TEMPLATE
"""

import json
import os
import sys
import types
from importlib.machinery import ModuleSpec
from pathlib import Path

os.environ["DISABLE_VERSION_CHECK"] = "1"
sys.modules["torchaudio"] = types.ModuleType("torchaudio")
sys.modules["torchaudio"].__spec__ = ModuleSpec("torchaudio", None)
from llamafactory.data import get_dataset, get_template_and_fix_tokenizer
from llamafactory.hparams import DataArguments, ModelArguments
from transformers import AutoTokenizer, Seq2SeqTrainingArguments

export, model, method, out, flavour = sys.argv[1:]
tokenizer = AutoTokenizer.from_pretrained(model)
data = DataArguments(
    dataset=f"clear-{method}",
    dataset_dir=export,
    cutoff_len=512,
    preserve_thinking=True,
    template="qwen3" if flavour == "qwen3" else None,
)
training = Seq2SeqTrainingArguments(output_dir=f"{out}.run", use_cpu=True, do_train=True, report_to=[])
template = get_template_and_fix_tokenizer(tokenizer, data)
stage = "rm" if method == "dpo" else "kto"
os.environ["HF_DATASETS_CACHE"] = f"{out}.cache"
made = get_dataset(template, ModelArguments(model_name_or_path=model), data, training, stage=stage, tokenizer=tokenizer)


def split(ids: list[int], labels: list[int]) -> tuple[str, str]:
    """The prompt and what is learnt, as texts."""
    start = next(at for at, label in enumerate(labels) if label != -100)
    return tokenizer.decode(ids[:start]), tokenizer.decode(ids[start:])


read = []
for row in made["train_dataset"]:
    if method == "kto":
        prompt, completion = split(row["input_ids"], row["labels"])
        read.append({"prompt": prompt, "completion": completion, "label": row["kto_tags"]})
    else:
        prompt, chosen = split(row["chosen_input_ids"], row["chosen_labels"])
        again, rejected = split(row["rejected_input_ids"], row["rejected_labels"])
        assert prompt == again
        read.append({"prompt": prompt, "chosen": chosen, "rejected": rejected})
Path(out).write_text(json.dumps(read))
