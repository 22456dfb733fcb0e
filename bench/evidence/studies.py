"""Kinds of study, and what the intervals in them are made of."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from bench.evidence.rules import LENT, between_seeds

DRAWS = 10_000  # studies a cell
ARMS, PROMPTS, SAMPLES, SEEDS = (2, 4, 12), (27, 100, 500, 1319), (1, 4, 16), (2, 3, 4, 5)
# sums of Beta's parameters: of prompts' difficulty, of an arm's chance at a prompt around it, of a run's around that
DIFFICULTY, OF_ARM, OF_RUN = 1.6, 20.0, 15.0


class Spread(NamedTuple):
    """The standard deviation between runs: of the first half of the arms and of the second, or of all arms but the last
    and of that one `alone`."""

    first: float
    last: float
    alone: bool = False

    def of(self, arms: int) -> np.ndarray:
        """That of each arm."""
        others = 1 if self.alone else arms // 2
        return np.repeat([self.first, self.last], [arms - others, others])


EQUAL = tuple(Spread(sd, sd) for sd in (0.0, 0.005, 0.01, 0.02))
HALVES, ALONE = Spread(0.006, 0.018), Spread(0.006, 0.018, alone=True)


class Cell(NamedTuple):
    """A kind of study: trained arms, seeds of each, or one of the first arm where that is `single`, prompts, samples of
    each prompt, and the standard deviation between runs."""

    arms: int
    seeds: int
    prompts: int
    samples: int
    sd: Spread
    single: bool = False

    def counts(self) -> np.ndarray:
        """The seeds of each arm."""
        counts = np.full(self.arms, self.seeds)
        counts[0] = 1 if self.single else self.seeds
        return counts


class Kind(NamedTuple):
    """A contrast: the numbers of its arms, and whether it is with the baseline."""

    name: str
    arms: tuple[int, ...]
    over_baseline: bool


KINDS = (Kind("control", (0, -1), False), Kind("baseline", (0,), True), Kind("baseline, last", (-1,), True))


class Drawn(NamedTuple):
    """Of each study drawn: a contrast's gain, which truly is 0, the five parts of its variance that `crossed_error`
    takes, its standard error where all variances are known; and for the interval that was: the variance between seeds
    that are paired, and the part of it that answers make. `of_arms`: draws x arms, the variance between the runs of an
    arm, and the part of it that answers make."""

    gain: np.ndarray
    parts: tuple[np.ndarray, ...]
    known: float
    paired: np.ndarray
    rest: float
    of_arms: tuple[np.ndarray, np.ndarray]


def draw(cell: Cell, draws: int, rng: np.random.Generator, rule: str = LENT) -> Iterator[tuple[Kind, Drawn]]:
    """The contrasts of drawn studies, of which a rule says what the seeds tell."""
    of_arm, of_run, of_sample = variances(0.5)
    within = of_run + of_sample / cell.samples  # of a run's value of a prompt, beside its arm's
    sds, counts, more = cell.sd.of(cell.arms), cell.counts(), cell.seeds - 1
    runs = rng.normal(size=(draws, cell.arms, cell.seeds)) * np.sqrt(sds**2 + within / cell.prompts)[:, None]
    means = np.where(counts == cell.seeds, runs.mean(axis=-1), runs[..., 0])
    between = runs.var(axis=-1, ddof=1)
    sampling = within / cell.prompts * chi2(rng, more * (cell.prompts - 1), (draws, cell.arms))
    for kind in KINDS:
        own = list(kind.arms)
        runs_of = within * float((1 / counts[own]).sum())
        prompts = (2 * of_arm + runs_of + (of_sample / cell.samples if kind.over_baseline else 0.0)) / cell.prompts
        known = float(np.sqrt(prompts + (sds[own] ** 2 / counts[own]).sum()))
        gain = means[:, own] @ [1.0, -1.0][: len(own)]
        gain += rng.normal(size=draws) * np.sqrt(max(prompts - runs_of / cell.prompts, 0))
        seen = prompts * chi2(rng, cell.prompts - 1, (draws,))
        of_seeds = between_seeds(rule, own, counts, between, sampling)
        paired = runs[:, own[0]] - runs[:, own[1]] if len(own) > 1 else runs[:, own[0]]
        parts = (seen, np.full(draws, cell.prompts - 1.0), *of_seeds)
        rest = len(own) / cell.seeds * within / cell.prompts
        paired_means = paired.var(axis=-1, ddof=1) / cell.seeds
        yield kind, Drawn(gain, parts, known, paired_means, rest, (between, sampling))


def variances(share: float) -> tuple[float, float, float]:
    """At this mean share of right answers: the variance between an arm's chances and their prompts' mean, between a
    run's and its arm's, and of one answer."""
    right, wrong = DIFFICULTY * share, DIFFICULTY * (1 - share)
    of_answer = right * wrong / (DIFFICULTY * (DIFFICULTY + 1))
    of_arm = of_answer / (1 + OF_ARM)
    of_run = (of_answer - of_arm) / (1 + OF_RUN)
    return of_arm, of_run, of_answer - of_arm - of_run


def chi2(rng: np.random.Generator, df: int, shape: tuple[int, ...]) -> np.ndarray:
    """Draws of a mean square whose expectation is 1."""
    return np.asarray(rng.chisquare(df, shape) / df)
