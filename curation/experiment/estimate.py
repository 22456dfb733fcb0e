"""A weighted sum over arms and benchmarks, with an interval for other prompts and other seeds of training.

docs/evidence.md says what the interval means, where its parts come from, and how often it covers.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from curation.core.stats import CONFIDENCE, FEW_DF, ROUNDING, crossed_error, crossed_p, t_quantile, wilson
from curation.experiment.seed_variance import BetweenSeeds, between_seeds, common_seeds, of_seeds
from curation.experiment.values import ArmKey, BenchmarkValues

SEEDS, THIS_RUN, PROMPTS = "seeds", "this run", "prompts"  # what an interval is for
MOST_VOIDED = 0.01  # of the prompts of a benchmark, those that some run of the contrast has no valid value of
FEWEST_DISCORDANT = 6  # prompts that must differ before a two-sided sign test can reach 5 %


class Estimate(NamedTuple):
    """A contrast of the study.

    value, low, high: with its 95 % interval. p: two-sided, that it is 0.
    standard_error, df: those of Student's t that the interval and p are.
    prompts, seeds: how many there are, of all benchmarks, and of the arm that has fewest.
    scope: "seeds", for other prompts and other seeds of training; "prompts", for other prompts, where nothing in it was
        trained here; or "this run", for other prompts alone, where no arm of the method has two seeds; then there is no
        p.
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

    def unseen(self) -> float:
        """Where fewer than six prompts differ from the others, how far the mean may be from that of other prompts for
        prompts of a kind that this sample does not have; else 0.

        Their share is at most 1 - 0.025^(1/n), about 3.7/n, and each differs by the extent at most.
        """
        differences, counts = np.unique(np.round(self.differences(), 12), return_counts=True)
        n = counts.sum()
        if n - counts.max() >= FEWEST_DISCORDANT:
            return 0.0
        usual, (low, high) = float(differences[counts.argmax()]), self.extent()
        return float(1 - ((1 - CONFIDENCE) / 2) ** (1 / n)) * max(high - usual, usual - low)

    def between_prompts(self) -> tuple[float, float]:
        """The variance of the mean over prompts, and its degrees of freedom: prompts less one, or fewer where few
        prompts make it: 2 over the square of its own coefficient of variation, which the fourth powers give. So a gain
        of m prompts that are otherwise alike has 2 m, about what an exact test of the m says."""
        differences = self.differences()
        n, apart = len(differences), differences - differences.mean()
        squares = float((apart**2).sum())
        excess = float((apart**4).sum()) / squares**2 - 1 / n if squares > ROUNDING**2 else 0.0
        df = min(n - 1.0, max(2 / excess, 1.0)) if excess > 0 else n - 1.0
        return max(squares / (n - 1) / n, (self.unseen() / t_quantile(df)) ** 2), df


def estimate(
    arms: Mapping[ArmKey, float], benchmarks: Mapping[str, float], study: Mapping[str, BenchmarkValues]
) -> Estimate:
    """The sum over arms and benchmarks of (arm's weight) x (benchmark's weight) x (the arm's mean value there).

    `study` has the values of one measure by benchmark, of all arms of the study, so that the variance between seeds is
    pooled over them. Order changes nothing: not of arms, benchmarks, seeds or prompts. Refused are a contrast of a run
    that has no results, of fewer than two prompts, and one with more than 1 % of the prompts of a benchmark voided,
    which weighs as much as another however few it has.
    """
    arms = {arm: weight for arm, weight in sorted(arms.items()) if weight}
    benchmarks = {name: weight for name, weight in sorted(benchmarks.items()) if weight}
    parts, kept, voided, seeds, refused = list[Part](), dict[str, BenchmarkValues](), 0, list[list[int]](), None
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
        kept[name] = study[name] if valid.all() else _of_prompts(study[name], valid)
        lost = int((~valid).sum())
        voided += lost
        if lost > MOST_VOIDED * len(valid):
            refused = refused or f"{lost} of {len(valid)} prompts of {name} have no valid value in some run"
        elif valid.sum() < 2:
            refused = refused or f"{name} has fewer than two prompts with a value in each run"
    prompts = sum(part.arms[0][1].shape[1] for part in parts)
    if refused:
        return _refuse(refused, prompts, voided)
    trained = {arm: len(own) for arm, own in zip(arms, seeds, strict=True) if _is_trained(arm, benchmarks, study)}
    shares = {arm: arms[arm] ** 2 / count for arm, count in trained.items()}
    between = between_seeds(shares, benchmarks, kept)
    value = sum(part.weight * float(part.differences().mean()) for part in parts)
    scope = PROMPTS if not trained else THIS_RUN if between is None else SEEDS
    variances = _add_seeds(_between_prompts(parts), between or [])
    error, df = map(float, crossed_error(*map(np.array, variances)))
    low, high = _interval(value, error, df, parts)
    p = crossed_p(value, *variances) if scope != THIS_RUN else None
    fewest = min(trained.values(), default=1)
    return Estimate(value, low, high, p, error, df, prompts, fewest, scope, voided, None)


