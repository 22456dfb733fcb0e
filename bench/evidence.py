"""How often the intervals of gains cover, in simulated studies:
python -m bench.evidence [--every | --answers | --rules | --levels] [--seed N].

A study has arms of one method beside the untrained baseline, some seeds of training each, and a benchmark of binary
answers to prompts that differ in difficulty. The first table draws what an interval is made of (the runs' means and the
mean squares), which takes minutes; `--every` prints a line a cell, `--rules` the worst of each rule by which arms tell
each other their variance between seeds, `--levels` how often p is below other levels than 5 %. `--answers` draws
answers and asks `estimate` itself: a few cells of the table again, and benchmarks that are nearly solved.

docs/evidence.md shows what it prints.
"""

import argparse
from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

import numpy as np
from scipy import special

from curation.core.stats import FEW_DF, Z, crossed_error, few_half_width
from curation.experiment.estimate import estimate
from curation.experiment.seed_variance import alike, lend
from curation.experiment.values import BASELINE_ARM, ArmKey, ArmValues, BenchmarkValues

DRAWS, ANSWERED = 10_000, 2_000  # studies a cell: of the parts of an interval, and of answers
ARMS, PROMPTS, SAMPLES, SEEDS = (2, 4, 12), (27, 100, 500, 1319), (1, 4, 16), (2, 3, 4, 5)
EQUAL = tuple((sd, sd) for sd in (0.0, 0.005, 0.01, 0.02))  # between runs
SPREADS = (*EQUAL, (0.006, 0.018))  # of the first half of the arms, and of the second
GAIN = 0.03  # of which the power is
# sums of Beta's parameters: of prompts' difficulty, of an arm's chance at a prompt around it, of a run's around that
DIFFICULTY, OF_ARM, OF_RUN = 1.6, 20.0, 15.0


class Cell(NamedTuple):
    """A kind of study: trained arms, seeds of each, prompts, samples of each prompt, and the sd between runs of the
    first half of the arms and of the second."""

    arms: int
    seeds: int
    prompts: int
    samples: int
    sd: tuple[float, float]


class Shares(NamedTuple):
    """Of the draws: how often an interval leaves out a gain of 0 that is true, how often it leaves out 0 where the gain
    is 3 points, and its mean width beside that of known variances."""

    error: float
    power: float
    width: float


class Kind(NamedTuple):
    """A contrast: the numbers of its arms, and whether it is with the baseline."""

    name: str
    arms: tuple[int, ...]
    over_baseline: bool


LENT, LENT_UNTESTED, POOLED, OWN = "lent", "lent without a test", "pooled", "own"
RULES = {
    POOLED: "pooled where the test passes, else own",
    OWN: "each arm's own",
    LENT_UNTESTED: "lent, without a test",
    LENT: "lent where the test passes, else own",
}
LEVELS = (0.1, 0.05, 0.01, 0.005)
KINDS = (Kind("control", (0, -1), False), Kind("baseline", (0,), True), Kind("baseline, last", (-1,), True))


class Drawn(NamedTuple):
    """Of each study drawn: a contrast's gain, which truly is 0, the five parts of its variance that `crossed_error`
    takes, its standard error where all variances are known; and for the interval that was: the variance between seeds
    that are paired, and the part of it that answers make."""

    gain: np.ndarray
    parts: tuple[np.ndarray, ...]
    known: float
    paired: np.ndarray
    rest: float


