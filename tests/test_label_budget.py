"""How many labels tell how far a judge can be believed: by the law that an interval follows, from a pilot and from an
assumption. The kind of fault: labels that are paid for and do not suffice."""

import json
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import world

from curation.commands import plan
from curation.reliability.label_budget import Share, assume, budget_labels, find_prompts, half_width
from curation.reliability.measurement import clustered_share, share_variance

ACCURACY = ("rubric", "logic", "pairwise_accuracy")


def judged(source: np.random.Generator, prompts: int, share: float) -> pl.DataFrame:
    """Three pairs a prompt, right as often as `share` says; two of a prompt correlate by 0.3."""
    chance = source.beta(share * 7 / 3, (1 - share) * 7 / 3, prompts)
    right = source.random(3 * prompts) < np.repeat(chance, 3)
    return pl.DataFrame({"right": right.astype(float), "prompt": np.repeat(np.arange(prompts), 3)})


def reliability_row(rows: pl.DataFrame) -> pl.DataFrame:
    found = clustered_share(rows["right"], rows["prompt"])
    assert found is not None
    columns = ("judge", "dimension", "measure", "value", "ci_low", "ci_high", "clusters", "n")
    return pl.DataFrame([(*ACCURACY, *found, rows.height)], schema=columns, orient="row")


def test_the_prompts_that_are_asked_for_give_the_width_that_is_wanted() -> None:
    """In simulated studies, by the assumption that they are drawn from and by a pilot of 60 prompts."""
    source = np.random.default_rng(0)
    assumed = assume("pairwise_accuracy", 3.0, 0.85)
    assert assumed.design_effect == pytest.approx(1.6)
    pilots = [reliability_row(judged(source, 60, 0.85)) for _ in range(20)]
    budgets = [budget for pilot in pilots for budget in budget_labels([ACCURACY], pilot, {}, 0.05)]
    pilot, learnt = pilots[0], budgets[0]
    assert (learnt.basis, learnt.prompts_now, learnt.pairs_now, learnt.pairs) == ("pilot", 60, 180, 3 * learnt.prompts)
    assert learnt.half_width_now == pytest.approx((pilot["ci_high"] - pilot["ci_low"]).item() / 2)
    prompts = find_prompts(assumed, 0.05)
    widths = [reliability_row(judged(source, prompts, 0.85)).select((pl.col("ci_high") - "ci_low") / 2).item()
              for _ in range(20)]  # fmt: skip
    assert np.mean(widths) == pytest.approx(0.05, rel=0.05)
    assert np.mean([budget.prompts for budget in budgets]) == pytest.approx(prompts, rel=0.15)


def test_one_prompt_less_is_not_enough_and_pairs_of_other_prompts_are_worth_more() -> None:
    share = Share(0.8, 2.0, 4.0)
    prompts = find_prompts(share, 0.04)
    assert half_width(share, prompts) <= 0.04 < half_width(share, prompts - 1)
    assert find_prompts(Share(0.8, 1.0, 1.0), 0.04) < 4 * prompts


def test_a_pilot_gives_back_its_own_width() -> None:
    """What was learnt of an interval foresees that interval."""
    rows = judged(np.random.default_rng(3), 40, 0.8)
    found = clustered_share(rows["right"], rows["prompt"])
    assert found is not None
    variance = share_variance(found)
    share = Share(found.mean, variance * 120 / (found.mean * (1 - found.mean)), 3.0)
    assert half_width(share, 40) == pytest.approx((found.high - found.low) / 2)


def test_a_judge_right_in_twelve_of_twelve_is_not_known_for_good() -> None:
    """The kind of fault: a pilot at its ceiling, by which no label more is needed."""
    pilot = reliability_row(pl.DataFrame({"right": [1.0] * 12, "prompt": range(12)}))
    (budget,) = budget_labels([ACCURACY], pilot, {}, 0.05)
    assert budget.prompts > 50 and budget.share < 1


def test_the_plan_says_it_of_the_study_at_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(world.write(world.sound(), tmp_path).parent)
    plan.main(["--labels", "0.1", "--json"])
    known = json.loads(capsys.readouterr().out)
    of_versus = [row["measure"] for row in known if row["judge"] == "versus"]
    assert of_versus == ["pairwise_accuracy", "position_inconsistency"] and {row["basis"] for row in known} == {"pilot"}
    shutil.rmtree("data")
    plan.main(["--labels", "0.05", "--share", "0.9"])
    printed, needed = capsys.readouterr().out, find_prompts(assume("pairwise_accuracy", 1.0, 0.9), 0.05)
    assert "assumed: the share" in printed and f" {needed} " in printed
    with pytest.raises(SystemExit):
        plan.main(["--labels", "2"])
    assert "'2' is no number between 0 and 1" in capsys.readouterr().err
