"""Ratings that exist already, of people or of another judge: a user's Parquet or JSONL file, by trace_id."""

from typing import Annotated, Literal

import polars as pl
from pydantic import Field

from curation.calls.ledger import Ledger
from curation.errors import CurationError
from curation.params import Column, Strict
from curation.tabular import REAL, WHOLE, Wanted, read_columns


class Params(Strict):
    """A judge of kind imported. `trace_id` and `dimensions` (ours to the file's) name columns of `path`; a row a trace, or a row a repeat."""

    kind: Literal["imported"]
    path: str
    trace_id: str
    dimensions: Annotated[dict[Column, str], Field(min_length=1)]

    @property
    def dimension_names(self) -> list[str]:
        """The dimensions it has, in params' order."""
        return list(self.dimensions)


def judge(settings: Params, name: str, traces: pl.DataFrame, prompts: pl.DataFrame, ledger: Ledger) -> pl.DataFrame:
    """One row per trace, dimension and row of the file: its repeat is their order. A trace that is not in it, or has a null there, is `no_reference`.

    Raises CurationError if no row of the file is of a trace.
    """
    columns = {"trace_id": settings.trace_id, **settings.dimensions}
    given = read_columns(settings.path, columns, {"trace_id": Wanted(WHOLE), **dict.fromkeys(settings.dimensions, Wanted(REAL, nullable=True))})
    rows = traces.select("trace_id").join(given, on="trace_id", how="left", maintain_order="left_right")
    if not rows.select(pl.any_horizontal(pl.col(list(settings.dimensions)).is_not_null()).any()).item():
        raise CurationError(f"{settings.path}: no {settings.trace_id} is of a trace; take them from `python -m curation sql`")
    rows = rows.with_columns(pl.int_range(pl.len()).over("trace_id").cast(pl.Int32).alias("repeat"))
    long = rows.unpivot(list(settings.dimensions), index=["trace_id", "repeat"], variable_name="dimension", value_name="score")
    status = pl.when(pl.col("score").is_null()).then(pl.lit("no_reference")).otherwise(pl.lit("scored")).alias("status")
    return long.with_columns(status, pl.lit(None, pl.Float64).alias("expected_score"), pl.lit(None, pl.String).alias("rationale"))
