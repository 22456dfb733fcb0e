"""Message lists: what a prompt's turns are as our tables hold them, as chat templates and servers read them, and when
two are the same.

A message has a `role` (one of ROLES) and a `content`, text, and may have `reasoning_content`, `tool_calls` (each with a
`function` of `name` and `arguments`, an object), `name`, `tool_call_id` and whatever else its file gave it.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import polars as pl

from curation.tables.texts import normal_texts

ROLES = ("system", "user", "assistant", "tool")
SENT = ("role", "content", "reasoning_content", "tool_calls", "tool_call_id", "name")  # what servers know of a message

Message: TypeAlias = dict[str, Any]


def full_messages(prompt: Iterable[Mapping[str, Any]], messages: str | None) -> list[Message]:
    """The messages of a row of `prompts`, without a null key: those of its column `messages`, which is null where
    `prompt` says all of them."""
    if messages is None:
        return [{"role": message["role"], "content": message["content"]} for message in prompt]
    whole: list[Message] = json.loads(messages)
    return whole


def message_columns(messages: Sequence[Message]) -> tuple[list[dict[str, str]], str | None]:
    """The columns `prompt` and `messages` that hold these messages."""
    roles = [{"role": message["role"], "content": message["content"]} for message in messages]
    more = any(message.keys() != {"role", "content"} for message in messages)
    return roles, json.dumps(messages, ensure_ascii=False) if more else None


def is_plain(messages: Sequence[Message], tools: str | None = None) -> bool:
    """Whether all that is said is one user message's text."""
    return (
        len(messages) == 1
        and tools is None
        and _said(messages[0]).keys() == {"content", "role"}
        and (messages[0]["role"] == "user")
    )


def identity(messages: Sequence[Message], tools: str | None = None) -> str:
    """A text that is equal for the same prompts: of a lone user message its own, else all turns and tools as JSON with
    sorted keys.

    What no reader of the turns sees is left out of it: the ids of tool calls, and keys that are in no protocol.
    """
    if is_plain(messages, tools):
        return str(messages[0]["content"])
    said = {"messages": [_said(message) for message in messages], "tools": json.loads(tools) if tools else []}
    return json.dumps(said, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def _said(message: Message) -> Message:
    """What a reader of a message sees."""
    said = {key: message[key] for key in ("role", "content", "reasoning_content", "name") if key in message}
    return said | ({"tool_calls": list_calls(message)} if "tool_calls" in message else {})


def list_calls(message: Message) -> list[Any]:
    """The name and the arguments of each tool that a message calls."""
    return [
        {name: call["function"][name] for name in ("name", "arguments") if name in call["function"]}
        for call in message.get("tool_calls", ())
    ]


def identities(prompts: pl.DataFrame) -> pl.Series:
    """`identity` of each row of `prompts`, which has prompt, messages and tools."""
    return pl.Series(
        "identity",
        [
            identity(full_messages(prompt, messages), tools)
            for prompt, messages, tools in prompts.select("prompt", "messages", "tools").iter_rows()
        ],
        dtype=pl.String,
    )


def normal_identities(texts: pl.Series) -> pl.Series:
    """Texts that are equal for the identities of prompts that are the same but for Unicode's normal form, line ends and
    the blanks around each text."""
    parsed = [_parse(text) for text in texts]
    found = list(dict.fromkeys(text for body in parsed for text in _texts(body)))
    normal = dict(zip(found, normal_texts(pl.Series(found, dtype=pl.String)), strict=True))
    return pl.Series(
        [
            normal[body] if isinstance(body, str) else json.dumps(_replace(body, normal), ensure_ascii=False)
            for body in parsed
        ],
        dtype=pl.String,
    )


def _parse(identity: str) -> Any:
    """What an identity stands for: a text, or messages and tools."""
    if not identity.startswith('{"messages":['):
        return identity
    try:
        return json.loads(identity)
    except ValueError:
        return identity


def _texts(body: Any) -> Iterable[str]:
    if isinstance(body, str):
        yield body
    elif isinstance(body, Mapping | list):
        for value in body.values() if isinstance(body, Mapping) else body:
            yield from _texts(value)


def _replace(body: Any, by: Mapping[str, str]) -> Any:
    if isinstance(body, str):
        return by[body]
    if isinstance(body, Mapping):
        return {key: _replace(value, by) for key, value in body.items()}
    return [_replace(value, by) for value in body] if isinstance(body, list) else body


def with_system(messages: Sequence[Message], system: str | None) -> list[Message]:
    """The messages, opened by the message `system` unless that is null or blank, or they have a system message of their
    own, which then stands for it."""
    if not system or any(message["role"] == "system" for message in messages):
        return list(messages)
    return [{"role": "system", "content": system}, *messages]


def for_model(messages: Iterable[Message]) -> list[Message]:
    """The messages without the keys of their file that no server knows."""
    return [{key: value for key, value in message.items() if key in SENT} for message in messages]
