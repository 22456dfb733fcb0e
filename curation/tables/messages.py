"""Message lists: as tables hold them, and as a server or a chat template is handed them.

A message has a `role` (one of contracts.ROLES) and a `content`, text, and may have `reasoning_content`, `tool_calls`
(each with a `function` of `name` and `arguments`, an object), `name`, `tool_call_id` and whatever its file gave it.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

SENT = ("role", "content", "reasoning_content", "tool_calls", "tool_call_id", "name")  # what servers know of a message

Message: TypeAlias = dict[str, Any]


def full_messages(prompt: Iterable[Mapping[str, Any]], messages: str | None) -> list[Message]:
    """The messages of a row of `prompts`, without a null key: those of its column `messages`, which is null where
    `prompt` says all of them."""
    if messages is None:
        return [{"role": message["role"], "content": message["content"]} for message in prompt]
    return list(json.loads(messages))


def message_columns(messages: Sequence[Message]) -> tuple[list[dict[str, str]], str | None]:
    """The columns `prompt` and `messages` that hold these messages."""
    roles = [{"role": message["role"], "content": message["content"]} for message in messages]
    more = any(message.keys() != {"role", "content"} for message in messages)
    return roles, json.dumps(messages, ensure_ascii=False) if more else None


def with_system(messages: Sequence[Message], system: str | None) -> list[Message]:
    """The messages, opened by the message `system` unless that is null or blank, or they have a system message of their
    own, which then stands for it."""
    if not system or any(message["role"] == "system" for message in messages):
        return list(messages)
    return [{"role": "system", "content": system}, *messages]


def for_model(messages: Iterable[Message]) -> list[Message]:
    """The messages without the keys of their file that no server knows."""
    return [{key: value for key, value in message.items() if key in SENT} for message in messages]


def is_plain(messages: Sequence[Message], tools: str | None = None) -> bool:
    """Whether all that a reader is told is the text of one user message."""
    plain = len(messages) == 1 and tools is None and messages[0]["role"] == "user"
    return plain and what_is_said(messages[0]).keys() == {"role", "content"}


def what_is_said(message: Message) -> Message:
    """What a reader of a message is told: not the ids of tool calls, and no key that no server knows."""
    said = {key: message[key] for key in ("role", "content", "reasoning_content", "name") if key in message}
    return said | ({"tool_calls": list_calls(message)} if "tool_calls" in message else {})


def list_answered(messages: Iterable[Message]) -> Iterator[int | None]:
    """For each message null, or which call of the assistant's last it is the result of, from 1, where that is not the
    one whose turn it is: results are in the order of their calls unless their ids say otherwise."""
    ids: list[Any] = []
    results = 0
    for message in messages:
        if message["role"] == "assistant":
            ids, results = [call.get("id") for call in message.get("tool_calls", ())], 0
        results += message["role"] == "tool"
        own = message.get("tool_call_id") if message["role"] == "tool" else None
        call = ids.index(own) + 1 if own is not None and ids.count(own) == 1 else results
        yield call if call != results else None


def list_calls(message: Message) -> list[Any]:
    """The name and the arguments of each tool that a message calls."""
    return [
        {name: call["function"][name] for name in ("name", "arguments") if name in call["function"]}
        for call in message.get("tool_calls", ())
    ]
