"""What a study can see before it is paid for: how wide a contrast's interval will be, the smallest gain that it finds,
and how many prompts, samples or seeds another gain takes.

The variance is `estimate`'s: over prompts, of the difference that the weights make of the arms, and between seeds of
training; each part has its degrees of freedom, and their sum has Satterthwaite's. A contrast whose arms have one seed
each, in a study where no arm has two, is of these runs alone.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple, Protocol, Self, TypeVar

import numpy as np

from curation.core.stats import CONFIDENCE, crossed_error
from curation.experiment.seed_variance import lend

POWER = 0.8
MOST_PROMPTS, MOST_SAMPLES, MOST_SEEDS = 10_000_000, 4_096, 100  # beyond which a number of them is none
QUANTILES = 400  # of what is integrated over


class Variation(NamedTuple):
    """How the answers to a benchmark vary. `of_runs` is the variance over prompts of what one run adds to a prompt's
    value, whatever its samples; `of_samples` that of one answer about its run's value of the prompt; `basis` says what
    they rest on."""

    prompts: int
    samples: int
    of_runs: float
    of_samples: float
    basis: str

    @property
    def of_a_run(self) -> float:
        """The variance over prompts of a run's value beside another's: half of that of their difference."""
        return self.of_runs + self.of_samples / self.samples


class Side(NamedTuple):
    """An arm in a contrast: its weight, how many seeds of training it has and how many draws each, and the method that
    trains it; None where it has no seed of training here."""

    weight: float
    seeds: int
    draws: int
    method: str | None


class Design(NamedTuple):
    """A contrast as it will be measured. `benchmarks` are weights and variations; `seed_sd` is the standard deviation
    between runs that differ in the seed alone, of which the arms of a method tell each other: `pooled` has the seeds
    of each. `of_best`: it is of pass@k, which other samples make another measure."""

    sides: tuple[Side, ...]
    benchmarks: tuple[tuple[float, Variation], ...]
    seed_sd: float
    pooled: Mapping[str, tuple[int, ...]]
    of_best: bool = False

    @property
    def methods(self) -> list[str]:
        """Those of its arms."""
        return list(dict.fromkeys(side.method for side in self.sides if side.method is not None))

    def seed_df(self, method: str) -> float:
        """Of the variance between seeds that the contrast's arms of a method have; 0 where no arm of it has two."""
        df = [seeds - 1 for seeds in self.pooled[method] if seeds > 1]
        own = [(side.weight**2 / side.seeds, side.seeds - 1) for side in self.sides if side.method == method]
        if not df:
            return 0.0
        shares = [0.0] * len(df)
        for share, of_arm in own:  # whose place among its equals does not matter
            place = next((number for number, one in enumerate(df) if one == of_arm and not shares[number]), None)
            if place is not None:
                shares[place] = share / sum(share for share, _ in own)
        return lend(np.array(shares), np.array(df, float))[1]

    @property
    def is_of_seeds(self) -> bool:
        """Whether it speaks of other seeds than these: each of its methods has an arm with two."""
        return all(self.seed_df(method) for method in self.methods)

    @property
    def prompts(self) -> int:
        """Of all its benchmarks."""
        return sum(variation.prompts for _, variation in self.benchmarks)

    @property
    def is_gain(self) -> bool:
        """Whether it is one mean less another, or one such gain less another of other benchmarks, so that a gain in
        points means something."""
        of_arms, of_benchmarks = _sums(side.weight for side in self.sides), _sums(one for one, _ in self.benchmarks)
        return of_arms == (1.0, -1.0) and of_benchmarks in ((1.0, 0.0), (1.0, -1.0))

    @property
    def fewest_prompts(self) -> int:
        """That it could be measured on."""
        return 2 * len(self.benchmarks)

    def with_prompts(self, total: int) -> Self:
        """The same with so many prompts in all, divided as they are."""
        share = total / self.prompts
        return self._change(lambda variation: variation._replace(prompts=max(round(variation.prompts * share), 2)))

    def with_samples(self, samples: int) -> Self:
        """The same with so many samples of each prompt."""
        return self._change(lambda variation: variation._replace(samples=samples))

    def with_seeds(self, seeds: int) -> Self:
        """The same with so many seeds of each arm that is trained."""
        sides = tuple(side if side.method is None else side._replace(seeds=seeds) for side in self.sides)
        pooled = {method: (seeds,) * len(arms) for method, arms in self.pooled.items()}
        return self._replace(sides=sides, pooled=pooled)

    def _change(self, change: Callable[[Variation], Variation]) -> Self:
        return self._replace(benchmarks=tuple((weight, change(variation)) for weight, variation in self.benchmarks))


