"""Why a control has a pair or has it not: the numbers that are said decide the very pairs that the control draws.

Kinds of fault: a rank or a room that is not the draw's; a pair that is said to be drawn and is not; labels said to be
swapped that stay."""

import itertools
from collections import Counter

import numpy as np
import pytest
import world
from test_controls import EVERYONE, LENGTHS, control, selection

from curation.experiment.controls import Params as Control
from curation.experiment.draw_reasons import Held, explain_draw, explain_labelled_draw, has_it
from curation.experiment.drawing import control_rows, control_traces
from curation.selection.candidates import Candidates
from curation.selection.labelled import label_traces
from curation.selection.reasons import Why
from curation.selection.rules import Params
from curation.selection.select import Selection, select
from curation.selection.single_traces import SingleTraces

DRAWN = [
    control(), control(match=["chosen_model", "rejected_model"]), control(match=[LENGTHS]), control(labels="shuffled"),
    control(require="own"), control(pairs="all"), control(pairs="own", labels="reversed"),
    control(pairs="own", labels="shuffled"), control(pairs="all", labels="reversed"),
]  # fmt: skip
RULES = [
    selection(), selection(require={"near": "abs(chosen.characters - rejected.characters) < 100"}),
    selection(limits={"per_prompt": 1, "generator_share": None}), selection(keep={"kind": "random"}),
    selection(keep={"kind": "nearest", "target": "rubric.chosen_logic / 2"}),
]  # fmt: skip


def explained(how: Control, made: Selection, seed: int = 0, step: int = 1) -> dict[int, Why]:
    """Why the control has every `step`th candidate or not, as it draws them."""
    rows, swapped = control_rows(how, seed, made)
    prompt = made.pairs.column("prompt_id").to_numpy()
    of_prompt, flipped = Counter(prompt[rows].tolist()), dict(zip(rows.tolist(), swapped.tolist(), strict=True))
    told = {}
    for row in range(0, len(prompt), step):
        why = explain_draw(how, seed, made, row, Held(row in flipped, of_prompt[prompt[row]]))
        assert has_it(why) == (row in flipped) and why.words
        assert why.numbers.get("swapped", False) == flipped.get(row, False)
        told[row] = why
    return told


def few(pairs: Candidates = EVERYONE, settings: Params | None = None) -> Selection:
    return select("s", settings or selection(), pairs)


@pytest.mark.parametrize("how", DRAWN, ids=lambda how: f"{how.pairs}-{how.labels}-{len(how.match)}-{how.require}")
def test_the_numbers_decide_what_is_drawn(how: Control) -> None:
    made = few()
    for why in explained(how, made, step=7).values():
        if "rank" in why.numbers:
            assert has_it(why) == (why.numbers["rank"] <= why.numbers["room"])
            assert 1 <= why.numbers["rank"] <= why.numbers["of"]


@pytest.mark.parametrize(("rule", "seed"), itertools.product(range(len(RULES)), (0, 1)))
def test_every_rule_of_a_selection_has_a_control_that_can_be_explained(rule: int, seed: int) -> None:
    made = few(settings=RULES[rule])
    told = explained(control(match=["chosen_model"]), made, seed, step=3)
    ranks = [
        (why.numbers["matched"]["chosen_model"], why.numbers["rank"])
        for why in told.values()
        if why.numbers.get("rank")
    ]
    assert len(set(ranks)) == len(ranks) > 50
    if made.settings.limits.per_prompt:
        said = {why.words.rpartition("; ")[2] for why in told.values()}
        assert "it gave way" in said and any("limits.per_prompt 1" in words for words in said)


def test_what_is_said() -> None:
    made = few()
    said = [why.words for why in explained(control(match=["chosen_model"], labels="shuffled"), made).values()]
    assert any("labels are swapped, by its coin" in words for words in said)
    first = next(words for words in said if words.startswith("rank 1 of"))
    beside = [str(number) for number in made.pairs.column("pair_id")[made.kept].to_list()]
    assert " by draw among those where chosen_model is " in first and any(number in first for number in beside)
    assert "it cannot be drawn, for the selection has it as identical" in said
    own = [why.words for why in explained(control(pairs="own", labels="reversed"), made).values()]
    assert set(own) > {
        "a pair that the selection keeps; labels are swapped, as all are",
        "only what the selection keeps, and this is over_budget",
    }


def test_what_has_no_target_is_said_to_have_none() -> None:
    """Kind of fault: a pair that nothing can be near to, and is said to give way to its reverse."""
    target = "case when chosen_model = 'a' then 1.0 end"
    made = few(settings=selection(require={"never": "false"}, keep={"kind": "nearest", "target": target}))
    of = made.pairs.column("chosen_model").to_list()
    said = {why.words for row, why in explained(control(), made).items() if of[row] == "b"}
    assert f"it cannot be drawn: rubric.delta_logic and {target} gives no number" in said
    assert not any("its reverse" in words or words.startswith("rank") for words in said)


def test_a_table_of_other_settings_is_contradicted() -> None:
    made = few()
    rows, _ = control_rows(control(), 0, made)
    why = explain_draw(control(), 0, made, int(rows[0]), Held(False, 0))
    assert has_it(why)  # by the numbers, whatever its table says


def test_labelled_traces_are_drawn_by_label() -> None:
    study = world.sound()
    readers = world.trace_readers(study)
    unpaired = {"label": "answer.correct = 1", "budget": {"traces": 3}}
    settings = Params.model_validate(world.PLAIN | {"budget": {"pairs": 0}, "unpaired": unpaired})
    labelled = label_traces("s", settings, SingleTraces(readers, "drop", True))
    assert labelled is not None
    ids = labelled.traces.rows["trace_id"].to_list()
    for how in (control(), control(pairs="all"), control(pairs="own", labels="reversed"), control(labels="shuffled")):
        drawn = dict(control_traces(how, 5, labelled).select("trace_id", "label").rows())
        for row, trace in enumerate(ids):
            why = explain_labelled_draw(how, 5, labelled, trace)
            assert why is not None and has_it(why) == (trace in drawn) and why.words
            if has_it(why):
                assert drawn[trace] == bool(labelled.desirable[row]) ^ why.numbers.get("swapped", False)
    assert explain_labelled_draw(control(), 5, labelled, 7) is None
    assert np.array_equal(ids, sorted(ids))
