"""What a run's results say: its value of each prompt, and how many of its answers were cut or have no score."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple, TypeAlias

import numpy as np
import polars as pl

from curation.core.params import BASELINE
from curation.core.stats import stable_mean
from curation.tables.measurements import COUNTED_AS_WRONG

# measures, of k samples a prompt: avg@k is their mean, pass@k whether one is right
AVERAGE, BEST = "avg", "pass"
GIVEN = "given"  # the method of an arm that was trained elsewhere, whose name is its selection's

ArmKey: TypeAlias = tuple[str, ...]  # method, selection, generator_pairs, budget, control: an arm, whatever its seed
BASELINE_ARM: ArmKey = ("",) * 5


class DeclaredRuns(NamedTuple):
    """What params.yaml says of the runs but the baseline: each run's arm and seed by its name, and which controls are
    the selection itself. An arm that draws has a run for each seed and draw."""

    arms: Mapping[str, ArmKey]
    seeds: Mapping[str, int]
    treatments: frozenset[str]


class ArmValues(NamedTuple):
    """An arm's value of each prompt.

    runs: of each seed its runs, one a draw.
    seeds: of training. The baseline and weights that were trained elsewhere have none here: (0,), and `trained` False.
    values: seeds x prompts, a seed's value the mean over its draws; NaN where one of its runs has no valid value.
    """

    runs: tuple[tuple[str, ...], ...]
    seeds: tuple[int, ...]
    trained: bool
    values: np.ndarray


class BenchmarkValues(NamedTuple):
    """The values of all arms on one benchmark: of its prompts' ids in their order, with `samples` answers to each."""

    prompts: np.ndarray
    samples: int
    arms: dict[ArmKey, ArmValues]


def study_values(declared: DeclaredRuns, results: pl.DataFrame) -> dict[tuple[str, str], BenchmarkValues]:
    """The values by benchmark and measure, "avg" or "pass", of the arms whose runs have results there.

    A benchmark's prompts are those that any run was asked.
    """
    study = {}
    for (benchmark, samples), rows in prompt_values(results).group_by("benchmark", "k", maintain_order=True):
        prompts = rows["prompt_id"].unique().sort().to_numpy()
        for measure in (AVERAGE, BEST):
            of_run = {
                str(run): _place(prompts, part["prompt_id"].to_numpy(), part[measure].to_numpy())
                for (run,), part in rows.group_by("run", maintain_order=True)
            }
            study[str(benchmark), measure] = BenchmarkValues(prompts, samples, _by_arm(declared, of_run))
    return study


def prompt_values(results: pl.DataFrame) -> pl.DataFrame:
    """run, benchmark, k, prompt_id, avg, pass: a run's value of each prompt that it was asked, sorted.

    k is the benchmark's number of samples. A prompt's value is valid if each of its k answers counts (`counted_score`),
    else null: a mean of fewer has another variance, a best of fewer is lower, and which calls fail is not chance.
    """
    k = (pl.col("sample_index").max().over("benchmark") + 1).alias("k")
    counted = results.select("run", "benchmark", "prompt_id", k, counted_score().alias("score"))
    valid = pl.col("score").count() == pl.col("k")
    return (
        counted.group_by("run", "benchmark", "k", "prompt_id")
        .agg(
            pl.when(valid.first()).then(stable_mean(pl.col("score"))).alias(AVERAGE),
            pl.when(valid.first()).then(pl.col("score").max()).alias(BEST),
        )
        .sort("run", "benchmark", "prompt_id")
    )


def counted_score() -> pl.Expr:
    """What an answer of `results` counts: 0 where the model said something and no right answer was found in it, since
    an answer that cannot be graded must not pay; null where nothing can be said, as of a call that failed."""
    return pl.when(pl.col("status").is_in(COUNTED_AS_WRONG)).then(0.0).otherwise(pl.col("score"))


def _place(prompts: np.ndarray, asked: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The values of a run at the places of their prompts among all; NaN at the others'."""
    placed = np.full(len(prompts), np.nan)
    placed[np.searchsorted(prompts, asked)] = values
    return placed


def _by_arm(declared: DeclaredRuns, of_run: Mapping[str, np.ndarray]) -> dict[ArmKey, ArmValues]:
    arms = {}
    if BASELINE in of_run:
        arms[BASELINE_ARM] = ArmValues(((BASELINE,),), (0,), False, of_run[BASELINE][None])
    draws: dict[ArmKey, dict[int, list[str]]] = {}
    for run, arm in declared.arms.items():
        if run in of_run:
            draws.setdefault(arm, {}).setdefault(declared.seeds[run], []).append(run)
    for arm, by_seed in draws.items():
        runs = tuple(tuple(of_seed) for of_seed in by_seed.values())
        values = np.array([np.mean([of_run[run] for run in of_seed], axis=0) for of_seed in runs])
        arms[arm] = ArmValues(runs, tuple(by_seed), arm[0] != GIVEN, values)
    return arms


class Answers:
    """How many answers of each run to each benchmark there are, and how many of them were cut off at the limit of
    tokens, or have no score of their own: no answer was found, it could not be read, or the call failed."""

    def __init__(self, results: pl.DataFrame) -> None:
        failed, length = (pl.col("finish_reason") == reason for reason in ("error", "length"))
        counted = results.group_by("run", "benchmark").agg(
            length.sum().alias("cut"), (~failed).sum().alias("came"), (pl.col("status") != "scored").sum(), pl.len()
        )
        self.counts = {(run, benchmark): counts for run, benchmark, *counts in counted.rows()}

    def truncated(self, runs: Iterable[str], benchmark: str) -> float:
        """Of the answers of the runs that came, those that were cut; 0 where none came."""
        cut, came, _, _ = self._sums(runs, benchmark)
        return cut / max(came, 1)

    def missing(self, runs: Iterable[str], benchmark: str) -> float:
        """Of all answers of the runs, those without a score of their own."""
        _, _, missing, asked = self._sums(runs, benchmark)
        return missing / asked

    def _sums(self, runs: Iterable[str], benchmark: str) -> list[int]:
        return [sum(counts) for counts in zip(*(self.counts[run, benchmark] for run in runs), strict=True)]
