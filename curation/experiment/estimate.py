"""A weighted sum over arms and benchmarks, with an interval for other prompts and other seeds of training.

docs/evidence.md says what the interval means, where its parts come from, and how often it covers.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from curation.core.stats import CONFIDENCE, ROUNDING
from curation.experiment.seed_variance import BetweenSeeds, between_seeds, common_seeds, of_seeds
from curation.experiment.values import ArmKey, BenchmarkValues

SEEDS, THIS_RUN = "seeds", "this run"  # what an interval is for
MOST_VOIDED = 0.01  # of the prompts of a contrast, those that some run of it has no valid value of
FEWEST_DISCORDANT = 6  # prompts that must differ before a two-sided sign test can reach 5 %


class Estimate(NamedTuple):
    """A contrast of the study.

    value, low, high: with its 95 % interval. p: two-sided, that it is 0.
    standard_error, df: those of Student's t that the interval and p are.
    prompts, seeds: how many there are, of all benchmarks, and of the arm that has fewest.
    scope: "seeds", for other prompts and other seeds of training; or "this run", for other prompts alone, where no arm
        of the method has two seeds; then there is no p.
    voided: prompts left out since some run of the contrast has no valid value.
    refused: why there is no estimate; the numbers are NaN then.
    """

    value: float
    low: float
    high: float
    p: float | None
    standard_error: float
    df: float
    prompts: int
    seeds: int
    scope: str
    voided: int
    refused: str | None


class Part(NamedTuple):
    """One benchmark of a contrast: its weight, and of each arm its weight and its seeds x prompts values."""

    weight: float
    arms: Sequence[tuple[float, np.ndarray]]

    def differences(self) -> np.ndarray:
        """Of each prompt the weighted sum over arms, each the mean over its seeds."""
        return np.asarray(sum(weight * values.mean(axis=0) for weight, values in self.arms))

    def extent(self) -> tuple[float, float]:
        """The least and the most that a prompt's difference can be; a value is between 0 and 1, or as far as seen."""
        low = min(0.0, *(float(values.min()) for _, values in self.arms))
        high = max(1.0, *(float(values.max()) for _, values in self.arms))
        ends = [(weight * low, weight * high) for weight, _ in self.arms]
        return sum(min(pair) for pair in ends), sum(max(pair) for pair in ends)


def estimate(
    arms: Mapping[ArmKey, float], benchmarks: Mapping[str, float], study: Mapping[str, BenchmarkValues]
) -> Estimate:
    """The sum over arms and benchmarks of (arm's weight) x (benchmark's weight) x (the arm's mean value there).

    `study` has the values of one measure by benchmark, of all arms of the study, so that the variance between seeds is
    pooled over them. Order changes nothing: not of arms, benchmarks, seeds or prompts. Refused are a contrast of a run
    that has no results, of fewer than two prompts, and one with more than 1 % of its prompts voided.
    """
    arms = {arm: weight for arm, weight in sorted(arms.items()) if weight}
    benchmarks = {name: weight for name, weight in sorted(benchmarks.items()) if weight}
    parts, voided, seeds, refused = [], 0, [], None
    for arm in arms:
        own = [study[name].arms[arm] for name in benchmarks if name in study and arm in study[name].arms]
        if len(own) < len(benchmarks) or not common_seeds(own):
            name = " ".join(arm).strip() or "the baseline"
            return _refuse(f"no results of {name} on {', '.join(benchmarks)}", 0, 0)
        seeds.append(common_seeds(own))
    for name, weight in benchmarks.items():
        values = [of_seeds(study[name].arms[arm], own) for arm, own in zip(arms, seeds, strict=True)]
        valid = ~np.isnan(np.vstack(values)).any(axis=0)
        part = Part(weight, [(u, of_arm[:, valid]) for u, of_arm in zip(arms.values(), values, strict=True)])
        parts.append(part)
        voided += int((~valid).sum())
        if valid.sum() < 2:
            refused = refused or f"{name} has fewer than two prompts with a value in each run"
    prompts = sum(part.arms[0][1].shape[1] for part in parts)
    if voided > MOST_VOIDED * (prompts + voided):
        refused = f"{voided} of {prompts + voided} prompts have no valid value in some run"
    if refused:
        return _refuse(refused, prompts, voided)
    trained = {arm: len(own) for arm, own in zip(arms, seeds, strict=True) if _is_trained(arm, benchmarks, study)}
    shares: dict[str, float] = {}
    for arm, count in trained.items():
        shares[arm[0]] = shares.get(arm[0], 0.0) + arms[arm] ** 2 / count
    between = [(share, between_seeds(method, benchmarks, study)) for method, share in shares.items()]
    value = sum(part.weight * float(part.differences().mean()) for part in parts)
    known = [(share, pooled) for share, pooled in between if pooled is not None]
    scope = SEEDS if len(known) == len(between) else THIS_RUN
    error, df = standard_error(_between_prompts(parts), known if scope == SEEDS else [])
    low, high = _interval(value, error, df, parts)
    p = _p(value, error, df) if scope == SEEDS else None
    fewest = min(trained.values(), default=1)
    return Estimate(value, low, high, p, error, df, prompts, fewest, scope, voided, None)


