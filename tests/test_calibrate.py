"""Calibration: no probability is fitted to its own prompt, all are measured, a pair and its reverse have the same, and
a judge that knows nothing is said to.

The kind of fault: a probability that has seen the label it is held against.
"""

from typing import Any

import numpy as np
import planted
import polars as pl
import pytest
import world
from scipy import stats

from curation.pairs import delta, pair
from curation.reliability.calibrate import Params, calibrate, find_flat, metrics
from curation.reliability.confidence import bin_confidence, measure_confidence
from curation.reliability.truth import label_pairs
from curation.tables import measurements, parquet

WRITTEN = planted.traces(7)
PAIRS = pair.pair(world.pairing(order="both", ladder=[], within_generator=False, samples="all"), WRITTEN)
RATED = {name: planted.DIMENSIONS[name] for name in ("answer", "fine", "random")}
WIDE = {
    name: delta.deltas(delta.Params(**world.DELTA), PAIRS, planted.judgments(name, WRITTEN), dimensions)
    for name, dimensions in RATED.items()
}


def fitted(**changes: Any) -> pl.DataFrame:
    rows, _ = calibrate(
        Params.model_validate({"truth": "answer", "method": "platt", "folds": 5, "seed": 0} | changes),
        PAIRS,
        WIDE,
        RATED,
    )
    parquet.check(measurements.PROBABILITIES, rows, "probabilities")
    return rows


def test_prompts_are_in_one_fold_each_by_a_hash_of_the_seed() -> None:
    rows = fitted().join(PAIRS.select("pair_id", "prompt_id"), on="pair_id")
    assert rows.group_by("prompt_id").agg(pl.col("fold").n_unique())["fold"].to_list() == [1] * planted.PROMPTS
    assert sorted(rows["fold"].unique()) == [0, 1, 2, 3, 4]
    assert not fitted(seed=1)["fold"].equals(fitted()["fold"])
    label = label_pairs(WIDE["answer"], "correct", None)
    found = metrics(fitted(), label)
    assert (found["pairs"], found["labelled"]) == (PAIRS.height, label.filter(pl.col("label") != 0).height)
    assert set(rows["judge"]) == set(found["p_chosen"]) == {"fine", "random"}  # type: ignore[call-overload]


@pytest.mark.parametrize("method", ["platt", "isotonic"])
def test_no_probability_has_seen_a_label_of_its_own_prompt(method: str) -> None:
    """Turning all labels of one fold's prompts changes the other folds, and nothing of its own."""
    fold = (
        fitted().join(PAIRS.select("pair_id", "prompt_id"), on="pair_id").filter(judge="fine").select("pair_id", "fold")
    )
    turned = (
        WIDE["answer"]
        .join(fold, on="pair_id", how="left", maintain_order="left")
        .with_columns(
            pl.when(pl.col("fold") == 2)
            .then(-pl.col("delta_correct"))
            .otherwise("delta_correct")
            .alias("delta_correct")
        )
    )
    own, other = (
        calibrate(Params(truth="answer", method=method, folds=5, seed=0), PAIRS, wide, RATED)[0].filter(judge="fine")
        for wide in (WIDE, WIDE | {"answer": turned.drop("fold")})
    )  # fmt: skip
    assert own.filter(fold=2).equals(other.filter(fold=2))
    assert not own.filter(fold=1).equals(other.filter(fold=1))


@pytest.mark.parametrize("method", ["platt", "isotonic"])
def test_a_pair_and_its_reverse_have_probabilities_that_add_up_to_one(method: str) -> None:
    rows = fitted(method=method).filter(judge="fine").join(PAIRS, on="pair_id")
    both = rows.join(
        rows,
        left_on=["chosen_trace_id", "rejected_trace_id"],
        right_on=["rejected_trace_id", "chosen_trace_id"],
        suffix="_other",
    )
    assert both.height == PAIRS.height
    assert (both["probability"] + both["probability_other"]).to_numpy() == pytest.approx(1, abs=1e-9)


