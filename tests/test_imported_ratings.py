"""Ratings and verdicts of a user's file, in whatever form it has them, are those of the texts that they are about.

Kinds of fault: a form of a file (long, wide, step by step, two traces a row) that says what another says and comes out
otherwise; a name of a trace (its id, its number, its texts) that finds another trace, or one of several at a guess; a
verdict that is not turned with its pair; a word, a null or a step that becomes a score.
"""

import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import world
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from ruamel.yaml import YAML
from test_imported import generator, save, source

from curation.calls.ledger import Ledger, Params
from curation.core.errors import CurationError
from curation.core.messages import format_validation_errors
from curation.judging.judge import judge
from curation.judging.judges import imported as ratings
from curation.judging.pairwise_judges import imported as verdicts
from curation.judging.prefer import prefer
from curation.pairs import delta, pair, pairwise
from curation.prompts.collect import read_sources
from curation.tables import contracts, parquet
from curation.traces.generate import generate

TEXTS = {  # by prompt and generator
    ("p1", "big"): ["It is 5", "It is  5?"],
    ("p1", "small"): ["It is 6"],
    ("p2", "big"): ["It is 24", "It is 20"],
    ("p2", "small"): ["It is 6", "It is 24"],
}
ROWS = [
    {"q": {"p1": "What is 2 + 3?", "p2": "What is 4 * 6?"}[of], "pid": of, "gold": "5", "by": by, "n": number,
     "text": text, "own": f"{of}/{by}/{number}"}
    for (of, by), texts in TEXTS.items()
    for number, text in enumerate(texts)
]  # fmt: skip
KEYS: dict[str, dict[str, Any]] = {  # ways to name a trace
    "its own id": {"trace_id": "own"},
    "its own id, the long way": {"trace": {"trace_id": "own"}},
    "its own id and its text": {"trace": {"trace_id": "own", "completion": "text"}},
    "its prompt's id and its number": {"trace": {"prompt_id": "pid", "generator": "by", "sample_index": "n"}},
    "its prompt and its number": {"trace": {"prompt": "q", "generator": "by", "sample_index": "n"}},
    "its prompt's id, generator and text": {"trace": {"prompt_id": "pid", "generator": "by", "completion": "text"}},
    "all texts and the generator": {"trace": {"prompt": "q", "generator": "by", "completion": "text"}},
}


def slow(case: str) -> Any:
    """One case of a test that has quicker ones."""
    return pytest.param(case, marks=pytest.mark.slow)


class Study:
    """Prompts, traces and pairs of a file with ROWS."""

    def __init__(self, folder: Path, ledger: Ledger, rows: list[dict[str, Any]], order: str, **columns: Any) -> None:
        path = save(folder / "traces.jsonl", rows)
        self.folder, self.ledger = folder, ledger
        of_prompts = {name: column for name, column in columns.items() if name in ("system", "tools")}
        self.prompts = read_sources({"mine": source(path, columns={"prompt_id": "pid"} | of_prompts)})
        mapped = {"trace_id": "own", "scale_b": None, "prompt_id": "pid"} | columns
        self.traces = generate("theirs", generator(path, columns=mapped), self.prompts, ledger)
        self.pairs = pair.pair(
            world.pairing(order=order, ladder=["big", "small"], within_generator=order == "both", samples="all"),
            self.traces,
        )
        self.ids = dict(self.traces.select("external_id", "trace_id").rows())

    def judge(self, rows: list[dict[str, Any]], **body: Any) -> pl.DataFrame:
        """The judgments of a file with these rows."""
        form = body.pop("form", "jsonl")
        path = save(self.folder / f"ratings.{form}", rows)
        params = ratings.Params.model_validate({"kind": "imported", "path": path, "unmatched": "error"} | body)
        assert not list(params.mistakes(None))  # type: ignore[arg-type]
        made = judge("people", params, self.traces, self.prompts, self.ledger)
        parquet.check(contracts.JUDGMENTS, made, "judgments")
        return made.sort("trace_id", "dimension", "repeat")

    def prefer(self, rows: list[dict[str, Any]], listed: pl.DataFrame | None = None, **body: Any) -> pl.DataFrame:
        """The verdicts of a file with these rows."""
        path = save(self.folder / "verdicts.jsonl", rows)
        params = verdicts.Params.model_validate({"kind": "imported", "path": path, "unmatched": "error"} | body)
        assert not list(params.mistakes(None))  # type: ignore[arg-type]
        made = prefer("people", params, self.pairs, self.traces, self.prompts, self.ledger, listed)
        parquet.check(contracts.PREFERENCES, made, "preferences")
        return made.sort("pair_id", "dimension", "order", "repeat")


@pytest.fixture
def study(tmp_path: Path, ledger: Ledger) -> Study:
    return Study(tmp_path, ledger, ROWS, "ladder")


@pytest.fixture(scope="module")
def shared_study(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Study]:
    """One that the examples of a property share."""
    folder = tmp_path_factory.mktemp("shared")
    limits = {"path": str(folder / "ledger.sqlite"), "recorded": str(folder), "offline": True, "max_failed": 0.0}
    with Ledger(Params.model_validate(limits)) as ledger:
        yield Study(folder, ledger, ROWS, "ladder")


