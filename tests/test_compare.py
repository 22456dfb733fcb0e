"""What is compared, of the runs that there are: over draws, over benchmarks of several k, beside weights trained
elsewhere, and without the runs that failed."""

import importlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import flow
import numpy as np
import polars as pl
import pytest
import world
from mistakes import changed

from curation.core.params import read
from curation.core.stats import holm
from curation.experiment.compare import (
    comparison_metrics,
    declared_runs,
    find_missing,
    messages,
)
from curation.experiment.values import DeclaredRuns, study_values
from curation.tables import contracts, measurements, parquet

ITSELF, RANDOM = (("dpo", "top", "any", "own", control) for control in ("itself", "random"))
GIVEN = ("given", "theirs", "", "", "")
Scores = Mapping[tuple[str, str], Sequence[Sequence[float]]]  # run, benchmark: of each prompt its samples


def results(scores: Scores, cut: Mapping[str, int] | None = None) -> pl.DataFrame:
    """Results; of a run's answers to each benchmark the first `cut` reached the limit."""
    rows = [
        {"run": run, "benchmark": benchmark, "split": "in_domain", "prompt_id": prompt, "sample_index": sample,
         "finish_reason": "length" if number < (cut or {}).get(run, 0) else "stop", "score": score, "status": "scored"}
        for (run, benchmark), of_prompts in scores.items()
        for number, (prompt, sample, score) in enumerate(
            (prompt, sample, score) for prompt, samples in enumerate(of_prompts) for sample, score in enumerate(samples)
        )
    ]  # fmt: skip
    return world.rows_of(measurements.RESULTS, rows)


def declare(runs: Mapping[str, tuple[tuple[str, ...], int]]) -> DeclaredRuns:
    """The declaration of runs that have the arm and the seed of each."""
    arms, seeds = ({run: of[part] for run, of in runs.items()} for part in (0, 1))
    return DeclaredRuns(arms, seeds, frozenset({"itself"}))  # type: ignore[arg-type]


def compared(
    runs: Mapping[str, tuple[tuple[str, ...], int]],
    answered: pl.DataFrame,
    pairs: int = 3,
) -> pl.DataFrame:
    """The rows of `comparisons`; `runs` has the arm and the seed of each."""
    learnt = {run: pairs for run, (arm, _) in runs.items() if arm != GIVEN}
    rows = world.compare_results(declare(runs), answered, learnt)
    parquet.check(measurements.COMPARISONS, rows, "comparisons")
    return rows


def one(rows: pl.DataFrame, **parts: str) -> dict[str, Any]:
    return rows.row(by_predicate=pl.all_horizontal(pl.col(name) == value for name, value in parts.items()), named=True)


def test_the_value_of_a_seed_is_the_mean_over_its_draws() -> None:
    """Two draws of a control, each trained with two seeds, are two observations and not four; the draw that failed
    with the second seed leaves that seed to the other."""
    runs = {"a0": (ITSELF, 0), "a1": (ITSELF, 1), "r00": (RANDOM, 0), "r10": (RANDOM, 0), "r01": (RANDOM, 1)}
    scores = {
        "a0": [1, 1, 0], "a1": [1, 0, 1], "r00": [0, 1, 0], "r10": [1, 1, 0], "r01": [0, 0, 1], "baseline": [0, 0, 0],
    }  # fmt: skip
    answered = results({(run, "sums"): [[float(one)] for one in of] for run, of in scores.items()})
    rows = compared(runs, answered)
    (arms,) = (of.arms for (_, measure), of in study_values(declare(runs), answered).items() if measure == "avg")
    np.testing.assert_array_equal(arms[RANDOM].values, [[0.5, 1.0, 0.0], [0.0, 0.0, 1.0]])
    for control, against, gain in (("itself", "random", 2 / 3 - 2.5 / 6), ("random", "baseline", 2.5 / 6)):
        found = one(rows, measure="avg@1", control=control, against=against)
        assert (found["gain"], found["seeds"], found["n"], found["pairs"]) == (pytest.approx(gain), 2, 3, 3)


