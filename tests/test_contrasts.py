"""Declared contrasts: what they come to, against arithmetic by hand, and what their mistakes are told as."""

import json
from pathlib import Path
from typing import Any

import flow
import numpy as np
import polars as pl
import pytest
import world
from mistakes import changed
from scipy import stats

from curation.core.errors import Errors
from curation.core.metrics import write_metrics
from curation.core.params import read
from curation.core.stats import holm
from curation.experiment import margins
from curation.experiment.contrast_rows import DeltaRow, Row, expand_all
from curation.experiment.contrast_table import contrast_messages, contrast_metrics, declared_contrasts
from curation.experiment.declarations import Margin
from curation.experiment.families import correct
from curation.experiment.margins import all_gain_p, margin_p
from curation.experiment.properties import Properties, delta_slope
from curation.experiment.same_arms import find_same_arms
from curation.experiment.values import BASELINE_ARM, ArmKey, ArmValues, BenchmarkValues, DeclaredRuns
from curation.selection.candidates import from_frames
from curation.tables import measurements, parquet

TERMS: dict[str, Any] = {"selection": "top_step_coherence", "method": "dpo"}
BOTH = ["top_step_coherence", "top_generator_delta"]
OF_DELTAS: dict[str, Any] = {
    "trend": {"over": "deltas", "by": "answer.generator_delta_correct"},
    "each": {"value": ["rubric.delta_factuality", "rubric.delta_step_coherence"]},
}
DPO, KTO = ({"method": method} for method in ("dpo", "kto"))


