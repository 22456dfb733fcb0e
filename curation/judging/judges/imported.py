"""Ratings that exist already, of people or of another judge: a user's file, wide or long, of whole traces or step by
step, by ids or by the texts."""

from collections.abc import Iterator
from typing import Annotated, Literal, NamedTuple

import polars as pl
from pydantic import Field

from curation.calls.ledger import Ledger
from curation.core.errors import CurationError
from curation.core.params import Column, Strict
from curation.core.ranges import Scale, Score
from curation.core.study import Study
from curation.core.text import say_count
from curation.judging import find_traces, long_form
from curation.judging.find_traces import TraceColumns
from curation.judging.judges._rated import find_flat_scales, find_off_scale, tabulate
from curation.judging.judges._steps import Steps, rate_by_steps
from curation.judging.long_form import Cell, Dimensions, Rationale, RowParams, list_cells
from curation.tables.user_ratings import (
    KEEP_TEXT,
    SAME_TEXT,
    number_raters,
    number_repeats,
    refuse_twice,
    refuse_unmatched,
)
from curation.tables.user_scores import scores, step_scores
from curation.tables.user_table import UserTable
from curation.tables.user_values import INDEX, ColumnType


class Response(Strict):
    """One of the traces that a row rates: which it is, and the columns of its ratings, by dimension, or in a long file
    its `score`. `rationale` is one column, or one for each dimension."""

    trace: TraceColumns
    dimensions: Dimensions | None = None
    score: str | None = None
    rationale: Rationale | None = None


class Params(RowParams):
    """A judge of kind imported. A row of `path` is about the trace that the column `trace_id` names, or `trace` in
    other ways, or about all of `responses`. `dimensions` (our name: the file's) names its columns of ratings; in a long
    file, with `dimension`, the words in that column, and `score` its column of ratings. Two rows of one trace and
    dimension are two repeats, as by two people.

    What may be left out besides: `rationale`, of the same form as dimensions, or one column for all; `words` that stand
    for scores; `steps`, how ratings of steps become one; `completion` and `reasoning`, columns with the texts of the
    trace_id, which are held against the trace's; and `scale`, the lowest and highest score by dimension.
    """

    kind: Literal["imported"]
    trace_id: str | None = None
    trace: TraceColumns | None = None
    responses: Annotated[list[Response] | None, Field(min_length=1)] = None
    score: str | None = None
    rationale: Rationale | None = None
    words: dict[str, Score] | None = None
    steps: Steps | None = None
    completion: str | None = None
    reasoning: str | None = None
    scale: dict[Column, Scale] | None = None

    @property
    def dimension_names(self) -> list[str]:
        """The dimensions it has, in params' order."""
        each = [self.dimensions, *(response.dimensions for response in self.responses or [])]
        return list(dict.fromkeys(name for dimensions in each for name in dimensions or {}))

    @property
    def number_of_step(self) -> list[str]:
        """The column that numbers the steps, where each has a row of its own."""
        return ["step"] if self.steps is not None and self.steps.index is not None else []

    @property
    def scales(self) -> dict[str, tuple[float, float]]:
        """The lowest and the highest score of each dimension that says them."""
        return {name: (low, high) for name, (low, high) in (self.scale or {}).items()}

    def mistakes(self, study: Study) -> Iterator[str]:
        """A path that is no file, or that DVC would not see change; traces or ratings that no column is named for, or
        two are; a scale of no dimension, without a width, or that a product leaves."""
        yield from super().mistakes(study)
        if sum(given is not None for given in (self.trace_id, self.trace, self.responses)) != 1:
            yield "trace_id: one of trace_id, trace and responses says what a row rates; leave out the others"
        for name in find_traces.TEXTS:
            if getattr(self, name) is not None and self.trace_id is None:
                yield f"{name}: stands beside trace_id; write it under trace"
        yield from self._find_rating_mistakes()
        for name, (low, high) in self.scales.items():
            if name not in self.dimension_names:
                yield f"scale.{name}: is none of its dimensions; known: {', '.join(self.dimension_names)}"
            if self.steps and self.steps.aggregate == "product" and (low < 0 or high > 1):
                yield f"steps.aggregate: product leaves the scale from {low:g} to {high:g}; take min, mean or last"
        yield from find_flat_scales(self.scales)

    def _find_rating_mistakes(self) -> Iterator[str]:
        long = self.dimension is not None
        if self.responses is not None and self.dimensions is not None and not long:
            yield "dimensions: each of responses has columns of its own; write it there"
        for place, one in self._list_rated():
            if long and one.score is None:
                yield f"{place}score: missing; name the column of ratings"
            if not long and one.score is not None:
                yield f"{place}score: is of a long file; name the column with the dimension as dimension"
            if not long and one.dimensions is None:
                yield f"{place}dimensions: missing; name the columns of ratings"
            if place and long and one.dimensions is not None:
                yield f"{place}dimensions: of a long file they are named once; write them above responses"
            yield from long_form.find_rationale_mistakes(
                place, one.rationale, [] if long else list(one.dimensions or {})
            )

    def _list_rated(self) -> list[tuple[str, "Params | Response"]]:
        """What names the columns of each trace that a row rates, and where it stands."""
        return [(f"responses.{number}.", one) for number, one in enumerate(self.responses or [])] or [("", self)]

    @property
    def rated(self) -> list["Rated"]:
        """What a row rates, and where."""
        texts = {name: getattr(self, name) for name in find_traces.TEXTS}
        return [
            Rated(
                f"{place}trace." if one.trace else place,
                one.trace or TraceColumns(trace_id=self.trace_id, **texts),
                list_cells(place, None if self.dimension else one.dimensions, "score", one.score, one.rationale),
            )
            for place, one in self._list_rated()
        ]

    def map_columns(self) -> tuple[dict[str, str | None], dict[str, ColumnType]]:
        """The file's names for our columns, and what they may hold."""
        columns, types = self.shared_columns, dict(long_form.COLUMN_TYPES)
        columns["step"] = None if self.steps is None else self.steps.index
        types["step"] = ColumnType(INDEX)
        lists = self.steps is not None and self.steps.index is None
        rating = ColumnType((step_scores if lists else scores)(self.missing or (), self.words), nullable=True)
        for place, trace, cells in self.rated:
            columns |= {f"{place}{ours}": theirs for ours, theirs in trace.named().items()}
            types |= {f"{place}{ours}": find_traces.COLUMN_TYPES[ours] for ours in trace.named()}
            of_cells, of_types = long_form.map_cells(cells, rating)
            columns, types = columns | of_cells, types | of_types
        return columns, types

    def check_rows(self, table: UserTable, rows: pl.DataFrame) -> None:
        """Nothing. Raises CurationError if a rating is off its scale, or a long file has a dimension nowhere."""
        _read_ratings(self, table, long_form.pick_dimensions(self, rows, table, say=False))


