"""How far a judge's own repeats move a delta, and which deltas are no larger than that."""

from collections.abc import Iterable

import numpy as np
import polars as pl


def variances(wide: pl.DataFrame, dimension: str) -> np.ndarray:
    """The variance that repeats give the delta of each pair that has more than one: their spread's square over their number."""
    repeated = wide.filter(pl.col(f"n_{dimension}") > 1).drop_nulls(f"spread_{dimension}")
    return (repeated[f"spread_{dimension}"] ** 2 / repeated[f"n_{dimension}"]).to_numpy()


def marked(times: float, pairs: pl.DataFrame, wide: pl.DataFrame, dimensions: Iterable[str]) -> pl.DataFrame:
    """`wide` with within_noise of each dimension: whether the delta is nearer to 0 than `times` the judge's noise, which is the root of the mean
    variance over pairs of unequal texts; null where that is unknown."""
    unequal = wide.join(pairs.filter(~pl.col("tie")).select("pair_id"), on="pair_id", how="semi", maintain_order="left")
    columns = ["pair_id"]
    for dimension in dimensions:
        variance, name = variances(unequal, dimension), f"within_noise_{dimension}"
        near = pl.col(f"delta_{dimension}").abs().round(9) < round(times * float(np.sqrt(variance.mean())), 9) if len(variance) else pl.lit(None, pl.Boolean)
        wide = wide.with_columns(near.alias(name))
        columns += [f"{column}_{dimension}" for column in ("chosen", "rejected", "delta", "n", "spread", "within_noise")]
    return wide.select(columns)
