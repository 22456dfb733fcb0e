"""Intervals and paired tests. Observations that share a prompt are not independent, so every interval is clustered
by prompt."""

from collections.abc import Sequence
from functools import cache
from statistics import NormalDist
from typing import Any, overload

import numpy as np
import polars as pl

from curation.core.metrics import Interval

CONFIDENCE = 0.95
Z = NormalDist().inv_cdf(0.5 + CONFIDENCE / 2)  # how many standard errors that is to either side
MAX_CELLS = 50_000_000  # groups times clusters; beyond that only the cells that occur are numbered
FEW_DF = 13  # of a variance between seeds, below which Satterthwaite covers too little
LEAST_P = 1e-100  # that is told apart from less
ROUNDING = 1e-12  # values that differ by less differ by rounding only


class Clusters:
    """N observations in G groups and in clusters across them, numbered once for any number of columns of values.

    A cell is what a group and a cluster have in common; C is the number of cells.

    groups: frame of G rows, the distinct groups in the order of their columns.
    cell: N whole numbers from 0 to C - 1, the cell of each observation.
    group_of_cell: C whole numbers from 0 to G - 1.
    """

    def __init__(self, groups: pl.DataFrame, cluster: pl.Series | np.ndarray) -> None:
        """`groups` has N rows, and a group is a distinct row of it. `cluster` has N values, or is what `dense_rank`
        makes of them."""
        group = np.zeros(len(cluster), np.int64)
        for name in groups.columns:
            code = dense_rank(groups[name])
            group = group * (int(code.max(initial=0)) + 1) + code
        self.groups, group = _distinct_rows(groups, group)
        clusters = cluster if isinstance(cluster, np.ndarray) else dense_rank(cluster)
        cell = group * (int(clusters.max(initial=0)) + 1) + clusters
        self.cell = cell if int(cell.max(initial=0)) < MAX_CELLS else np.unique(cell, return_inverse=True)[1]
        self.group_of_cell = np.zeros(int(self.cell.max(initial=-1)) + 1, np.int64)
        self.group_of_cell[self.cell] = group

    def means(self, values: pl.Series) -> pl.DataFrame:
        """Per group: mean, ci_low, ci_high (null with fewer than two clusters), n observations, and clusters. `values`
        has N values, of which nulls do not count.

        The standard error is the cluster-robust one of a mean (Miller, arXiv 2411.00640, eq. 4, with the G/(G-1)
        correction), the interval Student's with G-1 degrees of freedom.
        """
        known = values.is_not_null().to_numpy()
        cell, value = (
            (self.cell, values.to_numpy()) if known.all() else (self.cell[known], values.drop_nulls().to_numpy())
        )
        cells, groups = len(self.group_of_cell), self.groups.height
        count, total = np.bincount(cell, minlength=cells), np.bincount(cell, value, cells)
        group, total, count = self.group_of_cell[count > 0], total[count > 0], count[count > 0]
        n, clusters = (np.bincount(group, weights, groups) for weights in (count, None))
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = np.bincount(group, total, groups) / n
            # sum over a cell of (value - mean) = its total - its count * mean, so a cell's two sums are enough
            squares = np.bincount(group, (total - count * mean[group]) ** 2, groups)
            deviation = np.sqrt(squares * clusters / np.maximum(clusters - 1, 1))  # n times the standard error
            half = np.where(clusters > 1, _t_quantiles(clusters - 1) * deviation / n, np.nan)
        reals = {"mean": mean, "ci_low": mean - half, "ci_high": mean + half}
        counts = {"n": n.astype(np.int64), "clusters": clusters.astype(np.int64)}
        columns = [pl.Series(name, column, nan_to_null=True) for name, column in reals.items()]
        return self.groups.hstack([*columns, *(pl.Series(name, column) for name, column in counts.items())])


def stable_mean(value: pl.Expr) -> pl.Expr:
    """The mean of each group, the same in whatever order its rows come and on however many threads: of a few long
    groups Polars gives each thread a part of the rows, and the last digit is by where it cuts."""
    return value.sort().mean()


def stable_sum(value: pl.Expr) -> pl.Expr:
    """The sum of each group, as `stable_mean`."""
    return value.sort().sum()


def dense_rank(values: pl.Series) -> np.ndarray:
    """The number of each value among the distinct ones in their order, from 0."""
    if values.dtype == pl.String:
        return values.cast(pl.Enum(values.unique().sort())).to_physical().to_numpy().astype(np.int64)
    return values.rank("dense").to_numpy().astype(np.int64) - 1


def _distinct_rows(rows: pl.DataFrame, code: np.ndarray) -> tuple[pl.DataFrame, np.ndarray]:
    """The distinct ones of N `rows`, which are those that differ in their `code`, in its order; and N numbers: which
    of them each row is."""
    occurs = np.zeros(int(code.max(initial=-1)) + 1, bool)
    first = np.zeros(len(occurs), np.int64)
    occurs[code], first[code[::-1]] = True, np.arange(len(code))[::-1]
    return rows[first[occurs]], (np.cumsum(occurs) - 1)[code]


def clustered_means(frame: pl.DataFrame, by: Sequence[str], value: str, cluster: str) -> pl.DataFrame:
    """`Clusters.means` of one column of a frame, of the groups that have a value. The order of the rows changes
    nothing."""
    known = frame.select(*by, cluster, value).drop_nulls(value).sort(*by, cluster, value)
    return Clusters(known.select(by), known[cluster]).means(known[value])


def clustered_mean(values: pl.Series, clusters: pl.Series) -> Interval | None:
    """The mean of `values` with its clustered interval and the number of clusters; None with fewer than two."""
    frame = pl.DataFrame({"all": pl.repeat(0, len(values), eager=True), "value": values, "cluster": clusters})
    return only_interval(clustered_means(frame, ["all"], "value", "cluster"))


