"""How far a judge's own repeats move a delta, and which deltas are no larger than that."""

from collections.abc import Iterable

import numpy as np
import polars as pl


def variances(wide: pl.DataFrame, dimension: str) -> np.ndarray:
    """The variance that repeats give the delta of each pair that has more than one: the square of their standard
    deviation over their number."""
    repeated = wide.filter(pl.col(f"n_{dimension}") > 1).drop_nulls(f"sd_{dimension}")
    return (repeated[f"sd_{dimension}"] ** 2 / repeated[f"n_{dimension}"]).to_numpy()


def noise(variance: np.ndarray) -> float | None:
    """A judge's noise on one dimension: the root of the mean of the pairs' variances; None where there is none to go
    by."""
    return float(np.sqrt(variance.mean())) if len(variance) else None


def mark(dimension: str, level: float | None, times: float) -> pl.Expr:
    """within_noise of a dimension: whether its delta is nearer to 0 than `times` the noise; null where that is
    unknown."""
    near = (
        pl.lit(None, pl.Boolean)
        if level is None
        else pl.col(f"delta_{dimension}").abs().round(9) < round(times * level, 9)
    )
    return near.alias(f"within_noise_{dimension}")


def marked(times: float, pairs: pl.DataFrame, wide: pl.DataFrame, dimensions: Iterable[str]) -> pl.DataFrame:
    """`wide` with the mark of each dimension, by the noise on pairs of unequal texts."""
    unequal = wide.join(
        pairs.filter(~pl.col("identical")).select("pair_id"), on="pair_id", how="semi", maintain_order="left"
    )
    columns = ["pair_id"]
    for dimension in dimensions:
        wide = wide.with_columns(mark(dimension, noise(variances(unequal, dimension)), times))
        columns += [f"{column}_{dimension}" for column in ("chosen", "rejected", "delta", "n", "sd", "within_noise")]
    return wide.select(columns)