def _is_trained(arm: ArmKey, benchmarks: Mapping[str, float], study: Mapping[str, BenchmarkValues]) -> bool:
    return any(study[name].arms[arm].trained for name in benchmarks)


def _refuse(why: str, prompts: int, voided: int) -> Estimate:
    nan = float("nan")
    return Estimate(nan, nan, nan, None, nan, nan, prompts, 0, THIS_RUN, voided, why)


def _between_prompts(parts: Sequence[Part]) -> tuple[float, float]:
    """The variance of the sum for other prompts, and its degrees of freedom (Satterthwaite over benchmarks)."""
    each = [(part.weight**2 * variance, df) for part in parts for variance, df in [_of_prompts(part)]]
    total = sum(variance for variance, _ in each)
    return total, total**2 / sum(variance**2 / df for variance, df in each) if total else 1.0


def _of_prompts(part: Part) -> tuple[float, float]:
    """The variance of the mean over one benchmark's prompts, and its degrees of freedom."""
    from scipy import stats

    differences = part.differences()
    n = len(differences)
    apart = differences - differences.mean()
    squares = float((apart**2).sum())
    # a variance that few prompts make has fewer degrees of freedom than prompts less one: 2 over its own relative
    # variance, which the fourth powers give
    excess = float((apart**4).sum()) / squares**2 - 1 / n if squares > ROUNDING**2 else 0.0
    df = min(n - 1.0, max(2 / excess, 1.0)) if excess > 0 else n - 1.0
    variance = squares / (n - 1) / n
    values, counts = np.unique(np.round(differences, 12), return_counts=True)
    if n - counts.max() < FEWEST_DISCORDANT:
        # a share of prompts that no sample of n showed is at most 1 - 0.025^(1/n), and each may differ by the extent
        usual, (low, high) = float(values[counts.argmax()]), part.extent()
        unseen = (1 - ((1 - CONFIDENCE) / 2) ** (1 / n)) * max(high - usual, usual - low)
        variance = max(variance, (unseen / float(stats.t.ppf((1 + CONFIDENCE) / 2, df))) ** 2)
    return variance, df


def standard_error(prompts: tuple[float, float], between: Sequence[tuple[float, BetweenSeeds]]) -> tuple[float, float]:
    """The standard error and its degrees of freedom: of a variance for other prompts with its degrees, and for each
    method its share of the sum's variance between seeds."""
    variance, df = prompts
    means = sum(share * one.means for share, one in between)
    seeds = means - sum(share * one.sampling for share, one in between)
    if seeds <= 0:
        return variance**0.5, df
    squares = sum((share * one.means) ** 2 / one.df for share, one in between)
    total = variance + seeds
    return total**0.5, total**2 / (variance**2 / df + squares)


def _interval(value: float, error: float, df: float, parts: Sequence[Part]) -> tuple[float, float]:
    from scipy import stats

    half = error * float(stats.t.ppf((1 + CONFIDENCE) / 2, df))
    ends = [(part.weight * low, part.weight * high) for part in parts for low, high in [part.extent()]]
    return max(value - half, sum(min(pair) for pair in ends)), min(value + half, sum(max(pair) for pair in ends))


def _p(value: float, error: float, df: float) -> float:
    from scipy import stats

    return float(2 * stats.t.sf(abs(value) / error, df)) if abs(value) > ROUNDING else 1.0