@pytest.fixture
def both(tmp_path: Path, ledger: Ledger) -> Study:
    return Study(tmp_path, ledger, ROWS, "both")


def scored(rows: pl.DataFrame, study: Study, value: str = "score") -> dict[str, Any]:
    """The scores by the traces' own ids."""
    own = {id: name for name, id in study.ids.items()}
    return {own[id]: score for id, score in rows.filter(status="scored").select("trace_id", value).rows()}


@pytest.mark.parametrize("way", [way if way == "its own id and its text" else slow(way) for way in KEYS])
def test_however_a_trace_is_named_its_rating_is_its_own(way: str, study: Study) -> None:
    rated = [row | {"x": float(number)} for number, row in enumerate(ROWS)]
    wanted = {row["own"]: float(number) for number, row in enumerate(ROWS)}
    for rows in (rated, rated[::-1], random.Random(0).sample(rated, len(rated))):
        assert scored(study.judge(rows, dimensions={"logic": "x"}, **KEYS[way]), study) == wanted


def test_a_rating_of_a_text_is_one_of_every_trace_that_says_it(tmp_path: Path, ledger: Ledger) -> None:
    """Of both generators, and of no other prompt; blanks around it and Unicode's form are no difference."""
    study = Study(tmp_path, ledger, [*ROWS, ROWS[3] | {"n": 9, "own": "again"}], "ladder")
    rows = [{"q": "What is 4 * 6?\n", "text": " It is 24\r\n", "x": 4}]
    found = study.judge(rows, dimensions={"logic": "x"}, trace={"prompt": "q", "completion": "text"})
    assert scored(found, study) == {"p2/big/0": 4.0, "p2/small/1": 4.0, "again": 4.0}
    rows = [{"pid": "p2", "by": "big", "text": "It is 24", "x": 4}]
    found = study.judge(rows, dimensions={"logic": "x"}, **KEYS["its prompt's id, generator and text"])
    assert scored(found, study) == {"p2/big/0": 4.0, "again": 4.0}


TOOLS = [{"type": "function", "function": {"name": "add", "parameters": {"type": "object", "properties": {}}}}]


@pytest.mark.parametrize("told", ["completion", "number"])
def test_a_prompt_is_named_with_the_system_message_and_the_tools_that_stand_beside_it(
    told: str, tmp_path: Path, ledger: Ledger
) -> None:
    """The kind of fault: half of a prompt's identity that no column of a file of ratings can say."""
    asked = {"plain": {}, "brief": {"sys": "Be brief."}, "armed": {"tools": TOOLS}}
    rows = [
        row | {"sys": None, "tools": None} | beside | {"pid": f"{row['pid']}-{name}", "own": f"{row['own']}/{name}"}
        for name, beside in asked.items() for row in ROWS
    ]  # fmt: skip
    study = Study(tmp_path, ledger, rows, "ladder", system="sys", tools="tools")
    rated = [row | {"x": float(number)} for number, row in enumerate(rows)]
    apart = {"completion": "text"} if told == "completion" else {"sample_index": "n"}
    trace = {"prompt": "q", "system": "sys", "tools": "tools", "generator": "by"} | apart
    wanted = {row["own"]: row["x"] for row in rated}
    assert scored(study.judge(rated[::-1], dimensions={"logic": "x"}, trace=trace), study) == wanted
    turns = [row | {"q": [{"role": "system", "content": row["sys"]}] * bool(row["sys"])
                    + [{"role": "user", "content": row["q"]}]} for row in rated]  # fmt: skip
    del trace["system"]
    assert scored(study.judge(turns, dimensions={"logic": "x"}, trace=trace), study) == wanted
    with pytest.raises(ValidationError, match="name the column of prompt"):
        study.judge(rated, dimensions={"logic": "x"}, trace={"prompt_id": "pid", "generator": "by", "tools": "tools"})


def test_a_trace_without_an_answer_is_found_by_no_text(study: Study) -> None:
    """Nor is one found by a row that has none: absence is no text."""
    cut = pl.col("trace_id") == study.ids["p1/big/0"]
    study.traces = study.traces.with_columns(
        pl.when(~cut).then("completion"), pl.when(cut).then(pl.lit("hm")).alias("reasoning")
    )
    rows = [{"q": row["q"], "text": text, "x": 1} for row in ROWS[:2] for text in ("", None, row["text"])]
    by_text = {"prompt": "q", "completion": "text"}
    found = study.judge(rows, dimensions={"logic": "x"}, trace=by_text, unmatched="drop")
    assert scored(found, study) == {"p1/big/1": 1.0}
    rows = [{"q": ROWS[0]["q"], "text": None, "why": why, "x": 2} for why in ("hm", None, "")]
    both = by_text | {"reasoning": "why"}
    assert scored(study.judge(rows, dimensions={"logic": "x"}, trace=both, unmatched="drop"), study) == {
        "p1/big/0": 2.0
    }


