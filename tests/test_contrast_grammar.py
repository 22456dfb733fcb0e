"""Whatever `curation params` accepts as a contrast has an answer: a number that a slow reference agrees with, or why
there is none.

Kinds of fault: an entry that is accepted and stops `compare`, or says one thing under the name of another; an axis of
`each` that no term takes up; two contrasts of one name; a question that has no one unit.
"""

import itertools
import random
from copy import copy
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pytest
import world

from curation.core import params
from curation.core.errors import Errors
from curation.core.study import Study
from curation.experiment import arms, contrast_table, forest
from curation.experiment.forest import find_slopes
from curation.experiment.least_squares import NotApart, coefficient_weights
from curation.experiment.planned import list_declared
from curation.experiment.primary import declare
from curation.experiment.properties import Properties
from curation.experiment.values import BASELINE_ARM, ArmValues, BenchmarkValues
from curation.selection import candidates
from curation.tables import measurements, parquet

FILE = Path("params.yaml")
AXES = {
    "method": ["dpo", "kto"],
    "selection": ["clear", "capable", "all"],
    "control": ["itself", "reversed", "random"],
}
SPLITS = {"in_domain": "held_sums", "out_of_domain": "letters"}
CLEAR: dict[str, Any] = {"method": "dpo", "selection": "clear"}
ON = {"benchmark": "held_sums"}
DELTAS = {"over": "deltas", "by": "answer.generator_delta_correct"}
EXPRESSIONS = [
    "rubric.delta_logic", "answer.generator_delta_correct", "ln(chosen.characters + 1)", "1", "versus.delta_preference",
    "percent_rank() over (order by chosen.characters)", "1 / (chosen.characters - rejected.characters)",
    "held_out.implicit_margin", "rubric.within_noise_logic::int",
]  # fmt: skip


class Ready(NamedTuple):
    """A study with every arm of AXES, its pairs, and values of each arm on both benchmarks."""

    plain: Study
    view: candidates.Candidates
    subsets: dict[str, pl.DataFrame]
    values: dict[tuple[str, str], BenchmarkValues]

    def study(self, declared: dict[str, Any]) -> Study:
        """With these contrasts. Raises Errors."""
        study, lines = copy(self.plain), list[str]()
        study.contrasts = params._section("contrasts", declared, "params.yaml: contrasts", lines)
        if not lines:
            for name, entry in study.contrasts.items():
                lines += [f"params.yaml: contrasts.{name}.{line}" for line in entry.mistakes(study)]
        if lines:
            raise Errors(lines)
        return study

    def answers(self, study: Study) -> pl.DataFrame:
        properties = Properties(study, self.view, self.subsets.__getitem__)
        rows = contrast_table.declared_contrasts(study, self.values, properties, {})
        parquet.check(measurements.CONTRASTS, rows, "contrasts")
        return rows


@cache
def ready() -> Ready:
    raw, of_world, draw = world.settings(), world.sound(), np.random.default_rng(0)
    raw["grid"] |= {"methods": AXES["method"], "selections": AXES["selection"], "controls": AXES["control"]}
    raw["grid"]["seeds"] = [0, 1]
    raw["methods"]["kto"], raw["controls"] = world.own()["methods"]["kto"], world.own()["controls"]
    raw |= {"contrasts": {}, "compare": {"primary": None}}
    study = params._study(FILE, raw)
    view = candidates.from_frames(
        of_world.pairs, of_world.deltas, of_world.generator_deltas, of_world.traces, of_world.renderings,
        of_world.prompts, {"held_out": of_world.pair_scores},
    )  # fmt: skip
    made = arms.arms({run.arm.name: run.arm for run in study.runs.values()}.values(), study, view)
    values = {}
    for benchmark, measure in itertools.product(SPLITS.values(), ("avg", "pass")):
        of_arms = {BASELINE_ARM: ArmValues((("baseline",),), (0,), False, draw.random((1, 30)))}
        for run in study.runs.values():
            of_arms[run.method, *run.arm[:-1]] = ArmValues((("a",), ("b",)), (0, 1), True, draw.random((2, 30)))
        values[benchmark, measure] = BenchmarkValues(np.arange(30), 2, of_arms)
    return Ready(study, view, {arm.name: one.rows for arm, one in made}, values)


FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"trend": {"over": [CLEAR, CLEAR, {**CLEAR, "control": "random"}], "by": [1, 2, 4], "steps": True}, **ON},
     "trend.over: two neighbours are the same runs"),
    ({"trend": {**DELTAS, "value": "rubric.delta_logic"}, "each": {"value": EXPRESSIONS[:1]}},
     "trend.value: stands in each, too; give one of them"),
    ({"regress": {"on": {"a": EXPRESSIONS[0], "b": EXPRESSIONS[1]},
                  "over": [{**CLEAR, "selection": one} for one in AXES["selection"]] + [{**CLEAR, "method": "kto"}]},
      **ON, "spread": {"equivalence": 0.1}},
     "spread: coefficients of different properties are in units of their own; leave it out"),
    ({"trend": {"over": [CLEAR, "baseline"], "by": [1e9, 1e9 - 1e-4]}, **ON},
     "trend.by: all numbers are equal, so there is no slope"),
    ({"each": {"selection": ["all", "clear"]}, "plus": {"method": "dpo"}, "minus": "baseline", **ON, "all": True},
     "each: two of its contrasts are called all; rename what one of them is of"),
    ({"each": {"method": ["dpo", "kto"]}, "plus": CLEAR, "minus": "baseline", **ON},
     "each: dpo and kto are one contrast, since its terms name themselves what each names; leave it out there"),
    ({"plus": {**CLEAR, "method": ["dpo", "dpo"]}, "minus": "baseline", **ON}, "plus.method: names 'dpo' twice"),
]  # fmt: skip


def test_what_would_say_nothing_is_a_mistake() -> None:
    """Others of the kind are in tests/test_contrasts.py."""
    for declared, said in FAULTS:
        with pytest.raises(Errors) as raised:
            ready().study({"x": declared})
        assert [line.partition("contrasts.x.")[2] for line in raised.value.lines] == [said]


def test_each_says_what_the_other_side_is() -> None:
    """A selection against each of its controls: `plus` says that it is the selection itself."""
    declared = {"each": {"control": ["random", "reversed"]}, "plus": {**CLEAR, "control": "itself"}, "minus": {}, **ON}
    rows = ready().answers(ready().study({"x": declared}))
    itself, *others = (arm_value("dpo", "clear", control) for control in ("itself", "random", "reversed"))
    assert rows["estimate"].to_list() == pytest.approx([itself - other for other in others])


def arm_value(method: str, selection: str, control: str, benchmark: str = "held_sums", measure: str = "avg") -> float:
    values = ready().values[benchmark, measure].arms[method, selection, "any", "own", control].values
    return float(values.mean())


def test_a_spread_says_which_two_it_is_of_the_larger_first() -> None:
    of_selections = {"each": {"selection": ["clear", "capable"]}, "runs": {"method": "dpo"}, "plus": {}, **ON}
    gains = {name: arm_value("dpo", name, "itself") for name in ("clear", "capable")}
    upper, lower = sorted(gains, key=lambda name: -gains[name])
    for asked in (0.5, None):
        entry = {**of_selections, "minus": "baseline", "spread": {"equivalence": asked}}
        row = ready().answers(ready().study({"x": entry})).row(-1, named=True)
        assert row["estimate"] == pytest.approx(gains[upper] - gains[lower])
        assert row["terms"] == f"{upper} less {lower}, of 2 of x"


