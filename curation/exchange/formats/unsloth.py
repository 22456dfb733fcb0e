"""Unsloth: TRL's trainers, patched, so TRL's rows."""

from dataclasses import replace

from curation.exchange.formats import trl
from curation.exchange.formats._kind import Config
from curation.exchange.formats._shapes import notes


def config(config: Config) -> dict[str, str]:
    """A script that loads the rows and hands them to the patched trainer."""
    name = config.method.upper()
    length = config.max_length or 2048
    lines = [
        *(f"# {note}" for note in notes(config)),
        f"from unsloth import FastLanguageModel, Patch{name}Trainer",
        "",
        f"Patch{name}Trainer()",
        "from datasets import load_dataset",
        f"from trl import {name}Config, {name}Trainer",
        "",
        f"model, tokenizer = FastLanguageModel.from_pretrained({config.model!r}, max_seq_length={length})",
        "model = FastLanguageModel.get_peft_model(model)",
        f'rows = load_dataset("json", data_files={config.rows!r}, split="train")',
        f'arguments = {name}Config(output_dir="{config.out}", max_length={length})',
        f"{name}Trainer(model=model, args=arguments, train_dataset=rows, processing_class=tokenizer).train()",
    ]
    return {f"{config.stem}.py": "\n".join(lines) + "\n"}


FORMAT = replace(trl.FORMAT, trainer="Unsloth", config=config, parquet=False)