def test_a_row_about_several_traces_names_them(study: Study) -> None:
    row = ROWS[0] | {"x": 1}
    with pytest.raises(CurationError, match=r"ratings\.jsonl: row 1: pid 'p1', by 'big' is of 2 traces, as big 0 and "
                       r"big 1, that it does not tell apart; name the column of sample_index, or"):  # fmt: skip
        study.judge([ROWS[2] | {"x": 1}, row], dimensions={"logic": "x"}, trace={"prompt_id": "pid", "generator": "by"})
    thought = study.traces.with_columns(
        pl.when(pl.col("generator") == "small").then(pl.lit("hm")).alias("reasoning"),
        pl.when(pl.col("prompt_id") == study.traces["prompt_id"][0]).then(pl.lit("It is 5")).alias("completion"),
    )
    study.traces = thought.with_columns(pl.coalesce("completion", study.traces["completion"]))
    of_text = {"prompt": "q", "completion": "text"}
    rows = [row | {"q": q, "text": "It is 5", "why": "hm"} for q in {row["q"] for row in ROWS}][:]
    with pytest.raises(
        CurationError, match=r"'It is 5' is of 3 traces, as big 0 and big 1, .*name the column of their"
    ):
        study.judge(rows, dimensions={"logic": "x"}, trace=of_text, unmatched="drop")
    found = study.judge(rows, dimensions={"logic": "x"}, trace=of_text | {"reasoning": "why"}, unmatched="drop")
    assert scored(found, study) == {"p1/small/0": 1.0} or scored(found, study) == {"p2/small/0": 1.0}


def test_an_id_of_two_generators_is_told_apart_by_theirs(study: Study) -> None:
    """Two files that both number their rows from 0."""
    number = pl.col("external_id").str.split("/").list.last()
    study.traces = study.traces.filter(pl.col("prompt_id") == study.traces["prompt_id"][0]).with_columns(number)
    rows = [{"id": 0, "by": "big", "x": 1}, {"id": 0, "by": "small", "x": 2}]
    with pytest.raises(CurationError, match=r"row 0: id '0' is the id of 2 traces; give each trace an id of its own"):
        study.judge(rows, dimensions={"logic": "x"}, trace_id="id")
    found = study.judge(rows, dimensions={"logic": "x"}, trace={"trace_id": "id", "generator": "by"})
    by = dict(study.traces.select("trace_id", "generator").rows())
    assert {by[id]: score for id, score in found.drop_nulls("score").select("trace_id", "score").rows()} == {
        "big": 1.0,
        "small": 2.0,
    }


