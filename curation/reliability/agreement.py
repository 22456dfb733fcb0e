"""Figures of agreement, each with an interval clustered by prompt.

All but one are functions of sums over clusters, so that leaving a cluster out is a subtraction: a jackknife over a
million rows is one pass.
"""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from curation.core.metrics import Interval
from curation.core.stats import quantile, wilson

Statistic: TypeAlias = Callable[[np.ndarray], np.ndarray]  # sums in the last axis, one value for each of the others


def jackknife(statistic: Statistic, sums: np.ndarray, least: float = -np.inf, most: float = np.inf) -> Interval | None:
    """`statistic` of the sum of `sums` (clusters x sums), its spread from leaving out each cluster (Efron and Stein
    1981), Student's with G-1.

    It reaches no further than `least` and `most`. None with fewer than two clusters, or where the statistic is not
    defined on all of them or without one.
    """
    clusters = len(sums)
    if clusters < 2:
        return None
    total = sums.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        value, without = float(statistic(total)), statistic(total - sums)
    half = quantile(clusters - 1) * np.sqrt((clusters - 1) / clusters * ((without - without.mean()) ** 2).sum())
    if not np.isfinite(value) or not np.isfinite(half):
        return None
    return Interval(value, max(value - half, min(least, value)), min(value + half, max(most, value)), clusters)


def by_cluster(cluster: np.ndarray, *columns: np.ndarray) -> np.ndarray:
    """The sums of `columns` in each cluster: clusters x columns."""
    _, code = np.unique(cluster, return_inverse=True)
    return np.column_stack([np.bincount(code, weights=column) for column in columns])


def moments(x: np.ndarray, y: np.ndarray, cluster: np.ndarray) -> np.ndarray:
    """What `kappa`, `correlation`, `slope` and `intercept` are functions of: per cluster n and the sums of x, y, xx,
    yy, xy."""
    return by_cluster(cluster, np.ones(len(x)), x, y, x * x, y * y, x * y)


def kappa(sums: np.ndarray) -> np.ndarray:
    """Cohen's kappa with quadratic weights (Cohen 1968), which needs no categories: 1 - E(x-y)^2 / E(x-y')^2 with x
    and y' independent."""
    n, x, y, xx, yy, xy = np.moveaxis(sums, -1, 0)
    return np.asarray(1 - n * (xx + yy - 2 * xy) / (n * (xx + yy) - 2 * x * y))


def correlation(sums: np.ndarray) -> np.ndarray:
    """Pearson's correlation."""
    n, x, y, xx, yy, xy = np.moveaxis(sums, -1, 0)
    return np.asarray((n * xy - x * y) / np.sqrt((n * xx - x * x) * (n * yy - y * y)))


def slope(sums: np.ndarray) -> np.ndarray:
    """How much y rises where x rises by one, by least squares."""
    n, x, y, xx, _, xy = np.moveaxis(sums, -1, 0)
    return np.asarray((n * xy - x * y) / (n * xx - x * x))


def intercept(sums: np.ndarray) -> np.ndarray:
    """y where x is 0, by least squares."""
    n, x, y, *_ = np.moveaxis(sums, -1, 0)
    return np.asarray((y - slope(sums) * x) / n)


def alpha_sums(values: np.ndarray, unit: np.ndarray, cluster: np.ndarray) -> np.ndarray:
    """What `alpha` is a function of: per cluster the units' disagreement, and n and the sums of values and squares.
    Units of one value do not count."""
    _, code, size = np.unique(unit, return_inverse=True, return_counts=True)
    kept = size[code] > 1
    values, cluster, code, size = values[kept], cluster[kept], code[kept], size[code][kept]
    total, squares = (np.bincount(code, weights=column)[code] for column in (values, values * values))
    return by_cluster(
        cluster, 2 * (size * squares - total**2) / (size * (size - 1)), np.ones(len(values)), values, values * values
    )


def alpha(sums: np.ndarray) -> np.ndarray:
    """Krippendorff's alpha for interval data (Krippendorff 2011): 1 - observed / expected disagreement."""
    disagreement, n, values, squares = np.moveaxis(sums, -1, 0)
    return np.asarray(1 - (disagreement / n) / (2 * (n * squares - values**2) / (n * (n - 1))))


def auroc(score: np.ndarray, positive: np.ndarray, cluster: np.ndarray) -> Interval | None:
    """The chance that a positive has a higher score than a negative, equal ones half; interval clustered as in
    Obuchowski 1997.

    Each cluster's share in the estimate is the sum of its placements about the mean; their squares, with G/(G-1), are
    the variance. The interval is one of the log odds, so that it stays within 0 and 1. None without both sorts, or with
    fewer than two clusters.
    """
    higher, lower = score[positive], score[~positive]
    if not len(higher) or not len(lower):
        return None
    placed = np.empty(len(score))
    for mine, other, sign in ((positive, np.sort(lower), 1), (~positive, np.sort(higher), -1)):
        below, upto = (np.searchsorted(other, score[mine], side) for side in ("left", "right"))
        share = (below + upto) / (2 * len(other))
        placed[mine] = (share if sign > 0 else 1 - share) / mine.sum()
    value = round(float(placed[positive].sum()), 12)  # 1 is 1, and its odds are none
    shares = by_cluster(cluster, placed - np.where(positive, value / positive.sum(), value / (~positive).sum()))[:, 0]
    clusters = len(shares)
    if clusters < 2:
        return None
    if not 0 < value < 1:  # Wilson's, for as many observations as the rarer sort has clusters
        low, high = wilson(value, min(len(np.unique(cluster[positive])), len(np.unique(cluster[~positive]))))
        return Interval(value, min(low, value), max(high, value), clusters)
    half = quantile(clusters - 1) * np.sqrt(clusters / (clusters - 1) * (shares**2).sum()) / (value * (1 - value))
    odds = np.log(value / (1 - value))
    low, high = (float(1 / (1 + np.exp(-end))) for end in (odds - half, odds + half))
    return Interval(value, low, high, clusters)
