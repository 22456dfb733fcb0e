"""What contrasts say of the pairs that arms learnt from: real pairs, made and judged by the stages' own functions.

Kinds of fault: a column of a reversed pair that is still the other way round; properties of which one follows from the
others, and that have numbers all the same; a coefficient that is not what the values were made with.
"""

import math
from copy import copy
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import world

from curation.core import params
from curation.core.study import Study
from curation.experiment import arms
from curation.experiment.contrast_table import contrast_messages, declared_contrasts
from curation.experiment.properties import Properties, Reversed
from curation.experiment.values import ArmKey, ArmValues, BenchmarkValues
from curation.pairs import delta, pair, pairwise
from curation.selection import candidates
from curation.selection.column_names import schema

FILE, ON = Path("params.yaml"), {"benchmark": "held_sums"}
SELECTIONS = {
    "one": world.PLAIN | {"budget": {"pairs": 3}, "seed": 1},
    "two": world.PLAIN | {"budget": {"pairs": 2}, "seed": 2},
    "high": world.PLAIN | {"value": "rubric.delta_logic", "keep": {"kind": "top"}, "budget": {"pairs": 3}},
}
CONTROLS = ["itself", "reversed", "shuffled"]
LENGTH = "ln((chosen.characters + 1) / (rejected.characters + 1))"
OVER: list[dict[str, Any]] = [
    {"selection": selection, "control": control} for selection in SELECTIONS for control in CONTROLS
]


@cache
def both_orders() -> candidates.Candidates:
    """The view of every ordered pair of the world's traces, each with its reverse."""
    made = world.sound()
    pairs = pair.pair(world.pairing(order="both", within_generator=True, samples="all"), made.traces)
    judged = made.judgments
    wide = {
        judge: delta.deltas(delta.Params(**world.DELTA), pairs, judged.filter(judge=judge), names)
        for judge, names in world.DIMENSIONS.items()
    }
    preferred = world.preferences(pairs)
    wide["versus"] = pairwise.pairwise_deltas(delta.Params(**world.DELTA), pairs, preferred, ["preference"])
    means = world.generator_deltas(pairs, wide, world.RATED)
    p = pl.when(pl.col("delta_logic") > 0).then(0.875).when(pl.col("delta_logic") < 0).then(0.125).otherwise(0.5)
    soft = [
        wide["rubric"].select("pair_id", judge=pl.lit("rubric"), dimension=pl.lit(name), probability=p)
        for name in world.DIMENSIONS["rubric"]
    ]
    return candidates.from_frames(
        pairs, wide, means, made.traces, made.renderings, made.prompts, probabilities=pl.concat(soft)
    )


def test_each_column_of_a_reversed_pair_is_that_of_the_reverse() -> None:
    """Of every name that an expression may use, but those of a pairwise judge, which rated each pair by itself, and of
    scores under the student (below)."""
    view, study = both_orders(), params._study(FILE, world.settings())
    ids = [view.column(f"{side}_trace_id").to_list() for side in ("chosen", "rejected")]
    place = {sides: row for row, sides in enumerate(zip(*ids, strict=True))}
    reverse = [place[rejected, chosen] for chosen, rejected in zip(*ids, strict=True)]
    names = [name for name in schema(study) if name[0] not in ("held_out", "versus") and name != ("pair_id",)]
    turned = Reversed(view)
    for name in names:
        assert turned._read_column(name).equals(view._read_column(name)[reverse], null_equal=True), name
    assert len(names) > 50


def test_scores_under_the_student_are_those_of_a_margin_the_other_way() -> None:
    row = {
        "pair_id": [1], "chosen_logp": [-5.0], "rejected_logp": [-7.0], "policy_chosen_logp": [-4.0],
        "policy_rejected_logp": [-9.0], "implicit_margin": [0.3], "held_out_loss": [math.log1p(math.exp(-0.3))],
    }  # fmt: skip
    pairs = world.sound().pairs.head(1).with_columns(pair_id=pl.lit(1, pl.Int64))
    turned = Reversed(candidates.from_frames(pairs, scores={"held_out": pl.DataFrame(row)}))
    found = {name: turned._read_column(("held_out", name))[0] for name in row if name != "pair_id"}
    assert found.pop("held_out_loss") == pytest.approx(math.log1p(math.exp(0.3)))
    assert found == {
        "chosen_logp": -7.0, "rejected_logp": -5.0, "policy_chosen_logp": -9.0, "policy_rejected_logp": -4.0,
        "implicit_margin": -0.3,
    }  # fmt: skip


@cache
def made_arms() -> tuple[Study, Properties, dict[str, pl.DataFrame]]:
    """A study whose arms are drawn, reversed and shuffled by `arms`, what its contrasts ask their pairs, and these."""
    raw, made = world.settings(), world.sound()
    raw["selections"], raw["controls"] = SELECTIONS, {name: world.own()["controls"][name] for name in CONTROLS}
    raw["grid"] |= {"selections": list(SELECTIONS), "controls": CONTROLS}
    raw |= {"contrasts": {}, "compare": {"primary": None}}
    study = params._study(FILE, raw)
    view = candidates.from_frames(
        made.pairs, made.deltas, made.generator_deltas, made.traces, made.renderings, made.prompts
    )
    subsets = {arm.name: one.rows for arm, one in arms.arms((run.arm for run in study.runs.values()), study, view)}
    return study, Properties(study, view, subsets.__getitem__), subsets


