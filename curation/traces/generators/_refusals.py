"""What a row of a user's file may not be, if it is to be a trace."""

import polars as pl

from curation.core.errors import CurationError
from curation.core.messages import show_value
from curation.core.text import say_count
from curation.tables.user_table import UserTable
from curation.traces.generators._columns import OF_ONE_SAMPLE, Columns


def refuse_unanswered(table: UserTable, columns: Columns, rows: pl.DataFrame, unmatched: str) -> None:
    """Raises CurationError if no conversation ends in a turn of the assistant's, or one does not and `unmatched` is
    error."""
    lost = rows.filter(pl.col("last_turn").is_null())["row"]
    if len(lost) == rows.height or (len(lost) and unmatched == "error"):
        drop = "" if len(lost) == rows.height else ", or set unmatched: drop"
        raise CurationError(
            f"{table.at(lost[0])}: column {columns.messages!r} does not end in a turn of the assistant's, so there "
            f"is no completion, as in {say_count(len(lost), 'row')}; leave them out{drop}"
        )


def refuse_only_calls(table: UserTable, columns: Columns, rows: pl.DataFrame) -> None:
    """Raises CurationError if every row ends in the call of a tool."""
    if not rows["tool_calls"].null_count():
        raise CurationError(
            f"{table.name}: every row ends in the call of a tool ({columns.messages or columns.completion!r}), which "
            "is no completion; take the conversations with their answers"
        )


def refuse_columns_of_one(table: UserTable, columns: Columns, several: pl.Series) -> None:
    """Raises CurationError if a column is mapped that could be of one sample alone, and rows hold `several`."""
    for name in OF_ONE_SAMPLE:
        if (theirs := getattr(columns, name)) is not None:
            raise CurationError(
                f"{table.at(several[0])}: column {columns.completion!r} holds several completions, as in "
                f"{say_count(len(several), 'row')}, and column {theirs!r} (columns.{name}) is of one; set "
                f"columns.{name}: null, or give each completion a row of its own"
            )


def refuse_failed(table: UserTable, columns: Columns, rows: pl.DataFrame) -> None:
    """Raises CurationError if a row's finish_reason is one of an error: what it holds is no completion."""
    failed = rows.filter(ending="error").select("row", "finish_reason").sort("row")
    if failed.height:
        row, word = failed.row(0)
        raise CurationError(
            f"{table.at(row)}: {columns.finish_reason!r} is {show_value(word)}, so the reply failed, as of "
            f"{say_count(failed.height, 'row')}; leave them out"
        )


def refuse_same_id(table: UserTable, columns: Columns, rows: pl.DataFrame) -> None:
    """Raises CurationError if two rows have one id of their own."""
    twice = rows.filter(pl.col("external_id").is_not_null() & pl.col("external_id").is_duplicated())
    if twice.height:
        first, other = twice.filter(external_id=twice["external_id"][0])["row"].sort().head(2)
        raise CurationError(
            f"{table.name}: {table.both(first, other)} both have {columns.trace_id!r} "
            f"{show_value(twice['external_id'][0])}; give each row an id of its own, or set columns.trace_id: null"
        )


def refuse_same_sample(table: UserTable, columns: Columns, rows: pl.DataFrame) -> None:
    """Raises CurationError if two rows are the same sample."""
    slot = ["prompt_id", "generator", "sample_index"]
    if not rows.select(slot).is_duplicated().any():
        return
    way_out = "number the samples, or set columns.sample_index: null"
    if columns.sample_index is None:  # then lists number them
        way_out = "put the completions of one prompt into one row, or each into a row of its own"
    first = rows.filter(pl.struct(slot).is_duplicated()).sort(*slot, "row").head(2)
    raise CurationError(
        f"{table.name}: {table.both(*first['row'])} are both sample {first['sample_index'][0]} of "
        f"{show_value(first['generator'][0])} for one prompt; {way_out}"
    )
