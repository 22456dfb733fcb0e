"""LLaMA-Factory: ShareGPT's conversations, a dict for each side, an entry of dataset_info.json for each file."""

import json

from curation.exchange.formats._kind import Config, Example, Format, Row
from curation.exchange.formats._shapes import calls_as_text, labelled_in, notes, yaml
from curation.exchange.formats._traps import BLANK, EARLIER_THOUGHT, IDENTICAL, TURNS
from curation.tables.messages import Message

ROLES = {"system": "system", "user": "human", "assistant": "gpt", "tool": "observation"}


def pair(example: Example) -> Row:
    """The prompt's conversation, and a turn for each side."""
    chosen, rejected = map(turn, example.answers)
    return {"conversations": [*map(turn, example.messages)], "chosen": chosen, "rejected": rejected} | tools(example)


def labelled(example: Example) -> Row:
    """The whole conversation and its label."""
    (conversation,) = example.conversations
    return {"conversations": [*map(turn, conversation)], "label": example.label} | tools(example)


def tools(example: Example) -> Row:
    """The functions alone, as JSON text; empty where there are none, for every row has the column."""
    listed = json.loads(example.tools) if example.tools else []
    return {"tools": json.dumps([tool["function"] for tool in listed], ensure_ascii=False) if listed else ""}


def turn(message: Message) -> dict[str, str]:
    """A message as a turn. One that calls tools says so in its text, after what was thought before."""
    if "tool_calls" not in message:
        return {"from": ROLES[message["role"]], "value": message["content"]}
    calls = f"[{', '.join(calls_as_text(message['tool_calls']))}]"
    return {"from": "function_call", "value": message["content"] + calls}


def config(config: Config) -> dict[str, str]:
    """A file for LLaMA-Factory's command line, and the file that says what the rows' columns are."""
    name = f"{config.name}-{config.method}"
    columns = {"messages": "conversations", "tools": "tools"}
    columns |= {"chosen": "chosen", "rejected": "rejected"} if config.method == "dpo" else {"kto_tag": "label"}
    entry: dict[str, object] = {"file_name": config.rows, "formatting": "sharegpt", "columns": columns}
    entry |= {"ranking": True} if config.method == "dpo" else {}
    settings = {
        "stage": config.method,
        "do_train": True,
        "model_name_or_path": config.model,
        "dataset_dir": ".",
        "dataset": name,
        "cutoff_len": config.max_length,
        "pref_beta": config.settings.get("beta"),
        "dpo_label_smoothing": config.flip_rate if config.loss == "conservative" else None,
        "enable_thinking": config.template_kwargs.get("enable_thinking", True),
        "preserve_thinking": True,
        "output_dir": config.out,
    }
    told = [
        f"llamafactory-cli train {config.stem}.yaml",
        *notes(config),
        "template: NAME, if its registry has your model's; else it reads the tokenizer's own",
    ]
    info = json.dumps({name: entry}, indent=2)
    return {f"{config.stem}.yaml": yaml(settings, *told), "dataset_info.json": info + "\n"}


FORMAT = Format(
    trainer="LLaMA-Factory 0.9.5",
    ways=("inline", "drop"),
    rows={"dpo": pair, "kto": labelled},
    sources={
        "dpo": {
            "layout": {"kind": "pair", "chosen": "chosen", "rejected": "rejected"},
            "columns": {"prompt": "conversations", "tools": "tools", "row_id": "pair_id"},
        },
        "kto": {
            "layout": labelled_in("conversations"),
            "columns": {"tools": "tools", "row_id": "trace_id"},
        },
    },
    config=config,
    traps=[IDENTICAL, BLANK, TURNS, EARLIER_THOUGHT],
)
