"""ms-swift: whole conversations; of a pair the rejected one under a name of its own."""

from curation.exchange.formats._kind import Config, Example, Format, Row
from curation.exchange.formats._shapes import calls_as_text, labelled_in, notes, tools, yaml
from curation.exchange.formats._traps import BLANK, EARLIER_THOUGHT, IDENTICAL
from curation.tables.messages import Message


def pair(example: Example) -> Row:
    """Both conversations, the chosen one first. Each has tools of its own, or the rejected one would have none."""
    chosen, rejected = map(turns, example.conversations)
    also = {f"rejected_{name}": value for name, value in tools(example).items()}
    return {"messages": chosen, "rejected_messages": rejected} | tools(example) | also


def labelled(example: Example) -> Row:
    """The conversation and its label."""
    return {"messages": turns(example.conversations[0]), "label": example.label} | tools(example)


def turns(messages: list[Message]) -> list[Message]:
    """The messages with a turn of its own for each tool call: a message keeps no other keys than role and content."""
    told: list[Message] = []
    for message in messages:
        calls = message.get("tool_calls", [])
        if message["content"] or not calls:
            role = "tool_response" if message["role"] == "tool" else message["role"]
            told.append({"role": role, "content": message["content"]})
        told += [{"role": "tool_call", "content": call} for call in calls_as_text(calls)]
    return told


def config(config: Config) -> dict[str, str]:
    """A file for ms-swift's command line."""
    settings = {
        "rlhf_type": config.method,
        "model": config.model,
        "dataset": config.rows,
        "max_length": config.max_length,
        "truncation_strategy": "delete",
        "loss_scale": "last_round",
        "beta": config.settings.get("beta"),
        "loss_type": None if config.loss is None else "robust" if config.loss == "robust" else "sigmoid",
        "label_smoothing": config.flip_rate,
        **{name: config.settings.get(name) for name in ("desirable_weight", "undesirable_weight")},
        "output_dir": config.out,
    }
    told = [
        f"swift rlhf {config.stem}.yaml",
        *notes(config),
        "loss_scale: last_round, or earlier turns of the assistant's are learnt as well",
    ]
    return {f"{config.stem}.yaml": yaml(settings, *told)}


FORMAT = Format(
    trainer="ms-swift 4.6.0",
    ways=("inline", "drop"),
    rows={"dpo": pair, "kto": labelled},
    sources={
        "dpo": {
            "layout": {"kind": "pair", "chosen": "messages", "rejected": "rejected_messages"},
            "columns": {"tools": "tools", "row_id": "pair_id"},
        },
        "kto": {
            "layout": labelled_in("messages"),
            "columns": {"tools": "tools", "row_id": "trace_id"},
        },
    },
    config=config,
    tells_template=True,
    traps=[IDENTICAL, BLANK, EARLIER_THOUGHT],
)
