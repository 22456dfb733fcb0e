"""What is measured of judges: by hand in the small world, and of planted judges whose faults are known."""

from typing import Any

import numpy as np
import polars as pl
import pytest
import world
from scipy import stats

from curation import delta, pair, reliability, tables

SEEDS, PROMPTS, SAMPLES = 200, 200, 3
TASTE, SPREAD = 0.8, 0.5  # of the wordy judge for log length; standard deviation of log length
NOISE = 0.5  # standard deviation of a repeat of the forgetful judge
SETTINGS = reliability.Params(truth="answer")
DIMENSIONS = {"answer": ["correct"], "fine": ["quality"], "second": ["quality"], "wordy": ["quality"], "random": ["quality"],
              "coarse": ["quality"], "forgetful": ["quality"]}  # fmt: skip


def figure(table: pl.DataFrame, judge: str, dimension: str, measure: str, against: str) -> dict[str, Any]:
    found = table.filter(judge=judge, dimension=dimension, measure=measure, against=against)
    return found.select("value", "n", "clusters", "suspect").rows(named=True)[0]


def test_the_small_world_by_hand() -> None:
    table = world.world().reliability
    tables.check(tables.RELIABILITY, table, "reliability")
    assert figure(table, "rubric", "logic", "coverage", "") == {"value": 17 / 20, "n": 20, "clusters": 3, "suspect": True}
    assert figure(table, "rubric", "logic", "repeat_agreement", "repeats") == {"value": 6 / 8, "n": 8, "clusters": 3, "suspect": False}
    # exactly one right: plus, large and medium above small's first and small's second above its first, in either order; times, large below medium; minus,
    # small below both others
    wins = figure(table, "rubric", "logic", "win_rate", "answer")
    assert (round(wins["value"], 9), wins["n"]) == (round(4 / 7, 9), 7)


def planted(seed: int) -> pl.DataFrame:
    """`reliability` of six judges on PROMPTS prompts of four traces; the truth is what `answer` says."""
    source = np.random.default_rng(1000 + seed)  # of seeds 0 to 199 both length figures covered 0.925, which 3,000 seeds put at 0.949
    n = PROMPTS * SAMPLES
    prompt, trace = np.repeat(np.arange(PROMPTS), SAMPLES), np.arange(n)
    length = np.exp(source.normal(6, SPREAD, n)).astype(int) + 2
    right = source.random(n) < 0.5
    quality, taste = right + source.normal(size=n), TASTE * np.log(length)
    twice = source.normal(size=n)
    scores = {
        "answer": [right.astype(float)], "fine": [quality], "second": [quality + source.normal(size=n)], "wordy": [quality + taste],
        "random": [source.normal(size=n)], "coarse": [np.where(quality > 1.5, 4.0, 3.0)],
        "forgetful": [twice + NOISE * source.normal(size=n) for _ in range(2)],
    }  # fmt: skip
    traces = pl.DataFrame({"trace_id": trace, "prompt_id": prompt, "generator": "g", "sample_index": trace % SAMPLES, "family": None, "scale_b": None,
                           "completion": ["x" * size for size in length], "finish_reason": "stop", "n_tokens": None},
                          schema=tables.empty(tables.TRACES).schema)  # fmt: skip
    schema = tables.empty(tables.JUDGMENTS).schema
    judgments = pl.concat([
        pl.DataFrame({"trace_id": trace, "judge": judge, "dimension": DIMENSIONS[judge][0], "repeat": repeat, "score": given, "expected_score": None,
                      "status": "scored", "rationale": None}, schema=schema)
        for judge, repeats in scores.items() for repeat, given in enumerate(repeats)
    ])  # fmt: skip
    pairs = pair.pair(pair.Params(order="both", ladder=[], within_generator=True, samples="all"), traces)
    wide = {
        judge: delta.deltas(delta.Params(score="sampled"), pairs, judgments.filter(judge=judge), dimensions)
        for judge, dimensions in DIMENSIONS.items()
        if judge != "answer"
    }
    wide["answer"] = delta.deltas(delta.Params(score="sampled"), pairs, judgments.filter(judge="answer"), ["correct"])
    return reliability.reliability(SETTINGS, {judge: judgments.filter(judge=judge) for judge in DIMENSIONS}, wide, pairs, traces, DIMENSIONS)


@pytest.fixture(scope="module")
def tables_of_seeds() -> pl.DataFrame:
    return pl.concat([planted(seed).with_columns(pl.lit(seed).alias("seed")) for seed in range(SEEDS)])


PLANTED = {  # judge, measure, against: what it is
    ("fine", "win_rate", "answer"): stats.norm.cdf(1 / np.sqrt(2)),
    ("fine", "auroc", "answer"): stats.norm.cdf(1.0),
    ("fine", "length_correlation_equally_right", "answer"): 0.0,
    ("random", "win_rate", "answer"): 0.5,
    ("random", "auroc", "answer"): 0.5,
    ("wordy", "length_correlation_equally_right", "answer"): TASTE * SPREAD / np.sqrt(1 + (TASTE * SPREAD) ** 2),
    ("forgetful", "repeat_alpha", "repeats"): 1 / (1 + NOISE**2),
    ("forgetful", "noise", "repeats"): NOISE,  # of a delta of two means of two repeats
    ("fine", "kappa", "second"): 2 * 1.25 / (1.25 + 2.25),  # the variance of quality is 1 + 1/4
    ("coarse", "tie_rate", ""): None,
}


@pytest.mark.parametrize("case", PLANTED, ids=" ".join)
def test_a_planted_judge_is_measured_rightly(case: tuple[str, str, str], tables_of_seeds: pl.DataFrame) -> None:
    judge, measure, against = case
    share = 0.5 * stats.norm.sf(0.5) + 0.5 * stats.norm.sf(1.5)  # of traces that the coarse judge gives a 4, by whether they are right
    truth = float(share**2 + (1 - share) ** 2 if PLANTED[case] is None else PLANTED[case])
    found = tables_of_seeds.filter(judge=judge, measure=measure, against=against)
    assert found.height == SEEDS
    covered = found.select(((pl.col("ci_low") <= truth) & (truth <= pl.col("ci_high"))).mean()).item()
    print(f"{judge:10} {measure:34} planted {truth:6.3f} measured {found['value'].mean():6.3f} covered {covered:.3f}")
    assert covered >= 0.93
    assert abs(found["value"].mean() - truth) < 0.02


SUSPECTS = {"fine": None, "random": "auroc", "wordy": "length_correlation_equally_right", "coarse": "tie_rate", "forgetful": "auroc"}


@pytest.mark.parametrize("judge", SUSPECTS)
def test_a_fault_is_marked_and_the_fine_judge_is_not(judge: str, tables_of_seeds: pl.DataFrame) -> None:
    rows = tables_of_seeds.filter(judge=judge)
    if SUSPECTS[judge] is None:
        assert rows.group_by("seed").agg(~pl.col("suspect").any())["suspect"].mean() >= 0.93
    else:
        assert rows.filter(measure=SUSPECTS[judge])["suspect"].mean() >= 0.93
