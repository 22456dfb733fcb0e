"""Studies with answers, of which `estimate` itself is asked."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy import stats

from bench.evidence.studies import DIFFICULTY, EQUAL, OF_ARM, OF_RUN, Cell, Spread, variances
from bench.evidence.tables import GAIN
from curation.experiment.estimate import estimate
from curation.experiment.values import BASELINE_ARM, GIVEN, ArmKey, ArmValues, BenchmarkValues

ANSWERED = 2_000  # studies a cell
SHARES = np.arange(1, 200) / 400  # of prompts that all answers gain


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
            (("baseline",),), (0,), False, _answers(around(difficulty, OF_ARM, rng), cell, rng)[None]
        )
    }
    for key, sd in zip(keys, cell.sd.of(cell.arms), strict=True):
        chances = around(difficulty, OF_ARM, rng)
        runs = []
        for _ in range(cell.seeds):
            shift = (gain + sd * rng.normal()) / slope
            run = np.clip(chances + shift * chances * (1 - chances), 0, 1)
            runs.append(_answers(around(run, OF_RUN, rng), cell, rng))
        names = tuple((f"{key[1]}-{seed}",) for seed in range(cell.seeds))
        arms[key] = ArmValues(names, tuple(range(cell.seeds)), True, np.array(runs))
    return {"sums": BenchmarkValues(np.arange(cell.prompts), cell.samples, arms)}, keys


def around(chances: np.ndarray, parameters: float, rng: np.random.Generator) -> np.ndarray:
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


def tabulate_answers(seed: int, draws: int = ANSWERED) -> Iterator[str]:
    """Studies with answers: cells of the table, and benchmarks that are nearly solved."""
    yield "| arms | seeds | sd | prompts | samples | right | gain | control | baseline | value | widths |"
    yield "|---|---|---|---|---|---|---|---|---|---|---|"
    some = ((2, 2, 27, 1, 0.02), (2, 3, 100, 4, 0.01), (4, 2, 500, 1, 0.01), (4, 3, 500, 16, 0.01))
    usual = [(Cell(arms, seeds, n, k, Spread(sd, sd)), 0.5, GAIN) for arms, seeds, n, k, sd in some]
    solved = [
        (Cell(2, seeds, n, k, EQUAL[0]), share, gain)
        for seeds, n, k in ((2, 27, 1), (2, 27, 16), (3, 100, 1), (3, 100, 16))
        for share, gain in ((0.9, 0.0), (0.95, 0.02), (0.99, 0.0), (0.999, 0.0))
    ]
    for cell, share, gain in usual + solved:
        one = ask(cell, share, gain, draws, seed)
        covers = " | ".join(f"{100 * covered:.1f}" for covered in one[:3])
        widths = f"{100 * one.width:.1f}, {100 * one.width_of_value:.1f}"
        widths += f", {one.without} without" if one.without else ""
        kind = f"{cell.arms} | {cell.seeds} | {100 * cell.sd.first:g} | {cell.prompts} | {cell.samples}"
        yield f"| {kind} | {share} | {gain} | {covers} | {widths} |"
    yield ""
    yield from tabulate_few()


def cover_of_few(prompts: int, share: float, ends: np.ndarray) -> float:
    """How often the interval of a gain has this share, where so many of all prompts are gained for good and the others
    are alike: a sum over how many of them a benchmark happens to have. `ends` are the intervals of each number."""
    has = (ends[:, 0] <= share) & (share <= ends[:, 1])
    return float(stats.binom.pmf(np.arange(prompts + 1), prompts, share) @ has)


def ends_of_few(prompts: int) -> np.ndarray:
    """The interval of a gain over the baseline where 0, 1, 2, ... of the prompts are gained: low and high of each."""
    arm: ArmKey = (GIVEN, "theirs", "", "", "")
    ends = []
    for gained in range(prompts + 1):
        right = (np.arange(prompts) < gained).astype(float)[None]
        values = {
            arm: ArmValues((("a",),), (0,), False, right),
            BASELINE_ARM: ArmValues((("b",),), (0,), False, 0 * right),
        }
        found = estimate({arm: 1.0, BASELINE_ARM: -1.0}, {"sums": 1.0}, {"sums": BenchmarkValues(right[0], 1, values)})
        ends.append((found.low, found.high))
    return np.array(ends)


def tabulate_few() -> Iterator[str]:
    """Benchmarks of which a share of the prompts is gained and no other differs: the least and most coverage."""
    yield "| prompts | gained | least coverage | at | most | at |"
    yield "|---|---|---|---|---|---|"
    for prompts in (27, 100, 500):
        ends = ends_of_few(prompts)
        few = 6 / prompts  # of which six prompts are expected
        for name, shares in ((f"up to {100 * few:.1f} %", few * SHARES * 2), ("up to 50 %", SHARES[few < SHARES])):
            covered = [cover_of_few(prompts, float(share), ends) for share in shares]
            least, most = int(np.argmin(covered)), int(np.argmax(covered))
            cells = " | ".join(f"{100 * covered[at]:.1f} | {100 * shares[at]:.1f} %" for at in (least, most))
            yield f"| {prompts} | {name} | {cells} |"