def _of_prompts(values: BenchmarkValues, kept: np.ndarray) -> BenchmarkValues:
    arms = {arm: own._replace(values=own.values[:, kept]) for arm, own in values.arms.items()}
    return values._replace(prompts=values.prompts[kept], arms=arms)


def _is_trained(arm: ArmKey, benchmarks: Mapping[str, float], study: Mapping[str, BenchmarkValues]) -> bool:
    return any(study[name].arms[arm].trained for name in benchmarks)


def _refuse(why: str, prompts: int, voided: int) -> Estimate:
    nan = float("nan")
    return Estimate(nan, nan, nan, None, nan, nan, prompts, 0, THIS_RUN, voided, why)


def _between_prompts(parts: Sequence[Part]) -> tuple[float, float]:
    """The variance of the sum for other prompts, and its degrees of freedom (Satterthwaite over benchmarks)."""
    each = [(part.weight**2 * variance, df) for part in parts for variance, df in [part.between_prompts()]]
    total = sum(variance for variance, _ in each)
    return total, total**2 / sum(variance**2 / df for variance, df in each)


def _add_seeds(prompts: tuple[float, float], seeds: Sequence[tuple[float, BetweenSeeds]]) -> tuple[float, ...]:
    """What `crossed_error` takes: the variance for other prompts with its degrees of freedom, and that for other seeds
    of terms, each a share and what it is of; without terms that is 0."""
    if not seeds:
        return *prompts, 0.0, 0.0, FEW_DF
    share, means, sampling, df = map(np.array, zip(*((share, *one) for share, one in seeds), strict=True))
    total = (share * means).sum()
    seeds_df = total**2 / ((share * means) ** 2 / df).sum() if total else df.sum()
    return *prompts, float(total), float((share * sampling).sum()), float(seeds_df)


def _interval(value: float, error: float, df: float, parts: Sequence[Part]) -> tuple[float, float]:
    """The 95 % interval, within what the sum can be. A mean of values (no weight below 0, their sum 1) has Wilson's, of
    as many observations as its standard error says, or as there are prompts where hardly any differ."""
    weights = [part.weight * weight for part in parts for weight, _ in part.arms]
    ends = [(part.weight * low, part.weight * high) for part in parts for low, high in [part.extent()]]
    least, most = sum(min(pair) for pair in ends), sum(max(pair) for pair in ends)
    quantile = t_quantile(df)
    if min(weights) > 0 and abs(sum(weights) - 1) < ROUNDING and most - least < 1 + ROUNDING:
        if all(part.unseen() for part in parts):
            n = 1 / sum(part.weight**2 / part.arms[0][1].shape[1] for part in parts)
        else:
            n = value * (1 - value) / error**2
        low, high = wilson(value, n, quantile)
    else:
        low, high = value - quantile * error, value + quantile * error
    return max(min(low, value), least), min(max(high, value), most)  # rounding puts Wilson's end at 1 below it