class CanChange(Protocol):
    """What is measured, with other numbers of what it is measured on."""

    @property
    def of_best(self) -> bool: ...
    @property
    def methods(self) -> list[str]: ...
    @property
    def fewest_prompts(self) -> int: ...
    def with_prompts(self, total: int) -> Self: ...
    def with_samples(self, samples: int) -> Self: ...
    def with_seeds(self, seeds: int) -> Self: ...


Measured = TypeVar("Measured", bound=CanChange)


class Needs(NamedTuple):
    """What a gain takes, each alone: prompts in all, samples of a prompt, seeds of an arm; None where none is enough
    while the others stay."""

    prompts: int | None
    samples: int | None
    seeds: int | None


def standard_error(design: Design) -> tuple[float, float]:
    """The standard error of the contrast, and its degrees of freedom."""
    runs = sum(side.weight**2 / (side.seeds * side.draws) for side in design.sides)
    means = [(weight**2 * seen.of_a_run / seen.prompts, seen.prompts - 1) for weight, seen in design.benchmarks]
    sampling = sum(mean for mean, _ in means)
    if sampling <= 0:
        return 0.0, 1.0
    of_prompts, df = runs * sampling, sampling**2 / sum(mean**2 / df for mean, df in means)
    if not design.methods or not design.is_of_seeds:
        return math.sqrt(of_prompts), df
    weights = [weight for weight, _ in design.benchmarks]
    # whether a lucky seed is lucky on every benchmark is not known before: what is worse is taken
    between = max(sum(weights) ** 2, sum(weight**2 for weight in weights)) * design.seed_sd**2
    shares = {
        method: sum(side.weight**2 / side.seeds for side in design.sides if side.method == method)
        for method in design.methods
    }
    share = sum(shares.values())
    seeds_df = share**2 / sum(of_method**2 / design.seed_df(method) for method, of_method in shares.items())
    parts = (of_prompts, df, share * (between + sampling), share * sampling, seeds_df)
    error, dfs = crossed_error(*map(np.array, parts))
    return float(error), float(dfs)


def half_width(design: Design) -> float:
    """How far the interval will reach to either side."""
    error, df = standard_error(design)
    return error * critical(df)


def power(design: Design, gain: float) -> float:
    """How often the contrast will be found to differ from 0 where it is `gain`."""
    error, df = standard_error(design)
    if error == 0:
        return float(gain != 0)
    return _rejected(abs(gain) / error, df)


def detectable(design: Design, wanted: float = POWER) -> float:
    """The smallest gain that is found so often."""
    from scipy.optimize import brentq

    error, df = standard_error(design)
    most = critical(df) + 40.0
    return error * float(brentq(lambda shift: _rejected(shift, df) - wanted, 0.0, most, xtol=1e-6))


def find_needs(design: Measured, suffices: Callable[[Measured], bool]) -> Needs:
    """The least of each that suffices, where more never suffice less. Of pass@k other samples are another measure."""

    def enough(change: Callable[[int], Measured], least: int, most: int) -> int | None:
        return _least(lambda number: suffices(change(number)), least, most)

    return Needs(
        enough(design.with_prompts, design.fewest_prompts, MOST_PROMPTS),
        None if design.of_best else enough(design.with_samples, 1, MOST_SAMPLES),
        enough(design.with_seeds, 2, MOST_SEEDS) if design.methods else None,
    )


def _least(suffices: Callable[[int], bool], least: int, most: int) -> int | None:
    """The smallest number of those that suffices, where more never suffice less."""
    if not suffices(most):
        return None
    while least < most:
        middle = (least + most) // 2
        least, most = (least, middle) if suffices(middle) else (middle + 1, most)
    return least


def _sums(weights: Iterable[float]) -> tuple[float, float]:
    """Of those above 0 and of those below, rounded."""
    known = np.array(list(weights))
    return round(float(known[known > 0].sum()), 6), round(float(known[known < 0].sum()), 6)


def critical(df: float) -> float:
    """The quantile of Student's t that a two-sided test at 5 % asks for."""
    from scipy import stats

    return float(stats.t.ppf(0.5 + CONFIDENCE / 2, max(df, 1.0)))


def _rejected(shift: float, df: float) -> float:
    """How often a two-sided t test rejects 0 where the statistic is shifted by so many standard errors."""
    from scipy.special import ndtr

    # given how large the standard error turns out, the statistic is normal; SciPy's own noncentral t is NaN far out
    threshold = critical(df) * estimated_errors(df)
    return float((ndtr(shift - threshold) + ndtr(-shift - threshold)).mean())


@lru_cache(maxsize=256)
def estimated_errors(df: float) -> np.ndarray:
    """Of a standard error, the estimates that are as likely as each other, in multiples of it."""
    from scipy import stats

    df = max(df, 1.0)
    return np.asarray(np.sqrt(stats.chi2.ppf((np.arange(QUANTILES) + 0.5) / QUANTILES, df) / df))