def faults(folder: Path, declared: dict[str, Any]) -> list[str]:
    flow.write(changed({"contrasts": {"x": declared}, "compare.primary": None}), folder / "params.yaml")
    with pytest.raises(Errors) as raised:
        read(folder / "params.yaml")
    return [line.partition("contrasts.x.")[2] for line in raised.value.lines]


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        ({"plus": {"selection": "top_generator_delta"}, "minus": "baseline", "benchmark": "in_domain"},
         ["plus: leaves method out, of which top_generator_delta itself has dpo, kto; name one, or several as a list"]),
        ({"plus": {**TERMS, "budget": 10}, "minus": {"control": "randm"}, "benchmark": "in_domian"},
         ["benchmark: 'in_domian' is no benchmark, and no split; did you mean 'in_domain'?",
          "plus.budget: '10' is not in the grid, which has own",
          "minus.budget: '10' is not in the grid, which has own",
          "minus.control: 'randm' is not in the grid, which has itself, random"]),
        ({"plus": TERMS, "benchmark": "in_domain"},
         ["minus: missing; say what it is compared with, `minus: baseline` or the like"]),
        ({"benchmark": "in_domain"}, ["plus: a contrast is one of plus, sum, trend, regress; this has none"]),
        ({"plus": TERMS, "minus": {"model": "theirs"}, "benchmark": "in_domain"},
         ["minus.model: 'theirs' is not in models; known: baseline"]),
        ({"trend": {"over": [TERMS, "baseline"], "by": [1, 1]}, "benchmark": "in_domain"},
         ["trend.by: all numbers are equal, so there is no slope"]),
        ({"trend": {"over": [TERMS, "baseline"], "by": "answer.delta"}, "benchmark": "in_domain", "all": True},
         ["all: is of several contrasts, and this is one; repeat it by `each`, or leave it out",
          "trend.by: 'answer.delta' is not a column; did you mean 'answer.delta_correct'?"]),
        ({"regress": {"on": {"a": "answer.delta_correct"}, "over": [TERMS, "baseline"]}, "benchmark": "in_domain"},
         ["regress.over: 2 arms are too few to tell 1 properties apart; name 3 or more"]),
        ({"plus": TERMS, "minus": {}, "benchmark": "in_domain"}, ["minus: both sides are the same runs"]),
        ({"sum": [{**TERMS, "weight": 1}, {**TERMS, **KTO, "weight": 1}], "benchmark": "in_domain"},
         ["sum: the weights add up to 2, so it is a value and no difference; let them add up to 0"]),
        ({"plus": TERMS, "minus": "baseline", "benchmark": {"in_domain": 1, "arithmetic_held_out": -1}},
         ["benchmark: the weights leave nothing of any benchmark; give others"]),
        ({"trend": {"over": [TERMS, "baseline"], "by": "answer.delta_correct"}, "benchmark": "in_domain"},
         ["trend.over.1: baseline has no pairs here with a 'answer.delta_correct'; leave it out"]),
        ({"plus": TERMS, "minus": "baseline", "each": {"selection": BOTH}, "benchmark": "in_domain"},
         ["each: top_step_coherence and top_generator_delta are one contrast, since its terms name themselves what "
          "each names; leave it out there"]),
        ({"plus": {}, "minus": "baseline", "each": {"selection": BOTH, "benchmark": ["in_domain", "out_of_domain"]},
          "runs": DPO, "spread": {"equivalence": 0.1}},
         ["spread: is of one benchmark, or of one term on several (in_domain, out_of_domain); repeat it by one of "
          "them"]),
        ({"plus": TERMS, "minus": "baseline", "each": {"benchmark": ["in_domain"]}, "spread": {"equivalence": 0.1}},
         ["spread: is of several contrasts, and this makes one; leave it out"]),
        ({"regress": {"on": {"all": "answer.delta_correct"},
                      "over": [TERMS, {**TERMS, **KTO}, {**DPO, "selection": "top_generator_delta"}]},
          "benchmark": "in_domain", "all": True},
         ["regress.on: two of its contrasts are called all; rename what one of them is of"]),
        ({**OF_DELTAS, "trend": {**OF_DELTAS["trend"], "by": "rubric.generator_delta_step_coherence * 2"}},
         ["trend.by: 'rubric.generator_delta_step_coherence * 2' is made of rubric's scores of step_coherence, as is "
          "each.value.1; scores that are set against themselves give a slope by construction; name another judge's, or "
          "what the generators differ in"]),
        ({"trend": {**OF_DELTAS["trend"], "value": "rubric.delta_factuality", "where": "rubric.chosen_factuality > 3"}},
         ["trend.where: 'rubric.chosen_factuality > 3' is made of rubric's scores of factuality, as is trend.value; "
          "scores that are picked by themselves give a slope by construction; name another judge's, or what the "
          "generators differ in"]),
        ({"trend": {**OF_DELTAS["trend"], "by": "2 - 1", "value": "chosen.scale_b * 0"}},
         ["trend.by: '2 - 1' is the same of all pairs, so there is no slope; name what they differ in",
          "trend.value: 'chosen.scale_b * 0' is the same of all pairs, so there is no slope; name what they differ "
          "in"]),
        ({"regress": {"on": {"one": "'a' = chosen.generator", "two": "pow(2, 3)", "three": "answer.delta_correct",
                             "four": "answer.delta_correct "},
                      "over": [{**TERMS, "selection": one} for one in BOTH] * 3}, "benchmark": "in_domain"},
         ["regress.on.one: \"'a' = chosen.generator\" is true or false, not a number; end it with ::int",
          "regress.on.two: 'pow(2, 3)' is the same of all pairs, so there is no slope; name what they differ in",
          "regress.on.four: is what regress.on.three is, so the two cannot be told apart; leave one out"]),
        (OF_DELTAS | {"measure": "pass"}, ["measure: is of runs; of deltas, leave it out"]),
        (OF_DELTAS | {"spread": {"equivalence": 0.1}},
         ["spread.equivalence: is of runs; of deltas give null, or leave spread out"]),
        ({"plus": TERMS, "minus": {**TERMS, **KTO}, "runs": {"model": "baseline"}, "benchmark": "in_domain"},
         ["runs.model: weights are no runs of the grid; name them in a term"]),
    ],
)  # fmt: skip
def test_what_the_grid_does_not_have_is_named_before_anything_is_paid_for(
    declared: dict[str, Any], said: list[str], tmp_path: Path
) -> None:
    assert faults(tmp_path, declared) == said


