"""Declared contrasts of studies with answers: two methods, four arms of each, two benchmarks, as `compare` has them.

The arms are those of params.yaml. The answers are drawn, and what a contrast truly comes to is 0, or the margin.
"""

import tempfile
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from ruamel.yaml import YAML

from bench.evidence.answers import around
from bench.evidence.studies import DIFFICULTY, OF_ARM, OF_RUN, variances
from curation.core.params import read
from curation.core.study import Study
from curation.experiment.contrasts import find_outcomes
from curation.experiment.families import correct
from curation.experiment.properties import from_files
from curation.experiment.values import AVERAGE, BASELINE_ARM, BEST, ArmKey, ArmValues, BenchmarkValues

DRAWS = 2_000  # studies a cell
PARAMS = Path(__file__).parents[2] / "params.yaml"
MARGIN = 0.03
FIRST, SECOND = "top_step_coherence", "top_generator_delta"
BOTH = ["arithmetic_held_out", "number_theory_and_letters"]
SHIFTED = ("dpo", SECOND)  # whose arms are better than all others by the margin
RUNGS: list[dict[str, Any]] = [{"control": "random"}, {}, {"method": "kto", "control": "random"}, {"method": "kto"}]
OWN: dict[str, Any] = {"method": "dpo", "selection": FIRST}
CONTRASTS: dict[str, dict[str, Any]] = {
    "one benchmark": {"plus": OWN, "minus": {"control": "random"}, "benchmark": BOTH[0]},
    "pass@k": {"plus": OWN, "minus": {"control": "random"}, "benchmark": BOTH[0], "measure": "pass"},
    "mean of two": {"plus": OWN, "minus": {"control": "random"}, "benchmark": BOTH},
    "interaction": {"plus": OWN, "minus": "baseline", "benchmark": {BOTH[0]: 1, BOTH[1]: -1}},
    "two methods": {"plus": {**OWN, "method": "kto"}, "minus": {"method": "dpo"}, "benchmark": BOTH},
    "trend": {"trend": {"over": [{**OWN, **rung} for rung in RUNGS]}, "benchmark": BOTH},
    "equivalence": {
        "plus": {"method": "dpo", "selection": SECOND}, "minus": {"selection": FIRST},
        "benchmark": BOTH, "margin": {"equivalence": MARGIN},
    },
    "non-inferiority": {
        "plus": OWN, "minus": {"selection": SECOND}, "benchmark": BOTH, "margin": {"non_inferiority": MARGIN},
    },
    "family": {
        "each": {"method": ["dpo", "kto"], "selection": [FIRST, SECOND]},
        "plus": {"control": "itself"}, "minus": {"control": "random"}, "benchmark": BOTH,
    },
}  # fmt: skip


class Cell(NamedTuple):
    """A kind of study: seeds of each arm, prompts of each benchmark, samples of each prompt, the standard deviation
    between the runs of each method, and whether a lucky seed is lucky on both benchmarks."""

    seeds: int
    prompts: int
    samples: int
    sd: Mapping[str, float]
    is_shared: bool


ALIKE, UNLIKE = {"dpo": 0.01, "kto": 0.01}, {"dpo": 0.006, "kto": 0.018}
CELLS = (
    Cell(2, 100, 4, ALIKE, True),
    Cell(3, 100, 4, ALIKE, False),
    Cell(2, 500, 4, UNLIKE, True),
    Cell(3, 500, 4, UNLIKE, True),
    Cell(5, 500, 4, UNLIKE, False),
)


class Told(NamedTuple):
    """Of the draws, of a contrast: how often its interval has the truth, how often p is at most 5 % and 1 % although
    what it rejects is true, and the interval's mean width. Of a family, p is the smallest after correction."""

    covered: float
    at_5: float
    at_1: float
    width: float


@cache
def declared() -> Study:
    """The project's study, with these contrasts."""
    raw = YAML(typ="safe").load(PARAMS)
    raw["contrasts"] = {name.replace(" ", "_").replace("@", "_"): entry for name, entry in CONTRASTS.items()}
    raw["compare"]["primary"] = None
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "params.yaml"
        with file.open("w") as out:
            YAML().dump(raw, out)
        study = read(file)
        assert study.contrasts and study.grid and study.sources
    return study


