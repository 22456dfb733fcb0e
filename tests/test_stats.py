"""The statistics against independent ones: statsmodels, scipy, and counting all the draws."""

import math
from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import polars as pl
import pytest
import statsmodels.api as sm
import world
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from statsmodels.stats.proportion import proportion_confint

from curation import tables
from curation.compare import Params, compare, figures, per_prompt
from curation.stats import clustered_mean, clustered_means, paired_p, pass_at_k, wilson


def drawn(seed: int, groups: int = 3) -> pl.DataFrame:
    """Unbalanced observations of a few groups, alike within a cluster, some of them null."""
    draw = np.random.default_rng(seed)
    n = int(draw.integers(40, 200))
    cluster = draw.integers(0, 12, n)
    value = draw.normal(size=n) + draw.normal(size=12)[cluster]
    names = pl.Series([f"g{i}" for i in draw.integers(0, groups, n)])
    return pl.DataFrame({"group": names, "cluster": cluster, "value": [None if draw.random() < 0.1 else v for v in value]})


@pytest.mark.parametrize("seed", range(20))
def test_clustered_means_are_those_of_statsmodels(seed: int) -> None:
    rows = drawn(seed)
    for found in clustered_means(rows, ["group"], "value", "cluster").iter_rows(named=True):
        kept = rows.filter(pl.col("group") == found["group"]).drop_nulls()
        fit = sm.OLS(kept["value"].to_numpy(), np.ones(kept.height)).fit(cov_type="cluster", cov_kwds={"groups": kept["cluster"].to_numpy()}, use_t=True)
        low, high = fit.conf_int()[0]
        assert [found["mean"], found["ci_low"], found["ci_high"]] == pytest.approx([fit.params[0], low, high], abs=1e-9)
        assert (found["n"], found["clusters"]) == (kept.height, kept["cluster"].n_unique())


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_the_rows_changes_nothing(seed: int) -> None:
    rows = drawn(seed)
    once = clustered_means(rows, ["group"], "value", "cluster")
    assert clustered_means(rows.sample(fraction=1.0, shuffle=True, seed=seed), ["group"], "value", "cluster").equals(once)


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


@given(st.integers(1, 9).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n), st.integers(1, n))))
@settings(max_examples=40, deadline=None)
def test_pass_at_k_counts_the_draws_with_a_right_sample(case: tuple[int, int, int]) -> None:
    right, samples, k = case
    draws = list(combinations([True] * right + [False] * (samples - right), k))
    assert pass_at_k(right, samples, k) == pytest.approx(sum(map(any, draws)) / math.comb(samples, k))


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=2, max_size=30))
@settings(max_examples=40, deadline=None)
def test_paired_p_is_that_of_scipy(quarters: list[tuple[int, int]]) -> None:
    before, after = np.array(quarters).T / 4
    found = paired_p(after - before)
    if len(set(after - before)) == 1:
        assert found is None
    else:
        assert found == pytest.approx(scipy_stats.ttest_rel(after, before).pvalue)


def test_gains_that_differ_by_rounding_only_have_no_p() -> None:
    gains = np.array([1 / 3 - 0, 1 - 2 / 3])
    assert gains[0] != gains[1] and paired_p(gains) is None
    assert paired_p(np.array([0.5])) is None


def results(rows: Mapping[tuple[str, int], Sequence[float | None]]) -> pl.DataFrame:
    """Results of one benchmark: (run, prompt): scores, null for a failed sample."""
    return world.frame(tables.RESULTS, [
        (run, "sums", "in_domain", prompt, sample, "text", "stop", score, "error" if score is None else "scored")
        for (run, prompt), scores in rows.items() for sample, score in enumerate(scores)
    ])  # fmt: skip


def test_unscored_samples_do_not_count() -> None:
    found = per_prompt(results({("a", 1): [1, None, 0], ("a", 2): [None, None, None], ("a", 3): [0, 0, 1]}))
    assert found.select("prompt_id", "measure", "value").rows() == [(1, "avg@3", 0.5), (3, "avg@3", 1 / 3), (1, "pass@3", 1.0), (3, "pass@3", 1.0)]


def test_a_prompt_that_one_run_alone_answered_does_not_count() -> None:
    scores: dict[tuple[str, int], list[float | None]] = {("base", 1): [0, 0], ("base", 2): [0, 1], ("base", 3): [1, 1], ("base", 4): [None, None]}
    scores |= {("tuned", 1): [1, 1], ("tuned", 2): [1, 0], ("tuned", 3): [1, 1], ("tuned", 4): [1, 1]}
    rows = compare(Params(baseline="base"), results(scores))
    tuned = rows.row(by_predicate=(pl.col("run") == "tuned") & (pl.col("measure") == "avg@2"), named=True)
    assert (tuned["value"], tuned["gain"], tuned["n"]) == (pytest.approx(2.5 / 3), pytest.approx(1 / 3), 3)
    assert tuned["p"] == pytest.approx(scipy_stats.ttest_rel([1, 0.5, 1], [0, 0.5, 1]).pvalue)


def test_the_baseline_gains_nothing_over_itself_and_one_prompt_makes_no_row() -> None:
    rows = compare(Params(baseline="baseline"), world.results())
    assert set(rows["benchmark"]) == {"held_sums"}
    same = rows.filter(run="baseline").select("measure", "value", "gain", "ci_low", "ci_high", "n", "p").rows()
    assert same == [("avg@2", 0.25, 0.0, 0.0, 0.0, 2, None), ("pass@2", 0.5, 0.0, 0.0, 0.0, 2, None)]
    assert figures(rows)["tuned"]["held_sums"]["avg_at_2_gain"] == 0.5  # type: ignore[index]


def test_wilsons_interval_is_that_of_statsmodels() -> None:
    cases = [(right, n) for n in (1, 2, 7, 40) for right in range(n + 1)]
    rows = pl.DataFrame({"share": [right / n for right, n in cases], "n": [n for _, n in cases]})
    low, high = wilson(pl.col("share"), pl.col("n"))
    found = rows.select(low.alias("low"), high.alias("high")).rows()
    for (right, n), ends in zip(cases, found, strict=True):
        assert ends == pytest.approx(proportion_confint(right, n, method="wilson"), abs=1e-9)
