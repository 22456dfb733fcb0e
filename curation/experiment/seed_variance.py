"""How far the runs of one arm differ by their seed of training alone, and what the other arms of a study tell of it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from curation.experiment.values import ArmKey, ArmValues, BenchmarkValues

ALIKE = 0.2  # the level of the test that arms' variances are the same, below which each has its own
MOST_LENT, HALF_LENT = 3.0, 5.0  # degrees of freedom that other arms lend one, and how many of them lend half of these
TINY = np.finfo(float).tiny


class BetweenSeeds(NamedTuple):
    """The variance between the runs of an arm, or of several.

    means: of the runs' values, each a mean over prompts; its expectation is the variance between seeds plus `sampling`.
    sampling: the part of it that the answers to these prompts make, from seeds x prompts within an arm.
    df: the degrees of freedom of `means`.
    """

    means: float
    sampling: float
    df: float

    @property
    def variance(self) -> float:
        """Between seeds alone: of the values that an arm's runs would have over all prompts."""
        return max(self.means - self.sampling, 0.0)


def between_seeds(
    shares: Mapping[ArmKey, float], benchmarks: Mapping[str, float], study: Mapping[str, BenchmarkValues]
) -> list[tuple[float, BetweenSeeds]] | None:
    """What the seeds add to the variance of a contrast, as terms: the sum of share x variance. `shares` are of the arms
    that were trained: squared weight over the number of seeds.

    An arm's variance is that of its own seeds, drawn towards those of the other arms of its method (`lend`): all that
    have two seeds or more, and as many draws of each, since a mean over draws varies less (else fewer, which vary
    more); unless these differ (`alike`): then each has its own, if each of the contrast's has two seeds. None where a
    method has no such arm.
    """
    terms = []
    draws = {arm: count_draws(arm, benchmarks, study) for arm in shares}
    for method, drawn in dict.fromkeys((arm[0], draws[arm]) for arm in shares):
        own = {arm: share for arm, share in shares.items() if (arm[0], draws[arm]) == (method, drawn)}
        those = replicated(method, benchmarks, study)
        counted = {arm: count_draws(arm, benchmarks, study) for arm in those}
        each = {arm: one for arm, one in those.items() if counted[arm] == drawn}
        each = each or {arm: one for arm, one in those.items() if counted[arm] < drawn}
        if not each:
            return None
        if set(own) <= set(each) and not alike(*map(np.array, zip(*each.values(), strict=True))):
            terms += [(share, each[arm]) for arm, share in own.items()]
        else:
            terms.append(_drawn_together(own, each))
    return terms


def count_draws(arm: ArmKey, benchmarks: Iterable[str], study: Mapping[str, BenchmarkValues]) -> int:
    """How many runs a seed of the arm has, of the seed that has fewest."""
    return min(len(of_seed) for name in benchmarks for of_seed in study[name].arms[arm].runs)


def _drawn_together(shares: Mapping[ArmKey, float], each: Mapping[ArmKey, BetweenSeeds]) -> tuple[float, BetweenSeeds]:
    """The sum of the shares, and the mean of the arms' variances that they make."""
    means, sampling, dfs = map(np.array, zip(*each.values(), strict=True))
    of_each = np.array([shares.get(arm, 0.0) for arm in each])
    total = sum(shares.values())
    weights, df = lend(of_each / total, dfs)
    return total, BetweenSeeds(float(weights @ means), float(weights @ sampling), df)


def lend(shares: np.ndarray, df: np.ndarray) -> tuple[np.ndarray, float]:
    """A mean of arms' variances as weights of what the seeds of each say, and its degrees of freedom.

    shares: of the mean, of each arm that has seeds; what they lack to 1 is of arms with one seed, which take the mean
    over all on trust. df: of each arm.

    As in moderated statistics (Smyth 2004), an arm's variance is the mean of its own and of the other arms', at their
    degrees of freedom. Arms may differ, so m others count as 3 m / (m + 5) at most: two arms lend each other half a
    degree, any number of them three.
    """
    others = len(df) - 1
    rest = df.sum() - df
    lent = np.minimum(rest, MOST_LENT * others / (others + HALF_LENT))
    borrowed = shares * lent / (df + lent)
    each = borrowed / np.maximum(rest, 1.0)  # of a degree of another arm
    weights = shares - borrowed + df * (each.sum() - each) + (1 - shares.sum()) * df / df.sum()
    apart = borrowed**2 * (1 / np.maximum(lent, TINY) - 1 / np.maximum(rest, TINY))  # by which arms may differ
    return weights, float(1 / ((weights**2 / df).sum() + apart.sum()))


def replicated(
    method: str, benchmarks: Mapping[str, float], study: Mapping[str, BenchmarkValues]
) -> dict[ArmKey, BetweenSeeds]:
    """The arms of a method that have two seeds or more on all the benchmarks, each with the variance between them of
    the sum over benchmarks with these weights."""
    arms = set.intersection(*({arm for arm in study[name].arms if arm[0] == method} for name in benchmarks))
    found = {}
    for arm in sorted(arms):
        own = {name: study[name].arms[arm] for name in benchmarks}
        seeds = common_seeds(own.values())
        if len(seeds) > 1 and all(values.trained for values in own.values()):
            within = within_arm([(weight, of_seeds(own[name], seeds)) for name, weight in benchmarks.items()])
            if within is not None:
                found[arm] = within
    return found


def within_arm(values: Sequence[tuple[float, np.ndarray]]) -> BetweenSeeds | None:
    """The variance between the seeds of one arm: of each benchmark its weight and its seeds x prompts values, of which
    prompts without a value in some run do not count. None with fewer than two prompts."""
    means, sampling = np.zeros(len(values[0][1])), 0.0
    for weight, cells in values:
        valid = cells[:, ~np.isnan(cells).any(axis=0)]
        seeds, prompts = valid.shape
        if prompts < 2:
            return None
        by_seed = valid.mean(axis=1)
        rest = valid - valid.mean(axis=0) - by_seed[:, None] + valid.mean()
        means += weight * by_seed
        sampling += weight**2 * float((rest**2).sum()) / ((seeds - 1) * (prompts - 1)) / prompts
    return BetweenSeeds(float(np.var(means, ddof=1)), sampling, len(means) - 1)


def alike(means: np.ndarray, sampling: np.ndarray, df: np.ndarray) -> np.ndarray:
    """Whether the variances of arms (the last axis) can be the same: Bartlett's test at 20 % (`ALIKE`), a level at
    which a pooled variance is worth its risk (Bancroft 1964). No variance counts as less than its sampling part, since
    runs that happen to agree more than their answers can are no evidence."""
    from scipy import special

    arms, total = means.shape[-1], df.sum(axis=-1)
    if arms < 2:
        return np.ones(means.shape[:-1], bool)
    least = np.maximum(np.maximum(means, sampling), TINY)
    pooled = (df * least).sum(axis=-1) / total
    correction = 1 + ((1 / df).sum(axis=-1) - 1 / total) / (3 * (arms - 1))
    statistic = (total * np.log(pooled) - (df * np.log(least)).sum(axis=-1)) / correction
    return np.asarray(special.chdtrc(arms - 1, statistic) > ALIKE)


def common_seeds(values: Iterable[ArmValues]) -> list[int]:
    """The seeds that all have, sorted."""
    return sorted(set.intersection(*(set(one.seeds) for one in values)))


def of_seeds(values: ArmValues, seeds: Sequence[int]) -> np.ndarray:
    """The values of these seeds, seeds x prompts."""
    return values.values[[values.seeds.index(seed) for seed in seeds]]