def contrasts_of(
    folder: Path, declared: dict[str, Any], gains: dict[str, float], same: dict[ArmKey, ArmKey] | None = None
) -> pl.DataFrame:
    """The rows of `contrasts` of the default grid's arms with two seeds each, whose means are `gains` by method and
    selection, on two benchmarks of 400 prompts."""
    flow.write(changed({"contrasts": declared, "compare.primary": None, "grid.seeds": [0, 1]}), folder / "params.yaml")
    study, draw = read(folder / "params.yaml"), np.random.default_rng(0)
    values = {}
    for benchmark in study.benchmarks:
        base = draw.random(400)
        arms = {BASELINE_ARM: ArmValues((("baseline",),), (0,), False, base[None])}
        for run in study.runs.values():
            arm = (run.method, *run.arm[:-1])
            shift = gains.get(f"{arm[0]}-{arm[1]}", 0.0) if arm[-1] == "itself" else 0.0
            seeds = base + shift + draw.normal(0, 0.05, (2, 400))
            arms[arm] = ArmValues((("a",), ("b",)), (0, 1), True, seeds)
        values[benchmark, "avg"] = BenchmarkValues(np.arange(400), 2, arms)
    properties = Properties(study, from_frames(world.sound().pairs), lambda _: pytest.fail("no property is asked for"))
    rows = declared_contrasts(study, values, properties, same or {})
    parquet.check(measurements.CONTRASTS, rows, "contrasts")
    return rows


def test_sums_trends_margins_and_families_are_what_they_say(tmp_path: Path) -> None:
    both = ["top_step_coherence", "top_generator_delta"]
    declared = {
        "family": {"each": {"method": ["dpo", "kto"], "selection": both}, "plus": {"control": "itself"},
                   "minus": "baseline", "benchmark": "in_domain", "all": True, "spread": {"equivalence": 0.3}},
        "interaction": {"plus": TERMS, "minus": "baseline", "benchmark": {"in_domain": 1, "out_of_domain": -1}},
        "alike": {"plus": {"selection": both, "method": "kto"}, "minus": DPO, "benchmark": "in_domain",
                  "margin": {"equivalence": 0.02}},
        "line": {"trend": {"over": ["baseline", TERMS, {**TERMS, **KTO}], "by": [0, 1, 3]}, "benchmark": "in_domain"},
    }  # fmt: skip
    gains = {"dpo-top_step_coherence": 0.1, "kto-top_step_coherence": 0.3, "dpo-top_generator_delta": 0.3,
             "kto-top_generator_delta": 0.1}  # fmt: skip
    rows = contrasts_of(tmp_path, declared, gains)
    found = {row["contrast"]: row for row in rows.iter_rows(named=True)}
    assert found["line"]["estimate"] == pytest.approx(0.1, abs=0.01)
    assert (
        abs(found["interaction"]["estimate"]) < 0.02
        and found["interaction"]["benchmark"] == "in_domain - out_of_domain"
    )
    assert (found["alike"]["verdict"], found["alike"]["margin"]) == ("equivalent", "within 0.02")
    assert found["family.all"]["verdict"] == "all gain"
    assert found["family.all"]["estimate"] == pytest.approx(0.1, abs=0.01)
    assert abs(found["family.spread"]["estimate"]) == pytest.approx(0.2, abs=0.02)
    assert found["family.spread"]["verdict"] == "equivalent"
    assert set(rows["family"]) == {"family", "others"}
    write_metrics(tmp_path / "compare.json", {"contrasts": contrast_metrics(rows)})
    written = json.loads((tmp_path / "compare.json").read_text())["contrasts"]["family"]
    assert written["kto-top_step_coherence"]["estimate"] == pytest.approx(0.3, abs=0.01) and "p" in written["all"]
    for _, group in rows.group_by("family"):
        assert group.sort("p")["p_holm"].to_list() == pytest.approx(holm(sorted(group["p"].to_list())))


