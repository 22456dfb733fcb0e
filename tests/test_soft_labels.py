"""Soft labels on their way from calibration to subsets: by name in any expression, one for each kept pair, turned round
where its labels are, and never made up.

Kinds of fault: a probability of the other side; one for a pair that has none; a number that is no probability.
"""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import world

from curation.core import params
from curation.core.errors import CurationError
from curation.selection.candidates import Candidates, from_frames
from curation.selection.column_names import mistake
from curation.selection.rules import Params
from curation.selection.select import select
from curation.selection.soft_labels import p_chosen_messages, p_chosen_metrics
from curation.selection.subset import kept_rows, subset_rows

FILE = Path("params.yaml")
SOFT = "rubric.p_chosen_logic"
CALIBRATED = {"value": None, "keep": {"kind": "random"}, "p_chosen": SOFT}


def candidates() -> tuple[Candidates, dict[int, float]]:
    """The pairs of the world, none of which is the reverse of another, and the probabilities of the first four: the
    others have none."""
    pairs = world.sound().pairs.sort("pair_id").filter(~pl.col("identical"))
    pairs = pairs.filter(pl.col("chosen_model") != pl.col("rejected_model"))
    known = [0.9, 0.25, 0.5, 1.0]
    rows = pairs.head(4).select("pair_id", judge=pl.lit("rubric"), dimension=pl.lit("logic"))
    other = rows.with_columns(dimension=pl.lit("other"), probability=pl.lit(0.1))
    soft = pl.concat([rows.with_columns(probability=pl.Series(known)), other])
    assert pairs.height > 4
    view = from_frames(pairs, {"rubric": world.sound().deltas["rubric"]}, probabilities=soft)
    return view, dict(zip(rows["pair_id"], known, strict=True))


def made(**changes: Any) -> Any:
    view, _ = candidates()
    return select("s", Params.model_validate(world.PLAIN | CALIBRATED | changes), view)


def test_each_kept_pair_has_the_probability_of_its_own_and_the_others_have_none() -> None:
    rows = kept_rows(made(), {})
    assert dict(rows.select("pair_id", "p_chosen").drop_nulls().rows()) == candidates()[1]
    assert kept_rows(made(p_chosen=None), {})["p_chosen"].null_count() == rows.height > 4


def test_where_labels_are_turned_so_is_the_probability() -> None:
    whole = made()
    swapped = np.arange(len(whole.kept)) % 2 == 0
    rows = subset_rows(whole, whole.kept, swapped, {})
    for pair, p, turned in zip(rows["pair_id"], rows["p_chosen"], swapped, strict=True):
        own = candidates()[1].get(pair)
        assert p == (None if own is None else pytest.approx(1 - own if turned else own))


def test_a_threshold_keeps_what_reaches_it_and_nothing_unknown() -> None:
    verdicts = made(require={"sure": f"{SOFT} >= 0.5"}).verdicts
    assert set(verdicts.filter("kept")["pair_id"]) == {pair for pair, p in candidates()[1].items() if p >= 0.5}
    assert set(verdicts.filter(~pl.col("kept"))["reason"]) == {"sure"}


@pytest.mark.parametrize(("text", "value"), [
    (f"100 * {SOFT}", "90"), (f"{SOFT} - 0.5", "-0.25"), ("'-inf'::double", "-inf"), ("'nan'::double", "nan"),
])  # fmt: skip
def test_what_is_no_probability_is_refused_by_pair_and_value(text: str, value: str) -> None:
    with pytest.raises(CurationError, match=rf"^params.yaml: selections.s.p_chosen: {value} of pair -?\d+ is no prob"):
        kept_rows(made(p_chosen=text), {})


def test_a_subset_says_how_its_labels_are_spread_and_what_is_wrong_with_them() -> None:
    rows = kept_rows(made(), {})
    unknown = rows.height - 4
    assert p_chosen_metrics(rows) == {
        "p_chosen": {"unknown": unknown, "low": 0.25, "mean": 0.6625, "high": 1.0, "near_half": 0.25}
    }
    assert [*p_chosen_messages(True, rows)] == [
        f"p_chosen is unknown for {unknown} of {rows.height} pairs: a method of kind soft_dpo leaves them out or "
        "refuses them; `require` that it is not null"
    ]
    flat = rows.with_columns(p_chosen=pl.lit(0.52))
    assert "within 0.05 of 0.5 for" in next(p_chosen_messages(True, flat))
    assert [*p_chosen_messages(False, rows)] == [] and p_chosen_metrics(rows.with_columns(p_chosen=None)) == {}


def test_a_probability_that_calibration_does_not_give_is_named_with_why() -> None:
    raw = world.settings()
    assert mistake(SOFT, params._study(FILE, raw), "number") is None
    of_truth = mistake("answer.p_chosen_correct", params._study(FILE, raw), "number")
    assert of_truth == (
        "'answer.p_chosen_correct' is unknown, since answer is calibrate.truth itself; name another judge's"
    )
    raw["calibrate"]["truth"] = None
    assert mistake(f"{SOFT} > 0.5", params._study(FILE, raw), "boolean") == (
        f"'{SOFT}' is unknown, since calibrate.truth is null; name there who says what is right"
    )


def test_a_probability_of_several_pairs_at_once_is_refused_before_anything_runs() -> None:
    raw = world.settings()
    settings = Params.model_validate(world.PLAIN | CALIBRATED | {"p_chosen": f"avg({SOFT}) over ()"})
    (line,) = settings.mistakes(params._study(FILE, raw))
    assert line == f"p_chosen: 'avg({SOFT}) over ()' is of several pairs at once; write one of a pair's own columns"
