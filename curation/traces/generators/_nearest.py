"""In which turn a prompt that is no train prompt differs from the one train prompt that is near it."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import polars as pl

from curation.core.canonical import canonical
from curation.tables.prompt_identity import normal_identities, parse_identity

MOST_COMPARED = 1000  # prompts that are no train prompts
MOST_KNOWN = 100_000  # train prompts; more would be searched for longer than the sentence is worth

Key: TypeAlias = tuple[str, str]  # what is left out, and all the rest


def describe_difference(lost: pl.DataFrame, known: pl.DataFrame) -> str:
    """What to say of the rows of `lost` (row, said) that are near one of `known` (prompt_id, identity) alone: how many
    of the first MOST_COMPARED differ in what, for each way to differ, and what to do. Nothing where none is."""
    if known.height > MOST_KNOWN:
        return ""
    said = lost.filter(pl.col("said").is_not_null()).unique("said", keep="first", maintain_order=True)
    bodies = [parse_identity(text) for text in normal_identities(said["said"].head(MOST_COMPARED))]
    known = known.unique("identity").sort("prompt_id")
    others = [parse_identity(text) for text in normal_identities(known["identity"])]
    holders: dict[Key, list[int]] = defaultdict(list)
    for number, body in enumerate(others):
        for key in set(_list_keys(body)):
            holders[key].append(number)
    ways: dict[str, list[int]] = {}
    for row, body in zip(said["row"], bodies, strict=False):
        near = ((key, holders[key]) for key in _list_keys(body) if key in holders)
        (what, _), numbers = next(near, (("", ""), []))
        if len(numbers) == 1:
            ways.setdefault(f"{what}{_hint(what, body, others[numbers[0]])}", []).append(row)
    return "".join(
        f"; {len(rows)} of these prompts {'is' if len(rows) == 1 else 'are'} near one train prompt and "
        f"{'differs' if len(rows) == 1 else 'differ'} in {way}, as in row {rows[0]}"
        for way, rows in ways.items()
    )


def _list_keys(body: Mapping[str, Any]) -> Iterator[Key]:
    """What a prompt has in common with one that differs in one thing only, from the least thing on."""
    messages, tools = body["messages"], body["tools"]
    system = [message for message in messages if message["role"] == "system"]
    turns = [message for message in messages if message["role"] != "system"]
    if any("reasoning_content" in turn for turn in turns) or len(turns) > 1:
        bare = [{key: turn[key] for key in turn if key != "reasoning_content"} for turn in turns]
        yield "the reasoning of earlier turns", canonical([system, tools, bare])
    yield "the system message", canonical([tools, turns])
    yield "the tools", canonical([system, turns])
    yield "the system message and the tools", canonical(turns)
    for number in range(len(turns) - 1):
        rest = [turns[:number], turns[number + 1 :], system, tools]
        yield f"turn {number + 1} of {len(turns)} ({turns[number]['role']})", canonical(rest)
    yield "the turns before the last", canonical(turns[-1:])


def _hint(what: str, body: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """Where the column of what one of two prompts lacks is to be named."""
    hints = [
        f"{'the source' if own else 'this file'} gives none, so name its column there ({column})"
        for thing, column, (own, others) in (
            ("system message", "columns.system or columns.messages", (_has_system(body), _has_system(other))),
            ("tools", "columns.tools", (bool(body["tools"]), bool(other["tools"]))),
        )
        if thing in what and own != others
    ]
    return f" ({'; '.join(hints)})" if hints else ""


def _has_system(body: Mapping[str, Any]) -> bool:
    return any(message["role"] == "system" for message in body["messages"])
