"""A rater's last row counts. The kind of fault: an append-only file, in which people change their minds, that is read
as if they had said both, or as if two of them were one."""

import random
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from test_imported_ratings import KEYS, ROWS, Study, named, scored, two

from curation.calls.ledger import Ledger
from curation.core.errors import CurationError
from curation.reliability import measures


@pytest.fixture
def study(tmp_path: Path, ledger: Ledger) -> Study:
    return Study(tmp_path, ledger, ROWS, "ladder")


RATED = [
    {"id": "p1/big/0", "who": "ann", "x": 5, "y": 5, "when": "2026-01-31T12:00:00Z"},
    {"id": "p1/big/0", "who": "ann", "x": 1, "y": 4, "when": "2026-01-31T12:00:00.000001Z"},
    {"id": "p1/big/0", "who": "bo", "x": 3, "y": 3, "when": "2026-01-31T13:30:00+02:00"},
    {"id": "p2/big/0", "who": "ann", "x": 2, "y": 2, "when": "2026-01-30"},
    {"id": "p2/big/0", "who": "ann", "x": None, "y": 2, "when": "2026-01-31 00:00"},
]
WIDE: dict[str, Any] = {
    "trace_id": "id", "dimensions": {"logic": "x", "tone": "y"}, "rater": "who", "latest": "when", "rationale": "who",
}  # fmt: skip


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_a_raters_last_rating_counts_whatever_the_order_of_the_file(form: str, study: Study) -> None:
    """A null that comes last takes the rating back; a time in another zone is compared as what it is."""
    for rows in (RATED, RATED[::-1], random.Random(0).sample(RATED, len(RATED))):
        found = study.judge(rows, form=form, **WIDE)
        said = found.filter(status="scored").select("dimension", "rationale", "score").rows()
        assert sorted(said) == [
            ("logic", "ann", 1.0), ("logic", "bo", 3.0), ("tone", "ann", 2.0), ("tone", "ann", 4.0), ("tone", "bo", 3.0)
        ]  # fmt: skip
        assert found.filter(status="missing").select("trace_id", "dimension").rows() == [
            (study.ids["p2/big/0"], "logic")
        ]
    with pytest.raises(CurationError, match=r"both rate one trace, and have the same '?who'?; leave one out"):
        study.judge([*RATED, RATED[1] | {"x": 2}], **WIDE)
    with pytest.raises(CurationError, match=r"column 'when' .* is 'yesterday', not a time as 2026-01-31T12:00:00Z"):
        study.judge([RATED[0] | {"when": "yesterday"}], **WIDE)


def test_the_last_rating_of_steps_is_of_each_step(study: Study) -> None:
    rows = [{"id": "p1/big/0", "who": "ann", "n": n, "x": x, "when": f"2026-01-0{day}"}
            for n, x, day in ((0, 0.9, 1), (1, 0.2, 1), (1, 0.8, 2))]  # fmt: skip
    body = WIDE | {"dimensions": {"process": "x"}, "steps": {"aggregate": "min", "index": "n"}}
    assert scored(study.judge(rows, **body), study) == {"p1/big/0": 0.8}


PAIR = ("p1/big/0", "p1/small/0")


def test_a_raters_last_verdict_counts_even_the_other_way_round(study: Study) -> None:
    rows = [
        two(*PAIR, "a", who="ann", when="2026-01-01"), two(*PAIR[::-1], "a", who="ann", when="2026-01-02"),
        two(*PAIR, "a", who="bo", when="2026-01-01"),
    ]  # fmt: skip
    body = {"verdict": "won", "rater": "who", "latest": "when", "rationale": "who"} | named(KEYS["its own id"])
    for given in (rows, rows[::-1]):
        found = study.prefer(given, **body)
        assert sorted(found.select("rationale", "verdict").rows()) == [("ann", "rejected"), ("bo", "chosen")]
        assert sorted(found["repeat"]) == [0, 1]
    taken_back = study.prefer([*rows, two(*PAIR, None, who="ann", when="2026-01-03")], **body)
    assert sorted(taken_back.select("rationale", "status").rows()) == [("ann", "missing"), ("bo", "scored")]


def test_people_who_disagree_in_two_orders_are_not_one_who_goes_by_the_order(study: Study) -> None:
    """The kind of fault: what two raters differ by is counted as what the order does to one."""
    rows = [two(*PAIR, "a", who="ann", shown="a_first"), two(*PAIR, "b", who="bo", shown="b_first")]
    body = {"verdict": "won", "rater": "who", "order": "shown"} | named(KEYS["its own id"])
    apart = study.prefer(rows, **body)
    both = study.prefer([*rows, two(*PAIR, "b", who="ann", shown="b_first")], **body)

    def inconsistency(verdicts: pl.DataFrame) -> int:
        known = verdicts.join(study.pairs.select("pair_id", "prompt_id"), on="pair_id")
        known = known.with_columns(pl.lit(1.0).alias("value"), pl.lit(None, pl.Boolean).alias("chosen_right"))
        return {one.measure: one.n for one in measures.measure_verdicts(known, None)}["position_inconsistency"]

    assert (inconsistency(apart), inconsistency(both)) == (0, 1)


def test_latest_without_a_rater_is_a_mistake(tmp_path: Path) -> None:
    from curation.judging.judges import imported

    body = {key: value for key, value in WIDE.items() if key != "rater"}
    params = imported.Params.model_validate({"kind": "imported", "path": "x", "unmatched": "error"} | body)
    assert "latest: is of a rater's rows; name the column of rater, or leave it out" in list(params.mistakes(None))  # type: ignore[arg-type]
