"""The tables of intervals made of drawn parts."""

from collections.abc import Iterator, Sequence
from itertools import product
from typing import NamedTuple

import numpy as np
from scipy import special

from bench.evidence.rules import LENT, RULES, stand_out_p
from bench.evidence.studies import (
    ALONE,
    ARMS,
    DRAWS,
    EQUAL,
    HALVES,
    PROMPTS,
    SAMPLES,
    SEEDS,
    Cell,
    Spread,
    chi2,
    draw,
)  # fmt: skip
from curation.core.stats import FEW_DF, Z, crossed_error, few_half_width

GAIN = 0.03  # of which the power is
WEIGHED = ((27, 1), *product(PROMPTS[2:], SAMPLES[1:]))  # prompts and samples that rules are weighed by
LEVELS = (0.1, 0.05, 0.01, 0.005)
NAMES = {EQUAL: "0 to 2", (HALVES,): "0.6 and 1.8", (ALONE,): "0.6, and one 1.8"}  # of spreads, in points


class Shares(NamedTuple):
    """Of the draws: how often an interval leaves out a gain of 0 that is true, how often it leaves out 0 where the gain
    is 3 points, and its mean width beside that of known variances."""

    error: float
    power: float
    width: float


def simulate(cell: Cell, draws: int = DRAWS, seed: int = 0, rule: str = LENT) -> dict[str, tuple[Shares, ...]]:
    """By contrast what the intervals do before (`crossed`), now, and with known variances."""
    rng = np.random.default_rng(seed)
    found = {}
    for kind, (gain, parts, known, paired, rest, _) in draw(cell, draws, rng, rule):
        error, df = crossed_error(*parts)
        halves = (crossed(parts[0], paired, rest, cell, rng), error * _quantile(df), np.full(draws, Z * known))
        found[kind.name] = tuple(
            Shares(*map(float, (np.mean(abs(gain) > of), np.mean(abs(gain + GAIN) > of), np.mean(of) / (Z * known))))
            for of in halves
        )
    return found


def crossed(prompts: np.ndarray, seeds: np.ndarray, rest: float, cell: Cell, rng: np.random.Generator) -> np.ndarray:
    """Half-widths as they were until issue 18: two-way variance components of the contrast's own runs, paired by seed,
    by moments, with Satterthwaite's degrees of freedom."""
    df = (cell.seeds - 1) * (cell.prompts - 1)
    rest_seen = rest * chi2(rng, df, prompts.shape)
    total = prompts + seeds - rest_seen
    dfs = total**2 / (prompts**2 / (cell.prompts - 1) + seeds**2 / (cell.seeds - 1) + rest_seen**2 / df)
    chosen = [seeds < rest_seen, prompts < rest_seen]
    total = np.select(chosen, [prompts, seeds], total)
    return np.asarray(_quantile(np.select(chosen, [cell.prompts - 1.0, cell.seeds - 1.0], dfs)) * np.sqrt(total))


def half_width(parts: tuple[np.ndarray, ...], level: float) -> np.ndarray:
    """Beyond which p is below the level; at 10 %, of which TOST's 90 % interval is, Student's of the 95 % interval."""
    error, df = crossed_error(*parts)
    student = -error * special.stdtrit(np.maximum(df, 1), level / 2)
    return np.asarray(
        student if level > LEVELS[1] else np.where(parts[4] < FEW_DF, few_half_width(level, *parts), student)
    )


def _quantile(df: np.ndarray) -> np.ndarray:
    return np.asarray(special.stdtrit(np.maximum(df, 1), 0.975))


def spreads(arms: int) -> Iterator[tuple[str, Sequence[Spread]]]:
    """Those that a study of so many arms can have, by name; of two, one alone is a half."""
    yield from ((name, of) for of, name in NAMES.items() if arms > 2 or of != (ALONE,))


def tabulate(seed: int) -> Iterator[str]:
    """A line for each number of arms and seeds and each spread, of the worst over prompts and samples; then power."""
    yield (
        "| arms | seeds | sd between runs | type I before | over a control | of the first arm | of the last | "
        "coverage now | width before | now |"
    )
    yield "|---|---|---|---|---|---|---|---|---|---|"
    power: dict[tuple[int, int, int], tuple[Shares, ...]] = {}
    for arms, seeds in product(ARMS, SEEDS):
        for name, of in spreads(arms):
            found = {cell: simulate(cell, seed=seed) for cell in _cells(arms, seeds, of)}
            if arms == 4 and of == EQUAL:
                power |= {(seeds, n, k): found[Cell(arms, seeds, n, k, EQUAL[2])]["control"] for n, k in _answered()}
            yield f"| {arms} | {seeds} | {name} | {_worst(list(found.values()))} |"
    yield ""
    yield "| seeds | prompts | power, one sample | four | sixteen |"
    yield "|---|---|---|---|---|"
    for seeds, prompts in product(SEEDS, PROMPTS):
        each = [", ".join(f"{100 * one.power:.0f}" for one in power[seeds, prompts, k]) for k in SAMPLES]
        yield f"| {seeds} | {prompts} | {' | '.join(each)} |"


