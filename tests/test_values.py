"""What counts as wrong in an evaluation and what does not count: an answer that cannot be graded must not pay."""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
import pytest
import world

from curation.experiment.gaps import find_gaps
from curation.experiment.values import (
    AVERAGE,
    BASELINE_ARM,
    BEST,
    Answers,
    DeclaredRuns,
    prompt_values,
    study_values,
)
from curation.tables import measurements, parquet

ITSELF, RANDOM = (("dpo", "top", "any", "own", control) for control in ("itself", "random"))
THEIRS = ("given", "theirs", "", "", "")
Answer = float | str  # its score, or the status of one without


def results(answers: Mapping[str, Sequence[Sequence[Answer]]], benchmark: str = "sums") -> pl.DataFrame:
    """Results of one benchmark: of each run the answers to each prompt."""
    rows = [
        {"run": run, "benchmark": benchmark, "split": "in_domain", "prompt_id": prompt, "sample_index": sample,
         "finish_reason": "error" if answer == "error" else "stop",
         "score": None if isinstance(answer, str) else answer,
         "status": answer if isinstance(answer, str) else "scored"}
        for run, of_prompts in answers.items()
        for prompt, samples in enumerate(of_prompts)
        for sample, answer in enumerate(samples)
    ]  # fmt: skip
    table = world.rows_of(measurements.RESULTS, rows)
    parquet.check(measurements.RESULTS, table, "results")
    return table


def declared(runs: Mapping[str, tuple[tuple[str, ...], int]]) -> DeclaredRuns:
    arms, seeds = ({run: one[part] for run, one in runs.items()} for part in (0, 1))
    return DeclaredRuns(arms, seeds, frozenset({"itself"}))  # type: ignore[arg-type]


def per_prompt(results: pl.DataFrame) -> pl.DataFrame:
    """run, benchmark, prompt_id, measure, value: the valid values of `prompt_values`, a row each."""
    values = prompt_values(results).unpivot([AVERAGE, BEST], index=["run", "benchmark", "k", "prompt_id"])
    return (
        values.drop_nulls("value")
        .select("run", "benchmark", "prompt_id", pl.format("{}@{}", "variable", "k").alias("measure"), "value")
        .sort("run", "benchmark", "measure", "prompt_id")
    )


@pytest.mark.parametrize("status", ["no_answer", "unparsable"])
def test_an_answer_that_cannot_be_graded_is_wrong(status: str) -> None:
    found = per_prompt(results({"a": [[1.0, status], [status, status]]}))
    assert found.select("prompt_id", "measure", "value").rows() == [
        (0, "avg@2", 0.5), (1, "avg@2", 0.0), (0, "pass@2", 1.0), (1, "pass@2", 0.0),
    ]  # fmt: skip


@pytest.mark.parametrize("status", ["error", "no_reference"])
def test_a_prompt_counts_where_each_of_its_answers_does(status: str) -> None:
    """A best of the two that came is lower than one of three, and a mean of two has another variance."""
    found = per_prompt(results({"a": [[1.0, status, 0.0], [status] * 3, [0.0, 0.0, 1.0], [1.0, 1.0]]}))
    assert found.select("prompt_id", "measure", "value").rows() == [(2, "avg@3", 1 / 3), (2, "pass@3", 1.0)]