def only_interval(means: pl.DataFrame) -> Interval | None:
    """The one row of `Clusters.means` as an interval with its number of clusters; None without a row, or with fewer
    than two clusters."""
    known = means.filter(pl.col("clusters") > 1).select("mean", "ci_low", "ci_high", "clusters")
    return None if known.is_empty() else Interval(*known.row(0))


def crossed_error(
    prompts: np.ndarray, prompts_df: np.ndarray, seeds: np.ndarray, sampling: np.ndarray, seeds_df: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The standard error of a mean over prompts and seeds, and the degrees of freedom of its Student's t.

    prompts: the variance for other prompts, with `prompts_df`. seeds: what the runs' values say of the variance for
    other seeds, with `seeds_df`; its expectation is that variance plus `sampling`, which `prompts` holds already.

    The variance is prompts + seeds - sampling, or prompts where that is more; the degrees of freedom are those of
    Satterthwaite 1946. With fewer than 13 for seeds these cover too little; the interval is then one of modified
    large samples (Graybill and Wang 1980), each variance at its own quantile, and its degrees of freedom are those at
    which Student's quantile makes it. `python -m bench.evidence` prints how often both cover.
    """
    total = prompts + np.maximum(seeds - sampling, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        usual = np.where(seeds > sampling, total**2 / (prompts**2 / prompts_df + seeds**2 / seeds_df), prompts_df)
        half = few_half_width(1 - CONFIDENCE, prompts, prompts_df, seeds, sampling, seeds_df)
        few = np.interp(half / np.sqrt(total), *_dfs_by_quantile())
    return np.sqrt(total), np.where(seeds_df < FEW_DF, few, usual)


def crossed_p(value: float, prompts: float, prompts_df: float, seeds: float, sampling: float, seeds_df: float) -> float:
    """The level at which the interval of `crossed_error` about a mean of `value` ends at 0, which is its two-sided p.

    With fewer than 13 degrees of freedom for seeds it is not Student's at those of the 95 % interval, which at levels
    below 1 % would be too small: each variance has its own quantile at each level.
    """
    from scipy import optimize, special

    if abs(value) <= ROUNDING:
        return 1.0
    parts = tuple(map(np.array, (prompts, prompts_df, seeds, sampling, seeds_df)))
    if seeds_df >= FEW_DF:
        error, df = crossed_error(*parts)
        return float(2 * special.stdtr(df, -abs(value) / error))

    def beyond(log_level: float) -> float:
        return float(few_half_width(float(np.exp(log_level)), *parts)) - abs(value)

    least = np.log(LEAST_P)
    return LEAST_P if beyond(least) <= 0 else float(np.exp(optimize.brentq(beyond, least, 0.0)))


def few_half_width(
    level: float,
    prompts: np.ndarray,
    prompts_df: np.ndarray,
    seeds: np.ndarray,
    sampling: np.ndarray,
    seeds_df: np.ndarray,
) -> np.ndarray:
    """How far the interval of modified large samples reaches that leaves out what is true in `level` of all cases."""
    from scipy import special

    of_prompts, of_seeds = (special.stdtrit(np.maximum(df, 1), level / 2) ** 2 for df in (prompts_df, seeds_df))
    off = of_prompts + (of_seeds - of_prompts) * (np.clip(seeds_df, 1, 2) - 1) / 4
    return np.asarray(np.sqrt(of_prompts * prompts + np.maximum(of_seeds * seeds - off * sampling, 0.0)))


@cache
def _dfs_by_quantile() -> tuple[np.ndarray, np.ndarray]:
    """Quantiles of Student's t in their order, and the degrees of freedom of each, from 1,000,000 to 1."""
    df = np.geomspace(1e6, 1, 5000)
    return _t_quantiles(df), df


def holm(p: Sequence[float]) -> list[float]:
    """Each p corrected for there being several (Holm 1979): the chance of any false finding among them is then at
    most the level that they are held to."""
    # of m, the i-th smallest becomes the largest of (m - j + 1) p_j over j <= i, at most 1
    order = np.argsort(p, kind="stable")
    scaled = np.maximum.accumulate(np.asarray(p)[order] * (len(p) - np.arange(len(p))))
    corrected = np.empty(len(p))
    corrected[order] = np.minimum(scaled, 1.0)
    return corrected.tolist()


@overload
def wilson(share: float, n: float, quantile: float = Z) -> tuple[float, float]: ...
@overload
def wilson(share: pl.Expr, n: pl.Expr, quantile: float = Z) -> tuple[pl.Expr, pl.Expr]: ...
def wilson(share: Any, n: Any, quantile: float = Z) -> tuple[Any, Any]:
    """The ends of Wilson's interval of a `share` of `n` independent observations, which has a width at 0 and at 1 too;
    numbers or columns. It is a 95 % one, or reaches as many standard errors as `quantile` says."""
    # all x with (share - x)^2 <= quantile^2 x (1 - x) / n: the roots of that quadratic
    square = quantile**2
    centre, half = share + square / (2 * n), quantile * ((share * (1 - share) + square / (4 * n)) / n) ** 0.5
    return (centre - half) / (1 + square / n), (centre + half) / (1 + square / n)


def t_quantile(df: float) -> float:
    """How many standard errors a 95 % interval reaches to either side: Student's t with `df` degrees of freedom."""
    return float(_t_quantiles(np.array([df]))[0])


def _t_quantiles(df: np.ndarray) -> np.ndarray:
    from scipy import special

    return np.asarray(special.stdtrit(np.maximum(df, 1), 0.5 + CONFIDENCE / 2))
