"""The problem that a judge is shown: the text of a prompt that is one user message, else the whole conversation, each
turn and each tool call under a heading of its own."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import polars as pl

from curation.tables.messages import Message, full_messages, is_plain, list_answered, list_calls


class Part(NamedTuple):
    """What stands under one heading of a conversation."""

    heading: str
    text: str


class Conversation(NamedTuple):
    """The parts of a conversation in their order, the last of which is to be answered."""

    parts: tuple[Part, ...]


Problem: TypeAlias = str | Conversation
PLAIN_NAME = re.compile(r"[\w.-]{1,64}")  # one that a heading can hold, as it is the file's own text


def read_problems(prompts: pl.DataFrame) -> dict[int, Problem]:
    """The problem of each of `prompts`, by its prompt_id."""
    rows = prompts.select("prompt_id", "prompt", "messages", "tools").iter_rows()
    return {prompt_id: read_problem(prompt, messages, tools) for prompt_id, prompt, messages, tools in rows}


def read_problem(prompt: Sequence[Mapping[str, Any]], messages: str | None, tools: str | None) -> Problem:
    """The problem of a row of `prompts`. The reasoning of earlier turns is not in it: chat templates leave it out, so
    that neither the model that answers nor the student is told of it."""
    whole = full_messages(prompt, messages)
    if is_plain(whole, tools):
        return str(whole[0]["content"])
    offered = [Part("Tools that the assistant may call", tools)] if tools else []
    return Conversation((*offered, *_list_parts(whole)))


def _list_parts(messages: Sequence[Message]) -> Iterator[Part]:
    for number, (message, answered) in enumerate(zip(messages, list_answered(messages), strict=True), 1):
        name = f" {message['name']}" if PLAIN_NAME.fullmatch(str(message.get("name", ""))) else ""
        of_call = f", of call {answered}" if answered else ""
        calls = list_calls(message)
        if message["content"] or not calls:
            yield Part(f"Message {number}, {message['role']}{name}{of_call}", message["content"])
        for call in calls:
            yield Part(f"Message {number}, {message['role']}{name} calls a tool", json.dumps(call, ensure_ascii=False))