def test_a_slope_is_the_same_wherever_its_numbers_lie() -> None:
    """Years as well as shares."""
    for shift, scale in ((0.0, 1.0), (2e8, 1.0), (-5.0, 1e-9)):
        by = shift + scale * np.array([0.0, 1.0, 2.0, 4.0])
        wanted = coefficient_weights([[0.0, 1.0, 2.0, 4.0]], 0) / scale
        assert coefficient_weights([by], 0) == pytest.approx(wanted, rel=1e-6)
    for alike, number in (([[3.0, 3.0, 3.0]], 0), ([[0.0, 1.0, 2.0], [5.0, 3.0, 1.0]], None)):
        with pytest.raises(NotApart) as raised:
            coefficient_weights(alike, 0)
        assert raised.value.number == number


def test_what_is_in_no_family_is_drawn_last_and_p_is_called_what_it_is() -> None:
    rows = pl.DataFrame(
        [("p", "primary"), ("x", "others"), ("a.1", "a"), ("a.2", "a"), ("y", "others"), ("b", "b")],
        schema=["contrast", "family"], orient="row",
    ).with_columns(benchmark=pl.lit("gsm8k"))  # fmt: skip
    labels = [label.partition(" ")[0] for label, _ in forest._lines(rows)]
    assert labels == ["primary", "p", "a", "1", "2", "b", "b", "others", "x", "y"]
    row = {"estimate": 0.03, "ci_low": 0.01, "ci_high": 0.05, "verdict": None, "scope": "seeds", "p_holm": 0.0123}
    assert forest._numbers(row) == "+0.030  0.010 to 0.050  p_holm 0.012"


@pytest.mark.slow
def test_the_plot_has_a_panel_for_each_unit_and_the_primary_first(tmp_path: Path) -> None:
    """And draws whatever a contrast is called, or that has no result."""
    over = [CLEAR, {**CLEAR, "selection": "all"}, {**CLEAR, "selection": "capable"}]
    declared = {
        "slope": {"trend": {"over": over, "by": "rubric.delta_logic", "steps": True}, **ON, "all": True},
        "flat": {"trend": {"over": over, "by": "chosen.characters * 0"}, **ON},
        "deltas": {"trend": DELTAS, "each": {"value": ["rubric.delta_logic * 1 -- $x_$", "rubric.delta_brevity"]}},
        "safe": {"plus": CLEAR, "minus": "baseline", **ON, "margin": {"non_inferiority": 0.1}},
    }
    study = ready().study(declared)
    assert find_slopes(study) == {"slope", "flat"}
    rows = ready().answers(study)
    labels = [label for label, _ in forest._lines(rows.filter(family="slope"))]
    assert labels == ["slope (held_sums)", "step_1", "step_2"]
    for number, some in enumerate((rows, rows, rows.clear())):
        forest.forest(some, find_slopes(study), tmp_path / f"{number}.png")
    drawn, again, none = ((tmp_path / f"{number}.png").read_bytes() for number in range(3))
    assert drawn == again != none


def drawn_entry(draw: random.Random) -> dict[str, Any]:
    """An entry that may be right: each term names all axes, or leaves some to `runs` or `each`."""

    def term(*left_out: str) -> dict[str, Any]:
        kept = {axis: draw.sample(values, draw.choice([1, 1, 2])) for axis, values in AXES.items()}
        return {axis: values for axis, values in kept.items() if axis not in left_out}

    entry: dict[str, Any] = {
        "benchmark": draw.choice(["held_sums", ["letters", "in_domain"], {"in_domain": 1, "letters": -0.5}])
    }
    form, other = draw.choice(["plus", "sum", "trend", "regress", "deltas"]), draw.choice(list(AXES))
    if form == "deltas":
        entry = {
            "trend": {"over": "deltas", "by": draw.choice(EXPRESSIONS)},
            "each": {"value": draw.sample(EXPRESSIONS, 2)},
        }
        entry |= {"all": True} if draw.random() < 0.5 else {}
        return entry
    if form == "plus":
        entry |= {"plus": term(other), "minus": draw.choice([term(), term(other), {}, "baseline"])}
    elif form == "sum":
        entry["sum"] = [{**term(other), "weight": weight} for weight in (2, -1.5, -0.5)]
    elif form == "trend":
        over = [term(other) for _ in range(3)]
        entry["trend"] = {"over": over, "by": draw.choice([[0, 1, 3], *EXPRESSIONS]), "steps": draw.random() < 0.5}
    else:
        on = dict(zip("ab", draw.sample(EXPRESSIONS, 2), strict=True))
        entry["regress"] = {"on": on, "over": [term(other) for _ in range(4)]}
    shared = draw.sample(AXES[other], 2)
    entry |= {"each": {other: shared}} if draw.random() < 0.6 else {"runs": {other: shared[0]}}
    entry |= {"measure": draw.choice(["avg", "pass"])} if draw.random() < 0.5 else {}
    if "each" in entry or form == "regress" or entry.get("trend", {}).get("steps"):
        entry |= {"all": True} if draw.random() < 0.4 else {}
        entry |= {"spread": {"equivalence": draw.choice([0.1, None])}} if draw.random() < 0.4 else {}
    return entry | ({"margin": {draw.choice(["equivalence", "non_inferiority"]): 0.1}} if draw.random() < 0.3 else {})


