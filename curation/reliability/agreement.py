"""Measures of agreement, each with an interval clustered by prompt.

All but one are functions of sums over clusters, so that leaving a cluster out is a subtraction: a jackknife over a
million rows is one pass.
"""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from curation.core.metrics import Interval
from curation.core.stats import t_quantile
from curation.reliability.measurement import NO_END, drop_ends_of_no_width, share_interval

FEWEST = 5  # clusters of the rarer sort that an AUROC has an interval of
Statistic: TypeAlias = Callable[[np.ndarray], np.ndarray]  # sums in the last axis, one value for each of the others


def jackknife(statistic: Statistic, sums: np.ndarray, least: float = -np.inf, most: float = np.inf) -> Interval | None:
    """`statistic` of the sum of `sums` (clusters x sums), with the standard error from leaving out each cluster (Efron
    and Stein 1981) and Student's t with G-1 degrees of freedom.

    Between two ends, `least` and `most`, the interval is a share's, stretched: of a correlation that is Fisher's. None
    with fewer than two clusters, or where the statistic is not defined on all of them or without one.
    """
    clusters = len(sums)
    if clusters < 2:
        return None
    total = sums.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        value, without = float(statistic(total)), statistic(total - sums)
        # Var = (G - 1) / G * sum over clusters of (value without it - mean of these)^2
        variance = (clusters - 1) / clusters * ((without - without.mean()) ** 2).sum()
    if not np.isfinite(value) or not np.isfinite(variance):
        return None
    if (span := most - least) < np.inf:
        share, squares = min(max((value - least) / span, 0.0), 1.0), variance * (clusters - 1) / clusters / span**2
        ends = share_interval(share, squares, clusters, clusters)
        return Interval(value, min(least + span * ends.low, value), max(least + span * ends.high, value), clusters)
    half = t_quantile(clusters - 1) * np.sqrt(variance)
    return drop_ends_of_no_width(Interval(value, max(value - half, min(least, value)), value + half, clusters))


def sum_by_cluster(cluster: np.ndarray, *columns: np.ndarray) -> np.ndarray:
    """The sums of `columns` in each cluster: clusters x columns."""
    _, code = np.unique(cluster, return_inverse=True)
    return np.column_stack([np.bincount(code, weights=column) for column in columns])


def sum_moments(x: np.ndarray, y: np.ndarray, cluster: np.ndarray) -> np.ndarray:
    """What `kappa`, `correlation`, `slope` and `intercept` are functions of: per cluster n and the sums of x, y, xx,
    yy, xy."""
    return sum_by_cluster(cluster, np.ones(len(x)), x, y, x * x, y * y, x * y)


def kappa(sums: np.ndarray) -> np.ndarray:
    """Cohen's kappa with quadratic weights (Cohen 1968), which needs no categories: 1 - E(x-y)^2 / E(x-y')^2 with x
    and y' independent."""
    n, x, y, xx, yy, xy = np.moveaxis(sums, -1, 0)
    # sum (x_i - y_i)^2 = xx + yy - 2 xy over n, and sum over i, j of (x_i - y_j)^2 = n (xx + yy) - 2 x y over n^2
    return np.asarray(1 - n * (xx + yy - 2 * xy) / (n * (xx + yy) - 2 * x * y))


def correlation(sums: np.ndarray) -> np.ndarray:
    """Pearson's correlation."""
    n, x, y, xx, yy, xy = np.moveaxis(sums, -1, 0)
    # n^2 cov(x, y) = n xy - x y, and n^2 var(x) = n xx - x^2
    return np.asarray((n * xy - x * y) / np.sqrt((n * xx - x * x) * (n * yy - y * y)))


def slope(sums: np.ndarray) -> np.ndarray:
    """How much y rises where x rises by one, by least squares."""
    n, x, y, xx, _, xy = np.moveaxis(sums, -1, 0)
    # cov(x, y) / var(x), both times n^2
    return np.asarray((n * xy - x * y) / (n * xx - x * x))


