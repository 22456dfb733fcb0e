"""What is compared with what: each arm with the baseline, and each selection with its controls, seed by seed."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np

from curation.core.params import BASELINE
from curation.core.stats import Crossed, crossed_mean
from curation.experiment.values import ArmKey, DeclaredRuns

PromptValues: TypeAlias = Mapping[int, float]  # a run's value of each prompt


class Trained(NamedTuple):
    """An arm trained with one seed: its runs, one for each draw, and the mean of their values of each prompt."""

    runs: tuple[str, ...]
    values: PromptValues


class Contrast(NamedTuple):
    """One arm (five empty texts for the baseline), what it is compared with, its value, its gain, its runs, and those
    that it is compared with."""

    arm: ArmKey
    against: str
    value: Crossed
    gain: Crossed | None
    runs: tuple[str, ...]
    others: tuple[str, ...]


def contrasts(declared: DeclaredRuns, values: Mapping[str, PromptValues]) -> Iterator[Contrast]:
    """The contrasts of one benchmark and measure, of which each run has `values`."""
    baseline = values.get(BASELINE)
    if baseline and (value := crossed_mean(np.array([list(baseline.values())]))):
        yield Contrast(("", "", "", "", ""), "", value, None, (BASELINE,), ())
    arms = _by_arm_and_seed(declared, values)
    for arm, by_seed in arms.items():
        own = list(by_seed.values())
        if (value := _gain(own, [Trained((), {})] * len(own))) is None:
            continue
        gain = _gain(own, [Trained((BASELINE,), baseline)] * len(own)) if baseline else None
        yield Contrast(arm, BASELINE if gain else "", value, gain, _runs(own), (BASELINE,) if gain else ())
        for other, other_by_seed in arms.items() if arm[-1] in declared.treatments else ():
            seeds = [seed for seed in by_seed if seed in other_by_seed]
            if other[:-1] == arm[:-1] and other[-1] not in declared.treatments and seeds:
                own, others = ([of_arm[seed] for seed in seeds] for of_arm in (by_seed, other_by_seed))
                if (gain := _gain(own, others)) is not None:
                    yield Contrast(arm, other[-1], value, gain, _runs(own), _runs(others))


def _by_arm_and_seed(declared: DeclaredRuns, values: Mapping[str, PromptValues]) -> dict[ArmKey, dict[int, Trained]]:
    draws: dict[ArmKey, dict[int, list[str]]] = {}
    for run in values:
        if run != BASELINE:
            draws.setdefault(declared.arms[run], {}).setdefault(declared.seeds[run], []).append(run)
    return {
        arm: {seed: Trained(tuple(runs), _mean([values[run] for run in runs])) for seed, runs in by_seed.items()}
        for arm, by_seed in draws.items()
    }


def _mean(draws: Sequence[PromptValues]) -> PromptValues:
    """The mean over draws of each prompt that all have."""
    common = sorted(set(draws[0]).intersection(*draws[1:]))
    return {prompt: sum(values[prompt] for values in draws) / len(draws) for prompt in common}


def _runs(trained: Sequence[Trained]) -> tuple[str, ...]:
    return tuple(run for one in trained for run in one.runs)


def _gain(own: Sequence[Trained], others: Sequence[Trained]) -> Crossed | None:
    """The mean gain of each seed over the other, on the prompts that all have; where the others have no runs, the mean
    value."""
    common = sorted(set.intersection(*(set(one.values) for one in (*own, *others) if one.runs)))
    by_seed = zip(own, others, strict=True)
    gains = [[one.values[prompt] - other.values.get(prompt, 0.0) for prompt in common] for one, other in by_seed]
    return crossed_mean(np.array(gains))
