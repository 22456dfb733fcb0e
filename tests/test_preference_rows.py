"""What reading a preference set says before anything is paid for, and that its words become the rows that they become
as prompts and traces of other kinds.

Kinds of fault: a wrong mapping that is found one mistake at a time, or by a traceback; a half-readable file whose row
and column are not named; texts that are other rows because they came in a preference set.
"""

import json
import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import world
from pydantic import ValidationError
from test_preference_sets import (
    NOTHING_DROPPED,
    PUBLISHED,
    SETS,
    assert_same,
    collected,
    message,
    rows_of,
    save,
    source,
)

from curation.calls.ledger import Ledger
from curation.core.errors import CurationError
from curation.core.messages import format_validation_errors
from curation.core.params import read
from curation.prompts.collect import collect
from curation.prompts.decontaminate import Params as Decontaminate
from curation.prompts.sources import table
from curation.prompts.sources.pairs import Params
from curation.traces.generators import imported

PAIR = {"kind": "pair", "chosen": "good", "rejected": "bad"}
LIST = [{"text": "5", "rated": {"score": 1}}]
LISTS = {"kind": "responses", "each": "all", "text": "text", "ratings": {"score": "rated.score"}, "order_by": "score"}
WORDS = {"kind": "votes", "a": "good", "b": "bad", "winner": "won", "words": {"a": ["A"], "b": ["B"]}}
ROW = {
    "q": "What is 2 + 3?",
    "good": "5",
    "bad": "6",
    "won": "A",
    "ok": True,
    "all": [{"text": "5", "rated": {"score": 1}}],
}


