"""Controls and arms: what stands beside a selection, and what the grid makes of its axes."""

import itertools
from collections import Counter
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest
import world

from curation.experiment.arms import ArmRows, arms, messages, restrict
from curation.experiment.controls import Params
from curation.experiment.drawing import control_rows
from curation.experiment.grid import Arm
from curation.experiment.grid import Params as Grid
from curation.selection.candidates import Candidates, from_frames
from curation.selection.rules import Params as Selection
from curation.selection.select import select
from curation.tables import contracts
from curation.tables.ids import content_id
from curation.traces import generate

PROMPTS, EACH = 60, 4  # traces of a prompt, one by each of four generators


def population(order: str = "both") -> Candidates:
    """All pairs of PROMPTS prompts' traces by generators a to d, of random scores, lengths and, in a tenth, no
    score."""
    draw = np.random.default_rng(4)
    score = {trace: float(draw.integers(1, 6)) for trace in range(PROMPTS * EACH)}
    fate = {
        (one, two): float(draw.random()) for one in range(PROMPTS * EACH) for two in range(one)
    }  # of two traces, whichever is chosen
    pairs, deltas = list[dict[str, Any]](), list[dict[str, Any]]()
    for prompt in range(PROMPTS):
        for one, two in (
            itertools.permutations(range(EACH), 2) if order == "both" else itertools.combinations(range(EACH), 2)
        ):
            chosen, rejected = prompt * EACH + one, prompt * EACH + two
            number, luck = content_id(prompt, one, two), fate[max(chosen, rejected), min(chosen, rejected)]
            pairs.append({
                "pair_id": number, "prompt_id": prompt, "chosen_trace_id": chosen, "rejected_trace_id": rejected,
                "chosen_model": "abcd"[one], "rejected_model": "abcd"[two], "identical": luck < 0.05,
            })  # fmt: skip
            scores = {"chosen_logic": score[chosen], "rejected_logic": score[rejected]}
            scores["delta_logic"] = score[chosen] - score[rejected]
            deltas.append({"pair_id": number, "n_logic": int(luck < 0.9)} | (scores if luck < 0.9 else {}))
    traces = [
        {
            "trace_id": trace, "prompt_id": trace // EACH, "generator": "abcd"[trace % EACH], "sample_index": 0,
            "completion": "x" * int(draw.integers(10, 400)), "finish_reason": "stop",
        }
        for trace in range(PROMPTS * EACH)
    ]  # fmt: skip
    return from_frames(
        world.rows_of(contracts.PAIRS, pairs),
        {"rubric": world.rows_of(contracts.deltas(["logic"]), deltas)},
        traces=generate.add_text_columns(world.rows_of(contracts.TRACES, traces)),
    )


EVERYONE = population()
LENGTHS = "floor(2 * ln(chosen.characters / rejected.characters))"


def selection(**changes: Any) -> Selection:
    top = {"value": "rubric.delta_logic", "keep": {"kind": "top"}, "budget": {"pairs": 40}}
    return Selection.model_validate(world.PLAIN | top | changes)


def arm(cell: Arm, study: Any, pairs: Candidates) -> ArmRows:
    ((_, made),) = arms([cell], study, pairs)
    return made


def control(**changes: Any) -> Params:
    return Params.model_validate({"pairs": "drawn", "match": [], "labels": "as_is"} | changes)


