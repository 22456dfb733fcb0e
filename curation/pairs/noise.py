"""How far a judge's own repeats move a delta, and which deltas are no larger than that. What the order of two traces
does to a pairwise judge is bias, and no noise: asking again brings the same."""

from collections.abc import Iterable
from statistics import NormalDist

import numpy as np
import polars as pl

from curation.tables.contracts import JUDGED, JUDGED_IN_ORDERS


def variances(wide: pl.DataFrame, dimension: str) -> np.ndarray:
    """The variance that repeats give the delta of each pair that has more than one: the square of their standard
    deviation over their number."""
    repeated = wide.filter(pl.col(f"n_{dimension}") > 1).drop_nulls(f"sd_{dimension}")
    return (repeated[f"sd_{dimension}"] ** 2 / repeated[f"n_{dimension}"]).to_numpy()


def pool_noise(variance: np.ndarray) -> float | None:
    """A judge's noise on one dimension: the root of the mean of the pairs' variances; None without any."""
    return float(np.sqrt(variance.mean())) if len(variance) else None


def flag_within_noise(dimension: str, noise: float | None, times: float) -> pl.Expr:
    """within_noise of a dimension: whether its delta is nearer to 0 than `times` the noise; null where that is
    unknown."""
    delta = pl.col(f"delta_{dimension}").abs().round(9)
    flag = pl.lit(None, pl.Boolean) if noise is None else delta < round(times * noise, 9)
    return flag.alias(f"within_noise_{dimension}")


def add_within_noise(times: float, pairs: pl.DataFrame, wide: pl.DataFrame, dimensions: Iterable[str]) -> pl.DataFrame:
    """`wide` with within_noise of each dimension, by the noise on pairs of unequal texts."""
    ids = pairs.filter(~pl.col("identical")).select("pair_id")
    unequal = wide.join(ids, on="pair_id", how="semi", maintain_order="left")
    columns = ["pair_id"]
    for dimension in dimensions:
        judged = JUDGED_IN_ORDERS if f"bias_{dimension}" in wide.columns else JUDGED
        noise = pool_noise(variances(unequal, dimension))
        wide = wide.with_columns(flag_within_noise(dimension, noise, times))
        columns += [f"{column}_{dimension}" for column in judged]
    return wide.select(columns)


def share_beyond(times: float) -> float:
    """How many of the pairs that a judge finds equal are yet beyond `times` its noise, by chance: the share of a normal
    distribution that is `times` standard deviations from its mean, or further."""
    return 2 * NormalDist().cdf(-times)