def test_what_is_about_no_trace_is_counted_and_named(study: Study, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [row | {"x": 1} for row in ROWS]
    lost = [*rows, ROWS[0] | {"text": "It is 7", "x": 1}]
    by_text = {"trace": {"prompt": "q", "completion": "text"}}
    with pytest.raises(CurationError, match=r"1 of 8 rows are of no trace, the first has q 'What is 2 \+ 3\?', text "
                       r"'It is 7'; check that its texts .*, or set unmatched: drop$"):  # fmt: skip
        study.judge(lost, dimensions={"logic": "x"}, **by_text)
    found = study.judge(lost, dimensions={"logic": "x"}, unmatched="drop", **by_text)
    assert found.equals(study.judge(rows, dimensions={"logic": "x"}, **by_text))
    assert capsys.readouterr().err.endswith("1 of 8 rows are of no trace; dropped\n")


SLOT = st.tuples(st.sampled_from([row["own"] for row in ROWS]), st.sampled_from(["ann", "bo", "cy"]))
SCORE = st.none() | st.integers(1, 5).map(float)
CELLS = st.lists(st.tuples(SLOT, SCORE, SCORE, st.none() | st.sampled_from("xyz")), unique_by=lambda row: row[0])


@given(CELLS.filter(bool), st.booleans(), st.randoms())
@settings(max_examples=4, deadline=None)
def test_the_same_ratings_long_and_wide_are_the_same_judgments(
    shared_study: Study, cells: list[Any], by_rater: bool, shuffled: random.Random
) -> None:
    """With nulls, repeats and reasons, whether raters have names or not, in any order of rows."""
    study = shared_study
    wide = [{"id": own, "who": who, "l": x, "t": y, "why": why} for (own, who), x, y, why in cells]
    long = [
        {"id": row["id"], "who": row["who"], "aspect": aspect, "value": row[column], "why": row["why"]}
        for row in wide
        for aspect, column in (("Logic", "l"), ("Tone", "t"))
    ]
    shuffled.shuffle(long)
    shared = {"trace_id": "id", "rationale": "why"} | ({"rater": "who"} if by_rater else {})
    first = study.judge(wide, dimensions={"logic": "l", "tone": "t"}, **shared)
    other = study.judge(
        long, dimensions={"logic": "Logic", "tone": "Tone"}, dimension="aspect", score="value", **shared
    )
    assert first.equals(other)
    assert first.filter(pl.col("status") != "no_reference").height == 2 * len(cells)


def test_repeats_are_numbered_by_the_file_or_by_who_rates(study: Study) -> None:
    rows = [{"id": "p1/big/0", "x": x, "y": 6 - x, "time": time, "who": who, "why": who}
            for x, time, who in ((5, 2, "ann"), (1, 0, "bo"), (3, 1, "cy"))]  # fmt: skip
    wide: dict[str, Any] = {"trace_id": "id", "dimensions": {"logic": "x", "tone": "y"}, "rationale": "why"}
    timed = study.judge(rows, repeat="time", **wide).filter(status="scored", dimension="logic")
    assert timed.sort("repeat")["score"].to_list() == [1.0, 3.0, 5.0]
    named = study.judge(rows, rater="who", **wide).filter(status="scored")
    assert named.group_by("repeat").agg(pl.col("rationale").n_unique())["rationale"].to_list() == [1, 1, 1]
    for slot, value in (("repeat", "time"), ("rater", "who")):
        with pytest.raises(CurationError, match=rf"rows 1 and 3 both rate one trace, and have the same '?{value}'?; "):
            study.judge([*rows, rows[1] | {"x": 2}], **wide, **{slot: value})


def test_both_traces_of_a_row_are_rated_in_one_pass(study: Study) -> None:
    rows = [
        {"q": "What is 2 + 3?", "id_a": "p1/big/0", "id_b": "p1/small/0", "a": 4, "b": 2, "why_b": "wrong"},
        {"q": "What is 4 * 6?", "id_a": "p2/small/0", "id_b": "p2/big/0", "a": None, "b": 5, "why_b": None},
    ]
    sides = [{"trace": {"trace_id": f"id_{side}"}, "dimensions": {"quality": side}} for side in "ab"]
    sides[1]["rationale"] = {"quality": "why_b"}
    found = study.judge(rows, responses=sides)
    assert scored(found, study) == {"p1/big/0": 4.0, "p1/small/0": 2.0, "p2/big/0": 5.0}
    assert scored(found, study, "rationale")["p1/small/0"] == "wrong"
    assert found.filter(status="missing")["trace_id"].to_list() == [study.ids["p2/small/0"]]
    long = [
        {key: row[key] for key in ("id_a", "id_b")} | {"on": "Quality", "sa": row["a"], "sb": row["b"]} for row in rows
    ]
    of_long = [{"trace": {"trace_id": f"id_{side}"}, "score": f"s{side}"} for side in "ab"]
    same = study.judge(long[::-1], responses=of_long, dimension="on", dimensions={"quality": "Quality"})
    assert same.drop("rationale").equals(found.drop("rationale"))
    with pytest.raises(CurationError, match=r"1 of 4 rows are of no trace, the first has id_b 'x'; take ids"):
        study.judge([rows[0], rows[1] | {"id_b": "x"}], responses=sides)


STEPS = {"p1/big/0": [0.9, 0.5, 0.8], "p1/small/0": [0.25], "p2/big/0": [1.0, 0.5, None]}
BY_HAND: dict[str, dict[str, float]] = {
    "min": {"p1/big/0": 0.5, "p1/small/0": 0.25},
    "mean": {"p1/big/0": 2.2 / 3, "p1/small/0": 0.25},
    "last": {"p1/big/0": 0.8, "p1/small/0": 0.25},
    "product": {"p1/big/0": 0.36, "p1/small/0": 0.25},
}


@pytest.mark.parametrize("aggregate", [name if name == "mean" else slow(name) for name in BY_HAND])
@pytest.mark.parametrize("form", ["rows", *map(slow, ["lists", "parquet", "json", "rows from 1"])])
def test_steps_become_one_score_as_declared(aggregate: str, form: str, study: Study) -> None:
    """Whether their scores lie in lists, in the JSON of lists or in rows; a step without a score leaves none."""
    body: dict[str, Any] = {"trace_id": "id", "dimensions": {"process": "s"}, "scale": {"process": [0.0, 1.0]}}
    if form.startswith("rows"):
        start = 1 if form.endswith("1") else 0
        rows = [{"id": id, "s": s, "n": n} for id, all_ in STEPS.items() for n, s in enumerate(all_, start)]
        random.Random(1).shuffle(rows)
        body["steps"] = {"aggregate": aggregate, "index": "n"}
    else:
        rows = [{"id": id, "s": json.dumps(s) if form == "json" else s} for id, s in STEPS.items()]
        body |= {"steps": {"aggregate": aggregate}, "form": "parquet" if form == "parquet" else "jsonl"}
    found = study.judge(rows, **body)
    assert scored(found, study) == pytest.approx(BY_HAND[aggregate])
    assert found.filter(status="missing")["trace_id"].to_list() == [study.ids["p2/big/0"]]


def test_a_step_that_is_not_there_or_there_twice_is_told(study: Study, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"id": "p1/big/0", "s": 1.0, "n": n, "why": f"step {n}"} for n in (0, 1, 2)]
    body: dict[str, Any] = {"trace_id": "id", "dimensions": {"process": "s"}, "rationale": "why",
                            "steps": {"aggregate": "min", "index": "n"}}  # fmt: skip
    assert scored(study.judge(rows[::-1], **body), study, "rationale") == {"p1/big/0": "step 0\nstep 1\nstep 2"}
    other = [row | {"id": "p1/small/0"} for row in (rows[0], rows[2])]
    assert scored(study.judge([*rows, *other], **body), study) == {"p1/big/0": 1.0}
    assert "1 of 2 ratings lack a step, the first at row 3; they have no score" in capsys.readouterr().err
    with pytest.raises(CurationError, match=r"rows 1 and 3 both rate one step of a trace; name the column of repeat"):
        study.judge([*rows, rows[1]], **body)
    again = [row | {"who": who} for row in rows for who in ("ann", "bo")]
    assert study.judge(again, **body, rater="who").filter(status="scored").height == 2
    with pytest.raises(CurationError, match=r"row 1: column 's' is 2, off the scale of process from 0 to 1"):
        study.judge([rows[0], rows[1] | {"s": 2.0}], **body, scale={"process": [0.0, 1.0]})


