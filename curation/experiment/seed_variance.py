"""How far the runs of one arm differ by their seed of training alone, pooled over the arms of a study."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from curation.experiment.values import ArmKey, ArmValues, BenchmarkValues


class BetweenSeeds(NamedTuple):
    """The variance between the runs of an arm.

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
    method: str, benchmarks: Mapping[str, float], study: Mapping[str, BenchmarkValues]
) -> BetweenSeeds | None:
    """The variance between runs of a method of a sum over benchmarks with these weights: pooled over the arms that have
    two seeds or more. None where no arm of the method has two."""
    return pool(within for _, within in replicated(method, benchmarks, study))


def replicated(
    method: str, benchmarks: Mapping[str, float], study: Mapping[str, BenchmarkValues]
) -> Iterable[tuple[ArmKey, BetweenSeeds]]:
    """The arms of a method that have two seeds or more on all the benchmarks, each with the variance between them."""
    arms = set.intersection(*({arm for arm in study[name].arms if arm[0] == method} for name in benchmarks))
    for arm in sorted(arms):
        own = {name: study[name].arms[arm] for name in benchmarks}
        seeds = common_seeds(own.values())
        if len(seeds) > 1 and all(values.trained for values in own.values()):
            within = within_arm([(weight, of_seeds(own[name], seeds)) for name, weight in benchmarks.items()])
            if within is not None:
                yield arm, within


def within_arm(values: Sequence[tuple[float, np.ndarray]]) -> BetweenSeeds | None:
    """The variance between the seeds of one arm: of each benchmark its weight and its seeds x prompts values, of which
    prompts without a value in some run do not count. None with fewer than two prompts."""
    means, sampling = 0.0, 0.0
    for weight, cells in values:
        valid = cells[:, ~np.isnan(cells).any(axis=0)]
        seeds, prompts = valid.shape
        if prompts < 2:
            return None
        by_seed = valid.mean(axis=1, keepdims=True)
        rest = valid - valid.mean(axis=0) - by_seed + valid.mean()
        means = means + weight * by_seed[:, 0]
        sampling += weight**2 * float((rest**2).sum()) / ((seeds - 1) * (prompts - 1)) / prompts
    return BetweenSeeds(float(np.var(means, ddof=1)), sampling, len(values[0][1]) - 1)


def pool(arms: Iterable[BetweenSeeds]) -> BetweenSeeds | None:
    """The mean of the arms' variances, each weighted by its degrees of freedom."""
    each = list(arms)
    if not each:
        return None
    df = sum(one.df for one in each)
    means, sampling = (sum(one.df * one[column] for one in each) / df for column in (0, 1))
    return BetweenSeeds(means, sampling, df)


def common_seeds(values: Iterable[ArmValues]) -> list[int]:
    return sorted(set.intersection(*(set(one.seeds) for one in values)))


def of_seeds(values: ArmValues, seeds: Sequence[int]) -> np.ndarray:
    """The values of these seeds, seeds x prompts."""
    return values.values[[values.seeds.index(seed) for seed in seeds]]
