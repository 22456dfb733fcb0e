"""Axolotl: lists of messages for DPO, whole conversations for KTO, which it writes as ChatML whatever the template."""

from curation.exchange.formats._kind import Config, Example, Format, Row
from curation.exchange.formats._shapes import APART, apart, labelled_in, notes, yaml
from curation.exchange.formats._traps import BLANK, CALLS, IDENTICAL, LABELLED_THOUGHT, TOOLS

FIELDS = {"messages": "prompt", "chosen": "chosen", "rejected": "rejected"}


def labelled(example: Example) -> Row:
    """The whole conversation and its label."""
    return {"completion": example.conversations[0], "label": example.label}


def config(config: Config) -> dict[str, str]:
    """A file for Axolotl's command line."""
    rows: dict[str, object] = {"path": config.rows, "ds_type": "json", "split": "train"}
    if config.method == "dpo":
        fields = {f"field_{field}": f"{of}_messages" for field, of in FIELDS.items()}
        keys = [
            "role",
            "content",
            "thinking" if config.way == "thinking" else "reasoning_content",
        ]  # where there is one
        rows |= {"type": "chat_template.default", **fields, "message_property_mappings": {key: key for key in keys}}
    else:
        rows |= {"type": "chatml.argilla_chat"}
    settings = {
        "base_model": config.model,
        "rl": config.method,
        "chat_template": "tokenizer_default" if config.method == "dpo" else "chatml",
        "datasets": [rows],
        "sequence_len": config.max_length,
        "rl_beta": config.settings.get("beta"),
        "remove_unused_columns": False if config.method == "kto" else None,
        "output_dir": config.out,
    }
    told = [f"axolotl train {config.stem}.yaml", *notes(config)]
    if config.method == "kto":
        told.append("Axolotl's KTO reads no chat template: it writes ChatML itself (llama3.argilla_chat: Llama 3's)")
    return {f"{config.stem}.yaml": yaml(settings, *told)}


FORMAT = Format(
    trainer="Axolotl 0.21.0",
    ways=("inline", "reasoning_content", "thinking", "drop"),
    rows={"dpo": apart, "kto": labelled},
    sources={
        "dpo": APART,
        "kto": {
            "layout": labelled_in("completion"),
            "columns": {"row_id": "trace_id"},
        },
    },
    config=config,
    traps=[IDENTICAL, BLANK, TOOLS, CALLS, LABELLED_THOUGHT],
)