def test_all_with_a_margin_asks_whether_each_holds_it(tmp_path: Path) -> None:
    """And a family that is called as the primary one's is none of its own."""
    of_each: dict[str, Any] = {"each": {"selection": BOTH}, "plus": DPO, "minus": "baseline", "benchmark": "in_domain"}
    declared = {
        "primary": {**of_each, "all": True, "margin": {"non_inferiority": 0.05}},
        "within": {**of_each, "all": True, "margin": {"equivalence": 0.05}},
    }
    rows = contrasts_of(tmp_path, declared, {"dpo-top_step_coherence": 0.2})
    found = {row["contrast"]: row for row in rows.iter_rows(named=True)}
    assert (found["primary.all"]["verdict"], found["primary.all"]["margin"]) == ("not inferior", "above -0.05")
    assert found["primary.all"]["p"] == max(found[f"primary.{name}"]["p"] for name in BOTH)
    assert found["primary.all"]["estimate"] == pytest.approx(0, abs=0.01)
    assert found["within.all"]["verdict"] == "not shown"
    assert found["within.all"]["estimate"] == pytest.approx(0.2, abs=0.01)
    assert not rows["primary"].any()


def test_all_may_be_asked_of_deltas_and_what_has_no_score_is_counted(tmp_path: Path) -> None:
    """A slope that does not vary has no interval and no p, so nothing is shown of all; and pairs without a value are
    said, which leave their rung's mean to the others."""
    made, raw = world.sound(), world.settings()
    part, of_generators = "nullif(rubric.delta_logic, 1.5)", "(chosen_model = 'large')::int"
    by = "answer.generator_delta_correct"
    declared = {"over": "deltas", "by": by}
    raw["contrasts"] = {
        "x": {"trend": declared, "each": {"value": ["rubric.delta_logic", part]}, "all": True},
        "flat": {"trend": declared, "each": {"value": [of_generators, "rubric.delta_logic"]}, "all": True, "spread": {
            "equivalence": None}},
    }  # fmt: skip
    raw["compare"]["primary"] = None
    flow.write(raw, tmp_path / "params.yaml")
    study = read(tmp_path / "params.yaml")
    pairs = from_frames(made.pairs, made.deltas, made.generator_deltas)
    rows = declared_contrasts(study, {}, Properties(study, pairs, lambda _: pytest.fail("no arm")), {})
    parquet.check(measurements.CONTRASTS, rows, "contrasts")
    found = {row["contrast"]: row for row in rows.iter_rows(named=True)}
    whole, some, flat = (found[name] for name in ("x.rubric.delta_logic", f"x.{part}", f"flat.{of_generators}"))
    assert whole["p"] is not None and found["x.all"]["verdict"] in ("all gain", "not shown")
    assert found["x.all"]["p"] == max(one["p"] if one["estimate"] > 0 else 1.0 for one in (whole, some))
    assert flat["estimate"] and (flat["ci_low"], flat["p"]) == (None, None)
    assert found["flat.all"]["p"] is None and found["flat.spread"]["estimate"] is not None
    assert some["voided"] > whole["voided"]
    assert any(line.startswith(f"contrasts.x.{part}: {some['voided']} of ") for line in contrast_messages(rows))


def test_a_contrast_without_results_says_why(tmp_path: Path) -> None:
    declared = {"a": {"plus": TERMS, "minus": KTO, "benchmark": "in_domain"}}
    arms = [(method, "top_step_coherence", "any", "own", "itself") for method in ("dpo", "kto")]
    rows = contrasts_of(tmp_path, declared, {}, dict.fromkeys(arms, arms[0]))
    assert list(contrast_messages(rows)) == ["contrasts.a: no result: both sides are the same runs"]