def test_a_study_has_of_each_arm_its_seeds_and_of_each_seed_the_mean_over_its_draws() -> None:
    runs = {"a0": (ITSELF, 0), "a1": (ITSELF, 7), "r00": (RANDOM, 0), "r10": (RANDOM, 0), "theirs": (THEIRS, 0)}
    answers = {
        "baseline": [[0.0], [1.0], [0.0]], "a0": [[1.0], ["error"], [1.0]], "a1": [[1.0], [1.0], ["unparsable"]],
        "r00": [[1.0], [0.0], [0.0]], "r10": [[0.0], [0.0], ["error"]], "theirs": [[1.0], [1.0]],
    }  # fmt: skip
    study = study_values(declared(runs | {"failed": (ITSELF, 9)}), results(answers))
    assert list(study) == [("sums", "avg"), ("sums", "pass")]
    found, nan = study["sums", "avg"], np.nan
    assert (found.prompts.tolist(), found.samples) == ([0, 1, 2], 1)
    assert {arm: (one.runs, one.seeds, one.trained) for arm, one in found.arms.items()} == {
        BASELINE_ARM: ((("baseline",),), (0,), False),
        ITSELF: ((("a0",), ("a1",)), (0, 7), True),
        RANDOM: ((("r00", "r10"),), (0,), True),
        THEIRS: ((("theirs",),), (0,), False),
    }
    wanted = {
        BASELINE_ARM: [[0, 1, 0]], ITSELF: [[1, nan, 1], [1, 1, 0]], RANDOM: [[0.5, 0, nan]], THEIRS: [[1, 1, nan]],
    }  # fmt: skip
    for arm, values in wanted.items():
        np.testing.assert_array_equal(found.arms[arm].values, np.array(values))


def test_equal_models_that_differ_in_unreadable_answers_show_no_gain() -> None:
    """Both are right in 150 of 1,000; of one 300 answers cannot be read, of the other 50. Left out, those would be a
    gain of more than five points."""
    draw, unreadable_of = np.random.default_rng(0), {"a0": 300, "baseline": 50}
    answers: dict[str, list[list[Answer]]] = {
        run: [[1.0]] * 150 + [["unparsable"]] * lost + [[0.0]] * (850 - lost) for run, lost in unreadable_of.items()
    }
    answers = {run: [of_run[at] for at in draw.permutation(1000)] for run, of_run in answers.items()}
    answered = results(answers)
    rows = world.compare_results(declared({"a0": (ITSELF, 0)}), answered, {})
    assert rows.filter(against="baseline", measure="avg@1").select("gain", "p", "scope").rows() == [
        (0.0, None, "this run")
    ]
    assert [Answers(answered).missing([run], "sums") for run in answers] == [0.3, 0.05]


def test_the_share_of_cut_answers_is_of_those_that_came() -> None:
    answered = results({"a": [["error", "error"]], "b": [[1.0, "error"]]})
    shares = Answers(answered.with_columns(finish_reason=pl.when(pl.col("score") == 1).then(pl.lit("length")).otherwise(
        "finish_reason")))  # fmt: skip
    assert [shares.truncated([run], "sums") for run in "ab"] == [0.0, 1.0]
    assert [shares.missing([run], "sums") for run in "ab"] == [1.0, 0.5]


def test_a_benchmark_that_a_run_has_no_results_on_is_said() -> None:
    """As of a table that was written half: its rows on another benchmark do not say so."""
    runs = declared({"a0": (ITSELF, 0)})
    whole = {"baseline": [[1.0], [0.0]], "a0": [[0.0], [1.0]]}
    answered = pl.concat([results(whole), results({"baseline": whole["baseline"]}, "letters")])
    assert list(find_gaps(study_values(runs, answered))) == [
        "letters: no results of a0; `dvc repro -sf evaluate` makes them, then `dvc repro`"
    ]


def test_what_has_no_value_is_said_and_a_benchmark_with_one_prompt_is_too() -> None:
    runs = declared({"a0": (ITSELF, 0)})
    whole = results({"baseline": [[1.0], [0.0]], "a0": [[0.0], ["unparsable"]]})
    assert list(find_gaps(study_values(runs, whole))) == []
    lost = results({"baseline": [[1.0], [0.0], [0.0]], "a0": [["error"], ["error"], [1.0]]})
    assert list(find_gaps(study_values(runs, lost))) == [
        "sums: prompts without a value, since a call failed, could not be graded or was not made: a0 (2 of 3); they "
        "are left out of each contrast with that run, and above 1 % it is refused; `dvc repro -sf evaluate` asks what "
        "failed of the study's own benchmarks again, then `dvc repro`",
        "sums: fewer than 2 prompts have a value in a0, so nothing is compared there; it has 3 prompts",
    ]
    alone = results({"baseline": [[1.0]], "a0": [[0.0]]})
    (line,) = find_gaps(study_values(runs, alone))
    assert line.endswith("in baseline, a0, so nothing is compared there; it has 1 prompt")
