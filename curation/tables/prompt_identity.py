"""When two prompts are the same: when all their turns and tools say the same."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from curation.core.canonical import canonical, list_texts
from curation.tables.messages import Message, full_messages, is_plain, list_answered, what_is_said
from curation.tables.texts import normal_texts

OF_CONVERSATION = '{"messages":['  # how an identity begins that is not a lone text


def identity(messages: Sequence[Message], tools: str | None = None) -> str:
    """A text that is equal for the same prompts: of a lone user message its own, else what all turns and tools say, as
    JSON with sorted keys. Ids of calls say nothing but which result is of which call."""
    if is_plain(messages, tools):
        return str(messages[0]["content"])
    said = [
        what_is_said(message) | ({"of_call": call} if call else {})
        for message, call in zip(messages, list_answered(messages), strict=True)
    ]
    return canonical({"messages": said, "tools": json.loads(tools) if tools else []})


def parse_identity(identity: str) -> dict[str, Any]:
    """The messages and tools that an identity stands for."""
    body = _parse(identity)
    return {"messages": [{"role": "user", "content": body}], "tools": []} if isinstance(body, str) else body


def identities(prompts: pl.DataFrame) -> pl.Series:
    """`identity` of each row of `prompts`, which has prompt, messages and tools."""
    rows = prompts.select("prompt", "messages", "tools").iter_rows()
    said = [identity(full_messages(prompt, messages), tools) for prompt, messages, tools in rows]
    return pl.Series("identity", said, dtype=pl.String)


def normal_identities(said: pl.Series) -> pl.Series:
    """Identities that are equal for prompts that are the same but for Unicode's normal form, line ends and the blanks
    around each text."""
    bodies = [_parse(text) for text in said]
    found = list(dict.fromkeys(text for body in bodies for text in list_texts(body)))
    normal = dict(zip(found, normal_texts(pl.Series(found, dtype=pl.String)), strict=True))
    made = [normal[body] if isinstance(body, str) else canonical(_replace(body, normal)) for body in bodies]
    return pl.Series(made, dtype=pl.String)


def match_identities(rows: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """`rows`, which have `said`, with the prompt_id of what they say by `known` (prompt_id, identity): the very same,
    else the first that says the same but for Unicode's normal form, line ends and the blanks around each text; null
    where there is none."""
    exact = rows.join(known, left_on="said", right_on="identity", how="left", maintain_order="left")
    if not exact["prompt_id"].null_count():
        return exact
    alike = known.select(pl.col("prompt_id").alias("alike"), normal_identities(known["identity"]).alias("normal"))
    alike = alike.sort("alike").unique("normal", keep="first")
    lost = exact.filter(pl.col("prompt_id").is_null()).select("said").unique()
    lost = lost.with_columns(normal_identities(lost["said"]).alias("normal")).join(alike, on="normal")
    matched = exact.join(lost.select("said", "alike"), on="said", how="left", maintain_order="left")
    return matched.with_columns(pl.coalesce("prompt_id", "alike").alias("prompt_id")).drop("alike")


def _parse(identity: str) -> Any:
    """The text that an identity is, or the messages and tools that it stands for."""
    if not identity.startswith(OF_CONVERSATION):
        return identity
    try:
        return json.loads(identity)
    except ValueError:  # a text that begins so
        return identity


def _replace(body: Any, by: Mapping[str, str]) -> Any:
    if isinstance(body, str):
        return by[body]
    if isinstance(body, Mapping):
        return {key: _replace(value, by) for key, value in body.items()}
    return [_replace(value, by) for value in body] if isinstance(body, list) else body
