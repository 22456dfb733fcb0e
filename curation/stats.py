"""Intervals and paired tests. Observations that share a prompt are not independent, so every interval is clustered by prompt."""

from collections.abc import Sequence
from statistics import NormalDist
from typing import Any

import numpy as np
import polars as pl

from curation.metrics import Interval

CONFIDENCE = 0.95
SAME = 1e-12  # gains that differ by less differ by rounding only


def clustered_means(frame: pl.DataFrame, by: Sequence[str], value: str, cluster: str) -> pl.DataFrame:
    """Per group of `by`: mean, ci_low, ci_high (null with fewer than two clusters), n observations, and clusters.

    Nulls in `value` do not count. The standard error is the cluster-robust one of a mean (Miller, arXiv 2411.00640,
    eq. 4, with the G/(G-1) correction), the interval Student's with G-1 degrees of freedom. Sums are taken over
    sorted rows, so the order of the input changes nothing.
    """
    kept = frame.select(*by, cluster, value).filter(pl.col(value).is_not_null())
    names = kept.select(by).unique().sort(by).with_row_index("_group")
    coded = kept.join(names, on=list(by)).select("_group", cluster, value)  # grouping by a number is three times as fast
    totals = coded.group_by("_group", cluster).agg(pl.col(value).sort().sum().alias("total"), pl.len().alias("count")).sort("_group", cluster)
    groups = totals.group_by("_group", maintain_order=True).agg(
        pl.col("count").sum().cast(pl.Int64).alias("n"), pl.len().cast(pl.Int64).alias("clusters"), pl.col("total").sum().alias("sum")
    )
    groups = groups.with_columns((pl.col("sum") / pl.col("n")).alias("mean"))
    off = (pl.col("total") - pl.col("count") * pl.col("mean")) ** 2
    squares = totals.join(groups, on="_group", maintain_order="left").group_by("_group", maintain_order=True).agg(off.sum().alias("squares"))
    groups = groups.join(squares, on="_group", maintain_order="left").join(names, on="_group", maintain_order="left")
    clusters = groups["clusters"].to_numpy().astype(float)
    half = _t(clusters - 1) * np.sqrt(groups["squares"].to_numpy() * clusters / np.maximum(clusters - 1, 1)) / groups["n"].to_numpy()
    halves = pl.Series("half", np.where(clusters > 1, half, np.nan)).fill_nan(None)
    return groups.with_columns((pl.col("mean") - halves).alias("ci_low"), (pl.col("mean") + halves).alias("ci_high")).select(
        *by, "mean", "ci_low", "ci_high", "n", "clusters"
    )


def clustered_mean(values: pl.Series, clusters: pl.Series) -> Interval | None:
    """The mean of `values` with its clustered interval and the number of clusters; None with fewer than two."""
    frame = pl.DataFrame({"all": ["all"] * len(values), "value": values, "cluster": clusters})
    row = clustered_means(frame, ["all"], "value", "cluster").rows(named=True)
    return Interval(row[0]["mean"], row[0]["ci_low"], row[0]["ci_high"], row[0]["clusters"]) if row and row[0]["clusters"] > 1 else None


def paired_p(gains: np.ndarray) -> float | None:
    """Two-sided p of a paired t-test that the mean gain is 0; None with fewer than two gains or where none differs from the others."""
    if len(gains) < 2 or np.ptp(gains) < SAME:
        return None
    from scipy import stats

    return float(stats.ttest_1samp(gains, 0.0).pvalue)


def pass_at_k(right: int, samples: int, k: int) -> float:
    """The chance that one of k samples drawn from `samples`, of which `right` are right, is right (Chen et al., arXiv 2107.03374)."""
    if samples - right < k:
        return 1.0
    return float(1.0 - np.prod(1.0 - k / np.arange(samples - right + 1, samples + 1)))


def wilson(share: Any, n: Any) -> tuple[Any, Any]:
    """The ends of Wilson's 95 % interval of a `share` of `n` independent observations, which has a width at 0 and at 1 too; numbers or columns."""
    z = NormalDist().inv_cdf(0.5 + CONFIDENCE / 2)
    centre, half = share + z**2 / (2 * n), z * ((share * (1 - share) + z**2 / (4 * n)) / n) ** 0.5
    return (centre - half) / (1 + z**2 / n), (centre + half) / (1 + z**2 / n)


def quantile(freedom: int) -> float:
    """How many standard errors a 95 % interval reaches to either side: Student's t."""
    return float(_t(np.array([freedom]))[0])


def _t(freedom: np.ndarray) -> np.ndarray:
    from scipy import stats

    return np.asarray(stats.t.ppf(0.5 + CONFIDENCE / 2, np.maximum(freedom, 1)))
