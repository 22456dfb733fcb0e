"""Intervals and paired tests. Observations that share a prompt are not independent, so every interval is clustered
by prompt."""

from collections.abc import Sequence
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from curation.core.metrics import Interval

CONFIDENCE = 0.95
MOST_CELLS = 50_000_000  # of clusters times groups, beyond which those that occur are numbered
SAME = 1e-12  # gains that differ by less differ by rounding only


class Clusters:
    """Observations in groups, and in clusters across them, numbered once for any number of columns of values."""

    def __init__(self, groups: pl.DataFrame, cluster: pl.Series | np.ndarray) -> None:
        """`groups` and `cluster`, or its numbers as `numbered` gives them, have a row for each observation; a group
        is a distinct row of `groups`, and they come in its order."""
        group = np.zeros(len(cluster), np.int64)
        for name in groups.columns:
            code = numbered(groups[name])
            group = group * (int(code.max(initial=0)) + 1) + code
        self.names, group = _present(groups, group)
        clusters = cluster if isinstance(cluster, np.ndarray) else numbered(cluster)
        cell = group * (int(clusters.max(initial=0)) + 1) + clusters
        self.cell = cell if int(cell.max(initial=0)) < MOST_CELLS else np.unique(cell, return_inverse=True)[1]
        self.group = np.zeros(int(self.cell.max(initial=-1)) + 1, np.int64)
        self.group[self.cell] = group

    def means(self, values: pl.Series) -> pl.DataFrame:
        """Per group: mean, ci_low, ci_high (null with fewer than two clusters), n observations, and clusters; nulls do
        not count.

        The standard error is the cluster-robust one of a mean (Miller, arXiv 2411.00640, eq. 4, with the G/(G-1)
        correction), the interval Student's with G-1 degrees of freedom.
        """
        known = values.is_not_null().to_numpy()
        cell, value = (
            (self.cell, values.to_numpy()) if known.all() else (self.cell[known], values.drop_nulls().to_numpy())
        )
        count, total = np.bincount(cell, minlength=len(self.group)), np.bincount(cell, value, len(self.group))
        group, total, count = self.group[count > 0], total[count > 0], count[count > 0]
        n, clusters = (np.bincount(group, weights, self.names.height) for weights in (count, None))
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = np.bincount(group, total, self.names.height) / n
            squares = np.bincount(group, (total - count * mean[group]) ** 2, self.names.height)
            half = np.where(
                clusters > 1, _t(clusters - 1) * np.sqrt(squares * clusters / np.maximum(clusters - 1, 1)) / n, np.nan
            )
        reals = {"mean": mean, "ci_low": mean - half, "ci_high": mean + half}
        found = pl.DataFrame([pl.Series(name, column, nan_to_null=True) for name, column in reals.items()])
        return self.names.hstack(
            found.with_columns(pl.Series("n", n.astype(np.int64)), pl.Series("clusters", clusters.astype(np.int64)))
        )


def numbered(values: pl.Series) -> np.ndarray:
    """Each value's place among the distinct ones in their order."""
    if values.dtype == pl.String:
        return values.cast(pl.Enum(values.unique().sort())).to_physical().to_numpy().astype(np.int64)
    return values.rank("dense").to_numpy().astype(np.int64) - 1


def _present(groups: pl.DataFrame, code: np.ndarray) -> tuple[pl.DataFrame, np.ndarray]:
    """The distinct rows of `groups` in the order of their code, and the number of each row's."""
    seen = np.zeros(int(code.max(initial=-1)) + 1, bool)
    first = np.zeros(len(seen), np.int64)
    seen[code], first[code[::-1]] = True, np.arange(len(code))[::-1]
    return groups[first[seen]], (np.cumsum(seen) - 1)[code]


def clustered_means(frame: pl.DataFrame, by: Sequence[str], value: str, cluster: str) -> pl.DataFrame:
    """`Clusters.means` of one column of a frame, of the groups that have a value. The order of the rows changes
    nothing."""
    kept = frame.select(*by, cluster, value).drop_nulls(value).sort(*by, cluster, value)
    return Clusters(kept.select(by), kept[cluster]).means(kept[value])


def clustered_mean(values: pl.Series, clusters: pl.Series) -> Interval | None:
    """The mean of `values` with its clustered interval and the number of clusters; None with fewer than two."""
    frame = pl.DataFrame({"all": pl.repeat(0, len(values), eager=True), "value": values, "cluster": clusters})
    return only(clustered_means(frame, ["all"], "value", "cluster"))


