"""Rows of a user's file about our traces and pairs: whether they are about any, whether their texts are ours, and which
of several about one comes first."""

import sys
from collections.abc import Sequence

import polars as pl

from curation.core.errors import CurationError
from curation.core.text import clip, one_line, say_count
from curation.tables.ids import content_ids
from curation.tables.texts import text_ids
from curation.tables.user_table import UserTable

MOST_SHOWN = 40  # characters of a text
KEEP_TEXT = "take ids from `curation sql --csv` and keep them text: what reads them as doubles rounds them"
SAME_TEXT = (
    "check that its texts are those of the study, as `curation sql` has them, a source's instruction, system message "
    "and tools included"
)


def find_other_text(table: UserTable, column: str, rows: pl.DataFrame, unmatched: str) -> pl.Series:
    """The file's rows whose text is not the one that our tables have by now: if they may be dropped, and a line on
    stderr counts them. Raises CurationError, naming the first, if not.

    `rows` has row and id of the file's rows, the file's text (null: nothing to compare), and ours, in this order. Texts
    are the same as `text_ids` has it.
    """
    *_, text, ours = rows.columns
    other = rows.filter(rows[text].is_not_null() & text_ids(rows[text]).ne_missing(text_ids(rows[ours])))
    if other.height and unmatched == "drop":
        count = say_count(other["row"].n_unique(), "row has", "rows have")
        print(one_line(f"{table.name}: {count} another text in column {column!r} than our tables"), file=sys.stderr)
    elif other.height:
        number, of, theirs, our = other.row(0)
        theirs, our = clip(theirs, MOST_SHOWN), clip(our or "", MOST_SHOWN)
        raise CurationError(
            one_line(
                f"{table.at(number)}: column {column!r} has another text than {of}: {theirs!r}, not {our!r}, as in "
                f"{say_count(other.height, 'row')}; take ids and texts from `curation sql` at once, or set "
                "unmatched: drop"
            )
        )
    return other["row"]


def number_repeats(
    rows: pl.DataFrame, same: Sequence[str], said: Sequence[str], within: Sequence[str] | None = None
) -> pl.DataFrame:
    """`rows` with `repeat`, which numbers those of the `same`, or of `within`, from 0 in an order drawn from what they
    say: that of the file changes nothing, and the lowest score is as often first as last, or it would look like
    drift."""
    text = pl.concat_str([pl.col(name).cast(pl.String).fill_null("") for name in said], separator="\x1f")
    drawn = rows.with_columns(content_ids(rows.select(*same, text.alias("said"))).alias("drawn"))
    repeat = pl.col("drawn").rank("ordinal").over(within or same) - 1
    return drawn.with_columns(repeat.cast(pl.Int32).alias("repeat")).drop("drawn")


def number_raters(rows: pl.DataFrame, same: Sequence[str]) -> pl.DataFrame:
    """`rows` with `repeat`, which numbers the raters of the `same` from 0: a rater has one number, drawn from the
    name."""
    drawn = rows.with_columns(content_ids(rows.select(*same, "rater")).alias("drawn"))
    return drawn.with_columns((pl.col("drawn").rank("dense").over(same) - 1).cast(pl.Int32).alias("repeat"))


def refuse_twice(rows: pl.DataFrame, same: Sequence[str], table: UserTable, what: str, way_out: str) -> None:
    """Raises CurationError, naming both, if two of `rows`, which have `row`, are of the `same`."""
    twice = rows.filter(pl.struct(same).is_duplicated())
    if twice.height:
        first, other = twice.filter(pl.struct(same).eq_missing(pl.struct(same).first())).sort("row")["row"].head(2)
        raise CurationError(one_line(f"{table.name}: {table.both(first, other)} both {what}; {way_out}"))


def refuse_unmatched(
    lost: int, rows: int, first: str, table: UserTable, unmatched: str, what: str, way_out: str
) -> None:
    """Nothing if no row is `lost`, or a line on stderr if they may be dropped. Raises CurationError, with what the
    `first` has, if not."""
    if not lost:
        return
    count = f"{table.name}: {lost} of {rows} rows are of no {what}"
    if unmatched == "error" or lost == rows:
        drop = "" if lost == rows else ", or set unmatched: drop"
        raise CurationError(one_line(f"{count}, the first has {first}; {way_out}{drop}"))
    print(f"{count}; dropped", file=sys.stderr)
