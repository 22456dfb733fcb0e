"""The distinct prompts of a user's rows."""

import sys
from typing import Any

import polars as pl

from curation.core.errors import CurationError
from curation.core.inner_kinds import read_verifier, write_verifier
from curation.core.kinds import kinds
from curation.core.messages import show_value
from curation.core.text import say_count
from curation.prompts.sources._rows import prompt_frame
from curation.tables import user_prompts
from curation.tables.user_table import UserTable

TWO_ANSWERS = "keep one, or accept both: give them as a list in one row"


def check_verifier(raw: Any) -> Any:
    """The settings of a verifier that a user's answers may be compared by, or null. Raises ValueError on another
    value."""
    settings = None if raw is None else read_verifier(raw)
    if settings is not None and settings.kind in kinds("sources"):
        raise ValueError(
            f"{settings.kind!r} is the verifier of a source of that kind; its prompts alone have the entries"
        )
    return settings


def distinct_prompts(table: UserTable, frame: pl.DataFrame, verifier: Any, instruction: str | None) -> pl.DataFrame:
    """The prompts of rows that have said, turns, tools, task, answers and external_id, in the order of their first
    rows. A prompt has the least of its tasks and ids, so that the order of the rows changes none, and how many have
    several is said on stderr; and the least of its messages, which may differ in what `identity` leaves out."""
    of_prompt = (pl.col(column).min().over("said") for column in ("task", "external_id", "turns", "tools"))
    distinct = frame.with_columns(of_prompt).unique("said", keep="first", maintain_order=True)
    if distinct.height < frame.height:
        _say_several(table, frame)
    if thoughtful := distinct["turns"].str.contains('"reasoning_content": ', literal=True).sum():
        print(
            f"{table.name}: {say_count(int(thoughtful), 'prompt has', 'prompts have')} reasoning in earlier turns; it "
            "is kept, and most chat templates leave it out of what a model reads",
            file=sys.stderr,
        )
    written = None if verifier is None else write_verifier(verifier)
    rows = prompt_frame(
        (task or "", user_prompts.end_with(turns, instruction), answers or [], written, None)
        for turns, answers, task in distinct.select("turns", "answers", "task").rows()
    )
    return rows.with_columns(distinct["external_id"], distinct["tools"])


def _say_several(table: UserTable, frame: pl.DataFrame) -> None:
    """Says on stderr how many prompts have several tasks or ids, of which the least is kept."""
    values = frame.group_by("said").agg(pl.col("task", "external_id").drop_nulls().n_unique())
    for column, what in (("task", "tasks"), ("external_id", "ids")):
        if several := values.filter(pl.col(column) > 1).height:
            said = say_count(several, "prompt has", "prompts have")
            print(f"{table.name}: {said} several {what}, of which the least is kept", file=sys.stderr)


def refuse_two(table: UserTable, frame: pl.DataFrame, column: str, what: str, way_out: str) -> None:
    """Nothing. Raises CurationError if a prompt has two values of `column`, where rows have said and row."""
    values = frame.unique(["said", column], keep="first").sort("row")
    twice = values.filter(pl.col(column).len().over("said") > 1)
    if twice.is_empty():
        return
    first_prompt = twice.filter(pl.col("said") == twice["said"][0])
    (row, value), (other_row, other_value) = first_prompt.head(2).select("row", column).rows()
    raise CurationError(
        f"{table.name}: {say_count(twice['said'].n_unique(), 'prompt has', 'prompts have')} two {what}, the first "
        f"{_shown(value)} at {table.words(row)} and {_shown(other_value)} at {table.words(other_row)}; {way_out}"
    )


def _shown(value: Any) -> str:
    return show_value(value[0] if isinstance(value, list) and len(value) == 1 else value)
