"""Calibration: fitted to some prompts, measured on the others, the same for a pair and its reverse."""

from typing import Any

import numpy as np
import planted
import polars as pl
import pytest
import world
from scipy import stats

from curation.pairs import delta, pair
from curation.reliability.calibrate import Params, calibrate, metrics
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
        Params.model_validate({"truth": "answer", "method": "platt", "fit_share": 0.5, "seed": 0} | changes),
        PAIRS,
        WIDE,
        RATED,
    )
    parquet.check(measurements.PROBABILITIES, rows, "probabilities")
    return rows


def test_prompts_are_parted_whole_and_by_a_hash_of_the_seed() -> None:
    rows = fitted().join(PAIRS.select("pair_id", "prompt_id"), on="pair_id")
    assert rows.group_by("prompt_id").agg(pl.col("part").n_unique())["part"].to_list() == [1] * planted.PROMPTS
    assert 0.4 < rows.select((pl.col("part") == "fit").mean()).item() < 0.6
    assert not fitted(seed=1)["part"].equals(fitted()["part"])
    label = label_pairs(WIDE["answer"], "correct", None)
    found = metrics(fitted(), label)
    assert found["fit_pairs"] + found["held_out_pairs"] == PAIRS.height
    assert found["fit_labelled"] + found["held_out_labelled"] == label.filter(pl.col("label") != 0).height
    assert set(rows["judge"]) == {"fine", "random"}


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
    error."""
    rows = (
        fitted(fit_share=1.0).filter(judge="fine").join(WIDE["fine"].select("pair_id", "delta_quality"), on="pair_id")
    )
    odds = np.log(rows["probability"] / (1 - rows["probability"])).to_numpy()
    slope = stats.linregress(rows["delta_quality"].to_numpy(), odds)
    assert slope.rvalue == pytest.approx(1, abs=1e-9) and slope.intercept == pytest.approx(0, abs=1e-9)
    assert slope.slope == pytest.approx(0.1, abs=0.025)


def test_a_random_judge_is_told_that_it_knows_nothing() -> None:
    assert fitted().filter(judge="random").select((pl.col("probability") - 0.5).abs().max()).item() < 0.2


def test_too_few_labels_or_no_truth_calibrate_nothing() -> None:
    assert fitted(truth=None).is_empty()
    few = PAIRS.filter(pl.col("prompt_id") < 3)
    rows, _ = calibrate(
        Params(truth="answer", method="platt", fit_share=1.0, seed=0),
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
