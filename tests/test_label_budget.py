"""How many labels tell how far a judge can be believed: by the law that an interval follows, from a pilot and from an
assumption. The kind of fault: labels that are paid for and do not suffice, or that nobody needed."""

import json
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import world

from curation.commands import plan
from curation.core.metrics import Interval
from curation.reliability.label_budget import (
    ONE_A_PROMPT,
    LabelBudget,
    Pool,
    Share,
    assume,
    budget_labels,
    find_pairs,
    half_width,
    learn,
)
from curation.reliability.measurement import clustered_share, share_interval, share_variance

ACCURACY = ("rubric", "logic", "pairwise_accuracy")
CORRELATION = 0.3


class Judged:
    """A study of as many pairs a prompt as `pairs_of_prompt` says, right in 0.8 of them; two of a prompt correlate by
    CORRELATION. They stand in the order in which they are drawn to be labelled."""

    def __init__(self, source: np.random.Generator, pairs_of_prompt: np.ndarray) -> None:
        self.pool = Pool(pairs_of_prompt)
        weight = 1 / CORRELATION - 1
        chance = source.beta(0.8 * weight, 0.2 * weight, len(pairs_of_prompt))
        prompt = np.repeat(np.arange(len(pairs_of_prompt)), pairs_of_prompt)
        right = (source.random(len(prompt)) < chance[prompt]).astype(float)
        self.rows = pl.DataFrame({"right": right, "prompt": prompt})[source.permutation(len(prompt))]

    def label(self, pairs: int) -> Interval:
        found = clustered_share(*(self.rows.head(pairs)[name] for name in ("right", "prompt")))
        assert found is not None
        return found

    def budget(self, pairs: int, wanted: float) -> LabelBudget:
        """By a pilot of so many labels."""
        return budget_of(self.label(pairs), pairs, wanted, self.pool)


def budget_of(found: Interval, pairs: int, wanted: float, pool: Pool) -> LabelBudget:
    columns = ("judge", "dimension", "measure", "value", "ci_low", "ci_high", "clusters", "n")
    pilot = pl.DataFrame([(*ACCURACY, *found, pairs)], schema=columns, orient="row")
    return budget_labels([ACCURACY], pilot, {}, wanted, pool)[0]


def reached(found: Interval) -> float:
    return (found.high - found.low) / 2


SHAPES = {
    "few prompts": np.full(60, 6), "some of many pairs": np.arange(1, 12).repeat(20), "many": np.full(800, 40),
}  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
def test_the_labels_that_are_asked_for_give_the_width_that_is_wanted(shape: str) -> None:
    """Drawn at random from the pairs of a study, as the page draws them; by the assumption, and by a pilot of fifty,
    of which hardly two are of one prompt. The interval holds what the labels are drawn from."""
    source, wanted = np.random.default_rng(0), 0.1 if shape == "few prompts" else 0.06
    studies = [Judged(source, SHAPES[shape]) for _ in range(60)]
    needed = {find_pairs(assume("pairwise_accuracy"), wanted, study.pool) for study in studies}
    assert len(needed) == 1 and max(needed) < 300  # and not ten times as many where a prompt has many pairs
    for pairs in (needed.pop(), None):
        labelled = [study.label(pairs or study.budget(50, wanted).pairs) for study in studies]
        assert np.median([reached(found) for found in labelled]) == pytest.approx(wanted, rel=0.1)
        assert sum(found.low <= 0.8 <= found.high for found in labelled) >= 53  # of 60; at 95 %, fewer once in 80