def draw(cell: Cell, draws: int, rng: np.random.Generator, rule: str = LENT) -> Iterator[tuple[Kind, Drawn]]:
    """The contrasts of drawn studies."""
    of_arm, of_run, of_sample = variances(0.5)
    within = of_run + of_sample / cell.samples  # of a run's value of a prompt, beside its arm's
    sds = np.repeat(cell.sd, cell.arms // 2)
    more = cell.seeds - 1
    means = rng.normal(size=(draws, cell.arms, cell.seeds)) * np.sqrt(sds**2 + within / cell.prompts)[:, None]
    between = means.var(axis=-1, ddof=1)
    sampling = within / cell.prompts * _chi2(rng, more * (cell.prompts - 1), (draws, cell.arms))
    same = alike(between, sampling, np.full((draws, cell.arms), float(more)))
    for kind in KINDS:
        own = list(kind.arms)
        baseline = of_sample / cell.samples if kind.over_baseline else 0.0
        prompts = (2 * of_arm + len(own) / cell.seeds * within + baseline) / cell.prompts
        known = float(np.sqrt(prompts + (sds[own] ** 2).sum() / cell.seeds))
        gain = means[:, own].mean(axis=-1) @ [1.0, -1.0][: len(own)]
        gain += rng.normal(size=draws) * np.sqrt(max(prompts - len(own) / cell.seeds * within / cell.prompts, 0))
        seen = prompts * _chi2(rng, cell.prompts - 1, (draws,))
        of_seeds = _between_seeds(rule, cell, own, between, sampling, same)
        paired = means[:, own[0]] - means[:, own[1]] if len(own) > 1 else means[:, own[0]]
        parts = (seen, np.full(draws, cell.prompts - 1.0), *of_seeds)
        rest = len(own) / cell.seeds * within / cell.prompts
        yield kind, Drawn(gain, parts, known, paired.var(axis=-1, ddof=1) / cell.seeds, rest)


def _between_seeds(
    rule: str, cell: Cell, own: list[int], between: np.ndarray, sampling: np.ndarray, same: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """By a rule what the seeds say of a contrast's variance, its sampling part and its degrees of freedom."""
    more = cell.seeds - 1
    each = between[:, own].sum(axis=1) / cell.seeds
    each_df = each**2 / ((between[:, own] / cell.seeds) ** 2).sum(axis=1) * more
    shares = np.zeros(cell.arms)
    shares[own] = 1 / len(own)
    if rule == POOLED:
        weights, df = np.full(cell.arms, 1 / cell.arms), float(cell.arms * more)
    else:
        weights, df = lend(shares, np.full(cell.arms, float(more)))
    together = np.ones_like(same) if rule == LENT_UNTESTED else same & (rule != OWN)
    share = len(own) / cell.seeds
    means, of_answers = (np.where(together, share * one @ weights, share * one @ shares) for one in (between, sampling))
    return means, of_answers, np.where(together, df, each_df)


def simulate(cell: Cell, draws: int = DRAWS, seed: int = 0, rule: str = LENT) -> dict[str, tuple[Shares, ...]]:
    """By contrast what the intervals do before (`crossed`), now, and with known variances."""
    rng = np.random.default_rng(seed)
    found = {}
    for kind, (gain, parts, known, paired, rest) in draw(cell, draws, rng, rule):
        error, df = crossed_error(*parts)
        halves = (crossed(parts[0], paired, rest, cell, rng), error * _quantile(df), np.full(draws, Z * known))
        found[kind.name] = tuple(
            Shares(np.mean(abs(gain) > half), np.mean(abs(gain + GAIN) > half), np.mean(half) / (Z * known))
            for half in halves
        )
    return found


def crossed(prompts: np.ndarray, seeds: np.ndarray, rest: float, cell: Cell, rng: np.random.Generator) -> np.ndarray:
    """Half-widths as they were until issue 18: two-way variance components of the contrast's own runs, paired by seed,
    by moments, with Satterthwaite's degrees of freedom."""
    df = (cell.seeds - 1) * (cell.prompts - 1)
    rest_seen = rest * _chi2(rng, df, prompts.shape)
    total = prompts + seeds - rest_seen
    dfs = total**2 / (prompts**2 / (cell.prompts - 1) + seeds**2 / (cell.seeds - 1) + rest_seen**2 / df)
    chosen = [seeds < rest_seen, prompts < rest_seen]
    total = np.select(chosen, [prompts, seeds], total)
    return np.asarray(_quantile(np.select(chosen, [cell.prompts - 1.0, cell.seeds - 1.0], dfs)) * np.sqrt(total))


def variances(share: float) -> tuple[float, float, float]:
    """At this mean share of right answers: the variance between an arm's chances and their prompts' mean, between a
    run's and its arm's, and of one answer."""
    right, wrong = DIFFICULTY * share, DIFFICULTY * (1 - share)
    of_answer = right * wrong / (DIFFICULTY * (DIFFICULTY + 1))
    of_arm = of_answer / (1 + OF_ARM)
    of_run = (of_answer - of_arm) / (1 + OF_RUN)
    return of_arm, of_run, of_answer - of_arm - of_run


def _chi2(rng: np.random.Generator, df: int, shape: tuple[int, ...]) -> np.ndarray:
    return np.asarray(rng.chisquare(df, shape) / df)


def _quantile(df: np.ndarray) -> np.ndarray:
    return np.asarray(special.stdtrit(np.maximum(df, 1), 0.975))


def draw_study(
    cell: Cell, share: float, gain: float, rng: np.random.Generator
) -> tuple[dict[str, BenchmarkValues], list[ArmKey]]:
    """A study with answers: at this mean share of right ones, the arms better than the baseline by `gain` on average
    over prompts and seeds."""
    of_arm, _, _ = variances(share)
    slope = of_arm * OF_ARM  # the mean of c (1 - c) over chances c: by how much a shift of c (1 - c) moves the mean
    difficulty = rng.beta(DIFFICULTY * share, DIFFICULTY * (1 - share), cell.prompts)
    keys: list[ArmKey] = [("dpo", f"arm{number}", "", "", "") for number in range(cell.arms)]
    arms = {
        BASELINE_ARM: ArmValues(
            (("baseline",),), (0,), False, _answers(_around(difficulty, OF_ARM, rng), cell, rng)[None]
        )
    }
    for key, sd in zip(keys, np.repeat(cell.sd, cell.arms // 2), strict=True):
        chances = _around(difficulty, OF_ARM, rng)
        runs = []
        for _ in range(cell.seeds):
            shift = (gain + sd * rng.normal()) / slope
            run = np.clip(chances + shift * chances * (1 - chances), 0, 1)
            runs.append(_answers(_around(run, OF_RUN, rng), cell, rng))
        names = tuple((f"{key[1]}-{seed}",) for seed in range(cell.seeds))
        arms[key] = ArmValues(names, tuple(range(cell.seeds)), True, np.array(runs))
    return {"sums": BenchmarkValues(np.arange(cell.prompts), cell.samples, arms)}, keys


def _around(chances: np.ndarray, parameters: float, rng: np.random.Generator) -> np.ndarray:
    inside = np.clip(chances, 1e-9, 1 - 1e-9)
    return np.asarray(rng.beta(parameters * inside, parameters * (1 - inside)))


def _answers(chances: np.ndarray, cell: Cell, rng: np.random.Generator) -> np.ndarray:
    return np.asarray(rng.binomial(cell.samples, chances) / cell.samples)


class Covered(NamedTuple):
    """Of drawn studies: how often the interval of a gain over a control (truly 0), of one over the baseline, and of an
    arm's value has the true one, the mean widths of the last two, and how many intervals have no width."""

    control: float
    baseline: float
    value: float
    width: float
    width_of_value: float
    without: int


def ask(cell: Cell, share: float, gain: float, draws: int, seed: int = 0) -> Covered:
    """What `estimate` says of drawn studies."""
    rng = np.random.default_rng(seed)
    covered, widths, without = np.zeros(3), np.zeros(2), 0
    for _ in range(draws):
        study, (first, *_, last) = draw_study(cell, share, gain, rng)
        own, base = {first: 1.0}, {BASELINE_ARM: -1.0}
        each = [estimate(arms, {"sums": 1.0}, study) for arms in ({**own, last: -1.0}, {**own, **base}, own)]
        covered += [one.low <= truth <= one.high for one, truth in zip(each, (0.0, gain, share + gain), strict=True)]
        widths += [each[1].high - each[1].low, each[2].high - each[2].low]
        without += sum(one.high <= one.low for one in each)
    control, baseline, value = (float(share) for share in covered / draws)
    return Covered(control, baseline, value, float(widths[0]) / draws, float(widths[1]) / draws, without)


def tabulate(every: bool, seed: int = 0) -> Iterator[str]:
    """A line for each number of arms and seeds, of the worst over prompts, samples and contrasts where all arms have
    one sd, of 0 to 2 points, and by contrast where half of them have another; or one for each cell and contrast."""
    yield "| arms | seeds | sd between runs | type I before | now | coverage now | width before | now |"
    yield "|---|---|---|---|---|---|---|---|"
    power: dict[tuple[int, int, int], tuple[Shares, ...]] = {}
    for arms, seeds in product(ARMS, SEEDS):
        lines = {
            (sd, prompts, samples, kind): found
            for sd, prompts, samples in product(SPREADS, PROMPTS, SAMPLES)
            for kind, found in simulate(Cell(arms, seeds, prompts, samples, sd), seed=seed).items()
        }
        if arms == 4:
            power |= {(seeds, n, k): lines[EQUAL[2], n, k, "control"] for n, k in product(PROMPTS, SAMPLES)}
        start = f"{arms} | {seeds}"
        if every:
            for (sd, prompts, samples, kind), found in lines.items():
                yield _line(f"{start} | {100 * sd[0]:g}, {100 * sd[1]:g}; n {prompts}; k {samples}; {kind}", [found])
            continue
        yield _line(f"{start} | 0 to 2", [lines[key] for key in lines if key[0] in EQUAL])
        for kind, name in (("control", "one of each"), ("baseline", "of 0.6"), ("baseline, last", "of 1.8")):
            unequal = [found for (sd, *_, which), found in lines.items() if sd not in EQUAL and which == kind]
            yield _line(f"{start} | 0.6 and 1.8: {name}", unequal)
    yield ""
    yield "| seeds | prompts | power, one sample | four | sixteen |"
    yield "|---|---|---|---|---|"
    for seeds, prompts in product(SEEDS, PROMPTS):
        each = [", ".join(f"{100 * one.power:.0f}" for one in power[seeds, prompts, k]) for k in SAMPLES]
        yield f"| {seeds} | {prompts} | {' | '.join(each)} |"


def tabulate_rules(seed: int) -> Iterator[str]:
    """A line for each rule: the worst of all cells where arms have one sd, and where half of them have another."""
    yield "| rule | type I, one sd | 0.6 and 1.8 | coverage, one sd | one of each | of 0.6 | of 1.8 | mean width |"
    yield "|---|---|---|---|---|---|---|---|"
    for rule, name in RULES.items():
        found: dict[str, list[Shares]] = {}
        for cell in _cells():
            for kind, (_, now, _) in simulate(cell, seed=seed, rule=rule).items():
                found.setdefault("equal" if cell.sd in EQUAL else kind, []).append(now)
        errors = {kind: [100 * one.error for one in each] for kind, each in found.items()}
        unequal = max(max(each) for kind, each in errors.items() if kind != "equal")
        covers = " | ".join(
            f"{100 - max(errors[kind]):.1f}-{100 - min(errors[kind]):.1f}"
            for kind in ("equal", *(kind.name for kind in KINDS))
        )
        width = np.mean([one.width for each in found.values() for one in each])
        yield f"| {name} | {max(errors['equal']):.1f} | {unequal:.1f} | {covers} | {width:.2f} |"


def tabulate_levels(seed: int) -> Iterator[str]:
    """By arms and seeds, in how many % of the studies p is below a level, at most; of two and three seeds, few prompts
    and many, one sample and sixteen."""
    yield f"| arms | seeds | {' | '.join(f'{100 * level:g} %' for level in LEVELS)} |"
    yield "|---|---|" + "---|" * len(LEVELS)
    for arms, seeds in product(ARMS, SEEDS[:2]):
        cells = [Cell(arms, seeds, n, k, sd) for sd, n, k in product(SPREADS, PROMPTS[::3], SAMPLES[::2])]
        drawn = [one for cell in cells for _, one in draw(cell, DRAWS, np.random.default_rng(seed))]
        shares = [[np.mean(abs(one.gain) > half_width(one.parts, level)) for level in LEVELS] for one in drawn]
        yield f"| {arms} | {seeds} | {' | '.join(f'{100 * share:.1f}' for share in np.max(shares, axis=0))} |"


def half_width(parts: tuple[np.ndarray, ...], level: float) -> np.ndarray:
    """Beyond which p is below the level; at 10 %, of which TOST's 90 % interval is, Student's of the 95 % interval."""
    error, df = crossed_error(*parts)
    student = -error * special.stdtrit(np.maximum(df, 1), level / 2)
    return np.asarray(
        student if level > LEVELS[1] else np.where(parts[4] < FEW_DF, few_half_width(level, *parts), student)
    )


def _cells() -> Iterator[Cell]:
    for arms, seeds, sd, prompts, samples in product(ARMS, SEEDS, SPREADS, PROMPTS, SAMPLES):
        yield Cell(arms, seeds, prompts, samples, sd)


def _line(name: str, found: list[tuple[Shares, ...]]) -> str:
    before, now = (np.array([each[number] for each in found]) for number in (0, 1))
    low, high = 100 - 100 * now[:, 0].max(), 100 - 100 * now[:, 0].min()
    widths = " | ".join(f"{one[:, 2].min():.2f}-{one[:, 2].max():.2f}" for one in (before, now))
    return (
        f"| {name} | {100 * before[:, 0].max():.1f} | {100 * now[:, 0].max():.1f} | {low:.1f}-{high:.1f} | {widths} |"
    )


def tabulate_answers(draws: int) -> Iterator[str]:
    """Studies with answers: cells of the table, and benchmarks that are nearly solved."""
    yield "| arms | seeds | sd | prompts | samples | right | gain | control | baseline | value | widths |"
    yield "|---|---|---|---|---|---|---|---|---|---|---|"
    some = ((2, 2, 27, 1, 0.02), (2, 3, 100, 4, 0.01), (4, 2, 500, 1, 0.01), (4, 3, 500, 16, 0.01))
    usual = [(Cell(arms, seeds, n, k, (sd, sd)), 0.5, GAIN) for arms, seeds, n, k, sd in some]
    solved = [
        (Cell(2, seeds, n, k, (0.0, 0.0)), share, gain)
        for seeds, n, k in ((2, 27, 1), (2, 27, 16), (3, 100, 1), (3, 100, 16))
        for share, gain in ((0.9, 0.0), (0.95, 0.02), (0.99, 0.0), (0.999, 0.0))
    ]
    for cell, share, gain in usual + solved:
        one = ask(cell, share, gain, draws)
        covers = " | ".join(f"{100 * covered:.1f}" for covered in one[:3])
        widths = f"{100 * one.width:.1f}, {100 * one.width_of_value:.1f}"
        widths += f", {one.without} without" if one.without else ""
        yield (
            f"| {cell.arms} | {cell.seeds} | {100 * cell.sd[0]:g} | {cell.prompts} | {cell.samples} | {share} | {gain} "
            f"| {covers} | {widths} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser()
    for flag in ("--every", "--answers", "--rules", "--levels"):
        parser.add_argument(flag, action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    wanted = parser.parse_args()
    if wanted.answers:
        lines = tabulate_answers(ANSWERED)
    elif wanted.rules:
        lines = tabulate_rules(wanted.seed)
    elif wanted.levels:
        lines = tabulate_levels(wanted.seed)
    else:
        lines = tabulate(wanted.every, wanted.seed)
    for line in lines:
        print(line, flush=True)


if __name__ == "__main__":
    main()