def test_each_benchmark_has_its_own_k_and_the_measures_are_corrected_as_one() -> None:
    """avg@16 here and avg@1 there are one family of Holm."""
    draw = np.random.default_rng(0)
    k_of = {"long": 1, "short": 16, "some": 2}
    runs = {"a0": (ITSELF, 0), "r0": (RANDOM, 0)}
    scores = {
        (run, benchmark): draw.integers(0, 2, (20, k)).astype(float).tolist()
        for run in ("baseline", *runs)
        for benchmark, k in k_of.items()
    }
    rows = compared(runs, results(scores))
    measures = rows.group_by("benchmark").agg(pl.col("measure").unique().sort()).sort("benchmark").rows()
    assert measures == [(name, [f"avg@{k}", f"pass@{k}"]) for name, k in sorted(k_of.items())]
    for _, family in rows.drop_nulls("gain").group_by(
        pl.col("against") == "baseline", pl.col("measure").str.starts_with("avg")
    ):  # fmt: skip
        assert family["benchmark"].n_unique() >= 2
        tested = family.drop_nulls("p").sort("p")
        counted = holm([*tested["p"], *[1.0] * (family.height - tested.height)])
        assert tested["p_holm"].to_list() == pytest.approx(counted[: tested.height])


def test_a_run_that_failed_does_not_make_the_other_gains_fewer() -> None:
    """Nor does one all of whose calls failed: what could not be tested counts as one that found nothing."""
    draw = np.random.default_rng(0)
    runs = {f"{name}{seed}": (arm, seed) for name, arm in (("a", ITSELF), ("r", RANDOM)) for seed in (0, 1)}
    failed = ("dpo", "other", "any", "own", "itself")
    right = {run: draw.random(60) < (0.8 if run.startswith("a") else 0.4) for run in ("baseline", *runs)}
    answered = results({(run, "sums"): [[float(one)] for one in of] for run, of in right.items()})
    whole = compared(runs, answered)
    fewer = compared(runs | {"f0": (failed, 0), "g0": ((*failed[:-1], "random"), 0)}, answered)
    for against, tested, more in (("random", 1, 1), ("baseline", 2, 2)):
        p, p_holm = (
            table.filter(pl.col("against") == against, pl.col("control") == "itself", pl.col("measure") == "avg@1")[
                column
            ][0]
            for table, column in ((whole, "p"), (fewer, "p_holm"))
        )
        assert p_holm == pytest.approx(min(1.0, (tested + more) * p))


def test_weights_trained_elsewhere_are_compared_with_the_baseline_alone() -> None:
    runs = {"a0": (ITSELF, 0), "r0": (RANDOM, 0), "theirs": (GIVEN, 0)}
    scores = {"a0": [1, 0], "r0": [0, 0], "theirs": [1, 1], "baseline": [0, 1]}
    rows = compared(runs, results({(run, "sums"): [[float(one)] for one in of] for run, of in scores.items()}))
    theirs = rows.filter(method="given")
    assert theirs.select("selection", "generator_pairs", "budget", "control", "against", "pairs", "gain").rows() == [
        ("theirs", "", "", "", "baseline", None, 0.5)
    ] * 2  # fmt: skip
    assert rows.filter(pl.col("against") == "random").select("method").unique().rows() == [("dpo",)]


def test_the_share_of_cut_answers_stands_beside_each_value_and_each_gain() -> None:
    """Over all answers of the runs compared; a call that failed is no answer."""
    runs = {"a0": (ITSELF, 0), "a1": (ITSELF, 1), "r0": (RANDOM, 0)}
    answered = results({(run, "sums"): [[1.0, 0.0]] * 4 for run in ("baseline", *runs)}, {"a0": 4, "a1": 1, "r0": 2})
    last = (pl.col("run") == "baseline") & (pl.col("prompt_id") == 3)
    of_baseline = pl.when(pl.col("run") == "baseline").then(pl.lit("length")).otherwise("finish_reason")
    answered = answered.with_columns(
        pl.when(last).then(pl.lit("error")).otherwise(of_baseline).alias("finish_reason"),
        pl.when(~last).then("score").alias("score"),
        pl.when(last).then(pl.lit("error")).otherwise("status").alias("status"),
    )
    rows = compared(runs, answered).filter(measure="avg@2")
    cut = rows.select("control", "against", "truncated", "truncated_against").rows()
    assert sorted(cut) == [
        ("", "", 1.0, None), ("itself", "baseline", 5 / 16, 1.0), ("itself", "random", 5 / 16, 2 / 8),
        ("random", "baseline", 2 / 8, 1.0),
    ]  # fmt: skip