def test_a_word_is_no_score_unless_it_is_declared_as_none(study: Study) -> None:
    rows = [{"id": "p1/big/0", "x": "4.5"}, {"id": "p1/small/0", "x": "N/A"}, {"id": "p2/big/0", "x": None}]
    body: dict[str, Any] = {"trace_id": "id", "dimensions": {"logic": "x"}}
    with pytest.raises(
        CurationError, match=r"line 2: column 'x' \(judges\.people\.dimensions\.logic\) is 'N/A', not a"
    ):
        study.judge(rows, **body)
    found = study.judge(rows, **body, missing=["N/A", "-"])
    assert scored(found, study) == {"p1/big/0": 4.5} and found.filter(status="missing").height == 2
    numbers = [{"id": "p1/big/0", "x": -1}, {"id": "p1/small/0", "x": 0.5}, {"id": "p2/big/0", "x": "-1.0"}]
    assert scored(study.judge(numbers, **body, missing=[-1]), study) == {"p1/small/0": 0.5}
    truths = [{"id": "p1/big/0", "x": True}, {"id": "p1/small/0", "x": "bad"}, {"id": "p2/big/0", "x": 0.5}]
    found = study.judge(truths, **body, words={"true": 1.0, "bad": 0.0})
    assert scored(found, study) == {"p1/big/0": 1.0, "p1/small/0": 0.0, "p2/big/0": 0.5}
    signs = [{"id": "p1/big/0", "x": ["+", "-", "+"]}, {"id": "p1/small/0", "x": ["+"]}]
    found = study.judge(signs, **body, words={"+": 1.0, "-": 0.0}, steps={"aggregate": "min"}, form="parquet")
    assert scored(found, study) == {"p1/big/0": 0.0, "p1/small/0": 1.0}
    lists = [{"id": "p1/big/0", "x": ["1", "N/A"]}, {"id": "p1/small/0", "x": "N/A"}, {"id": "p2/big/0", "x": [1, 2]}]
    found = study.judge(lists, **body, missing=["N/A"], steps={"aggregate": "last"})
    assert scored(found, study) == {"p2/big/0": 2.0} and found.filter(status="missing").height == 2


def test_a_long_file_says_which_dimensions_it_has(study: Study, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"id": "p1/big/0", "on": on, "x": 1} for on in ("Logic", "Style", "Style ")]
    body: dict[str, Any] = {"trace_id": "id", "dimension": "on", "score": "x"}
    found = study.judge(rows, dimensions={"logic": "Logic"}, **body)
    assert found.filter(status="scored").height == 1
    assert "2 of 3 rows are on 'Style', 'Style ' (on); left out" in capsys.readouterr().err
    with pytest.raises(
        CurationError, match=r"column 'on' nowhere says 'logic' \(dimensions.logic\); it says 'Logic', "
    ):
        study.judge(rows, dimensions={"logic": "logic"}, **body)


def ends(study: Study, rows: pl.DataFrame) -> list[tuple[str, str, str | None]]:
    """The traces of each verdict, chosen and rejected, and the verdict."""
    own = {id: name for name, id in study.ids.items()}
    joined = rows.join(study.pairs, on="pair_id").select("chosen_trace_id", "rejected_trace_id", "verdict").rows()
    return sorted((own[chosen], own[rejected], verdict) for chosen, rejected, verdict in joined)


SAID = [  # what a file says of two traces: the first, the second, and which is better
    ("p1/small/0", "p1/big/0", "b"),
    ("p1/big/1", "p1/small/0", "tie"),
    ("p2/small/0", "p2/big/0", "a"),
    ("p2/big/1", "p2/small/1", "b"),
    ("p2/big/1", "p2/small/0", None),
]
BY_OWN = {row["own"]: row for row in ROWS}
TURNED = {"a": "b", "b": "a"}


def two(a: str, b: str, verdict: str | None, **more: Any) -> dict[str, Any]:
    """A row of a file about two traces, with every name of both."""
    sides = {f"{key}_{side}": value for side, own in (("a", a), ("b", b)) for key, value in BY_OWN[own].items()}
    return sides | {"won": verdict} | more


def named(key: dict[str, Any]) -> dict[str, Any]:
    """`a` and `b` of a file of such rows, each named in one of the ways of KEYS."""
    columns = key.get("trace", key)
    return {side: {ours: f"{theirs}_{side}" for ours, theirs in columns.items()} for side in "ab"}


