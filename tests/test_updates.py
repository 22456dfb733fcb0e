"""How many updates a control's run makes, and what it draws from.

Kinds of fault: a control whose name says one number of updates and whose run makes another, above all where full data
in as many updates as the selection is no more than as many pairs drawn at random; updates counted by rows that teach
nothing; a run that is another because its number of updates is said where it is its own anyway.
"""

from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest
from test_controls import EVERYONE, STUDY, arm, beside, control, selection, values

from curation.experiment.arms import ArmRows, arm_metrics
from curation.experiment.controls import Params as Control
from curation.experiment.grid import Arm
from curation.tables import contracts, parquet
from curation.tables.update_rows import UPDATE_ROWS
from curation.training.updates import count_updates, take_updates, updates

FULL, SELECTION = "full", "selection"


def made(how: Control, settings: Any = None) -> ArmRows:
    """The arm of a control of a selection of 40 pairs."""
    study = SimpleNamespace(
        selections={"top": settings or selection()}, generator_pairs=STUDY.generator_pairs, dimensions=STUDY.dimensions,
        controls={"it": how},
    )  # fmt: skip
    return arm(Arm("top", "any", "own", "it", 0 if how.draws else None), study, EVERYONE)


EVERYTHING = made(control(pairs="all"))
CASES: dict[str, tuple[dict[str, Any], str | None]] = {
    "itself": ({"pairs": "own"}, None),
    "itself by its epochs": ({"pairs": "own", "updates": "by_epochs"}, None),
    "itself, as long as itself": ({"pairs": "own", "updates": "as_selection"}, None),
    "itself, as long as full data": ({"pairs": "own", "updates": "as_all"}, FULL),
    "random": ({"pairs": "drawn"}, None),
    "random, as long as the selection": ({"pairs": "drawn", "updates": "as_selection"}, SELECTION),
    "random, as long as full data": ({"pairs": "drawn", "updates": "as_all"}, FULL),
    "full data at its own length": ({"pairs": "all", "updates": "by_epochs"}, None),
    "full data, as long as full data": ({"pairs": "all", "updates": "as_all"}, None),
    "full data, as long as the selection": ({"pairs": "all", "updates": "as_selection"}, SELECTION),
    "full data of a file that says nothing": ({"pairs": "all"}, SELECTION),
    "reversed, as long as the selection": (
        {"pairs": "own", "labels": "reversed", "updates": "as_selection"},
        SELECTION,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_control_says_whose_examples_decide_its_updates(case: str) -> None:
    """And they are the examples of the arm that it is as long as, pairs and single traces."""
    keys, whose = CASES[case]
    rows = made(control(**keys)).update_rows
    if whose is None:
        assert rows is None
        return
    assert rows is not None
    parquet.check(UPDATE_ROWS, rows.select(pl.lit("it").alias("arm"), pl.all()), "update_rows")
    expected = EVERYTHING.rows if whose == FULL else EVERYTHING.selection_rows
    pairs = rows.filter(reads="subsets")
    assert sorted(pairs["row_id"]) == sorted(expected["pair_id"])
    chosen, rejected = (set(expected[f"{side}_trace_id"]) for side in contracts.SIDES)
    singles = rows.filter(reads="unpaired")
    assert set(singles["chosen_trace_id"].drop_nulls()) == chosen - rejected
    assert set(singles["rejected_trace_id"].drop_nulls()) == rejected - chosen


def test_only_what_is_the_selection_itself_is_no_control() -> None:
    treatments = {case for case, (keys, _) in CASES.items() if control(**keys).treatment}
    assert treatments == {"itself", "itself by its epochs", "itself, as long as itself"}


def method(**changes: Any) -> Any:
    own = {"max_steps": None, "batch_size": 4, "accumulation": 2, "epochs": 3.0} | changes
    return SimpleNamespace(**own, model_copy=lambda update: method(**own | update))


def test_updates_are_whole_steps_of_every_epoch() -> None:
    assert count_updates(method(), 40) == 15 and count_updates(method(), 41) == 18  # 5 or 6 an epoch
    assert count_updates(method(epochs=0.01), 1) == 1 and count_updates(method(max_steps=7), 40) == 7


def learnt(**rows: dict[str, str | None]) -> pl.DataFrame:
    """Rows of `examples`, by arm the sides of each row and why it is dropped."""
    sides = [
        (arm, "dpo", number, side, why)
        for arm, dropped in rows.items()
        for number, why in enumerate(dropped.values())
        for side in contracts.SIDES
    ]
    return pl.DataFrame(sides, ["arm", "method", "row_id", "side", "dropped"], orient="row")


def test_updates_are_of_what_is_learnt() -> None:
    """Rows without room, and sides that are the same once rendered, teach nothing: neither of the arm's own rows nor of
    those that decide are they counted; and a run that makes its own number anyway is the run that it would be."""
    some = dict.fromkeys("abcdefgh") | dict.fromkeys("ijkl", "no_room") | dict.fromkeys("mnop", "identical_once_cut")
    own = learnt(short=dict.fromkeys("abcd"), long=some, even=some)
    table = updates(own, learnt(short=some, even=dict.fromkeys("abcdefgh")), {"dpo": method(epochs=1.0)})
    parquet.check(contracts.UPDATES, table, "updates")
    assert sorted(table.rows()) == [("even", "dpo", 8, 8, 1), ("long", "dpo", 8, 8, 1), ("short", "dpo", 4, 8, 1)]


def test_a_run_is_told_a_number_of_updates_only_where_it_is_not_its_own(tmp_path: Any) -> None:
    table = pl.DataFrame(
        [("short", "dpo", 40, 400, 150), ("even", "dpo", 40, 40, 15), ("own", "dpo", 40, 40, 15)],
        contracts.empty(contracts.UPDATES).schema, orient="row",
    )  # fmt: skip
    study: Any = SimpleNamespace(
        runs={name: SimpleNamespace(arm=SimpleNamespace(name=name, control=name)) for name in ("short", "even", "own")},
        controls={
            "short": control(pairs="own", updates="as_all"), "even": control(pairs="all"), "own": control(pairs="own"),
        },
        methods={"dpo": method()},
    )  # fmt: skip
    parquet.write(contracts.UPDATES, table, contracts.path("updates", data=tmp_path))
    assert {arm: taken.max_steps for (arm, _), taken in take_updates(study, tmp_path).items()} == {"short": 150}
    study.controls = dict.fromkeys(study.controls, control(pairs="own"))
    assert take_updates(study, tmp_path / "nothing") == {}, "no table is read where no control wants one"


def test_a_control_may_keep_what_its_selection_requires() -> None:
    settings = selection(require={"strong": "rubric.chosen_logic >= 4"})
    for pairs in ("drawn", "all"):
        free, kept = (beside(control(pairs=pairs, require=require), settings)[0] for require in (None, "own"))
        assert min(values(free, "rubric.chosen_logic")) < 4 <= min(values(kept, "rubric.chosen_logic"))
    assert len(kept) == sum(number for score, number in values(free, "rubric.chosen_logic").items() if score >= 4)
    longer = made(control(pairs="own", updates="as_all", require="own"), settings).update_rows
    assert longer is not None and longer.filter(reads="subsets").height == len(kept)


@pytest.mark.parametrize(("pairs", "budget"), [("drawn", 40), ("drawn", 300), ("all", 40), ("own", 40)])
def test_what_a_control_shares_with_its_selection_is_counted_both_ways(pairs: str, budget: int) -> None:
    labels = "reversed" if pairs == "own" else "as_is"
    one = made(control(pairs=pairs, labels=labels), selection(budget={"pairs": float(budget)}))
    both = len(set(one.rows["pair_id"]) & set(one.selection_rows["pair_id"]))
    shares = {"number": both, "of_control": both / one.rows.height, "of_selection": both / budget}
    assert arm_metrics(one, pl.DataFrame())["shared"] == {"pairs": shares}
    assert (shares["of_selection"] == 1) == (pairs != "drawn")


def test_a_selection_shares_nothing_with_itself() -> None:
    assert "shared" not in arm_metrics(made(control(pairs="own")), pl.DataFrame())