def test_a_run_without_results_is_named_with_what_it_failed_of() -> None:
    declared = DeclaredRuns({"a": ITSELF, "b": RANDOM, "c": GIVEN}, {"a": 0, "b": 0, "c": 0}, frozenset())
    assert find_missing(declared, ["a", "baseline"], {"b": "no memory"}) == {
        "b": "failed: no memory",
        "c": "no results",
    }
    assert find_missing(declared, ["a", "b", "c", "baseline"], {}) == {}
    assert list(find_missing(declared, [], {})) == ["baseline", "a", "b", "c"]
    rows = contracts.empty(measurements.COMPARISONS)
    said = list(messages({"b": "failed: no\nmemory" + "y" * 300, "c": "no results"}, {}))
    assert re.fullmatch(r"not compared: b \(failed: no\\nmemoryy{150,200}…\), c \(no results\)", said[0])
    assert len(said) == 1 and list(messages({}, {})) == []
    assert comparison_metrics(rows, ["b", "c"]) == {"missing_runs": 2, "missing": {"b": 1, "c": 1}}


Staged = Callable[[], tuple[pl.DataFrame, dict[str, Any], str]]


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Staged:
    """Runs `compare` on a study with a run that was trained and evaluated, one that failed, and weights from elsewhere
    whose evaluation has not come to its end: the rows, the metrics and what was said."""
    folder = world.write(world.sound(), tmp_path).parent
    flow.write(world.settings() | {"models": {"theirs": "w"}}, folder / "params.yaml")
    (folder / "data/metrics").mkdir(exist_ok=True)
    (folder / "data/metrics/arms.json").write_text(json.dumps({world.ARM: {"pairs": 3}}))  # of the arm that has results
    known = [
        {"run": world.TUNED, "status": "trained", "weights": "sha256:0", "key": "0"},
        {"run": world.TURNED, "status": "failed", "error": "a loss of nan at step 3"},
        {"run": "theirs", "status": "given", "weights": "sha256:1"},
    ]
    runs = world.rows_of(measurements.RUNS, known)
    parquet.write(measurements.RUNS, runs, contracts.path("runs", data=folder / "data"))
    contracts.path("results", world.TURNED, folder / "data").unlink()
    monkeypatch.chdir(folder)

    def run() -> tuple[pl.DataFrame, dict[str, Any], str]:
        capsys.readouterr()
        importlib.import_module("stages.compare").main()
        metrics = json.loads(Path("data/metrics/compare.json").read_text())
        return parquet.read(measurements.COMPARISONS, contracts.path("comparisons")), metrics, capsys.readouterr().err

    return run


@pytest.mark.slow
def test_compare_takes_what_there_is_and_lists_what_is_missing(stage: Staged) -> None:
    rows, metrics, said = stage()
    assert set(rows["control"]) == {"", "itself"} and set(rows["against"]) == {"", "baseline"}
    assert (metrics["missing_runs"], metrics["missing"]) == (2, {world.TURNED: 1, "theirs": 1})
    lines = said.splitlines()
    missing = f"{world.TURNED} (failed: a loss of nan at step 3), theirs (no results)"
    assert lines[0] == f"warning: compare: not compared: {missing}"
    why = "no results of dpo clear any own reversed on held_sums"
    assert f"warning: compare: contrasts.direction (primary): no result: {why}" in lines


@pytest.mark.slow
def test_without_a_baseline_there_are_values_and_without_any_results_no_rows(stage: Staged) -> None:
    contracts.path("results", "baseline").unlink()
    rows, metrics, said = stage()
    assert rows.select("control", "against", "gain").unique().rows() == [("itself", "", None)]
    assert metrics["missing_runs"] == 3 and "not compared: baseline (no results), " in said
    contracts.path("results", world.TUNED).unlink()
    rows, metrics, said = stage()
    of_missing = {"missing_runs": 4, "missing": dict.fromkeys(metrics["missing"], 1)}
    assert rows.is_empty() and metrics == of_missing | {"contrasts": {}, "primary_registered": 0}
    assert Path("data/plots/gains.png").exists()


def test_what_is_declared_is_the_grid_and_the_weights_trained_elsewhere(tmp_path: Path) -> None:
    flow.write(changed({"models": {"theirs": "w"}, "grid.seeds": [3, 4]}), tmp_path / "params.yaml")
    declared = declared_runs(read(tmp_path / "params.yaml"))
    assert declared.arms["theirs"] == GIVEN and declared.treatments == {"itself"}
    drawn = {run: declared.seeds[run] for run, arm in declared.arms.items() if arm[-1] == "random"}
    assert sorted(drawn.values()) == [3] * 4 + [4] * 4 and len(set(declared.arms.values())) == 9