@pytest.mark.parametrize("way", [way if way == "all texts and the generator" else slow(way) for way in KEYS])
@pytest.mark.parametrize("order", ["both", slow("ladder")])
def test_a_verdict_on_two_traces_is_turned_with_its_pair(way: str, order: str, tmp_path: Path, ledger: Ledger) -> None:
    study = Study(tmp_path, ledger, ROWS, order)
    better = {"a": 1, "b": -1, "tie": 0, None: None}
    wanted = {frozenset(one[:2]): (one[0], better[one[2]]) for one in SAID}
    rows = [two(*one) for one in SAID]
    swapped = [two(b, a, TURNED.get(str(won), won)) for a, b, won in SAID]
    found = study.prefer(rows, verdict="won", **named(KEYS[way]))
    for chosen, rejected, verdict in ends(study, found):
        first, sign = wanted[frozenset((chosen, rejected))]
        sign = sign if sign is None or first == chosen else -sign
        assert {1: "chosen", -1: "rejected", 0: "tie", None: None}[sign] == verdict
    assert found.height == len(SAID) * (2 if order == "both" else 1)
    for same in (rows[::-1], swapped, [*rows[:2], *swapped[2:]]):
        assert study.prefer(same, verdict="won", **named(KEYS[way])).equals(found)


VERDICTS = st.lists(
    st.tuples(st.sampled_from(SAID), st.sampled_from(["ann", "bo"]), *[st.sampled_from(["a", "b", "tie", None])] * 2),
    unique_by=lambda row: (row[0][:2], row[1]),
    min_size=1,
)


@given(VERDICTS, st.booleans(), st.booleans(), st.randoms())
@settings(max_examples=3, deadline=None)
def test_the_same_verdicts_long_and_wide_are_the_same_preferences(
    shared_study: Study, cells: list[Any], by_rater: bool, turned: bool, shuffled: random.Random
) -> None:
    study = shared_study
    wide = [two(a, b, None, who=who, x=x, y=y) for (a, b, _), who, x, y in cells]
    long = [
        two(b, a, TURNED.get(row[column], row[column]), who=who, on=on)
        if turned
        else two(a, b, row[column], who=who, on=on)
        for row, ((a, b, _), who, _, _) in zip(wide, cells, strict=True)
        for on, column in (("Help", "x"), ("Style", "y"))
    ]
    shuffled.shuffle(long)
    shared = named(KEYS["its own id"]) | {"rationale": "who"} | ({"rater": "who"} if by_rater else {})
    first = study.prefer(wide, dimensions={"help": "x", "style": "y"}, **shared)
    other = study.prefer(long, dimension="on", dimensions={"help": "Help", "style": "Style"}, verdict="won", **shared)
    assert first.equals(other) and first.height == 2 * len(cells) and first["rationale"].null_count() == 0
    wanted = pairwise.pairwise_deltas(delta.Params(**world.DELTA), study.pairs, first, ["help", "style"])
    parquet.check(contracts.deltas(["help", "style"], pairwise=True), wanted, "deltas")


def test_words_numbers_and_orders_are_the_files_own(study: Study) -> None:
    """An arena's words and a signed number as HelpSteer3 has it say what a, b and tie say."""
    plain = study.prefer([two(*one) for one in SAID], verdict="won", **named(KEYS["its own id"]))
    arena = {"a": "model_a", "b": "model_b", "tie": "tie (bothbad)", None: "-"}
    said = study.prefer(
        [two(a, b, arena[won]) for a, b, won in SAID], verdict="won", missing=["-"],
        words={"a": ["A", "model_a"], "b": ["model_b"], "tie": ["tie", "tie (bothbad)"]}, **named(KEYS["its own id"]),
    )  # fmt: skip
    truths = study.prefer(
        [two(a, b, {"a": True, "b": False, "tie": 0.5, None: None}[won]) for a, b, won in SAID],  # type: ignore[arg-type]
        verdict="won", words={"a": [True], "b": [False], "tie": [0.5]}, **named(KEYS["its own id"]),
    )  # fmt: skip
    numbers = study.prefer(
        [two(a, b, {"a": -3, "b": 1, "tie": 0, None: None}[won]) for a, b, won in SAID],  # type: ignore[arg-type]
        verdict="won", negative="a", **named(KEYS["its own id"]),
    )  # fmt: skip
    assert said.equals(plain) and truths.equals(plain) and numbers.equals(plain)
    with pytest.raises(CurationError, match=r"column 'won' holds 'C' in 1 row, the first is row 1, not a, b, tie;"):
        study.prefer([two(*SAID[0]), two(*SAID[1][:2], "C")], verdict="won", **named(KEYS["its own id"]))
    rows = [two(*one, shown=shown) for one, shown in zip(SAID, (0, 1, 0, 1, 0), strict=True)]
    shown = study.prefer(rows, verdict="won", order="shown", words={"a_first": [0], "b_first": [1]},
                         **named(KEYS["its own id"]))  # fmt: skip
    first = {frozenset(one[:2]): one[row["shown"]] for one, row in zip(SAID, rows, strict=True)}
    own = {id: name for name, id in study.ids.items()}
    for chosen, rejected, order in (
        shown.join(study.pairs, on="pair_id").select("chosen_trace_id", "rejected_trace_id", "order").rows()
    ):
        assert (first[frozenset((own[chosen], own[rejected]))] == own[chosen]) == (order == "chosen_first")
    assert set(plain["order"]) == {"unknown"}
    in_both_orders = [two(*one) for one in SAID] + [two(b, a, TURNED.get(str(won), won)) for a, b, won in SAID]
    logged = study.prefer(in_both_orders, verdict="won", shown_first="a", **named(KEYS["its own id"]))
    assert logged.height == 2 * plain.height and set(logged["repeat"]) == {0}
    assert logged.group_by("pair_id").agg(pl.col("order").n_unique(), pl.col("verdict").n_unique()).select(
        pl.col("order", "verdict").unique()).row(0) == (2, 1)  # fmt: skip


