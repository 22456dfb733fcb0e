"""What is not compared since there is no value: prompts without one in some run, and benchmarks with too few."""

from collections.abc import Collection, Iterator, Mapping

import numpy as np

from curation.core.messages import first_names
from curation.core.text import say_count
from curation.experiment.values import AVERAGE, BenchmarkValues

FEWEST = 2  # prompts; one says nothing of others
NAMED = 5  # runs


def find_gaps(study: Mapping[tuple[str, str], BenchmarkValues], elsewhere: Collection[str] = ()) -> Iterator[str]:
    """A line about each benchmark of `study_values` that a run has no results on, which has some on another; about
    each in some run of which prompts have no value, and about each in some run of which fewer than two have one. Those
    `elsewhere` another harness asked, of the runs that it likes."""
    averages = {benchmark: values for (benchmark, measure), values in study.items() if measure == AVERAGE}
    every = dict.fromkeys(run for name, values in averages.items() if name not in elsewhere for run in _runs(values))
    for benchmark, values in averages.items():
        there = set(_runs(values))
        if benchmark not in elsewhere and (absent := [run for run in every if run not in there]):
            named = first_names(absent, NAMED)
            yield f"{benchmark}: no results of {named}; `dvc repro -sf evaluate` makes them, then `dvc repro`"
        yield from _find_gaps(benchmark, values)


def _runs(values: BenchmarkValues) -> Iterator[str]:
    return (run for arm in values.arms.values() for of_seed in arm.runs for run in of_seed)


def _find_gaps(benchmark: str, values: BenchmarkValues) -> Iterator[str]:
    valid_of = {
        "/".join(runs): int((~np.isnan(row)).sum())
        for arm in values.arms.values()
        for runs, row in zip(arm.runs, arm.values, strict=True)
    }
    asked = len(values.prompts)
    gaps = {run: asked - valid for run, valid in valid_of.items() if valid < asked}
    if gaps:
        named = first_names((f"{run} ({lost} of {asked})" for run, lost in gaps.items()), NAMED)
        yield (
            f"{benchmark}: prompts without a value, since a call failed, could not be graded or was not made: "
            f"{named}; they are left out of each contrast with that run, and above 1 % it is refused; `dvc repro -sf "
            "evaluate` asks what failed of the study's own benchmarks again, then `dvc repro`"
        )
    if few := [run for run, valid in valid_of.items() if valid < FEWEST]:
        yield (
            f"{benchmark}: fewer than {FEWEST} prompts have a value in {first_names(few, NAMED)}, so nothing is "
            f"compared there; it has {say_count(asked, 'prompt')}"
        )