def unmet(path: Path, **settings: Any) -> list[str]:
    """What `curation params` says of the file."""
    return list(source(path, **settings).unmet(None))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("settings", "row", "lines"),
    [
        (
            {"layout": PAIR | {"chosen": "goood", "chosen_model": "model"}, "columns": {"prompt": "question"}},
            {},
            ["no column 'question' (columns.prompt), no column 'goood' (layout.chosen), no column 'model' "
             "(layout.chosen_model); it has q, good, bad, won, ok, all; did you mean 'good'?"],
        ),
        (
            {"layout": LISTS | {"text": "response", "ratings": {"score": "rated.skore"}}},
            {},
            ["column 'all' (layout.each) has no field 'response' (layout.text) in any row; it has text, rated, "
             "rated.score",
             "column 'all' (layout.each) has no field 'rated.skore' (layout.ratings.score) in any row; it has text, "
             "rated, rated.score"],
        ),
        ({"layout": PAIR}, {"good": 5, "bad": ["6", 7]}, [
            "row 1: column 'good' (layout.chosen) is 5, not text, a message or a list of messages",
            "row 1: column 'bad' (layout.rejected) is ['6', 7], whose message 1 is '6', not a message",
        ]),
        ({"layout": PAIR}, {"bad": [{"role": "robot", "content": "6"}]}, [
            "row 1: column 'bad' (layout.rejected) is [{'content': '6', 'role': 'robot'}], whose message 1 has the "
            "role 'robot', which is none of system, developer",
        ]),
        ({"layout": WORDS}, {"won": "C"}, [
            "row 1: column 'won' (layout.winner) is 'C', which words does not have, but 'A', 'B'",
        ]),
        ({"layout": {"kind": "labelled", "completion": "good", "label": "won", "rating": "ok"}}, {}, [
            "row 0: column 'won' (layout.label) is 'A', neither good nor bad; say in layout.words which of both it is",
        ]),
        ({"layout": {"kind": "ranked", "each": "q", "text": "text"}}, {}, [
            "row 0: column 'q' (layout.each) is 'What is 2 + 3?', not a list of responses",
        ]),
        ({"layout": PAIR, "columns": {"prompt": "all"}}, {}, [
            "row 0: column 'all' (columns.prompt) is [{'rated': {'score': 1}, 'text': '5'}], whose message 1 has no "
            "role, but ['text', 'rated']; write role and content, or from and value",
        ]),
        ({"layout": PAIR, "columns": {}}, {}, [
            "no row is left: 2 rows: there is no prompt; look at layout and columns",
        ]),
    ],
)  # fmt: skip
def test_a_wrong_mapping_is_found_before_anything_is_paid_for(
    settings: dict[str, Any], row: dict[str, Any], lines: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = save(tmp_path / "set.jsonl", [ROW, ROW | row])
    told = unmet(path, **({"columns": {"prompt": "q"}} | settings))
    assert len(told) == len(lines)
    for line, expected in zip(told, lines, strict=True):
        assert line.startswith(f"path: {path}: {expected}")
    with pytest.raises(CurationError) as error:
        collected(path, **({"columns": {"prompt": "q"}} | settings))
    assert str(error.value).splitlines() == [line.removeprefix("path: ") for line in told]
    assert capsys.readouterr().err.count("is left out") == 0


def test_all_values_that_are_not_what_their_places_say_are_named_at_once(tmp_path: Path) -> None:
    settings = {"layout": WORDS, "columns": {"prompt": "q", "task": "ok"}}
    rows = [
        ROW | {"ok": "t"},
        ROW | {"won": "C", "ok": "t"},
        ROW | {"good": 1, "ok": "t"},
        ROW | {"ok": 3},
        ROW | {"won": "D"},
    ]
    path = save(tmp_path / "set.jsonl", rows)
    assert [line.removeprefix(f"path: {path}: ").split(" is ")[0] for line in unmet(path, **settings)] == [
        "row 1: column 'won' (layout.winner)",
        "row 2: column 'good' (layout.a)",
        "row 3: column 'ok' (columns.task)",
    ]


@pytest.mark.parametrize(
    ("layout", "said"),
    [
        ({"kind": "pears"}, [
            "layout.kind: 'pears' is not one of labelled, pair, ranked, responses, votes; did you mean 'pair'?"
        ]),
        ({"kind": "pair", "chosen": "good"}, ["layout.rejected: missing; add it"]),
        ({**PAIR, "choosen_model": "m"}, ["layout.choosen_model: unknown key; did you mean 'chosen_model'?"]),
        ({**LISTS, "order_by": "skore"}, ["layout: order_by: 'skore' is no rating; did you mean 'score'?"]),
        ({**WORDS, "negative": "a"}, [
            "layout: say which side won by one of words, negative, a winner with a column for each vote, and order_by"
        ]),
        ({**WORDS, "words": {"a": ["A", 1], "b": ["1"]}}, ["layout.words: '1' is there twice; keep one"]),
    ],
)  # fmt: skip
def test_a_layout_is_checked_with_the_rest_of_the_params(
    layout: dict[str, Any], said: list[str], tmp_path: Path
) -> None:
    with pytest.raises(ValidationError) as error:
        source(tmp_path / "set.jsonl", layout=layout)
    assert format_validation_errors(Params, error.value.errors(), "sources.mine") == [
        f"sources.mine.{line}" for line in said
    ]


def test_the_same_words_are_the_rows_that_they_are_as_prompts_and_imported_traces(tmp_path: Path) -> None:
    """Also those of a model that thinks, and of conversations with a system prompt."""
    turns = [
        message("system", "Be brief."),
        message("user", "Hi"),
        message("assistant", "Yes?"),
        message("user", "2 + 3?"),
    ]
    thoughtful = {"role": "assistant", "content": "5", "reasoning_content": "2 and 3 make 5.\n"}
    answers = ["<think>\nAdding.\n</think>\n\n5", " plain ", "<think>only", thoughtful, [thoughtful]]
    asked = ["What is 2 + 3?", turns, "What is 2 + 3?", turns, "naïve\r\n"]
    rows = [
        {"q": q, "good": answer, "bad": "6", "id": n} for n, (q, answer) in enumerate(zip(asked, answers, strict=True))
    ]
    path, rule = save(tmp_path / "set.jsonl", rows), {"kind": "think"}
    made = collected(path, layout=PAIR, columns={"prompt": "q"}, reasoning=rule)
    known = {"kind": "table", "path": str(path), "split": "train", "verifier": None, "instruction": None,
             "columns": {"prompt": "q", "answer": None, "task": None}}  # fmt: skip
    prompts = collect({"mine": table.Params.model_validate(known)}, NOTHING_DROPPED).prompts
    assert made.prompts.sort("prompt_id").equals(prompts.sort("prompt_id"))
    written = [{"q": row["q"], "a": row[side]} for row in rows for side in ("good", "bad")]
    distinct = list({json.dumps(row, sort_keys=True): row for row in written}.values())
    columns = dict.fromkeys(("generator", "sample_index", "family", "scale_b", "finish_reason"))
    settings = imported.Params.model_validate({
        "kind": "imported", "path": str(save(tmp_path / "traces.jsonl", distinct)), "unmatched": "error",
        "family": None, "scale_b": None, "reasoning": rule, "columns": columns | {"prompt": "q", "completion": "a"},
    })  # fmt: skip
    ledger = Ledger(read(world.PARAMS).ledger)
    same = ("trace_id", "prompt_id", "sample_index", "reasoning", "completion", "finish_reason", "left_out_characters")
    traces = imported.traces(settings, "mine", prompts, made.responses, ledger).select(same).sort("trace_id")
    once = traces.unique("trace_id", maintain_order=True)
    assert made.responses.select(same).sort("trace_id").equals(once)


def test_what_is_of_a_dropped_prompt_is_in_no_table_and_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [ROW | {"q": "What is 2 + 3?"}, ROW | {"q": "What is 4 + 5?", "good": "9", "bad": "8"}]
    path = save(tmp_path / "set.jsonl", rows)
    held = save(tmp_path / "held.jsonl", [{"q": "what is 2+3", "gold": "5"}])
    benchmark = {"kind": "table", "path": str(held), "split": "in_domain", "verifier": None, "instruction": None,
                 "columns": {"prompt": "q", "answer": "gold", "task": None}}  # fmt: skip
    rated = {**PAIR, "ratings": {"ok": {"chosen": "ok", "rejected": "ok"}}}
    sources = {
        "mine": source(path, layout=rated, columns={"prompt": "q"}),
        "held": table.Params.model_validate(benchmark),
    }
    made = collect(sources, Decontaminate.model_validate({"exact": True, "ngram": None, "near_duplicates": None}))
    assert set(made.responses["completion"]) == {"9", "8"} and made.listed_pairs.height == 1
    assert set(made.ratings["trace_id"]) == set(made.responses["trace_id"])
    line = "collect: dropped with their prompts: 2 responses, 2 ratings, 1 listed pair"
    assert line in capsys.readouterr().err.splitlines()


@pytest.mark.parametrize("form", ["parquet", "json", "csv"])
def test_a_set_is_the_same_in_every_form_of_file(form: str, tmp_path: Path) -> None:
    """Nested values in a CSV are the JSON of them."""
    rows, settings = rows_of("ultrafeedback"), PUBLISHED["ultrafeedback"]["settings"]
    path = tmp_path / f"set.{form}"
    if form == "csv":
        nested = [
            {key: json.dumps(value) if isinstance(value, list) else value for key, value in row.items()} for row in rows
        ]
        pl.DataFrame(nested).write_csv(path)
    elif form == "json":
        path.write_text(json.dumps(rows))
    else:
        pl.DataFrame(rows).write_parquet(path)
    first = collected(SETS / "ultrafeedback.jsonl", **settings)
    assert_same(first, collected(path, **settings))


ODD: dict[str, tuple[dict[str, Any], dict[str, Any], list[str]]] = {  # changed settings, a row's changes, completions
    "a message of parts": (
        PAIR, {"good": [{"role": "assistant", "content": [{"type": "text", "text": "five"}]}]}, ["6", "five"],
    ),
    "ShareGPT's names": (PAIR, {"good": {"from": "gpt", "value": "five"}}, ["6", "five"]),
    "a refusal": (PAIR, {"good": [{"role": "assistant", "content": None, "refusal": "No."}]}, ["6", "No."]),
    "no content": (PAIR, {"good": [{"role": "assistant", "content": None}]}, ["6"]),
    "a struct of lists": (LISTS, {"all": {"text": ["x", "y"], "rated": {"score": [1, 2]}}}, ["x", "y"]),
    "a null among the responses": (LISTS, {"all": [None, {"text": "x", "rated": {"score": None}}]}, ["x"]),
    "ranked texts": ({"kind": "ranked", "text": "all"}, {"all": ["best", "worst"]}, ["best", "worst"]),
    "other line ends": (
        PAIR, {"q": None, "good": "\r\n\r\nHuman: Hi\r\n\r\nAssistant: yo", "bad": "Human: Hi\n\nAssistant: no"},
        ["no", "yo"],
    ),
    "numbers that no double holds": (
        {**PAIR, "ratings": {"ok": {"chosen": "ok", "rejected": "won"}}}, {"ok": 10**400, "won": "9" * 500}, ["5", "6"],
    ),
    "true and false as words": (
        WORDS | {"winner": "ok", "words": {"a": [True], "b": ["false"]}}, {"ok": False}, ["5", "6"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", ODD)
def test_odd_rows_are_read_as_they_are_meant(case: str, tmp_path: Path) -> None:
    layout, row, completions = ODD[case]
    marks = {"user": "\n\nHuman:", "assistant": "\n\nAssistant:"}
    made = collected(
        save(tmp_path / "set.jsonl", [ROW | row]), layout=layout, columns={"prompt": "q"}, transcript=marks
    )
    assert sorted(made.responses["completion"]) == completions


@pytest.mark.parametrize(
    ("layout", "row", "line"),
    [
        ({**PAIR, "chosen_model": "all"}, {}, "column 'all' (layout.chosen_model) is [{'rated': "),
        (WORDS | {"winner": "ok"}, {"ok": float("inf")}, "'ok' (layout.winner) is inf, which words does not have"),
        ({**WORDS, "words": None, "negative": "a"}, {"won": "inf"}, "'won' (layout.winner) is 'inf', not a number"),
        (LISTS, {"all": []}, "no row is left: 1 row: there is no response"),
        (LISTS | {"each": None, "text": "all", "ratings": {"score": "q"}}, {"all": ["x", "y"]},
         "column 'q' (layout.ratings.score) is 'What is 2 + 3?', not a list of 2"),
        (PAIR, {"good": "\ud800"}, "column 'good' (layout.chosen) is '\\ud800', text with half a character"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_said(layout: dict[str, Any], row: dict[str, Any], line: str, tmp_path: Path) -> None:
    with pytest.raises(CurationError, match=re.escape(line)):
        collected(save(tmp_path / "set.jsonl", [ROW | row]), layout=layout, columns={"prompt": "q"})


TURNS = {"kind": "votes", "a": "good", "b": "bad", "winner": "won", "words": {"a": ["A"], "b": ["B"]}, "turn": "turn"}


def talk(*texts: str) -> list[dict[str, str]]:
    """A conversation that the user begins."""
    return [message(("user", "assistant")[number % 2], text) for number, text in enumerate(texts)]


@pytest.mark.parametrize("form", ["lists", "json", "transcript"])
def test_a_vote_on_an_earlier_turn_ends_both_sides_there_however_they_are_written(form: str, tmp_path: Path) -> None:
    """The kind of fault: a column that is heeded in one form of a value and passed over in another."""
    write: dict[str, Any] = {
        "lists": lambda turns: turns,
        "json": json.dumps,
        "transcript": lambda turns: "".join(f" {turn['role'][0]}: {turn['content']}" for turn in turns),
    }
    sides = {"good": talk("Hi", "x1", "And?", "x2"), "bad": talk("Hi", "y1", "And?", "y2")}
    row = {side: write[form](turns) for side, turns in sides.items()} | {"won": "A", "turn": 1}
    spoken = {"user": " u:", "assistant": " a:"} if form == "transcript" else None
    made = collected(save(tmp_path / "t.jsonl", [row]), layout=TURNS, transcript=spoken)
    assert sorted(made.responses["completion"]) == ["x1", "y1"]


@pytest.mark.parametrize("turn", [0, -1, 1.5, "first"])
def test_a_number_that_is_no_turn_is_a_mistake(turn: Any, tmp_path: Path) -> None:
    """One that counts from 0 would be a vote on another turn."""
    row = {"good": talk("Hi", "x1"), "bad": talk("Hi", "y1"), "won": "A", "turn": turn}
    line = f"row 0: column 'turn' (layout.turn) is {turn!r}, not the number of a turn; they count from 1"
    assert line in "".join(unmet(save(tmp_path / "t.jsonl", [row]), layout=TURNS, columns={}))


def test_a_vote_on_a_turn_that_a_side_does_not_reach_is_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sides = {"good": talk("Hi", "x1"), "bad": talk("Hi", "y1"), "won": "A"}
    path = save(tmp_path / "t.jsonl", [sides | {"turn": 1}, sides | {"turn": 2}])
    assert collected(path, layout=TURNS).listed_pairs.height == 1
    assert (
        "left out: 1 row: a side ends before the turn that the vote is on; the first at row 1"
        in capsys.readouterr().err
    )


@pytest.mark.parametrize("turned", [False, True])
def test_prompts_that_are_the_same_text_are_one_prompt_of_a_row(turned: bool, tmp_path: Path) -> None:
    """Unicode's normal form, line ends and outer blanks make no other prompt, of either side or in the column."""
    sides = [talk("Caf\u00e9?\r\nOr tea?", "x"), talk("Cafe\u0301?\nOr tea? ", "y")][:: -1 if turned else 1]
    row = {"q": " Caf\u00e9?\nOr tea?", "good": sides[0], "bad": sides[1]}
    made = collected(save(tmp_path / "t.jsonl", [row]), layout=PAIR, columns={"prompt": "q"})
    assert made.listed_pairs.height == 1
    assert [turn["content"] for turn in made.prompts["prompt"][0]] == ["Cafe\u0301?\nOr tea? "]


def test_of_a_prompt_with_several_tasks_or_ids_the_least_is_kept_and_that_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The kind of fault: a value of a named column that is in no table, and that nothing says."""
    rows = [{"q": "Q", "good": "x", "bad": f"y{of}", "t": f"t{of}", "id": f"i{of}"} for of in (2, 1)]
    columns = {"prompt": "q", "task": "t", "prompt_id": "id"}
    made = collected(path := save(tmp_path / "t.jsonl", rows), layout=PAIR, columns=columns)
    assert made.prompts.select("task", "external_id").rows() == [("t1", "i1")]
    said = capsys.readouterr().err
    for what in ("tasks", "ids"):
        assert f"{path}: 1 prompt has several {what}, of which the least is kept\n" in said