class Rated(NamedTuple):
    """One of the traces that a row rates: the columns that say which it is, which params name at `place`, and those of
    its ratings."""

    place: str
    trace: TraceColumns
    cells: list[Cell]


def judge(settings: Params, name: str, traces: pl.DataFrame, prompts: pl.DataFrame, ledger: Ledger) -> pl.DataFrame:
    """One row per trace, dimension and rating of it in the file; several are its repeats. A trace that is not in the
    file is `no_reference`, a null in it `missing`, as is a rating by steps of which one has none.

    Raises CurationError on rows about no trace, if those are not to be dropped or there are no others, on a row that is
    about several or whose text is not its trace's, on two rows with one repeat, and on a score that is off its scale.
    """
    table = settings.open()
    given = table.read(*settings.map_columns(), under=f"judges.{name}.")
    given = long_form.pick_dimensions(settings, given, table, say=True)
    ratings = _read_ratings(settings, table, given)
    rows = ratings.join(
        _find_rated(settings, table, given, traces, prompts), on=["row", "response"], maintain_order="left"
    )
    rows = long_form.keep_latest(settings, rows, ["trace_id", "dimension", *settings.number_of_step])
    if settings.steps is not None:
        rows = rate_by_steps(settings.steps, rows, settings.slots, table)
    return tabulate(traces, settings.dimension_names, _number(settings, table, rows), pl.col("row").is_not_null())


def _read_ratings(settings: Params, table: UserTable, given: pl.DataFrame) -> pl.DataFrame:
    """The ratings of the file: row, response (its number in the row), dimension, score (of steps in lists a list),
    rationale, and the slot and the number of the step where the file has them. Raises CurationError if a score is off
    its scale."""
    keep = [*settings.kept_columns, *settings.number_of_step]
    parts = []
    for number, (_, _, cells) in enumerate(settings.rated):
        part = long_form.lengthen(given, cells, keep).rename({"value": "score"})
        _refuse_off_scale(settings, table, part, cells)
        parts.append(part.with_columns(pl.lit(number).alias("response")))
    return pl.concat(parts)


def _refuse_off_scale(settings: Params, table: UserTable, ratings: pl.DataFrame, cells: list[Cell]) -> None:
    """Raises CurationError if a score, or a step's, is off the scale of its dimension."""
    for name, low, high, off in find_off_scale(ratings, settings.scales):
        row, value = off.select("row", "score").row(0)
        column = next(cell.column for cell in cells if cell.dimension in (None, name))
        raise CurationError(
            f"{table.at(row)}: column {column!r} is {value:g}, off the scale of {name} from {low:g} to "
            f"{high:g}, as in {say_count(off.height, 'row')}; correct them, or the judge's scale"
        )


def _find_rated(
    settings: Params, table: UserTable, given: pl.DataFrame, traces: pl.DataFrame, prompts: pl.DataFrame
) -> pl.DataFrame:
    """row, response and trace_id of all that the file rates of ours. Raises CurationError on what is not ours, if that
    is not to be dropped."""
    found, lost = [], []
    for number, (place, trace, _) in enumerate(settings.rated):
        keys = given.select("row", *(pl.col(f"{place}{ours}").alias(ours) for ours in trace.named()))
        mine = find_traces.find_traces(trace, keys, traces, prompts, table, settings.unmatched)
        found.append(mine.with_columns(pl.lit(number).alias("response")))
        absent = keys.join(mine, on="row", how="anti", maintain_order="left")
        lost += [(absent["row"][0], absent.height, find_traces.describe_key(trace, absent))] if absent.height else []
    way_out = KEEP_TEXT if settings.rated[0].trace.trace_id else SAME_TEXT
    first = min(lost)[2] if lost else ""
    count, of = sum(height for _, height, _ in lost), given.height * len(found)
    refuse_unmatched(count, of, first, table, settings.unmatched, "trace", way_out)
    return pl.concat(found)


def _number(settings: Params, table: UserTable, rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with `repeat`, which tells those of one trace and dimension apart; those of a rater on a trace have one.
    Raises CurationError if two of them have the same number in the file, or are one rater's."""
    same = ["trace_id", "dimension"]
    for slot in settings.slots:
        what = f"rate one trace, and have the same {getattr(settings, slot)}"
        refuse_twice(rows, [*same, slot], table, what, "leave one out")
    if settings.repeat is not None:
        return rows
    if settings.rater is not None:
        return number_raters(rows, ["trace_id"])
    rows = rows.sort("rationale", maintain_order=True)  # of equal scores the reasons decide, not the rows
    return number_repeats(rows, ["trace_id"], ["score"], same)