def beside(
    how: Params, settings: Selection | None = None, seed: int = 0, view: Candidates = EVERYONE
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The control's rows, which are swapped, and the selection's own rows."""
    settings = settings or selection()
    made = select("s", settings, view)
    return *control_rows(how, seed, made), made.kept


def values(rows: np.ndarray, text: str) -> Counter[Any]:
    return Counter(EVERYONE.values({"value": text})["value"][rows].to_list())


def test_random_is_as_many_of_what_could_be_ranked_and_another_for_another_seed() -> None:
    rows, swapped, own = beside(control())
    assert len(rows) == len(own) == 40 and not swapped.any()
    assert not EVERYONE.column("identical")[rows].any() and values(rows, "rubric.delta_logic is null") == {False: 40}
    ends = {
        frozenset(pair)
        for pair in zip(
            EVERYONE.column("chosen_trace_id")[rows], EVERYONE.column("rejected_trace_id")[rows], strict=True
        )
    }
    assert len(ends) == 40  # no pair beside its reverse
    assert values(rows, "rubric.delta_logic < 0") == {False: 40}  # the way round that the selection would have it
    drawn = [frozenset(beside(control(), seed=seed)[0].tolist()) for seed in range(4)]
    assert len(set(drawn)) == 4 and all(len(one & other) < 20 for one in drawn for other in drawn if one != other)
    assert np.array_equal(rows, beside(control())[0])


@pytest.mark.slow
def test_over_many_seeds_each_pair_is_drawn_as_often_as_any_other() -> None:
    seen = Counter(row for seed in range(300) for row in beside(control(), seed=seed)[0].tolist())
    pool = len(beside(control(pairs="all"))[0])
    expected = 300 * 40 / pool
    assert (
        set(seen) >= set(beside(control(), seed=999)[0].tolist())
        and 0.4 * expected < min(seen.values()) <= max(seen.values()) < 1.9 * expected
    )


@pytest.mark.parametrize("match", [[LENGTHS], ["chosen_model", "rejected_model"], ["chosen_model", LENGTHS]])
def test_a_matched_control_has_as_many_of_each_value(match: list[str]) -> None:
    rows, _, own = beside(control(match=match), view=population())
    together = " || ' ' || ".join(f"({text})::varchar" for text in match)
    assert values(rows, together) == values(own, together) and set(rows) != set(own)
    assert values(beside(control())[0], together) != values(own, together)


@pytest.mark.slow
@pytest.mark.parametrize(
    "match", [["chosen_model", "rejected_model"], [LENGTHS], ["chosen_model", "rejected_model", LENGTHS]]
)
@pytest.mark.parametrize(
    "budget", [pytest.param(40, marks=pytest.mark.slow), pytest.param(55, marks=pytest.mark.slow), 60]
)
def test_a_matched_control_is_whole_where_nearly_every_prompt_is_wanted(budget: int, match: list[str]) -> None:
    """The selection itself shows that there is a way; drawing alone, without exchanges, ends short of it."""
    settings = selection(limits=world.LIMITS | {"per_prompt": 1}, budget={"pairs": float(budget)})  # of 60 prompts
    together = " || ' ' || ".join(f"({text})::varchar" for text in match)
    for seed in range(3):
        rows, _, own = beside(control(match=match), settings, seed, population())
        assert len(own) == len(rows) == budget and max(values(rows, "prompt_id").values()) == 1
        assert values(rows, together) == values(own, together)


def test_a_control_keeps_the_limit_of_pairs_of_a_prompt() -> None:
    settings = selection(limits=world.LIMITS | {"per_prompt": 1})
    rows, _, own = beside(control(), settings)
    assert len(rows) == len(own) == 40 and max(values(rows, "prompt_id").values()) == 1


def test_reversed_and_shuffled_are_the_same_pairs_with_other_labels() -> None:
    for labels in ("reversed", "shuffled"):
        rows, swapped, own = beside(control(pairs="own", labels=labels))
        assert np.array_equal(rows, own)
        assert swapped.all() if labels == "reversed" else 8 < swapped.sum() < 32
    flips = [beside(control(pairs="own", labels="shuffled"), seed=seed)[1].tolist() for seed in range(3)]
    assert len({tuple(flip) for flip in flips}) == 3


STUDY = SimpleNamespace(
    selections={
        "top": selection(),
        "worse_way_round": selection(require={"worse": "rubric.delta_logic < 0"}),
        "nearest": selection(keep={"kind": "nearest", "target": "avg(rubric.delta_logic) over ()"}),
    },
    generator_pairs={
        "any": SimpleNamespace(where="true"),
        "a_over_b": SimpleNamespace(where="chosen_model = 'a' and rejected_model = 'b'"),
    },
    controls={
        "itself": control(pairs="own"),
        "reversed": control(pairs="own", labels="reversed"),
        "random": control(),
        "matched": control(match=["rubric.delta_logic"]),
        "all": control(pairs="all"),
    },
    dimensions={"rubric": ["logic"]},
)  # fmt: skip


def test_an_arm_is_of_its_generators_and_its_budget() -> None:
    for beside_ in ("itself", "random"):
        made = arm(Arm("top", "a_over_b", "10", beside_, 0), STUDY, EVERYONE)
        models = {
            (trace % EACH, other % EACH)
            for trace, other in made.rows.select("chosen_trace_id", "rejected_trace_id").rows()
        }
        assert made.rows.height == 10 and models == {(0, 1)}
    assert arm(Arm("top", "any", "own", "itself", 0), STUDY, EVERYONE).rows.height == 40
    assert restrict(selection(), "true", "own").budget == {"pairs": 40.0}


def test_reversed_pairs_have_their_sides_ratings_and_margins_the_other_way_round() -> None:
    plain, turned = (
        arm(Arm("top", "any", "own", name, 0), STUDY, EVERYONE).rows.sort("pair_id") for name in ("itself", "reversed")
    )
    assert plain["chosen_trace_id"].to_list() == turned["rejected_trace_id"].to_list() and plain[
        "rejected_trace_id"
    ].equals(turned["chosen_trace_id"])
    assert (plain["margin"] + turned["margin"]).abs().max() == 0 and plain["chosen_rating"].to_list() == turned[
        "rejected_rating"
    ].to_list()


def test_a_control_that_has_too_few_pairs_is_said_to() -> None:
    """The control is drawn from the way round that the selection ranks higher, in which no delta is negative."""
    cell = Arm("worse_way_round", "any", "own", "matched", 0)
    assert messages(STUDY, cell, arm(cell, STUDY, EVERYONE)) == [
        "control matched has 0 pairs, its selection 40: not enough pairs match;"
        " match fewer values, or raise limits.per_prompt"
    ]
    cell = cell._replace(control="random")
    assert not any(" pairs, its selection" in said for said in messages(STUDY, cell, arm(cell, STUDY, EVERYONE)))
    cell = cell._replace(budget="9999")
    few = messages(STUDY, cell, arm(cell, STUDY, EVERYONE))
    assert few[0].startswith("keeps ") and " of the 9999 pairs of its budget: " in few[0]


def test_a_control_says_how_many_pairs_are_its_selections_own() -> None:
    """The kind of fault: a gain over a control that is half the selection itself."""
    for budget, name in itertools.product(("own", "300"), ("random", "itself", "all")):
        made = arm(Arm("top", "any", budget, name, 0), STUDY, EVERYONE)
        shared = len(set(made.rows["pair_id"]) & set(made.selection_rows["pair_id"]))
        said = [
            line for line in messages(STUDY, Arm("top", "any", budget, name, 0), made) if "with its selection" in line
        ]
        pairs = made.rows.height
        both_ways = (
            f"{shared / pairs:.0%} of the control's, {shared / made.selection_rows.height:.0%} of the selection's"
        )
        expected = f"control {name} shares {shared} pairs with its selection: {both_ways}"
        assert said == ([expected] if name == "random" and shared else [])
    assert shared > 100


def test_what_cannot_be_drawn_does_not_fail_a_matched_value() -> None:
    fails = "if(identical, 'x', chosen.generator <> 'a')::boolean::varchar"
    rows, _, own = beside(control(match=[fails]), view=population())
    assert len(rows) == len(own) == 40


class Counted(Candidates):
    """Candidates that count how often each expression is evaluated."""

    evaluated: Counter[str]

    def values(self, expressions: Mapping[str, str], place: str = "", rows: np.ndarray | None = None) -> pl.DataFrame:
        self.evaluated.update(expressions.values())
        return super().values(expressions, place, rows)


@pytest.mark.parametrize("name", ["itself", "reversed", "random", "all"])
def test_an_arm_evaluates_each_expression_once(name: str) -> None:
    pairs = Counted(EVERYONE.readers)
    pairs.evaluated = Counter()
    arm(Arm("nearest", "any", "own", name, 0), STUDY, pairs)
    assert pairs.evaluated == {"rubric.delta_logic": 1, "avg(rubric.delta_logic) over ()": 1, "true": 1}


def test_the_grid_is_every_combination() -> None:
    axes: dict[str, list[Any]] = {
        "methods": ["dpo", "kto"], "selections": ["top", "low"], "generator_pairs": ["any"], "budgets": ["own", 10],
        "controls": ["itself"], "seeds": [0, 1],
    }  # fmt: skip
    grid = Grid.model_validate(axes)
    runs, arms = grid.list_runs(STUDY.controls), grid.list_arms(STUDY.controls)
    assert len(arms) == 4 and len({run.name for run in runs}) == 16
    assert runs[0].name == "dpo-top-any-own-itself-0" and arms[-1].name == "low-any-10-itself"
    assert len({(run.method, run.arm) for run in runs}) == 8, "nothing is drawn, so each arm is one for both seeds"
    assert Grid.model_validate(axes | {"methods": []}).list_runs(STUDY.controls) == []


AXES: dict[str, Any] = {
    "methods": ["dpo", "kto"], "selections": ["top"], "generator_pairs": ["any"], "budgets": ["own"],
    "controls": ["itself", "random"], "seeds": [0, 1],
}  # fmt: skip


def names(**changes: Any) -> tuple[list[str], list[str]]:
    """The names of the arms and of the runs."""
    grid = Grid.model_validate(AXES | changes)
    return tuple([one.name for one in made(STUDY.controls)] for made in (grid.list_arms, grid.list_runs))  # type: ignore[return-value]


def test_seeds_of_draws_and_of_training_are_apart() -> None:
    """An arm that draws nothing is one, whatever the seed; one that draws is another for each draw. Without `draws` a
    seed of training draws by itself, so that no seed shares its control with another."""
    arms, runs = names(methods=["dpo"])
    assert arms == ["top-any-own-itself", "top-any-own-random-0", "top-any-own-random-1"]
    assert [run for run in runs if "random" in run] == ["dpo-top-any-own-random-0-0", "dpo-top-any-own-random-1-1"]
    arms, runs = names(methods=["dpo"], draws=[5, 6, 7])
    assert arms == ["top-any-own-itself", *(f"top-any-own-random-{draw}" for draw in (5, 6, 7))]
    assert len(runs) == 2 + 3 * 2 and "dpo-top-any-own-random-6-1" in runs


def test_the_grid_may_list_the_arms_that_are_wanted() -> None:
    """And nothing else is made: 18 wanted runs were 306 declared ones where only products could be said. What an entry
    leaves out is the axis, one value is a list of one, and what two entries name is there once."""
    wanted = [
        {"selection": "top", "control": "itself"},
        {"selection": ["top", "low"], "control": "random", "budget": [10, 20], "methods": "dpo", "seeds": 3},
        {"selection": "top", "control": "itself", "methods": "dpo", "seeds": [1]},
    ]
    arms, runs = names(arms=wanted)
    assert arms == ["top-any-own-itself"] + [
        f"{selection}-any-{budget}-random-3" for selection in ("top", "low") for budget in (10, 20)
    ]
    assert runs == [f"{method}-top-any-own-itself-{seed}" for method in ("dpo", "kto") for seed in (0, 1)] + [
        f"dpo-{selection}-any-{budget}-random-3-3" for selection in ("top", "low") for budget in (10, 20)
    ]
