"""Which train prompt each row of a user's file is of: by the file's own ids, or by all that its prompt says."""

import sys

import polars as pl

from curation.core.errors import CurationError
from curation.core.messages import show_value
from curation.core.text import say_count
from curation.tables.prompt_identity import OF_CONVERSATION, identities, match_identities, normal_identities
from curation.tables.user_table import UserTable
from curation.traces.generators._nearest import describe_difference

SOURCES = "the sources' columns and instruction"


def match(table: UserTable, name: str, unmatched: str, rows: pl.DataFrame, prompts: pl.DataFrame) -> pl.DataFrame:
    """The rows of generator `name`, from the files of `table`, that are of one of `prompts`, with its prompt_id. Rows
    have `row`, `said`, the identity of their prompt, null where they have none, and external_prompt_id where the file
    has ids of its own.

    A row that has an id is of the prompt with that id, though a lone text may be another one; a conversation may not,
    since its answer is one to another conversation. Raises CurationError where no row is of a prompt, or one is not and
    `unmatched` is error, or an id is of two prompts.
    """
    known = prompts.select("prompt_id", identities(prompts), pl.col("external_id").alias("external_prompt_id"))
    by_id = "external_prompt_id" in rows.columns
    if by_id:
        _refuse_ambiguous(table, rows, prompts)
        matched = rows.join(known, on="external_prompt_id", how="left", maintain_order="left")
        of_what = "a prompt_id that no train prompt has"
    else:
        matched = match_identities(rows, known.drop("external_prompt_id"))
        of_what = "a prompt that is no train prompt"
    lost = matched.filter(pl.col("prompt_id").is_null())
    if not lost.is_empty():
        difference = "" if by_id else describe_difference(lost, known)
        problem = f"{lost.height} of {matched.height} rows have {of_what}"
        check = "columns.prompt_id of the sources" if by_id else SOURCES
        _leave_out(table, name, unmatched, lost, matched.height, problem, check, difference)
    kept = matched.filter(pl.col("prompt_id").is_not_null())
    return _with_same_turns(table, name, unmatched, kept) if by_id else kept


def _leave_out(
    table: UserTable,
    name: str,
    unmatched: str,
    lost: pl.DataFrame,
    rows: int,
    problem: str,
    check: str,
    difference: str,
) -> None:
    """Say on stderr which rows are lost. Raises CurationError where they may not be."""
    if lost.height == rows or unmatched == "error":
        drop = ", or set unmatched: drop, as rows of prompts that decontaminate drops need"
        way_out = f"check {check}{drop if lost.height < rows else ''}"
        raise CurationError(
            f"{table.name}: {problem}, the first is {table.words(lost['row'][0])}{difference}; {way_out}"
        )
    print(f"{name}: {table.name}: {problem}{difference}; dropped", file=sys.stderr)


def _with_same_turns(table: UserTable, name: str, unmatched: str, rows: pl.DataFrame) -> pl.DataFrame:
    """The rows whose prompt is a lone text, as that of their id is, or the same conversation. How many lone texts are
    others than their id's is said on stderr."""
    both = rows.filter(pl.col("said").is_not_null() & (pl.col("said") != pl.col("identity")))
    if both.is_empty():
        return rows
    listed = pl.any_horizontal(pl.col("said", "identity").str.starts_with(OF_CONVERSATION))
    texts, lists = both.filter(~listed), both.filter(listed)
    if texts.height:
        print(
            f"{name}: {table.name}: {say_count(texts.height, 'row has', 'rows have')} another text than the prompt "
            "of their id",
            file=sys.stderr,
        )
    other = lists.filter(normal_identities(lists["said"]) != normal_identities(lists["identity"]))
    if other.height:
        problem = f"{other.height} of {rows.height} rows have other turns than the prompt of their id"
        _leave_out(table, name, unmatched, other, rows.height, problem, SOURCES, describe_difference(other, other))
    return rows.filter(~pl.col("row").is_in(other["row"].implode()))


def _refuse_ambiguous(table: UserTable, rows: pl.DataFrame, prompts: pl.DataFrame) -> None:
    """Raises CurationError if a row's own prompt_id is that of two prompts."""
    twice = prompts.filter(pl.col("external_id").is_duplicated() & pl.col("external_id").is_not_null())
    rows = rows.filter(pl.col("external_prompt_id").is_in(twice["external_id"].implode()))
    if rows.height:
        given = rows["external_prompt_id"][0]
        sources = twice.filter(external_id=given)["source"].unique().sort()
        raise CurationError(
            f"{table.at(rows['row'][0])}: prompt_id {show_value(given)} is of prompts in "
            f"{' and '.join(sources)}; give each prompt an id of its own, or set columns.prompt_id: null"
        )
