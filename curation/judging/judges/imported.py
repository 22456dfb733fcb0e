"""Ratings that exist already, of people or of another judge: a user's file, by the traces' ids or the user's own."""

from collections.abc import Iterator
from typing import Annotated, Literal

import polars as pl
from pydantic import Field

from curation.calls.ledger import Ledger
from curation.core.errors import CurationError
from curation.core.messages import show_value
from curation.core.params import Column
from curation.core.ranges import Scale
from curation.core.study import Study
from curation.tables.user_files import UserFileParams
from curation.tables.user_ratings import number_repeats, refuse_other_text, refuse_unmatched
from curation.tables.user_table import UserTable
from curation.tables.user_values import KEY, REAL, TEXT, ColumnType

TEXTS = ("reasoning", "completion")  # of a trace


class Params(UserFileParams):
    """A judge of kind imported. `trace_id` and `dimensions` (our name: the file's) name columns of `path`. Two rows of
    one trace are two repeats, as by two people. `unmatched` says what becomes of rows of unknown traces.

    What may be left out: `completion` and `reasoning`, columns with the texts that were rated, which are held against
    the trace's; and `scale`, the lowest and highest score by dimension.
    """

    COLUMNS_UNDER = ""

    kind: Literal["imported"]
    trace_id: str
    dimensions: Annotated[dict[Column, str], Field(min_length=1)]
    unmatched: Literal["error", "drop"]
    completion: str | None = None
    reasoning: str | None = None
    scale: dict[Column, Scale] | None = None

    @property
    def dimension_names(self) -> list[str]:
        """The dimensions it has, in params' order."""
        return list(self.dimensions)

    @property
    def scales(self) -> dict[str, tuple[float, float]]:
        """The lowest and the highest score of each dimension that says them."""
        return {name: (low, high) for name, (low, high) in (self.scale or {}).items()}

    def mistakes(self, study: Study) -> Iterator[str]:
        """A path that is no file, or that DVC would not see change; a scale of no dimension, or without a width."""
        yield from super().mistakes(study)
        for name, (low, high) in self.scales.items():
            if name not in self.dimensions:
                yield f"scale.{name}: is none of its dimensions; known: {', '.join(self.dimensions)}"
            if low >= high:
                yield f"scale.{name}: lowest {low:g} is not below highest {high:g}"

    def map_columns(self) -> tuple[dict[str, str | None], dict[str, ColumnType]]:
        """The file's names for our columns, and what they may hold."""
        dimensions = {f"dimensions.{ours}": theirs for ours, theirs in self.dimensions.items()}
        columns = {"trace_id": self.trace_id, **{name: getattr(self, name) for name in TEXTS}, **dimensions}
        types = {"trace_id": ColumnType(KEY)} | dict.fromkeys(TEXTS, ColumnType(TEXT, nullable=True))
        return columns, types | dict.fromkeys(dimensions, ColumnType(REAL, nullable=True))


def judge(settings: Params, name: str, traces: pl.DataFrame, prompts: pl.DataFrame, ledger: Ledger) -> pl.DataFrame:
    """One row per trace, dimension and row of the file; the rows of a trace are its repeats. A trace that is not in the
    file is `no_reference`, a null in it `missing`.

    Raises CurationError on rows of unknown traces, if those are not to be dropped or there are no others, on a row
    whose text is not its trace's, and on a score that is off its scale.
    """
    table = settings.open()
    given = table.read(*settings.map_columns(), under=f"judges.{name}.")
    given = given.rename({"trace_id": "key"} | {name: f"{name}_given" for name in TEXTS}, strict=False)
    _refuse_off_scale(settings, table, given)
    ids = _find_traces(settings, table, given, traces)
    refuse_unmatched(table, settings.trace_id, given["key"], ids["key"], settings.unmatched, "trace")
    given = given.join(ids, on="key", maintain_order="left")
    for name in TEXTS:
        if column := getattr(settings, name):
            ours = traces.select("trace_id", pl.col(name).fill_null("") if name == "reasoning" else name)
            texts = given.join(ours, on="trace_id", maintain_order="left")
            refuse_other_text(table, column, texts.select("row", "key", f"{name}_given", name))
    rows = traces.select("trace_id").join(given, on="trace_id", how="left", maintain_order="left_right")
    dimensions = [f"dimensions.{ours}" for ours in settings.dimensions]
    rows = number_repeats(rows, ["trace_id"], dimensions)
    long = rows.unpivot(
        dimensions,
        index=["trace_id", "repeat", "row"],
        variable_name="dimension",
        value_name="score",
    )
    status = (
        pl.when(pl.col("row").is_null()).then(pl.lit("no_reference"))
        .when(pl.col("score").is_null()).then(pl.lit("missing"))
        .otherwise(pl.lit("scored"))
    )  # fmt: skip
    return long.select(
        "trace_id",
        pl.col("dimension").str.strip_prefix("dimensions."),
        "repeat",
        "score",
        pl.lit(None, pl.Float64).alias("expected_score"),
        status.alias("status"),
        pl.lit(None, pl.String).alias("rationale"),
    )


def _refuse_off_scale(settings: Params, table: UserTable, given: pl.DataFrame) -> None:
    """Raises CurationError if a score is off the scale of its dimension."""
    for name, (low, high) in settings.scales.items():
        score = pl.col(f"dimensions.{name}")
        if (off := given.filter(~score.is_between(low, high))).height:
            row, value = off.select("row", score).row(0)
            raise CurationError(
                f"{table.at(row)}: column {settings.dimensions[name]!r} is {value:g}, off the scale of "
                f"{name} from {low:g} to {high:g}, as are {off.height} rows; correct them, or the judge's scale"
            )


def _find_traces(settings: Params, table: UserTable, given: pl.DataFrame, traces: pl.DataFrame) -> pl.DataFrame:
    """The trace_id of each id that a trace has, ours or the user's own, as text: key, trace_id. Raises CurationError if
    one that the file has is of two traces."""
    own = traces.select(pl.col("external_id").alias("key"), "trace_id").drop_nulls()
    ours = traces.select(pl.col("trace_id").cast(pl.String).alias("key"), "trace_id")
    ids = pl.concat([own, ours]).unique(maintain_order=True)
    twice = ids.filter(pl.col("key").is_duplicated())
    if (rows := given.filter(pl.col("key").is_in(twice["key"].implode()))).height:
        row, key = rows.select("row", "key").row(0)
        raise CurationError(
            f"{table.at(row)}: {settings.trace_id} {show_value(key)} is the id of "
            f"{twice.filter(key=key).height} traces; give each trace an id of its own, or take trace_id from "
            "`curation sql --csv`"
        )
    return ids