def reference(entry: dict[str, Any], shared: dict[str, Any]) -> float:
    """A difference, a sum or a trend over numbers, as docs/contrasts.md says it."""
    of_benchmarks = entry["benchmark"]
    if not isinstance(of_benchmarks, dict):
        names = [of_benchmarks] if isinstance(of_benchmarks, str) else of_benchmarks
        of_benchmarks = dict.fromkeys(names, 1 / len(names))

    def value(named: Any) -> float:
        if named == "baseline":
            sums = [values.arms[BASELINE_ARM].values.mean() * weight for values, weight in parts]
            return float(sum(sums))
        lists = [[one] if isinstance(one := named[axis], str) else one for axis in AXES]
        keys = [(method, selection, "any", "own", control) for method, selection, control in itertools.product(*lists)]
        return float(np.mean([sum(of.arms[key].values.mean() * weight for of, weight in parts) for key in keys]))

    measure = entry.get("measure", "avg")
    parts = [(ready().values[SPLITS.get(name, name), measure], weight) for name, weight in of_benchmarks.items()]
    outer = {"control": "itself", **entry.get("runs", {})}
    if "plus" in entry:
        minus = entry["minus"]
        other = value(minus if minus == "baseline" else {**outer, **entry["plus"], **shared, **minus})
        return value({**outer, **shared, **entry["plus"]}) - other
    if "sum" in entry:
        return sum(float(term["weight"]) * value({**outer, **shared, **term}) for term in entry["sum"])
    of_terms = [value({**outer, **shared, **term}) for term in entry["trend"]["over"]]
    return float(np.polyfit(entry["trend"]["by"], of_terms, 1)[0])


def check_some(first: int, count: int) -> tuple[int, int]:
    """How many of the entries drawn so were answered, and how many numbers the reference has."""
    answered = compared = 0
    for number in range(first, first + count):
        entry = drawn_entry(random.Random(number))
        try:
            study = ready().study({"x": entry})
        except Errors as error:
            assert all(line.startswith("params.yaml: contrasts.x.") for line in error.lines), (number, entry)
            continue
        rows = ready().answers(study)
        assert {name for name in rows["contrast"] if declare(name, study)} == set(rows["contrast"])
        assert sum(map(len, list_declared(study))) == rows.height
        answered += 1
        known = dict(rows.select("contrast", "estimate").rows())
        ((axis, values),) = entry.get("each", {"": [""]}).items()
        for one in values:
            name = f"x.{one}" if one else "x"
            if "regress" not in entry and isinstance(entry.get("trend", {"by": []})["by"], list):
                wanted = reference(entry, {axis: one} if axis else {})
                assert known[name] == pytest.approx(wanted, abs=1e-8), (number, entry)
                compared += 1
    return answered, compared


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_what_is_accepted_is_answered() -> None:
    answered, compared = check_some(0, 16)
    assert answered > 6 and compared > 4


@pytest.mark.slow
@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_much_that_is_accepted_is_answered() -> None:
    answered, compared = check_some(1000, 80)
    assert answered > 40 and compared > 20