def test_a_verdict_is_by_the_users_own_id_of_a_pair(both: Study) -> None:
    """That of a comparison in a preference set, on its sides as they are listed; ours is of one pair alone."""
    listed = world.rows_of(contracts.LISTED_PAIRS, [
        {"listed_id": number, "source": "mine", "prompt_id": 1, "chosen_trace_id": both.ids[chosen],
         "rejected_trace_id": both.ids[rejected], "order": "unknown", "external_id": id}
        for number, (id, chosen, rejected) in enumerate(
            [("x", "p1/small/0", "p1/big/0"), ("y", "p2/big/0", "p2/big/1"), ("z", "p2/big/0", "p2/small/0"),
             ("z", "p2/big/0", "p2/small/1"), ("w", "p1/big/1", "p1/small/0")])
    ])  # fmt: skip
    by_id: dict[str, Any] = {"pair_id": "id", "verdict": "won"}
    rows = [{"id": "x", "won": "chosen", "text": "It is 6"}, {"id": "y", "won": "rejected", "text": None}]
    found = both.prefer(rows, listed, chosen="text", **by_id)
    assert ends(both, found) == sorted([
        ("p1/small/0", "p1/big/0", "chosen"), ("p1/big/0", "p1/small/0", "rejected"),
        ("p2/big/0", "p2/big/1", "rejected"), ("p2/big/1", "p2/big/0", "chosen"),
    ])  # fmt: skip
    ours = both.pairs["pair_id"][0]
    assert both.prefer([{"id": str(ours), "won": "tie"}], listed, **by_id)["pair_id"].to_list() == [ours]
    with pytest.raises(
        CurationError, match=r"row 1: id 'z' is the id of 2 comparisons; name the columns of both traces"
    ):
        both.prefer([rows[0], {"id": "z", "won": "tie"}], listed, **by_id)
    with pytest.raises(CurationError, match=r"row 0: column 'text' has another text than x: 'It is 5', not 'It is 6'"):
        both.prefer([rows[0] | {"text": "It is 5"}], listed, chosen="text", **by_id)


def test_a_verdict_on_two_traces_counts_once_in_the_fit(both: Study, study: Study) -> None:
    """Where each two traces are two pairs it is a row of both, as a model's verdict is, and still one verdict."""
    rows = [two(*one, who=who) for one in SAID[:2] for who in ("ann", "bo")]
    body = {"verdict": "won"} | named(KEYS["its own id"])
    how, wide = delta.Params(**world.DELTA), {}
    for name, one in (("both", both), ("ladder", study)):
        wide[name] = pairwise.pairwise_deltas(how, one.pairs, one.prefer(rows, **body), ["preference"])
    shared = wide["both"].join(wide["ladder"].drop_nulls("delta_preference"), on="pair_id", suffix="_alone")
    assert shared.height == 2
    for column in ("chosen_preference", "rejected_preference", "n_preference"):
        assert shared[column].to_list() == pytest.approx(shared[f"{column}_alone"].to_list())


WRONG: dict[str, tuple[dict[str, Any], str]] = {  # of a judge: what is changed, and what is said
    "no trace": ({"trace_id": None}, "trace_id: one of trace_id, trace and responses says"),
    "two ways": ({"trace": {"trace_id": "id"}}, "trace_id: one of trace_id, trace and responses says"),
    "texts elsewhere": ({"trace_id": None, "trace": {"trace_id": "i"}, "completion": "t"}, "completion: stands beside"),
    "no ratings": ({"dimensions": None}, "dimensions: missing; name the columns of ratings"),
    "no score": ({"dimension": "on"}, "score: missing; name the column of ratings"),
    "no dimension": ({"score": "x"}, "score: is of a long file; name the column with the dimension"),
    "no words": ({"dimension": "on", "score": "x", "dimensions": None}, "dimensions: missing; name the words in"),
    "two slots": ({"repeat": "n", "rater": "who"}, "rater: rows are told apart by repeat already"),
    "no rationale": ({"rationale": {"tone": "why"}}, "rationale.tone: is none of its dimensions; known: logic"),
    "a product": ({"steps": {"aggregate": "product"}, "scale": {"logic": [1.0, 5.0]}}, "steps.aggregate: product"),
    "columns above": ({"trace_id": None, "responses": [{"trace": {"trace_id": "a"}, "dimensions": {"l": "x"}}]},
                      "dimensions: each of responses has columns of its own"),
    "none below": ({"trace_id": None, "dimensions": None, "responses": [{"trace": {"trace_id": "a"}}]},
                   "responses.0.dimensions: missing; name the columns of ratings"),
}  # fmt: skip
WRONG_VERDICTS: dict[str, tuple[dict[str, Any], str]] = {
    "no pair": ({"pair_id": None}, "pair_id: it, or both of a and b, say which pair"),
    "one side": ({"pair_id": None, "a": {"trace_id": "a"}}, "pair_id: it, or both of a and b, say which pair"),
    "no verdict": ({"verdict": None}, "verdict: it names the column of verdicts, or dimensions"),
    "two": ({"dimensions": {"x": "y"}}, "verdict: it names the column of verdicts, or dimensions"),
    "a side": ({"negative": "a"}, "negative: 'a' is no side of a row; it is one of chosen, rejected"),
    "a word": ({"words": {"a": ["A"]}}, "words.a: no row says it; known: chosen, rejected, tie"),
    "a word twice": ({"words": {"chosen": ["A"], "tie": ["A"]}}, "words: 'A' stands for two things"),
    "shown": ({"shown_first": "a"}, "shown_first: is said of a and b"),
}