def test_the_mean_of_an_arm_is_that_of_its_pairs_as_they_were_learnt_from() -> None:
    """A slow reference: of each row of the subset its two traces, whichever is the chosen one."""
    study, properties, subsets = made_arms()
    traces = {row["trace_id"]: row for row in world.sound().traces.iter_rows(named=True)}
    turned = dict.fromkeys(CONTROLS, 0)
    for run in study.runs.values():
        rows = subsets[run.arm.name]
        sides = rows.select("chosen_trace_id", "rejected_trace_id").rows()
        pairs = [[len(traces[side]["completion"]) for side in of] for of in sides]
        wanted = np.mean([math.log((chosen + 1) / (rejected + 1)) for chosen, rejected in pairs])
        arm = (run.method, *run.arm[:-1])
        assert properties.mean(arm, LENGTH) == pytest.approx(wanted), run.arm.name
        large = [traces[chosen]["generator"] == "large" for chosen, _ in sides]
        assert properties.mean(arm, "(chosen_model = 'large')::int") == pytest.approx(np.mean(large))
        own = subsets[f"{run.arm.selection}-any-own-itself"].select("pair_id", own=pl.col("chosen_trace_id"))
        turned[run.arm.control] += (
            rows.join(own, on="pair_id").filter(pl.col("chosen_trace_id") != pl.col("own")).height
        )
    assert turned["itself"] == 0 < turned["shuffled"] < turned["reversed"]


def answered(declared: dict[str, Any], coefficients: dict[str, float]) -> pl.DataFrame:
    """The contrasts of values that each arm has by the means of its pairs, and by nothing else but the prompt."""
    base, properties, _ = made_arms()
    study = copy(base)
    study.contrasts = params._section("contrasts", declared, "params.yaml: contrasts", [])
    prompts, of_arms = np.linspace(0.2, 0.6, 40), dict[ArmKey, ArmValues]()
    for run in base.runs.values():
        arm = (run.method, *run.arm[:-1])
        shift = sum(size * properties.mean(arm, on) for on, size in coefficients.items())
        of_arms[arm] = ArmValues((("a",), ("b",)), (0, 1), True, np.tile(prompts + shift, (2, 1)))
    values = BenchmarkValues(np.arange(40), 2, of_arms)
    return declared_contrasts(study, {("held_sums", "avg"): values}, properties, {})


def test_a_gain_is_taken_apart_into_what_it_was_made_of() -> None:
    """Over arms of which some are reversed or shuffled: 0.02 for a point of logic, -0.05 for an e-fold in length."""
    declared = {
        "parts": {"regress": {"on": {"logic": "rubric.delta_logic", "length": LENGTH}, "over": OVER}, **ON},
        "line": {"trend": {"over": OVER, "by": "rubric.delta_logic"}, **ON},
    }
    made_of = {"rubric.delta_logic": 0.02, LENGTH: -0.05}
    found = dict(answered(declared, made_of).select("contrast", "estimate").rows())
    assert found["parts.logic"] == pytest.approx(0.02) and found["parts.length"] == pytest.approx(-0.05)
    properties = made_arms()[1]
    means = {on: [properties.mean(("dpo", *of.values()), on) for of in arm_places()] for on in made_of}
    x, length = (np.array(means[on]) for on in made_of)
    assert found["line"] == pytest.approx(float(np.polyfit(x, 0.02 * x - 0.05 * length, 1)[0]))


def arm_places() -> list[dict[str, str]]:
    """What the arms of OVER are called."""
    order = ("selection", "generator_pairs", "budget", "control")
    return [{name: (of | {"generator_pairs": "any", "budget": "own"})[name] for name in order} for of in OVER]


def test_properties_that_cannot_be_told_apart_leave_no_result_and_it_says_why() -> None:
    """One that is another turned round, a sum of two others, one that all arms have alike, and one that is unknown."""
    logic, brevity = "rubric.delta_logic", "rubric.delta_brevity"
    asked = {
        "turned": {"a": logic, "b": "rubric.rejected_logic - rubric.chosen_logic"},
        "sum": {"a": logic, "b": LENGTH, "c": f"{logic} + 2 * {LENGTH}"},
        "same": {"a": logic, "b": "1"},
        "unknown": {"a": logic, "b": "case when chosen_model = 'nobody' then 1 end"},
    }
    declared = {name: {"regress": {"on": on, "over": OVER}, **ON} for name, on in asked.items()}
    declared["apart"] = {"regress": {"on": {"a": logic, "b": brevity}, "over": OVER}, **ON}
    rows = answered(declared, {logic: 0.1})
    why = dict(rows.select("contrast", "refused").rows())
    follows = "its properties cannot be told apart: of these arms one follows from the others"
    assert why["turned.a"] == why["sum.c"] == follows and why["apart.a"] is None
    assert why["same.a"] == "the pairs of all its arms have one mean of 1"
    assert (
        why["unknown.b"]
        == "no pair of dpo-one-any-own-itself has a value of case when chosen_model = 'nobody' then 1 end"
    )
    assert f"contrasts.turned.a and 4 more: no result: {follows}" in list(contrast_messages(rows))
