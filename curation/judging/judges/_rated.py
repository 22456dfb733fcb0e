"""Ratings that exist, as rows of every trace; and the ends of their scales."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import polars as pl

Scales = Mapping[str, tuple[float, float]]  # the lowest and the highest score, by dimension


class OffScale(NamedTuple):
    """A dimension with scores beyond its ends, and the rows that have them."""

    dimension: str
    low: float
    high: float
    rows: pl.DataFrame


def find_off_scale(ratings: pl.DataFrame, scales: Scales) -> Iterator[OffScale]:
    """The rows of dimension and score whose score, or one of whose steps' scores, is off its scale; of lists a row each
    step."""
    for dimension, (low, high) in scales.items():
        mine = ratings.filter(dimension=dimension)
        each = mine.explode("score") if isinstance(mine.schema["score"], pl.List) else mine
        if (off := each.filter(~pl.col("score").is_between(low, high))).height:
            yield OffScale(dimension, low, high, off)


def find_flat_scales(scales: Scales) -> Iterator[str]:
    """What to say of each scale without a width."""
    for name, (low, high) in scales.items():
        if low >= high:
            yield f"scale.{name}: lowest {low:g} is not below highest {high:g}"


def tabulate(traces: pl.DataFrame, dimensions: Sequence[str], ratings: pl.DataFrame, rated: pl.Expr) -> pl.DataFrame:
    """A row per trace, dimension and rating, as a judge gives them. `ratings` has trace_id, dimension, repeat, score
    and rationale. Where there is no score, it is `missing` if the trace is `rated`, else `no_reference`."""
    slots = pl.DataFrame({"dimension": dimensions}, schema={"dimension": pl.String})
    every = traces.select("trace_id").join(slots, how="cross", maintain_order="left")
    rows = every.join(ratings, on=["trace_id", "dimension"], how="left", maintain_order="left_right")
    status = (
        pl.when(pl.col("score").is_not_null()).then(pl.lit("scored"))
        .when(rated).then(pl.lit("missing"))
        .otherwise(pl.lit("no_reference"))
    )  # fmt: skip
    return rows.select(
        "trace_id",
        "dimension",
        pl.col("repeat").fill_null(0),
        "score",
        pl.lit(None, pl.Float64).alias("expected_score"),
        status.alias("status"),
        "rationale",
    )