def only(means: pl.DataFrame) -> Interval | None:
    """The one row of means, as an interval with its number of clusters; None without one, or with fewer than two
    clusters."""
    row = means.rows(named=True)
    return (
        Interval(row[0]["mean"], row[0]["ci_low"], row[0]["ci_high"], row[0]["clusters"])
        if row and row[0]["clusters"] > 1
        else None
    )


class Crossed(NamedTuple):
    """A mean over seeds and prompts, its 95 % interval, how many prompts and seeds there are, and the two-sided p
    that it is 0."""

    mean: float
    low: float
    high: float
    prompts: int
    seeds: int
    p: float | None


def crossed_mean(values: np.ndarray) -> Crossed | None:
    """The mean of `values`, seeds x prompts, where both are drawn from many: the interval is for other seeds and other
    prompts.

    Variance components of a two-way layout with one value a cell (Searle, Casella and McCulloch 1992, section 4.3),
    none below 0; freedom by Satterthwaite 1946. With one seed it is Student's over prompts, which says nothing of other
    seeds. None with fewer than two prompts; no p where nothing varies.
    """
    seeds, prompts = values.shape
    if prompts < 2 or not seeds:
        return None
    mean = float(values.mean())
    by_prompt, by_seed = values.mean(axis=0) - mean, values.mean(axis=1) - mean
    squares = np.array([seeds * (by_prompt**2).sum() / (prompts - 1), 0.0, 0.0])
    freedom = np.array([prompts - 1.0, 1.0, 1.0])
    if seeds > 1:
        rest = values - mean - by_prompt - by_seed[:, None]
        squares[1:] = prompts * (by_seed**2).sum() / (seeds - 1), (rest**2).sum() / ((seeds - 1) * (prompts - 1))
        freedom[1:] = seeds - 1, (seeds - 1) * (prompts - 1)
    weights = np.array(
        [1.0, 1.0, -1.0]
    )  # E[of prompts + of seeds - of the rest] is what the mean varies by, times the number of cells
    if squares[1] < squares[2]:
        weights = np.array([1.0, 0.0, 0.0])
    elif squares[0] < squares[2]:
        weights = np.array([0.0, 1.0, 0.0])
    total = float(weights @ squares)
    if total < SAME**2:
        return Crossed(mean, mean, mean, prompts, seeds, None)
    df = total**2 / float(((weights * squares) ** 2 / freedom).sum())
    error = np.sqrt(total / values.size)
    half = float(_t(np.array([df]))[0]) * error
    from scipy import stats

    return Crossed(mean, mean - half, mean + half, prompts, seeds, float(2 * stats.t.sf(abs(mean) / error, df)))


def holm(p: Sequence[float]) -> list[float]:
    """Each p corrected for there being several (Holm 1979): the chance of any false finding among them is then at
    most what it is held to."""
    order = np.argsort(p, kind="stable")
    scaled = np.maximum.accumulate(np.asarray(p)[order] * (len(p) - np.arange(len(p))))
    corrected = np.empty(len(p))
    corrected[order] = np.minimum(scaled, 1.0)
    return corrected.tolist()


def pass_at_k(right: int, samples: int, k: int) -> float:
    """The chance that one of k samples drawn from `samples`, of which `right` are right, is right (Chen et al.,
    arXiv 2107.03374)."""
    if samples - right < k:
        return 1.0
    return float(1.0 - np.prod(1.0 - k / np.arange(samples - right + 1, samples + 1)))


def wilson(share: Any, n: Any) -> tuple[Any, Any]:
    """The ends of Wilson's 95 % interval of a `share` of `n` independent observations, which has a width at 0 and at
    1 too; numbers or columns."""
    z = NormalDist().inv_cdf(0.5 + CONFIDENCE / 2)
    centre, half = share + z**2 / (2 * n), z * ((share * (1 - share) + z**2 / (4 * n)) / n) ** 0.5
    return (centre - half) / (1 + z**2 / n), (centre + half) / (1 + z**2 / n)


def quantile(freedom: int) -> float:
    """How many standard errors a 95 % interval reaches to either side: Student's t."""
    return float(_t(np.array([freedom]))[0])


def _t(freedom: np.ndarray) -> np.ndarray:
    from scipy import stats

    return np.asarray(stats.t.ppf(0.5 + CONFIDENCE / 2, np.maximum(freedom, 1)))