@pytest.mark.parametrize("case", [*WRONG, *WRONG_VERDICTS])
def test_a_mistake_in_the_mapping_is_said_before_anything_is_read(case: str, tmp_path: Path) -> None:
    path = save(tmp_path / "x.jsonl", [{"id": 1}])
    shared = {"kind": "imported", "path": path, "unmatched": "error"}
    if case in WRONG:
        changes, said = WRONG[case]
        body = shared | {"trace_id": "id", "dimensions": {"logic": "x"}} | changes
        found = list(ratings.Params.model_validate(body).mistakes(None))  # type: ignore[arg-type]
    else:
        changes, said = WRONG_VERDICTS[case]
        body = shared | {"pair_id": "id", "verdict": "x"} | changes
        found = list(verdicts.Params.model_validate(body).mistakes(None))  # type: ignore[arg-type]
    assert any(line.startswith(said) for line in found), found


PAGE = Path(__file__).parents[1] / "docs/ratings.md"
FILE_AND_SETTINGS = re.compile(r"^```jsonl\n([^`]*)```\n\n```yaml\n([^`]*)```\n", re.MULTILINE)
ON_THE_PAGE: list[dict[tuple[str, str], Any]] = [  # what its examples come to, in their order
    {("t1", "helpfulness"): 5, ("t1", "tone"): 4, ("t2", "helpfulness"): 1, ("t2", "tone"): 4},
    {("t1", "helpfulness"): 4.5, ("t2", "tone"): 2},
    {("t3", "grade"): 5, ("t4", "grade"): 1},
    {("t1", "reward"): 0.91, ("t2", "reward"): 0.13, ("t3", "reward"): 0.87, ("t4", "reward"): 0.22},
    {("t1", "process"): 0.95},
    {("t1", "overall"): "chosen", ("t1", "clarity"): "tie", ("t3", "overall"): "chosen", ("t3", "clarity"): "chosen"},
    {("t1", "preference"): "chosen", ("t3", "preference"): "tie"},
]


def test_the_examples_of_the_page_come_to_what_it_says(tmp_path: Path, ledger: Ledger) -> None:
    text = PAGE.read_text()
    first = text.split("```jsonl\n")[1].split("```")[0]
    rows = [
        {
            "q": row["question"],
            "pid": row["task"],
            "gold": "5",
            "by": row["model"],
            "text": row["text"],
            "own": row["id"],
        }
        for row in map(json.loads, first.splitlines())
    ]
    study = Study(tmp_path, ledger, rows, "ladder", sample_index=None)
    own = {id: name for name, id in study.ids.items()}
    examples = FILE_AND_SETTINGS.findall(text)
    for (lines, said), wanted in zip(examples, ON_THE_PAGE, strict=True):
        ((section, entries),) = YAML(typ="safe", pure=True).load(said).items()
        (body,) = entries.values()
        assert body.pop("path").startswith("data/import/")
        given_rows = [json.loads(line) for line in lines.splitlines()]
        if section == "judges":
            found = study.judge(given_rows, **body).drop_nulls("score").group_by("trace_id", "dimension")
            means = found.agg(pl.col("score").mean()).rows()
            assert {(own[id], name): score for id, name, score in means} == pytest.approx(wanted)
        else:
            made = study.prefer(given_rows, **body).join(study.pairs, on="pair_id")
            verdicts_ = made.select("chosen_trace_id", "dimension", "verdict").rows()
            assert {(own[id], name): verdict for id, name, verdict in verdicts_} == wanted


def test_a_key_that_a_response_does_not_have_is_told_with_those_that_it_has(tmp_path: Path) -> None:
    body = {"kind": "imported", "path": "x", "unmatched": "error"}
    body |= {"responses": [{"trace": {"trace_id": "a", "sample": "b"}, "scores": "x"}]}
    with pytest.raises(ValidationError) as caught:
        ratings.Params.model_validate(body)
    assert format_validation_errors(ratings.Params, caught.value.errors(), "j") == [
        "j.responses.0.trace.sample: unknown key; did you mean 'sample_index'?",
        "j.responses.0.scores: unknown key; did you mean 'score'?",
    ]