def test_platts_probability_is_what_drew_the_deltas() -> None:
    """delta is N(+-10, 200) by which side is right, so that the log odds are delta / 10: a slope within its own
    error, in each fold."""
    rows = fitted().filter(judge="fine").join(WIDE["fine"].select("pair_id", "delta_quality"), on="pair_id")
    for _, of_fold in rows.group_by("fold"):
        odds = np.log(of_fold["probability"] / (1 - of_fold["probability"])).to_numpy()
        slope = stats.linregress(of_fold["delta_quality"].to_numpy(), odds)
        assert slope.rvalue == pytest.approx(1, abs=1e-6) and slope.intercept == pytest.approx(0, abs=1e-6)
        assert slope.slope == pytest.approx(0.1, abs=0.03)


@pytest.mark.parametrize("method", ["platt", "isotonic"])
@pytest.mark.parametrize("small", [1e-9, 1.0])
def test_no_probability_is_surer_than_platts_target(method: str, small: float) -> None:
    """Kind: a fit that is certain of pairs that it has not seen, where those it has seen hold no error, or where all
    but one of their deltas are 0."""
    prompts = pl.int_range(60, eager=True)
    pairs = pl.DataFrame({"pair_id": prompts, "prompt_id": prompts, "identical": [False] * 60})
    right = pl.DataFrame({"pair_id": prompts, "delta_correct": [1.0] * 60})
    for deltas in ([small] + [0.0] * 59, [small] * 59 + [1e6]):
        judged = pl.DataFrame({"pair_id": prompts, "delta_quality": deltas})
        settings = Params(truth="answer", method=method, folds=3, seed=0)
        rated = {"answer": ["correct"], "fine": ["quality"]}
        rows, label = calibrate(settings, pairs, {"answer": right, "fine": judged}, rated)
        of_fold = dict(rows.group_by("fold").len().rows())
        most = rows["fold"].replace_strict({fold: (61 - n) / (62 - n) for fold, n in of_fold.items()})
        assert label.height == 60 and ((rows["probability"] - most) < 1e-6).all(), rows["probability"].max()
        assert rows["probability"].is_between(0.5, 1, closed="left").all()


def test_a_random_judge_is_told_that_it_knows_nothing() -> None:
    rows = fitted()
    assert rows.filter(judge="random").select((pl.col("probability") - 0.5).abs().max()).item() < 0.2
    flat = rows.with_columns(
        pl.when(pl.col("judge") == "random").then(0.5).otherwise("probability").alias("probability")
    )
    (line,) = find_flat(flat)
    assert line.startswith("random ") and "0.50 to 0.50 for 9 pairs in 10: its delta hardly says" in line


def test_too_few_labels_or_no_truth_calibrate_nothing() -> None:
    assert fitted(truth=None).is_empty()
    few = PAIRS.filter(pl.col("prompt_id") < 3)
    rows, _ = calibrate(
        Params(truth="answer", method="platt", folds=2, seed=0),
        few,
        {n: w.join(few, on="pair_id", how="semi") for n, w in WIDE.items()},
        RATED,
    )
    assert rows.height and rows["probability"].null_count() == rows.height


def test_confidence_is_of_the_likelier_side() -> None:
    rows = pl.DataFrame(
        {
            "prompt_id": [1, 1, 2, 2, 3],
            "probability": [0.9, 0.2, 0.5, 1.0, 0.35],
            "chosen_right": [True, True, True, False, False],
        }
    )
    sure = bin_confidence(rows)
    assert sure["confidence"].to_list() == pytest.approx([0.9, 0.8, 0.5, 1.0, 0.65])
    assert sure["bin"].to_list() == pytest.approx([0.9, 0.8, 0.5, 0.9, 0.6])
    assert sure["right"].to_list() == [1.0, 0.0, 0.5, 0.0, 1.0]
    found = {measured.measure: measured.interval for measured in measure_confidence(rows, "", "truth")}
    assert all(found.values())
    # by bin: 0.9 to 1: 2 pairs, sum of confidence less right 0.9; 0.8: 0.8; 0.5: 0; 0.6: -0.35
    assert found["ece"].mean == pytest.approx((0.9 + 0.8 + 0 + 0.35) / 5)  # type: ignore[union-attr]
    assert found["overconfidence"].mean == pytest.approx((0.9 + 0.8 - 0.35) / 5)  # type: ignore[union-attr]
    assert found["brier"].mean == pytest.approx((0.01 + 0.64 + 0.25 + 1 + 0.35**2) / 5)  # type: ignore[union-attr]
