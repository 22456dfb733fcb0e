"""How often the 95 % intervals of what is measured of judges cover in few prompts, beside those that they took the
place of: straight ones, and of an AUROC one by the number of all prompts. A prompt has three or four pairs, which have
something in common.

python -m bench.judges [DRAWS]
"""

import sys
from collections.abc import Callable, Iterator

import numpy as np
from scipy import stats

from curation.core.metrics import Interval
from curation.core.stats import t_quantile, wilson
from curation.reliability import agreement
from curation.reliability.measurement import NO_END, share_interval

PROMPTS = 64  # of an AUROC's, of which some have pairs of the rarer sort
Intervals = tuple[Interval | None, Interval | None]  # before and now


def auroc(source: np.random.Generator, rarer: int, truth: float) -> Intervals:
    """A ladder: in `rarer` prompts one or two of three pairs have the rejected side right."""
    prompt = np.repeat(np.arange(PROMPTS), 3)
    right = np.arange(3 * PROMPTS) % 3 >= np.where(prompt < rarer, 1 + prompt % 2, 0)
    score = source.normal(size=PROMPTS)[prompt] + source.normal(size=3 * PROMPTS)
    score += 2 * stats.norm.ppf(truth) * right
    return auroc_before(score, right, prompt), agreement.auroc(score, right, prompt)


def auroc_before(score: np.ndarray, right: np.ndarray, prompt: np.ndarray) -> Interval:
    wins = (score[right][:, None] > score[~right]).astype(float)
    value = float(wins.mean())
    placement = np.empty(len(score))
    placement[right], placement[~right] = wins.mean(axis=1) - value, wins.mean(axis=0) - value
    placement /= np.where(right, right.sum(), (~right).sum())
    clusters = prompt.max() + 1
    if value in (0, 1):
        return Interval(value, *wilson(value, len(np.unique(prompt[~right]))), clusters)
    squares = clusters / (clusters - 1) * (agreement.sum_by_cluster(prompt, placement) ** 2).sum()
    odds, half = np.log(value / (1 - value)), t_quantile(clusters - 1) * np.sqrt(squares) / (value * (1 - value))
    low, high = (float(1 / (1 + np.exp(-end))) for end in (odds - half, odds + half))
    return Interval(value, low, high, clusters)


def share(source: np.random.Generator, prompts: int, truth: float) -> Intervals:
    """Three pairs a prompt."""
    right = source.binomial(3, source.beta(truth * 7 / 3, (1 - truth) * 7 / 3, prompts))
    value = right.sum() / (3 * prompts)
    squares = float((((right - 3 * value) / (3 * prompts)) ** 2).sum())
    now = share_interval(value, squares, prompts, prompts)
    if value in (0, 1):
        return now, now
    half = t_quantile(prompts - 1) * np.sqrt(prompts / (prompts - 1) * squares)
    return Interval(value, max(value - half, 0.0), min(value + half, 1.0), prompts), now


def kappa(source: np.random.Generator, prompts: int, truth: float) -> Intervals:
    """Two judges' verdicts on four pairs a prompt, which are the same in (1 + kappa) / 2 of them."""
    chance = (1 + truth) / 2
    same = source.random((prompts, 4)) < source.beta(chance * 3, (1 - chance) * 3, prompts)[:, None]
    x = np.where(source.random((prompts, 4)) < 0.7, 1.0, -1.0)
    return bounded(agreement.kappa, x, np.where(same, x, -x), both_ways=True)


def correlation(source: np.random.Generator, prompts: int, truth: float) -> Intervals:
    """Four pairs a prompt, a third of whose variance is the prompt's."""
    mix = np.linalg.cholesky(np.array([[1.0, truth], [truth, 1.0]]))
    both = source.normal(size=(prompts, 1, 2)) * 0.3**0.5 + source.normal(size=(prompts, 4, 2)) * 0.7**0.5
    return bounded(agreement.correlation, *np.moveaxis(both @ mix.T, -1, 0))


def bounded(statistic: agreement.Statistic, x: np.ndarray, y: np.ndarray, both_ways: bool = False) -> Intervals:
    prompt = np.repeat(np.arange(len(x)), x.shape[1])
    x, y = x.ravel(), y.ravel()
    if both_ways:
        x, y, prompt = np.concatenate([x, -x]), np.concatenate([y, -y]), np.tile(prompt, 2)
    sums = agreement.sum_moments(x, y, prompt)
    before, now = agreement.jackknife(statistic, sums), agreement.jackknife(statistic, sums, -1, 1)
    return before and before._replace(low=max(before.low, -1.0), high=min(before.high, 1.0)), now


CASES: dict[str, tuple[Callable[[np.random.Generator, int, float], Intervals], tuple[float, ...]]] = {
    "auroc": (auroc, (0.5, 0.7, 0.85, 0.95)),
    "share": (share, (0.5, 0.8, 0.9, 0.95)),
    "kappa": (kappa, (0.2, 0.7, 0.94)),
    "correlation": (correlation, (0.0, 0.5, 0.9)),
}
SIZES = (5, 8, 15, 40)  # prompts; of an AUROC those of the rarer sort


def covered(intervals: list[Intervals], truth: float) -> Iterator[str]:
    """Coverage and mean width, before and now."""
    for found in zip(*intervals, strict=True):
        known = [one for one in found if one is not None and one.low is not NO_END]
        within = np.mean([one.low - 1e-9 <= truth <= one.high + 1e-9 for one in known])
        yield f"{within:.3f} | {np.mean([one.high - one.low for one in known]):.2f}"


def main() -> None:
    draws = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    print("| measure | truth | prompts | covered before | width | covered now | width |")
    print("|---|---|---|---|---|---|---|")
    for name, (draw, truths) in CASES.items():
        for truth in truths:
            for size in SIZES:
                intervals = [draw(np.random.default_rng(seed), size, truth) for seed in range(draws)]
                before, now = covered(intervals, truth)
                print(f"| {name} | {truth} | {size} | {before} | {now} |", flush=True)


if __name__ == "__main__":
    main()
