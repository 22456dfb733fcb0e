"""Rows of a user's file about our traces and pairs: whether they are of one, whether their texts are ours, and which of
several of one comes first."""

import sys

import polars as pl

from curation.core.errors import CurationError
from curation.core.text import clip, one_line
from curation.tables.ids import content_ids
from curation.tables.texts import text_ids
from curation.tables.user_table import UserTable

MOST_SHOWN = 40  # characters of a text


def refuse_other_text(table: UserTable, column: str, rows: pl.DataFrame) -> None:
    """Nothing, if the file's texts are those that our tables have. Raises CurationError, naming the first that is not.

    `rows` has row and id of the file's rows, the file's text (null: nothing to compare), and ours, in this order. Texts
    are the same as `text_ids` has it.
    """
    *_, text, ours = rows.columns
    other = rows.filter(rows[text].is_not_null() & text_ids(rows[text]).ne_missing(text_ids(rows[ours])))
    if other.height:
        number, of, theirs, our = other.row(0)
        theirs, our = clip(theirs, MOST_SHOWN), clip(our or "", MOST_SHOWN)
        raise CurationError(
            one_line(
                f"{table.at(number)}: column {column!r} has another text than {of}: {theirs!r}, not {our!r}, as have "
                f"{other.height} rows; take ids and texts from `curation sql` at once"
            )
        )


def number_repeats(rows: pl.DataFrame, same: list[str], said: list[str]) -> pl.DataFrame:
    """`rows` with `repeat`, which numbers those of the `same` from 0 in an order drawn from what they say: that of the
    file changes nothing, and the lowest score is as often first as last, or it would look like drift."""
    text = pl.concat_str([pl.col(name).cast(pl.String).fill_null("") for name in said], separator="\x1f")
    drawn = rows.with_columns(content_ids(rows.select(*same, text.alias("said"))).alias("drawn"))
    repeat = pl.col("drawn").rank("ordinal").over(same) - 1
    return drawn.with_columns(repeat.cast(pl.Int32).alias("repeat")).drop("drawn")


def refuse_unmatched(table: UserTable, column: str, ids: pl.Series, ours: pl.Series, unmatched: str, what: str) -> None:
    """Nothing, or a line on stderr, if the ids of `table` that are not among `ours` may be dropped. Raises
    CurationError, naming the first, if not."""
    lost = ids.filter(~ids.is_in(ours.implode()))
    if not len(lost):
        return
    count = f"{table.name}: {len(lost)} of {len(ids)} rows are of no {what}"
    if unmatched == "error" or len(lost) == len(ids):
        way_out = "" if len(lost) == len(ids) else ", or set unmatched: drop"
        raise CurationError(
            one_line(
                f"{count}, the first has {column} {lost[0]}; take ids from `curation sql --csv` and keep them text: "
                f"what reads them as doubles rounds them{way_out}"
            )
        )
    print(f"{count}; dropped", file=sys.stderr)
