"""What the rows of a user's file say of our traces or pairs, a row for each dimension that they say it on. The file may
be wide, with a column for each, or long, with a row for each."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Literal, NamedTuple, TypeAlias

import polars as pl
from pydantic import BeforeValidator, Field

from curation.core.errors import CurationError
from curation.core.messages import first_names, show_value
from curation.core.params import Column
from curation.core.study import Study
from curation.core.text import one_line
from curation.tables.user_files import UserFileParams
from curation.tables.user_scores import write_label
from curation.tables.user_table import UserTable
from curation.tables.user_values import KEY, REPEAT, TEXT, TIME, ColumnType

Dimensions: TypeAlias = Annotated[dict[Column, str], Field(min_length=1)]
Label = Annotated[str, BeforeValidator(write_label)]  # of what a file says: text, a number or a truth
Rationale: TypeAlias = str | dict[Column, str]
SLOTS = ("repeat", "rater")  # what tells the rows apart that are about one thing
COLUMN_TYPES = {
    "dimension": ColumnType(KEY),
    "repeat": ColumnType(REPEAT),
    "rater": ColumnType(KEY),
    "latest": ColumnType(TIME),
}
MOST_WORDS = 5  # in a message


class RowParams(UserFileParams):
    """What judges of kind imported, of traces and of pairs, say of a file. `unmatched` says what becomes of rows about
    nothing of ours, or about a trace that says something else by now.

    What may be left out: `dimensions` (our name: the file's), the columns of a wide file, or of a long one the words in
    the column `dimension`; `repeat`, a column that numbers the rows about one thing from 0, in the order of time, or
    `rater`, one that says whose they are, with `latest`, one of times, of which a rater's last counts where there are
    several; and `missing`, the words and numbers that stand for no rating.
    """

    COLUMNS_UNDER = ""

    unmatched: Literal["error", "drop"]
    dimensions: Dimensions | None = None
    dimension: str | None = None
    repeat: str | None = None
    rater: str | None = None
    latest: str | None = None
    missing: Annotated[list[Label] | None, Field(min_length=1)] = None

    def mistakes(self, study: Study) -> Iterator[str]:
        """A path that is no file, or that DVC would not see change; rows that are told apart in two ways; dimensions of
        a long file that no word is, or two are."""
        yield from super().mistakes(study)
        if self.repeat is not None and self.rater is not None:
            yield "rater: rows are told apart by repeat already; leave out one of the two"
        if self.latest is not None and self.rater is None:
            yield "latest: is of a rater's rows; name the column of rater, or leave it out"
        words = list((self.dimensions or {}).values())
        if self.dimension is not None and self.dimensions is None:
            yield f"dimensions: missing; name the words in the column {self.dimension!r}"
        elif self.dimension is not None and len(set(words)) < len(words):
            yield "dimensions: one word of the file is two dimensions; leave it at one"

    @property
    def shared_columns(self) -> dict[str, str | None]:
        """The columns that all that a row says has in common."""
        return {name: getattr(self, name) for name in COLUMN_TYPES}

    @property
    def slots(self) -> list[str]:
        """Which of `repeat` and `rater` the file has."""
        return [name for name in SLOTS if getattr(self, name) is not None]

    @property
    def kept_columns(self) -> list[str]:
        """What is kept of a row beside what it says: its number, `slots`, and `latest` where the file has that."""
        return ["row", *self.slots, *(["latest"] if self.latest is not None else [])]


class Cell(NamedTuple):
    """Where a row says something: on a dimension, None where a column of a long file has it, in the column that params
    name at `place`, for the reason in the one that they name at `why`, if there is one."""

    dimension: str | None
    place: str
    column: str
    why: str | None
    why_column: str | None


def list_cells(
    place: str, dimensions: Mapping[str, str] | None, value: str, column: str | None, rationale: Rationale | None
) -> list[Cell]:
    """The cells that params name at `place`: those of `dimensions`, or without any the `value` in one column."""
    if dimensions is None:
        return [Cell(None, f"{place}{value}", str(column), *_place_rationale(place, rationale, ""))]
    return [
        Cell(name, f"{place}dimensions.{name}", theirs, *_place_rationale(place, rationale, name))
        for name, theirs in dimensions.items()
    ]


def _place_rationale(place: str, rationale: Rationale | None, dimension: str) -> tuple[str | None, str | None]:
    if isinstance(rationale, dict):
        theirs = rationale.get(dimension)
        return (f"{place}rationale.{dimension}", theirs) if theirs is not None else (None, None)
    return (None, None) if rationale is None else (f"{place}rationale", rationale)


def map_cells(cells: Sequence[Cell], type: ColumnType) -> tuple[dict[str, str | None], dict[str, ColumnType]]:
    """The file's names for the columns of the cells, whose values are of `type`, and what they may hold."""
    columns: dict[str, str | None] = {cell.place: cell.column for cell in cells}
    reasons = {cell.why: cell.why_column for cell in cells if cell.why is not None}
    return columns | reasons, dict.fromkeys(columns, type) | dict.fromkeys(reasons, ColumnType(TEXT, nullable=True))


def find_rationale_mistakes(place: str, rationale: Rationale | None, dimensions: Sequence[str]) -> Iterator[str]:
    """Rationales by dimension of none of `dimensions`, which a long file has none of."""
    for name in rationale if isinstance(rationale, dict) else ():
        if not dimensions:
            yield f"{place}rationale: a long file has one column of it; name that"
        elif name not in dimensions:
            yield f"{place}rationale.{name}: is none of its dimensions; known: {', '.join(dimensions)}"


def lengthen(rows: pl.DataFrame, cells: Sequence[Cell], keep: Sequence[str]) -> pl.DataFrame:
    """A row for each of `cells` and each of `rows`: what is to `keep`, dimension, value and rationale."""
    return pl.concat(
        [
            rows.select(
                *keep,
                pl.col("dimension") if cell.dimension is None else pl.lit(cell.dimension).alias("dimension"),
                pl.col(cell.place).alias("value"),
                (pl.lit(None, pl.String) if cell.why is None else pl.col(cell.why)).alias("rationale"),
            )
            for cell in cells
        ]
    )


def keep_latest(settings: RowParams, rows: pl.DataFrame, same: Sequence[str]) -> pl.DataFrame:
    """`rows`, of those of one rater that are of the `same` the latest; all of them, where the file does not say which
    that is."""
    if settings.latest is None:
        return rows
    return rows.filter((pl.col("latest") == pl.col("latest").max()).over([*same, "rater"])).drop("latest")


def pick_dimensions(settings: RowParams, rows: pl.DataFrame, table: UserTable, say: bool) -> pl.DataFrame:
    """`rows`, of a long file those that are on one of its dimensions, by our names. How many others there are is said
    on stderr, if it is to be.

    Raises CurationError if none is on one of them.
    """
    if settings.dimension is None or settings.dimensions is None:
        return rows
    words = rows["dimension"].unique().sort()
    for ours, theirs in settings.dimensions.items():
        if theirs not in words:
            said = first_names(map(show_value, words), MOST_WORDS)
            nowhere = f"column {settings.dimension!r} nowhere says {show_value(theirs)} (dimensions.{ours})"
            raise CurationError(one_line(f"{table.name}: {nowhere}; it says {said}"))
    names = {theirs: ours for ours, theirs in settings.dimensions.items()}
    mine, others = (rows.filter(pl.col("dimension").is_in(list(names)) == kept) for kept in (True, False))
    if say and others.height:
        named = first_names(map(show_value, others["dimension"].unique().sort()), MOST_WORDS)
        left_out = f"{others.height} of {rows.height} rows are on {named} ({settings.dimension}); left out"
        print(one_line(f"{table.name}: {left_out}"), file=sys.stderr)
    return mine.with_columns(pl.col("dimension").replace_strict(names))