def draw(cell: Cell, rng: np.random.Generator) -> dict[tuple[str, str], BenchmarkValues]:
    """The values of a study: all arms alike but those of SHIFTED, which are better by the margin."""
    arms: list[ArmKey] = list(dict.fromkeys((run.method, *run.arm[:-1]) for run in declared().runs.values()))
    sds = np.array([cell.sd[arm[0]] for arm in arms])[:, None]
    gains = np.array([MARGIN if arm[:2] == SHIFTED else 0.0 for arm in arms])[:, None]
    of_all, luck = sds * rng.normal(size=(len(arms), cell.seeds)), {}
    for name in BOTH:
        luck[name] = gains + (of_all if cell.is_shared else sds * rng.normal(size=of_all.shape))
    return {(name, measure): of for name in BOTH for measure, of in _benchmark(cell, arms, luck[name], rng).items()}


def _benchmark(
    cell: Cell, arms: list[ArmKey], luck: np.ndarray, rng: np.random.Generator
) -> dict[str, BenchmarkValues]:
    """By measure; `luck` is by how much each run of each arm is better than the untrained student."""
    slope = variances(0.5)[0] * OF_ARM
    difficulty = rng.beta(DIFFICULTY / 2, DIFFICULTY / 2, cell.prompts)
    chances = around(np.broadcast_to(difficulty, (len(arms) + 1, cell.prompts)), OF_ARM, rng)
    base, of_arms = chances[0], chances[1:, None]
    runs = np.clip(of_arms + luck[..., None] / slope * of_arms * (1 - of_arms), 0, 1)
    right = rng.binomial(cell.samples, around(runs, OF_RUN, rng))
    right_base = rng.binomial(cell.samples, base)
    found = {}
    for measure in (AVERAGE, BEST):
        values, of_base = (
            one / cell.samples if measure == AVERAGE else (one > 0).astype(float) for one in (right, right_base)
        )
        of = {BASELINE_ARM: ArmValues((("baseline",),), (0,), False, of_base[None])}
        for arm, own in zip(arms, values, strict=True):
            of[arm] = ArmValues(tuple((str(seed),) for seed in range(cell.seeds)), tuple(range(cell.seeds)), True, own)
        found[measure] = BenchmarkValues(np.arange(cell.prompts), cell.samples, of)
    return found


def ask(cell: Cell, draws: int = DRAWS, seed: int = 0) -> dict[str, Told]:
    """What `compare` says of drawn studies, by contrast."""
    study, rng = declared(), np.random.default_rng(seed)
    properties, told = from_files(study), {name: np.zeros(4) for name in CONTRASTS}
    for _ in range(draws):
        outcomes = find_outcomes(study, draw(cell, rng), properties, {})
        members = len(outcomes) - len(CONTRASTS) + 1
        for name, one in zip(CONTRASTS, outcomes, strict=False):
            truth = {"equivalence": MARGIN, "non-inferiority": -MARGIN}.get(name, 0.0)
            of = [one.p or 0.0]
            if name == "family":
                of = [p or 0.0 for p in correct([member.p for member in outcomes[-members:]], [name] * members)]
            found = one.found
            has = found.low <= truth <= found.high
            told[name] += [has, min(of) <= 0.05, min(of) <= 0.01, found.high - found.low]
    return {name: Told(*map(float, sums / draws)) for name, sums in told.items()}


def tabulate_contrasts(seed: int) -> Iterator[str]:
    """By contrast, in each kind of study: coverage, and how often p is at most 5 % and 1 %, in %; width in points."""
    named = [
        f"{cell.seeds} seeds, {cell.prompts} prompts, sd {' and '.join(f'{100 * sd:g}' for sd in cell.sd.values())}"
        f"{'' if cell.is_shared else ', by benchmark'}"
        for cell in CELLS
    ]
    yield f"| contrast | {' | '.join(named)} |"
    yield f"|---{'|---' * len(CELLS)}|"
    found = [ask(cell, seed=seed) for cell in CELLS]
    for name in CONTRASTS:
        each = (of[name] for of in found)
        cells = (f"{100 * one.covered:.1f}; {100 * one.at_5:.1f}, {100 * one.at_1:.1f}" for one in each)
        yield f"| {name} | {' | '.join(cells)} |"
