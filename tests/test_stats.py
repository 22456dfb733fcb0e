"""The statistics against independent ones: statsmodels, scipy, and counting all the draws."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
import pytest
import world
from scipy import stats as scipy_stats
from world import compare_results

from curation.core.stats import clustered_mean, clustered_means, holm, wilson
from curation.experiment.compare import comparison_metrics
from curation.experiment.estimate import estimate
from curation.experiment.values import DeclaredRuns, study_values
from curation.tables import measurements, parquet


def drawn(seed: int, groups: int = 3) -> pl.DataFrame:
    """Unbalanced observations of a few groups, alike within a cluster, some of them null."""
    draw = np.random.default_rng(seed)
    n = int(draw.integers(40, 200))
    cluster = draw.integers(0, 12, n)
    value = draw.normal(size=n) + draw.normal(size=12)[cluster]
    names = pl.Series([f"g{i}" for i in draw.integers(0, groups, n)])
    return pl.DataFrame(
        {"group": names, "cluster": cluster, "value": [None if draw.random() < 0.1 else v for v in value]}
    )


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_clustered_means_are_those_of_statsmodels(seed: int) -> None:
    from statsmodels.regression.linear_model import OLS

    rows = drawn(seed)
    for found in clustered_means(rows, ["group"], "value", "cluster").iter_rows(named=True):
        kept = rows.filter(pl.col("group") == found["group"]).drop_nulls()
        fit = OLS(kept["value"].to_numpy(), np.ones(kept.height)).fit(
            cov_type="cluster", cov_kwds={"groups": kept["cluster"].to_numpy()}, use_t=True
        )
        low, high = fit.conf_int()[0]
        assert [found["mean"], found["ci_low"], found["ci_high"]] == pytest.approx([fit.params[0], low, high], abs=1e-9)
        assert (found["n"], found["clusters"]) == (kept.height, kept["cluster"].n_unique())


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_the_rows_changes_nothing(seed: int) -> None:
    rows = drawn(seed)
    once = clustered_means(rows, ["group"], "value", "cluster")
    assert clustered_means(rows.sample(fraction=1.0, shuffle=True, seed=seed), ["group"], "value", "cluster").equals(
        once
    )


def test_one_observation_a_cluster_is_the_plain_student_interval() -> None:
    values = pl.Series([1.0, 2.0, 4.0, 8.0])
    found = clustered_mean(values, pl.Series(range(4)))
    low, high = scipy_stats.t.interval(0.95, 3, loc=values.mean(), scale=scipy_stats.sem(values))
    assert found is not None and found == pytest.approx((3.75, low, high, 4))


def test_one_cluster_has_a_mean_and_no_interval() -> None:
    rows = pl.DataFrame({"group": ["a", "a", "b"], "cluster": [1, 1, 1], "value": [1.0, 3.0, None]})
    assert clustered_means(rows, ["group"], "value", "cluster").rows() == [("a", 2.0, None, None, 2, 1)]
    assert clustered_mean(rows["value"], rows["cluster"]) is None
    assert clustered_mean(pl.Series([], dtype=pl.Float64), pl.Series([], dtype=pl.Int64)) is None


def results(rows: Mapping[tuple[str, int], Sequence[float | None]]) -> pl.DataFrame:
    """Results of one benchmark: (run, prompt): scores, null for a failed sample."""
    return world.frame(measurements.RESULTS, [
        (run, "sums", "in_domain", prompt, sample, None, "text", "stop", score, "error" if score is None else "scored")
        for (run, prompt), scores in rows.items() for sample, score in enumerate(scores)
    ])  # fmt: skip


ARMS = {"a0": "itself", "a1": "itself", "b0": "random", "b1": "random", "b2": "random"}
RUNS = DeclaredRuns(
    {run: ("dpo", "top", "any", "own", control) for run, control in ARMS.items()},
    {run: int(run[1]) for run in ARMS},
    frozenset({"itself"}),
)


def compared(scores: dict[tuple[str, int], list[float | None]]) -> pl.DataFrame:
    rows = compare_results(RUNS, results(scores), {"a0": 4, "a1": 5, "b0": 4, "b1": 4, "b2": 4})
    parquet.check(measurements.COMPARISONS, rows, "comparisons")
    return rows


def row(rows: pl.DataFrame, control: str, against: str, measure: str = "avg@1") -> dict[str, float]:
    return rows.row(
        by_predicate=(pl.col("control") == control) & (pl.col("against") == against) & (pl.col("measure") == measure),
        named=True,
    )


def test_a_gain_is_over_the_prompts_that_all_the_runs_compared_answered() -> None:
    """One prompt in 101 has no valid value in the baseline: it is left out and counted. One in four refuses the gain,
    and leaves the arm its value."""
    for prompts in (101, 4):
        scores: dict[tuple[str, int], list[float | None]] = {
            (run, prompt): [1, run == "a0"] for run in ("a0", "baseline") for prompt in range(prompts)
        }
        found = row(compared(scores | {("baseline", 0): [None, None]}), "itself", "baseline", "avg@2")
        kept = found["value"], found["seeds"], found["pairs"], found["voided"], found["n"], found["scope"]
        assert kept == (1.0, 1 if prompts > 4 else 0, 4, 1, prompts - 1, "this run")
        if prompts > 4:
            assert (found["gain"], found["refused"], found["p"]) == (pytest.approx(0.5), None, None)
        else:
            assert (found["gain"], found["refused"]) == (None, "1 of 4 prompts of sums have no valid value in some run")


def test_a_selection_is_compared_with_its_control_over_all_the_seeds_of_each() -> None:
    mine, theirs = {"a0": [1, 1, 0], "a1": [1, 0, 1]}, {"b0": [0, 1, 0], "b1": [1, 0, 0], "b2": [1, 1, 1]}
    scores: dict[tuple[str, int], list[float | None]] = {
        (run, prompt): [one] for run, row in (mine | theirs).items() for prompt, one in enumerate(row)
    }
    answered = results(scores | {("baseline", prompt): [0] for prompt in range(3)})
    rows, arms = compare_results(RUNS, answered, {}), dict(zip(ARMS.values(), RUNS.arms.values(), strict=True))
    found = row(rows, "itself", "random")
    study = {"sums": study_values(RUNS, answered)["sums", "avg"]}
    wanted = estimate({arms["itself"]: 1.0, arms["random"]: -1.0}, {"sums": 1.0}, study)
    assert found["gain"] == pytest.approx(2 / 3 - 5 / 9)
    assert [found[name] for name in ("gain", "ci_low", "ci_high", "p")] == [*wanted[:4]]
    assert (found["n"], found["seeds"], found["scope"]) == (3, 2, "seeds")
    assert (row(rows, "random", "baseline")["seeds"], row(rows, "random", "baseline")["gain"]) == (
        3,
        pytest.approx(5 / 9),
    )
    assert rows.filter(control="random", against="itself").is_empty()


def test_gains_over_controls_and_over_the_baseline_are_corrected_each_for_its_measure() -> None:
    draw = np.random.default_rng(0)
    scores: dict[tuple[str, int], list[float | None]] = {
        (run, prompt): [float(draw.random() < 0.5)] * 2 for run in ("baseline", *ARMS) for prompt in range(30)
    }  # fmt: skip
    rows = compared(scores)
    for _, group in rows.drop_nulls("p").group_by(pl.col("against") == "baseline", "measure"):
        assert group.sort("p")["p_holm"].to_list() == pytest.approx(holm(sorted(group["p"].to_list())))


def test_the_baseline_has_a_value_and_one_prompt_makes_no_row() -> None:
    rows = compare_results(world.DECLARED, world.results(), {world.TUNED: 3, world.TURNED: 3})
    assert set(rows["benchmark"]) == {"held_sums"}
    same = rows.filter(against="").select("method", "measure", "value", "gain", "n", "p").rows()
    assert same == [("", "avg@2", 0.25, None, None, None), ("", "pass@2", 0.5, None, None, None)]
    metrics: Any = comparison_metrics(rows, [])
    assert metrics["dpo-clear-any-own-itself"]["held_sums"]["avg_at_2_gain_over_baseline"] == 0.5
    assert metrics["dpo-clear-any-own-itself"]["held_sums"]["avg_at_2_gain_over_reversed"] == 0.5
    assert metrics["baseline"]["held_sums"]["avg_at_2"] == 0.25


@pytest.mark.slow
def test_holm_is_that_of_statsmodels() -> None:
    from statsmodels.stats.multitest import multipletests

    for p in ([0.01], [0.04, 0.01, 0.03], [0.5, 0.9, 0.2, 0.2], [0.001, 0.001, 0.8]):
        assert holm(p) == pytest.approx(multipletests(p, method="holm")[1])
    assert holm([]) == []


@pytest.mark.slow
def test_wilsons_interval_is_that_of_statsmodels() -> None:
    from statsmodels.stats.proportion import proportion_confint

    cases = [(right, n) for n in (1, 2, 7, 40) for right in range(n + 1)]
    rows = pl.DataFrame({"share": [right / n for right, n in cases], "n": [n for _, n in cases]})
    low, high = wilson(pl.col("share"), pl.col("n"))
    found = rows.select(low.alias("low"), high.alias("high")).rows()
    for (right, n), ends in zip(cases, found, strict=True):
        assert ends == pytest.approx(proportion_confint(right, n, method="wilson"), abs=1e-9)
