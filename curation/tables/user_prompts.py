"""The prompts of a user's rows, in whatever columns they stand: a text or a message list, a conversation that ends in
the answer, a column of system prompts, one of tools."""

import json
from collections.abc import Mapping
from string import ascii_uppercase
from typing import Any, NamedTuple

import polars as pl

from curation.core.errors import CurationError
from curation.core.text import one_line
from curation.tables.messages import Message
from curation.tables.prompt_identity import identity
from curation.tables.user_table import UserTable
from curation.tables.user_tools import as_json
from curation.tables.user_values import CONVERSATION, OPTIONS, PROMPT, TEXT, TOOLS, ColumnType

COLUMN_TYPES = {
    "prompt": ColumnType(PROMPT),
    "messages": ColumnType(CONVERSATION),
    "system": ColumnType(TEXT, nullable=True),
    "tools": ColumnType(TOOLS, nullable=True),
    "options": ColumnType(OPTIONS),
    **{f"options.{letter}": ColumnType(TEXT) for letter in ascii_uppercase},
}
SCHEMA = dict.fromkeys(("turns", "tools", "said", "last_turn"), pl.String)


class Conversation(NamedTuple):
    """What a row gives: the JSON of the prompt's messages, the JSON of its tools, the identity of both, and the JSON of
    the assistant's turn that ends the row's conversation, all null where it has none."""

    turns: str | None
    tools: str | None
    said: str | None
    last_turn: str | None


def map_options(columns: Mapping[str, Any]) -> dict[str, str | None]:
    """The mapping with a place for each column of options where these stand in several: `options.A`, `options.B`."""
    named = columns.get("options")
    if not isinstance(named, list):
        return dict(columns)
    apart = {f"options.{letter}": name for letter, name in zip(ascii_uppercase, named, strict=False)}
    return {ours: name for ours, name in columns.items() if ours != "options"} | apart


def read_prompts(table: UserTable, rows: pl.DataFrame, columns: dict[str, str | None]) -> pl.DataFrame:
    """`rows`, which have `row` and some of prompt, messages, system and tools as `table` gives them, with the
    columns of Conversation in place of these. `columns` are the file's names for them.

    Raises CurationError, naming the row, where a list is no prompt, or its system message is not that of the column.
    """
    given = [name for name in COLUMN_TYPES if name in rows.columns]
    if not given:
        return rows.with_columns(pl.lit(None, pl.String).alias(name) for name in SCHEMA)
    distinct = rows.unique(given, keep="first", maintain_order=True)
    made = []
    for row, *values in distinct.select("row", *given).iter_rows():
        try:
            made.append(read_conversation(**_join_options(dict(zip(given, values, strict=True)))))
        except ValueError as error:
            name = columns["messages" if "messages" in given else "prompt"]
            raise CurationError(one_line(f"{table.at(row)}: column {name!r} {error}")) from None
    read = pl.DataFrame(made, schema=SCHEMA, orient="row")
    keys = distinct.select(pl.col(name).alias(f"given_{name}") for name in given)
    joined = rows.rename({name: f"given_{name}" for name in given}).join(
        pl.concat([keys, read], how="horizontal"), on=keys.columns, how="left", maintain_order="left", nulls_equal=True
    )
    return joined.drop(keys.columns)


def _join_options(given: dict[str, str | None]) -> dict[str, str | None]:
    """The values of a row, its options as one JSON list where they stand in several columns."""
    apart = [value for name, value in given.items() if name.startswith("options.")]
    if not apart:
        return given
    return {name: value for name, value in given.items() if "." not in name} | {"options": as_json(apart)}


def read_conversation(
    prompt: str | None = None,
    messages: str | None = None,
    system: str | None = None,
    tools: str | None = None,
    options: str | None = None,
) -> Conversation:
    """What a row gives, from the JSON of its prompt or of its conversation, its system prompt, the JSON of its tools
    and that of its options, with which the last turn ends, a letter each. Raises ValueError where a list is no prompt,
    or its system message is not `system`."""
    if prompt is None and messages is None:
        return Conversation(None, None, None, None)
    listed: list[Message] = json.loads(messages or prompt or "[]")
    last_turn = None
    if messages is not None and listed[-1]["role"] == "assistant":
        last_turn = as_json(listed.pop())
    if options is not None and listed and listed[-1]["role"] == "user":
        lines = (f"{letter}. {text}" for letter, text in zip(ascii_uppercase, json.loads(options), strict=False))
        listed[-1] = {**listed[-1], "content": "\n".join([listed[-1]["content"], *lines])}
    turns = _join_system([_without_blank_reasoning(message) for message in listed], system)
    _refuse_no_prompt(turns, of_conversation=messages is not None)
    return Conversation(as_json(turns), tools, identity(turns, tools), last_turn)


def _join_system(messages: list[Message], system: str | None) -> list[Message]:
    """The messages, opened by the text of a column of system prompts. Raises ValueError where they have another one."""
    if system is None or not system.strip():
        return messages
    own = [message["content"].strip() for message in messages if message["role"] == "system"]
    if own and own != [system.strip()]:
        raise ValueError("has a system message other than that of columns.system; map one of the two")
    return messages if own else [{"role": "system", "content": system}, *messages]


def _without_blank_reasoning(message: Message) -> Message:
    blank = not message.get("reasoning_content", "").strip()
    return {key: value for key, value in message.items() if not (blank and key == "reasoning_content")}


def _refuse_no_prompt(turns: list[Message], of_conversation: bool) -> None:
    """Raises ValueError if a model cannot be asked to answer the turns."""
    if not turns or all(message["role"] == "system" for message in turns):
        raise ValueError("has no turn before the last that is not the system's: there is nothing to answer")
    if turns[-1]["role"] == "assistant":
        way_out = (
            "leave such rows out"
            if of_conversation
            else ("name the column as columns.messages, whose last turn is the answer, or leave such rows out")
        )
        raise ValueError(f"has a prompt that ends in a turn of the assistant's own; {way_out}")


def end_with(turns: str, instruction: str | None) -> list[Message]:
    """The messages of the JSON of turns, the last of the user's ended by a line that says the instruction, if there is
    one."""
    messages: list[Message] = json.loads(turns)
    of_user = [message for message in messages if message["role"] == "user"]
    if instruction and of_user:
        of_user[-1]["content"] += f"\n{instruction}"
    return messages
