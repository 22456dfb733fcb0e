"""Ratings that exist already, of people or of another judge: a user's Parquet or JSONL file, by trace_id."""

from typing import Annotated, Literal

import polars as pl
from pydantic import Field

from curation.calls.ledger import Ledger
from curation.core.params import Column, Strict
from curation.core.ranges import FilePath
from curation.tables.user_files import ID, REAL, ColumnType, read_columns, refuse_unmatched


class Params(Strict):
    """A judge of kind imported. `trace_id` and `dimensions` (our name: the file's) name columns of `path`. Two rows of
    one trace are two repeats, as by two people. `unmatched` says what becomes of rows of unknown traces."""

    kind: Literal["imported"]
    path: FilePath
    trace_id: str
    dimensions: Annotated[dict[Column, str], Field(min_length=1)]
    unmatched: Literal["error", "drop"]

    @property
    def dimension_names(self) -> list[str]:
        """The dimensions it has, in params' order."""
        return list(self.dimensions)


def judge(settings: Params, name: str, traces: pl.DataFrame, prompts: pl.DataFrame, ledger: Ledger) -> pl.DataFrame:
    """One row per trace, dimension and row of the file, whose order gives the repeats. A trace that is not in the file,
    or has a null there, is `no_reference`.

    Raises CurationError on rows of unknown traces, if those are not to be dropped or there are no others.
    """
    types = {
        "trace_id": ColumnType(ID),
        **{f"dimensions.{ours}": ColumnType(REAL, nullable=True) for ours in settings.dimensions},
    }
    columns = {
        "trace_id": settings.trace_id,
        **{f"dimensions.{ours}": theirs for ours, theirs in settings.dimensions.items()},
    }
    given = read_columns(settings.path, columns, types, under=f"judges.{name}.")
    refuse_unmatched(
        settings.path, settings.trace_id, given["trace_id"], traces["trace_id"], settings.unmatched, "trace"
    )
    given = given.rename(lambda column: column.removeprefix("dimensions."))
    rows = traces.select("trace_id").join(given, on="trace_id", how="left", maintain_order="left_right")
    rows = rows.with_columns(pl.int_range(pl.len()).over("trace_id").cast(pl.Int32).alias("repeat"))
    long = rows.unpivot(
        list(settings.dimensions), index=["trace_id", "repeat"], variable_name="dimension", value_name="score"
    )
    status = pl.when(pl.col("score").is_null()).then(pl.lit("no_reference")).otherwise(pl.lit("scored")).alias("status")
    return long.with_columns(
        status, pl.lit(None, pl.Float64).alias("expected_score"), pl.lit(None, pl.String).alias("rationale")
    )