def test_a_study_is_labelled_whole_before_it_is_said_to_need_more_prompts() -> None:
    """The kind of fault: labels of more pairs than there are, of which a pilot of few a prompt says that they suffice
    without more prompts. All of this study's reach ±0.067."""
    studies = [Judged(np.random.default_rng(seed), SHAPES["few prompts"]) for seed in range(20)]
    budgets = [study.budget(100, 0.05) for study in studies]
    assert np.median([budget.pairs for budget in budgets]) > 500
    assert {budget.pairs_in_all for budget in budgets} == {360}
    whole = half_width(assume("pairwise_accuracy"), 360, studies[0].pool)
    assert np.median([reached(study.label(360)) for study in studies]) == pytest.approx(whole, rel=0.1)
    twice = Pool(np.full(120, 6))
    share = Share(0.8, CORRELATION)
    assert half_width(share, 720, studies[0].pool) == pytest.approx(half_width(share, 720, twice))


def test_one_pair_less_is_not_enough_and_pairs_of_other_prompts_are_worth_more() -> None:
    share, pool = Share(0.8, 0.33), Pool(np.full(100, 4))
    pairs = find_pairs(share, 0.04, pool)
    assert half_width(share, pairs, pool) <= 0.04 < half_width(share, pairs - 1, pool)
    assert find_pairs(share, 0.04, ONE_A_PROMPT) < pairs


def test_what_is_expected_of_draws_is_what_they_are() -> None:
    source, sizes = np.random.default_rng(1), np.array([1, 2, 3, 10, 40])
    pool, prompt = Pool(sizes), np.arange(5).repeat(sizes)
    for pairs in (2, 10, 56):
        drawn = [source.choice(prompt, pairs, replace=False) for _ in range(2000)]
        counts = [np.bincount(one, minlength=5) for one in drawn]
        assert pool.alike(pairs) == pytest.approx(
            np.mean([(one * (one - 1)).sum() / pairs for one in counts]), rel=0.03
        )
        assert pool.prompts(pairs) == pytest.approx(np.mean([(one > 0).sum() for one in counts]), abs=0.6)


def test_an_interval_gives_back_the_variance_that_it_is_of() -> None:
    for share in (0.5, 0.8, 0.95):
        found = Judged(np.random.default_rng(3), np.full(40, 3)).label(120)._replace(mean=share)
        variance = 0.3 * share * (1 - share) / 40
        made = share_interval(share, variance * 39 / 40, found.n, found.n)
        assert share_variance(made) == pytest.approx(variance)


def test_a_judge_right_in_twelve_of_twelve_is_not_known_for_good() -> None:
    """The kind of fault: a pilot at its ceiling, by which no label more is needed."""
    rows = pl.DataFrame({"right": [1.0] * 12, "prompt": range(12)})
    found = clustered_share(rows["right"], rows["prompt"])
    assert found is not None and learn(found, 12, Pool(np.ones(12))).share < 1
    budget = budget_of(found, 12, 0.05, Pool(np.ones(12)))
    assert budget.prompts > 50 and budget.pairs > budget.pairs_in_all == 12


def test_the_plan_says_it_of_the_study_at_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(world.write(world.sound(), tmp_path).parent)
    plan.main(["--labels", "0.1", "--json"])
    known = json.loads(capsys.readouterr().out)
    of_versus = [row["measure"] for row in known if row["judge"] == "versus"]
    assert of_versus == ["pairwise_accuracy", "position_inconsistency"] and {row["basis"] for row in known} == {"pilot"}
    in_all = world.sound().pairs.filter(~pl.col("identical")).height
    assert {row["pairs_in_all"] for row in known} == {in_all}
    plan.main(["--labels", "0.01"])
    assert f"this study has {in_all} pairs, those without a right side among them" in capsys.readouterr().out
    shutil.rmtree("data")
    plan.main(["--labels", "0.05", "--share", "0.9"])
    printed, needed = capsys.readouterr().out, find_pairs(assume("pairwise_accuracy", 0.9), 0.05, ONE_A_PROMPT)
    assert "assumed: the share" in printed and f" {needed} " in printed and "this study has" not in printed
    with pytest.raises(SystemExit):
        plan.main(["--labels", "2"])
    assert "'2' is no number between 0 and 1" in capsys.readouterr().err