def tabulate_every(seed: int) -> Iterator[str]:
    """A line for each kind of study and contrast."""
    yield "| arms | seeds | sd between runs | prompts | samples | contrast | type I before | now | width before | now |"
    yield "|---|---|---|---|---|---|---|---|---|---|"
    for arms, seeds in product(ARMS, SEEDS):
        for _, of in spreads(arms):
            for cell in _cells(arms, seeds, of):
                sd = ", ".join(f"{100 * one:g}" for one in cell.sd[:2]) + (" alone" if cell.sd.alone else "")
                for kind, (before, now, _) in simulate(cell, seed=seed).items():
                    errors = f"{100 * before.error:.1f} | {100 * now.error:.1f}"
                    widths = f"{before.width:.2f} | {now.width:.2f}"
                    studies = f"{arms} | {seeds} | {sd} | {cell.prompts} | {cell.samples}"
                    yield f"| {studies} | {kind} | {errors} | {widths} |"


def _worst(found: Sequence[dict[str, tuple[Shares, ...]]]) -> str:
    """The columns of a line: type I errors in %, coverage in %, and widths."""
    before, now = ([of for each in found for of in (one[number] for one in each.values())] for number in (0, 1))
    errors = [max(100 * each[kind][1].error for each in found) for kind in found[0]]
    widths = [f"{min(one.width for one in of):.2f}-{max(one.width for one in of):.2f}" for of in (before, now)]
    covered = f"{100 - max(errors):.1f}-{100 - 100 * min(one.error for one in now):.1f}"
    columns = [f"{100 * max(one.error for one in before):.1f}", *(f"{error:.1f}" for error in errors), covered, *widths]
    return " | ".join(columns)


def tabulate_rules(seed: int) -> Iterator[str]:
    """A line for each rule: the worst of kinds of study by spread, with two seeds and with more, and mean width; of
    prompts and samples those with which seeds weigh least and most."""
    columns = list(product(NAMES.values(), (False, True)))
    named = [f"{name}, {'more' if is_more else '2 seeds'}" for name, is_more in columns]
    yield f"| rule | {' | '.join(named)} | coverage | width, 2 seeds | more |"
    yield f"|---|{'---|' * len(named)}---|---|---|"
    for rule, named_rule in RULES.items():
        found: dict[tuple[str, bool], list[Shares]] = {}
        for arms, seeds in product(ARMS, SEEDS):
            for name, of in spreads(arms):
                for cell in (one for one in _cells(arms, seeds, of) if one[2:4] in WEIGHED):
                    each = simulate(cell, seed=seed, rule=rule).values()
                    found.setdefault((name, seeds > 2), []).extend(now for _, now, _ in each)
        errors = [f"{100 * max(one.error for one in found[column]):.1f}" for column in columns]
        every = [one.error for of in found.values() for one in of]
        widths = [
            np.mean([one.width for (_, is_more), of in found.items() if is_more == more for one in of])
            for more in (False, True)
        ]
        covered = f"{100 - 100 * max(every):.1f}-{100 - 100 * min(every):.1f}"
        yield f"| {named_rule} | {' | '.join(errors)} | {covered} | {widths[0]:.2f} | {widths[1]:.2f} |"


def tabulate_levels(seed: int) -> Iterator[str]:
    """By arms and seeds, in how many % of the studies p is below a level, at most; few prompts and many, one sample and
    sixteen; of one seed, the gains of that arm."""
    yield f"| arms | seeds | {' | '.join(f'{100 * level:g} %' for level in LEVELS)} |"
    yield "|---|---|" + "---|" * len(LEVELS)
    for arms, (seeds, single) in product(ARMS, [(2, True), (3, True), *((seeds, False) for seeds in SEEDS)]):
        kinds = product(EQUAL if single else (*EQUAL, HALVES), PROMPTS[::3], SAMPLES[::2])
        cells = [Cell(arms, seeds, n, k, sd, single) for sd, n, k in kinds]
        drawn = [one for cell in cells for one in draw(cell, DRAWS, np.random.default_rng(seed))]
        shares = [
            [np.mean(abs(one.gain) > half_width(one.parts, level)) for level in LEVELS]
            for kind, one in drawn
            if not single or 0 in kind.arms
        ]
        name = f"1 beside {seeds}" if single else f"{seeds}"
        yield f"| {arms} | {name} | {' | '.join(f'{100 * share:.1f}' for share in np.max(shares, axis=0))} |"


def tabulate_alone(seed: int) -> Iterator[str]:
    """Where one arm differs three times as much between seeds as the others, in many answers to many prompts: in how
    many % of the studies an F test tells (5 %, corrected for the arms), and how often the interval of its gain over the
    baseline misses where it does, where it does not, and in all."""
    yield "| arms | seeds | told | misses where told | where not | in all |"
    yield "|---|---|---|---|---|---|"
    for arms, seeds in product(ARMS[1:], (*SEEDS, 8)):
        cell = Cell(arms, seeds, PROMPTS[-1], SAMPLES[-1], ALONE)
        *_, (_, last) = draw(cell, DRAWS, np.random.default_rng(seed))
        told = stand_out_p(*last.of_arms, np.full(arms, seeds - 1.0))[:, -1] * arms <= LEVELS[1]
        missed = abs(last.gain) > half_width(last.parts, LEVELS[1])
        shares = [told.mean(), missed[told].mean(), missed[~told].mean(), missed.mean()]
        yield f"| {arms} | {seeds} | {' | '.join(f'{100 * share:.1f}' for share in shares)} |"


def _cells(arms: int, seeds: int, of: Sequence[Spread]) -> list[Cell]:
    return [Cell(arms, seeds, prompts, samples, sd) for sd in of for prompts, samples in _answered()]


def _answered() -> list[tuple[int, int]]:
    """Prompts and samples."""
    return list(product(PROMPTS, SAMPLES))
