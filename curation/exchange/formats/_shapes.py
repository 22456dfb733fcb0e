"""Shapes that several trainers read, and the settings of sources that read them back."""

import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.compat import StringIO

from curation.exchange.formats._kind import Config, Example, Row
from curation.tables.messages import Message

KEYS = ("reasoning_content", "thinking")  # of a message, that templates read reasoning from


def pair(example: Example) -> Row:
    """Prompt, chosen and rejected as lists of messages."""
    chosen, rejected = example.answers
    return {"prompt": example.messages, "chosen": [chosen], "rejected": [rejected]} | tools(example)


def apart(example: Example) -> Row:
    """Prompt, chosen and rejected as lists of messages, for trainers that make texts called `prompt`, `chosen` and
    `rejected` of them, which would have to be lists where a column of that name is."""
    chosen, rejected = example.answers
    return {"prompt_messages": example.messages, "chosen_messages": [chosen], "rejected_messages": [rejected]}


def conversations(example: Example) -> Row:
    """Chosen and rejected as whole conversations."""
    chosen, rejected = map(without_keys, example.conversations)
    return {"chosen": chosen, "rejected": rejected}


def without_keys(messages: list[Message]) -> list[Message]:
    """The messages without a key of reasoning."""
    return [{key: message[key] for key in message if key not in KEYS} for message in messages]


def labelled(example: Example) -> Row:
    """Prompt and completion as lists of messages, and the label."""
    return {"prompt": example.messages, "completion": example.answers, "label": example.label} | tools(example)


def tools(example: Example) -> Row:
    """The tools as JSON text, of a prompt that has some."""
    return {} if example.tools is None else {"tools": example.tools}


PAIR = {
    "layout": {"kind": "pair", "chosen": "chosen", "rejected": "rejected"},
    "columns": {"prompt": "prompt", "tools": "tools", "row_id": "pair_id"},
}
APART = {
    "layout": {"kind": "pair", "chosen": "chosen_messages", "rejected": "rejected_messages"},
    "columns": {"prompt": "prompt_messages", "row_id": "pair_id"},
}
CONVERSATIONS = {"layout": PAIR["layout"], "columns": {"row_id": "pair_id"}}


def labelled_in(column: str) -> dict[str, str]:
    """The layout of rows whose completion, or whole conversation, is the column, beside its label."""
    return {"kind": "labelled", "completion": column, "label": "label", "rating": "label"}


LABELLED = {
    "layout": labelled_in("completion"),
    "columns": {"prompt": "prompt", "tools": "tools", "row_id": "trace_id"},
}


def yaml(settings: Mapping[str, Any], *comments: str) -> str:
    """The settings as YAML under the comments, without those that are null."""
    stream, writer = StringIO(), YAML()
    writer.width, writer.default_flow_style = 110, False
    writer.dump({name: value for name, value in settings.items() if value is not None}, stream)
    return "".join(f"# {comment}\n" for comment in comments) + str(stream.getvalue())


def script(words: Sequence[object], options: Mapping[str, Any], *comments: str) -> str:
    """A command of a shell under the comments, an option a line; one that is null is left out, of one that is true
    only its name stands there."""
    given = [
        f"{name}" if value is True else f"{name} {shlex.quote(str(value))}"
        for name, value in options.items() if value is not None
    ]  # fmt: skip
    lines = " \\\n  ".join([shlex.join(map(str, words)), *given])
    return "".join(f"# {comment}\n" for comment in comments) + lines + "\n"


def notes(config: Config) -> list[str]:
    """How reasoning stands in the rows, and which chat template is to read them, for comments."""
    template = [] if config.template is None else [f"the tokenizer's chat template must be that of {config.template}"]
    return [_say_way(config), *template, *_say_labels(config)]


def _say_labels(config: Config) -> list[str]:
    """What becomes of soft labels, where the study learns from them."""
    if config.flip_rate is None:
        return []
    return [
        f"each row has its p_chosen, by which the study's {config.loss} DPO weighs it, and which this trainer does not "
        f"read; one label smoothing for all rows would be {config.flip_rate:g}, 1 less their mean"
    ]


def _say_way(config: Config) -> str:
    match config.way:
        case "inline":
            return "reasoning stands in the content, between <think> and </think>; the chat template must keep it there"
        case "reasoning_content" | "thinking":
            return f"reasoning is the key {config.way} of a message; the chat template must read it"
        case "drop":
            return "reasoning was left out; the answers alone are learnt"
        case _:
            return "there is no reasoning in the rows"


def calls_as_text(calls: Sequence[Mapping[str, Any]]) -> list[str]:
    """Each tool call as JSON: its name and its arguments."""
    return [
        json.dumps({name: call["function"].get(name, {}) for name in ("name", "arguments")}, ensure_ascii=False)
        for call in calls
    ]