def intercept(sums: np.ndarray) -> np.ndarray:
    """y where x is 0, by least squares."""
    n, x, y, *_ = np.moveaxis(sums, -1, 0)
    return np.asarray((y - slope(sums) * x) / n)


def excess_of_absolute(sums: np.ndarray) -> float:
    """By how much chance makes the sum over columns of |the sum of `sums` (clusters x columns)| larger: of a normal
    with this mean and error, whose absolute value exceeds the mean's the more, the nearer it is to 0."""
    from scipy import stats

    clusters, total = len(sums), sums.sum(axis=0)
    error = np.sqrt(clusters / (clusters - 1) * ((sums - total / clusters) ** 2).sum(axis=0))
    # what is seen is further from 0 than the mean is, by about one error: E|X| - m = error * (2 phi(z) - 2 z Phi(-z))
    z = np.maximum(np.abs(total) / np.where(error > 0, error, 1.0) - 1, 0.0)
    return float((error * 2 * (stats.norm.pdf(z) - z * stats.norm.sf(z))).sum())


def sum_disagreement(values: np.ndarray, unit: np.ndarray, cluster: np.ndarray) -> np.ndarray:
    """What `alpha` is a function of: per cluster the units' disagreement, and n and the sums of values and squares.
    Units of one value do not count."""
    _, code, size = np.unique(unit, return_inverse=True, return_counts=True)
    repeated = size[code] > 1
    values, cluster, code, size = values[repeated], cluster[repeated], code[repeated], size[code][repeated]
    total, squares = (np.bincount(code, weights=column)[code] for column in (values, values * values))
    # a unit of m values v disagrees by sum over i, j of (v_i - v_j)^2 / (m - 1) = 2 (m sum v^2 - (sum v)^2) / (m - 1);
    # each of its m rows carries an m-th of that
    disagreement = 2 * (size * squares - total**2) / (size * (size - 1))
    return sum_by_cluster(cluster, disagreement, np.ones(len(values)), values, values * values)


def alpha(sums: np.ndarray) -> np.ndarray:
    """Krippendorff's alpha for interval data (Krippendorff 2011): 1 - observed / expected disagreement."""
    disagreement, n, values, squares = np.moveaxis(sums, -1, 0)
    # expected: all n values as one unit, sum over i, j of (v_i - v_j)^2 / (n (n - 1))
    return np.asarray(1 - (disagreement / n) / (2 * (n * squares - values**2) / (n * (n - 1))))


def auroc(score: np.ndarray, positive: np.ndarray, cluster: np.ndarray) -> Interval | None:
    """The chance that a positive has a higher score than a negative, equal ones half; errors clustered as in
    Obuchowski 1997, the interval that of a share.

    What decides how sure it is are the clusters of the rarer sort: without FEWEST of them the ends are NO_END. None
    without both sorts, or with fewer than two clusters.
    """
    higher, lower = score[positive], score[~positive]
    clusters = len(np.unique(cluster))
    if not len(higher) or not len(lower) or clusters < 2:
        return None
    placement = np.empty(len(score))
    for own, others, sign in ((positive, np.sort(lower), 1), (~positive, np.sort(higher), -1)):
        below, up_to = (np.searchsorted(others, score[own], side) for side in ("left", "right"))
        share = (below + up_to) / (2 * len(others))  # of the others that are lower, equal ones half
        placement[own] = (share if sign > 0 else 1 - share) / own.sum()
    # the mean of the positives' shares is the AUROC, and so is that of the negatives'
    value = float(placement[positive].sum())
    rarer = min(len(np.unique(cluster[sort])) for sort in (positive, ~positive))
    if rarer < FEWEST:
        return Interval(value, NO_END, NO_END, clusters)
    # a cluster's part in the estimate is the sum of its placements about their mean, value / how many of its sort
    about_mean = placement - np.where(positive, value / positive.sum(), value / (~positive).sum())
    squares = float((sum_by_cluster(cluster, about_mean) ** 2).sum())
    return share_interval(value, squares, rarer, clusters)