def test_arms_that_are_the_same_runs_are_no_evidence_that_they_are_equal(tmp_path: Path) -> None:
    """A control that drew all of its selection's pairs was trained once: its difference is 0 whatever training does."""
    arms = [("dpo", name, "any", "own", "itself") for name in ("top_step_coherence", "top_generator_delta")]
    of_runs = {"a0": arms[0], "a1": arms[0], "b0": arms[1], "b1": arms[1]}
    runs = DeclaredRuns(of_runs, {"a0": 0, "a1": 1, "b0": 0, "b1": 1}, frozenset())
    same = find_same_arms(runs, {"a0": "x", "a1": "y", "b1": "y", "b0": "x"})
    assert same == dict.fromkeys(arms, arms[0])
    # nor where a seed of one of them failed, of which the difference would be that of the seeds of one arm
    assert find_same_arms(runs, {"a0": "x", "a1": "y", "b0": "x"}) == dict.fromkeys(arms, arms[0])
    assert find_same_arms(runs, {"a0": "x", "a1": "y", "b0": "x", "b1": "z"}) == {arm: arm for arm in arms}
    assert find_same_arms(runs, {"a0": "x", "b1": "x"}) == {arm: arm for arm in arms}
    declared = {
        "a": {"plus": TERMS, "minus": {"selection": "top_generator_delta"}, "benchmark": "in_domain",
              "margin": {"equivalence": 0.5}},
        "b": {"plus": TERMS, "minus": "baseline", "benchmark": "in_domain"},
    }  # fmt: skip
    rows = contrasts_of(tmp_path, declared, {}, same)
    assert rows["refused"].to_list() == ["both sides are the same runs", None]


def test_the_weights_of_a_regression_are_those_of_least_squares(tmp_path: Path) -> None:
    over = [{**TERMS, **of} for of in (DPO, KTO)] + [{**TERMS, "selection": "top_generator_delta"}, "baseline"]
    declared = {"x": {"trend": {"over": over, "by": [1, 2, 4, 9]}, "benchmark": "in_domain"}}
    flow.write(changed({"contrasts": declared, "compare.primary": None}), tmp_path / "params.yaml")
    study = read(tmp_path / "params.yaml")
    (row,) = expand_all(study)
    assert isinstance(row, Row)
    properties = Properties(study, from_frames(world.sound().pairs), lambda _: pytest.fail("numbers are given"))
    design = np.column_stack([np.ones(4), [1, 2, 4, 9]])
    wanted = (np.linalg.inv(design.T @ design) @ design.T)[1]
    assert list(properties.weigh(row).values()) == pytest.approx(wanted)


def test_a_trend_of_deltas_is_the_slope_over_generator_pairs_clustered_by_prompt() -> None:
    """Against a regression of pairs on their rung's place, each rung weighing the same."""
    made = world.sound()
    pairs = from_frames(made.pairs, made.deltas, made.generator_deltas)
    found = delta_slope(DeltaRow("x", "", "rubric.delta_logic", "true", "answer.generator_delta_correct", None), pairs)
    known = made.pairs.sort("pair_id").with_columns(
        pairs.values({"y": "rubric.delta_logic", "x": "answer.generator_delta_correct"})
    ).drop_nulls(["x", "y"])  # fmt: skip
    of_rung = known.group_by("chosen_model", "rejected_model").agg(pl.col("x", "y").mean())
    assert found.value == pytest.approx(float(np.polyfit(of_rung["x"], of_rung["y"], 1)[0]))
    assert (found.prompts, found.df) == (known["prompt_id"].n_unique(), known["prompt_id"].n_unique() - 1)
    assert found.standard_error > 0 and len(found.rungs) == of_rung.height


def test_a_margin_is_shown_where_the_interval_of_90_percent_lies_within_it() -> None:
    tested = margins.Tested(0.01, 0.005, 20.0, 0.06)
    reach = 0.01 + 0.005 * float(stats.t.ppf(0.95, 20))
    for margin, shown in ((reach + 1e-6, True), (reach - 1e-6, False)):
        p = margin_p(tested, Margin(equivalence=margin))
        assert p is not None and (p < 0.05) == shown
    low = float(stats.t.sf((0.01 + 0.02) / 0.005, 20))
    assert margin_p(tested, Margin(non_inferiority=0.02)) == pytest.approx(low)
    assert margin_p(tested._replace(p=None), Margin(equivalence=0.02)) is None
    assert all_gain_p([tested, tested._replace(p=0.01)]) == 0.06
    assert all_gain_p([tested, tested._replace(value=-0.01)]) == 1.0


def test_a_contrast_without_p_counts_in_its_family() -> None:
    assert correct([0.01, None, 0.02, 0.3], ["a", "a", "a", "b"]) == pytest.approx([0.03, None, 0.04, 0.3])
