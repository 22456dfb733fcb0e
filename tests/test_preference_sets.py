"""Preference sets in the layouts that they are published in, each with what it must become.

Kinds of fault: a response, a rating or a verdict that is lost without a word or moves to another text; what the order
of rows, or the layout, decides though it says the same; a mapping that is wrong and found late, or one mistake at a
time.
"""

import json
import re
from pathlib import Path
from random import Random
from typing import Any

import polars as pl
import pytest
from conftest import fast
from ruamel.yaml import YAML

from curation.core.errors import CurationError
from curation.prompts.collect import Collected, collect
from curation.prompts.decontaminate import Params as Decontaminate
from curation.prompts.layouts._kind import LeftOut
from curation.prompts.preferences.row import read_row
from curation.prompts.sources.pairs import Params
from curation.tables import contracts, parquet

SETS = Path(__file__).parent / "data/preference_sets"
PUBLISHED: dict[str, Any] = YAML(typ="safe", pure=True).load(SETS / "sets.yaml")
NOTHING_DROPPED = Decontaminate.model_validate({"exact": False, "ngram": None, "near_duplicates": None})


def rows_of(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (SETS / f"{name}.jsonl").read_text().splitlines()]


def save(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def source(path: Path, **settings: Any) -> Params:
    return Params.model_validate({"kind": "pairs", "split": "train", "path": str(path), "columns": {}, **settings})


def collected(path: Path, name: str = "mine", **settings: Any) -> Collected:
    """What is collected of one set, which keeps the contracts of its tables."""
    made = collect({name: source(path, **settings)}, NOTHING_DROPPED)
    for table, rows in made.tables.items():
        parquet.check(contracts.TABLES[table], rows, table)
    return made


def told(made: Collected) -> dict[str, list[Any]]:
    """The tables in words: prompts by all their turns or the last, responses by their texts."""
    turns = dict(made.prompts.select("prompt_id", "prompt").rows())
    texts = {
        number: text if thought is None else f"{thought} / {'null' if text is None else text}"
        for number, thought, text in made.responses.select("trace_id", "reasoning", "completion").rows()
    }
    of_pairs = made.listed_pairs.drop("listed_id", "source", "prompt_id").rows()
    rows = {
        "prompts": [
            " | ".join(f"{turn['role']}: {turn['content']}" for turn in messages) for messages in turns.values()
        ],
        "responses": [
            [turns[of][-1]["content"], model, texts[number]]
            for number, of, model in made.responses.select("trace_id", "prompt_id", "generator").rows()
        ],
        "ratings": [
            [texts[number], *rest]
            for number, *rest in made.ratings.select("trace_id", "dimension", "score", "rationale").rows()
        ],
        "pairs": [spelt([texts[chosen], texts[rejected], *rest]) for chosen, rejected, *rest in of_pairs],
    }
    return {name: in_order(listed) for name, listed in rows.items()}


def spelt(pair: list[Any]) -> list[Any]:
    """A row of pairs that says which text was shown first; without a better side, whichever way round it stands."""
    chosen, rejected, verdict, order, *rest = pair
    first = {"chosen_first": chosen, "rejected_first": rejected}.get(order)
    return [*([chosen, rejected] if verdict == "chosen" else sorted([chosen, rejected])), verdict, first, *rest]


def in_order(rows: list[Any]) -> list[Any]:
    return sorted(rows, key=json.dumps)


def said(capsys: pytest.CaptureFixture[str], path: Path) -> list[str]:
    """The lines on stderr, without the name of the file that each begins with."""
    lines = capsys.readouterr().err.splitlines()
    assert all(line.startswith(f"{path}: ") for line in lines), lines
    return [line.removeprefix(f"{path}: ") for line in lines]


@pytest.mark.parametrize("name", fast(PUBLISHED, 8))
def test_a_published_layout_becomes_what_it_must(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    expected, path = PUBLISHED[name], SETS / f"{name}.jsonl"
    made = collected(path, name, **expected["settings"])
    pairs = in_order([spelt(pair) for pair in expected["pairs"]])
    assert told(made) == {
        **{table: in_order(expected[table]) for table in ("prompts", "responses", "ratings")}, "pairs": pairs,
    }  # fmt: skip
    assert said(capsys, path) == expected["said"]
    rows = rows_of(name)
    assert_same(made, collected(save(tmp_path / "turned.jsonl", rows[::-1]), name, **expected["settings"]))


def assert_same(made: Collected, other: Collected) -> None:
    """Every table has the same rows."""
    for table, rows in made.tables.items():
        key = contracts.TABLES[table].key
        assert rows.sort(key).equals(getattr(other, table).sort(key)), table


TASKS = {"What is 2 + 3?": ("It is 5.", "It is 6."), "Name a bird.": ("A wren.", "A trout."), "Hi": ("Hello!", "Go.")}
COLUMNS: dict[str, Any] = {"prompt": "q", "row_id": "id", "carried": ["lang"]}
MARKS = {"user": "\n\nuser:", "assistant": "\n\nassistant:"}
PAIR = {"kind": "pair", "chosen": "good", "rejected": "bad", "chosen_model": "g", "rejected_model": "b"}
VOTES = {"kind": "votes", "a": "a", "b": "b", "winner": "won", "model_a": "ma", "model_b": "mb"}
EACH = {"each": "all", "text": "text", "model": "by.model"}
ROWS = {"text": "text", "model": "model"}
RATED = {"ratings": {"score": "score"}, "order_by": "score"}
LAYOUTS: dict[str, dict[str, Any]] = {
    **dict.fromkeys(("texts", "conversations", "both", "json", "transcripts"), PAIR),
    "responses": {"kind": "responses", **EACH, **RATED, "ratings": {"score": "n.score"}},
    "ranked": {"kind": "ranked", **EACH},
    "lists": {"kind": "responses", "text": "texts", "model": "models", **RATED},
    "rows": {"kind": "responses", **ROWS, **RATED},
    "votes": VOTES | {"words": {"a": ["A"], "b": ["B"]}},
    "numbers": VOTES | {"negative": "a"},
    "columns": VOTES | {"winner": {"a": "a_won", "b": "b_won"}},
    "turns": VOTES | {"words": {"a": ["A"], "b": ["B"]}, "ratings": {"votes": {"a": "for_a", "b": "for_b"}}},
    "several": PAIR | {"ratings": {"votes": {"chosen": "for_g", "rejected": "for_b"}}},
    "labelled": {"kind": "labelled", "completion": "text", "label": "ok", "model": "model", "rating": "score"},
}
ONE_A_ROW = ("rows", "labelled")  # layouts in which a response has a row, and so its id


def message(role: str, text: str) -> dict[str, str]:
    return {"role": role, "content": text}


def in_layout(form: str, number: int, asked: str, good: str, bad: str) -> list[dict[str, Any]]:
    """The rows of a pair, which the model `large` answered well and `small` badly."""
    about = {"q": asked, "id": f"r{number}", "lang": "en"}
    two = {side: [message("user", asked), message("assistant", said)] for side, said in (("good", good), ("bad", bad))}
    spoken = {side: "".join(f"\n\n{turn['role']}: {turn['content']}" for turn in said) for side, said in two.items()}
    each = [
        {"text": said, "by": {"model": model}, "n": {"score": score}}
        for said, model, score in ((good, "large", "5"), (bad, "small", 1))
    ]
    votes = {"a": bad, "b": good, "ma": "small", "mb": "large"}
    turned = {"a": good, "b": bad, "ma": "large", "mb": "small"}
    rows: dict[str, list[dict[str, Any]]] = {
        "texts": [{"good": good, "bad": bad}],
        "conversations": [two],
        "both": [two],
        "json": [{side: json.dumps(said) for side, said in two.items()}],
        "transcripts": [spoken],
        "responses": [{"all": each[:: 1 if number % 2 else -1]}],
        "ranked": [{"all": each}],
        "lists": [{"texts": [bad, good], "models": ["small", "large"], "scores": None, "score": [1, 5]}],
        "rows": [{"text": good, "model": "large", "score": 5}, {"text": bad, "model": "small", "score": 1.0}],
        "votes": [votes | {"won": "B"} if number % 2 else turned | {"won": "A"}],
        "numbers": [votes | {"won": 2} if number % 2 else turned | {"won": "-1"}],
        "columns": [votes | {"a_won": 0, "b_won": 1} if number % 2 else turned | {"a_won": True, "b_won": None}],
        "turns": [
            {side: json.dumps([own]) for side, own in {"q": asked, "a": bad, "b": good}.items()}
            | {"ma": "small", "mb": "large", "won": "B", "for_a": 2, "for_b": "7"}
        ],
        "several": [{"good": [good], "bad": [bad], "for_g": [7], "for_b": 2}],
        "labelled": [{"text": good, "model": "large", "ok": True}, {"text": bad, "model": "small", "ok": "0"}],
    }
    models = {"g": "large", "b": "small"} if LAYOUTS[form]["kind"] == "pair" else {}
    return [about | models | row for row in rows[form]]


def test_the_same_set_in_any_layout_is_the_same_prompts_responses_and_pairs(tmp_path: Path) -> None:
    made = {}
    for form, layout in LAYOUTS.items():
        rows = [
            row for number, (asked, two) in enumerate(TASKS.items()) for row in in_layout(form, number, asked, *two)
        ]
        columns = COLUMNS | ({"prompt": None} if form in ("conversations", "transcripts") else {})
        transcript = MARKS if form == "transcripts" else None
        path = save(tmp_path / f"{form}.jsonl", rows)
        turns = "lists" if form == "turns" else None
        made[form] = collected(path, layout=layout, columns=columns, transcript=transcript, turns=turns)
    first = made["texts"]
    assert first.responses.height == 6
    assert set(first.listed_pairs.select("verdict", "external_id", "carried").rows()) == {
        ("chosen", f"r{number}", '{"lang":"en"}') for number in range(3)
    }
    for form, other in made.items():
        own = ["external_id"] if form in ONE_A_ROW else []
        assert same_rows(first.prompts.drop("prompt"), other.prompts.drop("prompt")), form
        assert same_rows(first.responses.drop(own), other.responses.drop(own)), form
        assert same_rows(first.listed_pairs, other.listed_pairs), form
    rated = [made[form].ratings for form in ("responses", "lists", "rows")]
    assert rated[0].height == 6 and all(same_rows(rated[0], ratings) for ratings in rated[1:])
    assert made["turns"].ratings.height == 6 and same_rows(made["turns"].ratings, made["several"].ratings)


@pytest.mark.parametrize("form", ONE_A_ROW)
def test_a_pair_of_two_rows_has_what_both_say_column_by_column(form: str, tmp_path: Path) -> None:
    """The kind of fault: one column that differs, as a remark on each response, takes all others with it."""
    rows = in_layout(form, 0, "Hi", "Hello!", "Go.")
    said = [{"note": "kind", "n": 1, "tags": ["a"]}, {"note": "rude", "n": True, "tags": ["a"]}]
    path = save(tmp_path / "a.jsonl", [row | more for row, more in zip(rows, said, strict=True)])
    names = ["lang", "note", "n", "tags"]
    made = collected(path, layout=LAYOUTS[form], columns=COLUMNS | {"carried": names})
    assert made.listed_pairs["carried"].to_list() == ['{"lang":"en","tags":["a"]}']
    apart = collected(path, layout=LAYOUTS[form], columns=COLUMNS | {"carried": ["note", "n"]})
    assert apart.listed_pairs["carried"].to_list() == [None]


def test_a_response_of_several_rows_has_id_and_columns_of_one_of_them(tmp_path: Path) -> None:
    """The kind of fault: the id of one row beside the columns of another."""
    row = {"q": "Hi", "text": "Hello!", "model": "m", "score": 1}
    rows = [row | {"id": "1", "lang": "fr"}, row | {"id": "2", "lang": "en"}, row | {"id": None, "lang": "de"}]
    for order in (rows, rows[::-1]):
        made = collected(save(tmp_path / "a.jsonl", order), layout=LAYOUTS["rows"], columns=COLUMNS)
        assert made.responses.select("external_id", "carried").rows() == [("1", '{"lang":"fr"}')]


def test_each_chosen_text_of_a_list_is_better_than_each_rejected_one(tmp_path: Path) -> None:
    """As RewardBench 2 and RM-Bench have them."""
    row = {"q": "Hi", "good": ["a", "b"], "bad": ["x", "y", "z"], "g": ["m", "n"], "b": "o", "s": [5, 4], "t": 1}
    layout = PAIR | {"ratings": {"score": {"chosen": "s", "rejected": "t"}}}
    made = told(collected(save(tmp_path / "k.jsonl", [row]), layout=layout, columns={"prompt": "q"}))
    assert [pair[:3] for pair in made["pairs"]] == [[good, bad, "chosen"] for good in "ab" for bad in "xyz"]
    assert [[model, text] for _, model, text in made["responses"]] == [
        ["m", "a"],
        ["n", "b"],
        *(["o", x] for x in "xyz"),
    ]
    assert [rating[:3] for rating in made["ratings"]][:3] == [
        ["a", "score", 5.0],
        ["b", "score", 4.0],
        ["x", "score", 1.0],
    ]
    with pytest.raises(CurationError, match=r"\(layout.ratings.score.chosen\) is \[5\], not a list of 2"):
        collected(save(tmp_path / "k.jsonl", [row | {"s": [5]}]), layout=layout, columns={"prompt": "q"})


def test_turns_in_lists_are_a_conversation_whose_sides_part_in_the_last_turn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As the arena's 55k of Kaggle have them: a list of the user's turns, and of each side's, as JSON."""
    rows = [
        {"q": '["Hi", "Why?"]', "good": '["Hello.", "Because."]', "bad": ["Hello.", "No."]},
        {"q": '["Hi", "Why?"]', "good": '["Hello.", "Because."]', "bad": '["Go.", "No."]'},
        {"q": '["Hi"]', "good": '["Hello."]', "bad": "[null]"},
        {"q": '["Hi"]', "good": '["Hello."]', "bad": '["Go.", "No."]'},
    ]
    how: dict[str, Any] = {"layout": {"kind": "pair", "chosen": "good", "rejected": "bad"}, "turns": "lists"}
    path = save(tmp_path / "turns.jsonl", rows)
    made = told(collected(path, **how, columns={"prompt": "q"}))
    assert made["prompts"] == ["user: Hi | assistant: Hello. | user: Why?", "user: Hi"]
    assert [pair[:2] for pair in made["pairs"]] == [["Because.", "No."]]
    assert said(capsys, path) == [
        "left out: 1 row: the sides differ in more than their last turn; the first at row 1",
        "left out: 1 response that says nothing; the first at row 2",
        "left out: 1 comparison with a response that says nothing; the first at row 2",
        "left out: 1 row: a side has more or fewer turns than the prompt; the first at row 3",
    ]
    with pytest.raises(CurationError, match="is 'Hi', not a list of texts, one for each turn"):
        collected(save(path, [rows[0] | {"q": "Hi"}]), **how, columns={"prompt": "q"})


def same_rows(rows: pl.DataFrame, other: pl.DataFrame) -> bool:
    return rows.sort(rows.columns).equals(other.sort(rows.columns))


def any_answer(random: Random) -> Any:
    """What a file may have in the place of an answer."""
    text = random.choice(["yes", "no", " yes", "", "  ", "[1, 2]", "naïve"])
    turns = [message("user", random.choice(["q0", "q1"])), message("assistant", text)]
    return random.choice([text, text, text, None, turns[1], turns[1:], turns, turns[:1], [], json.dumps(turns)])


def any_row(random: Random, layout: str) -> tuple[dict[str, Any], int, int]:
    """A row, and how many responses and comparisons it holds."""
    asked = {"q": random.choice(["q0", "q1", "q1", None])}
    if layout == "pair":
        return asked | {"good": any_answer(random), "bad": any_answer(random)}, 2, 1
    ranks = random.choices([1, "2", 2.0, None], k=random.randint(0, 4))
    listed = [{"text": any_answer(random), "rank": rank, "score": random.choice(["3", "N/A", None])} for rank in ranks]
    ranked = len(ranks) - ranks.count(None)
    return asked | {"all": random.choice([listed, json.dumps(listed)])}, len(ranks), ranked * (ranked - 1) // 2


ANY = {
    "pair": {"kind": "pair", "chosen": "good", "rejected": "bad"},
    "ranked": {"kind": "ranked", "each": "all", "text": "text", "rank": "rank", "rating": "rank"},
}
COUNTS = {  # what a line says of its number
    "rows": r"left out: (\d+) rows?: ",
    "silent": r"left out: (\d+) responses? that says? nothing",
    "of_silent": r"left out: (\d+) comparisons? with a response that says nothing",
    "same": r"left out: (\d+) comparisons? whose sides say the same",
    "again": r"(\d+) responses? ha(?:ve|s) the texts of another",
}


@pytest.mark.parametrize("layout", ANY)
@pytest.mark.parametrize("seeds", [range(2), pytest.param(range(2, 40), marks=pytest.mark.slow)])
def test_what_is_in_no_table_is_counted_on_stderr_and_the_counts_add_up(
    layout: str, seeds: range, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings: dict[str, Any] = {"layout": ANY[layout], "columns": {"prompt": "q"}}
    left_out = 0
    for seed in seeds:
        random = Random(seed)
        drawn = [any_row(random, layout) for _ in range(random.randint(5, 40))]
        path = save(tmp_path / f"{seed}.jsonl", [row for row, *_ in drawn])
        made = collected(path, **settings)
        lines = "\n".join(said(capsys, path))
        counts = {name: sum(map(int, re.findall(pattern, lines))) for name, pattern in COUNTS.items()}
        how = source(path, **settings)
        whole = [counted for row, *counted in drawn if is_read(how, row)]
        assert counts["rows"] == len(drawn) - len(whole)
        left_out += counts["rows"]
        responses, comparisons = (sum(counted[number] for counted in whole) for number in range(2))
        assert responses == made.responses.height + counts["again"] + counts["silent"]
        assert comparisons == made.listed_pairs.height + counts["same"] + counts["of_silent"]
        turned = save(tmp_path / "turned.jsonl", [row for row, *_ in drawn[::-1]])
        assert_same(made, collected(turned, **settings))
        capsys.readouterr()
    assert left_out > len(seeds)


def is_read(how: Params, row: dict[str, Any]) -> bool:
    """Whether a row is one that can be compared: read alone, by its values at their places."""
    try:
        read_row(how, {place: row[name] for place, name in how.places.items()})
    except LeftOut:
        return False
    return True


@pytest.mark.slow
def test_a_prompt_of_thousands_of_responses_does_not_list_millions_of_pairs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Kind: a table that grows with the square of what one prompt has. Of the rarer label none is left out."""
    rows = [{"q": "Say a number.", "a": f"It is {n}.", "good": n % 100 == 0} for n in range(1200)]
    rows += [{"q": "Say two.", "a": text, "good": good} for text, good in (("two", True), ("three", False))]
    layout = {"kind": "labelled", "completion": "a", "label": "good", "rating": "thumbs"}
    told = {"columns": {"prompt": "q"}, "layout": layout}
    made = collected(save(tmp_path / "set.jsonl", rows), **told)
    assert made.listed_pairs.height == 12 * 988 + 1 and made.responses.height == len(rows)
    assert made.listed_pairs["chosen_trace_id"].n_unique() == 13
    [line] = [line for line in capsys.readouterr().err.splitlines() if " in no pair" in line]
    assert line.endswith(
        "200 of 1202 responses are in no pair: more than 1,000 are rated to one prompt, and of those so many are "
        "compared, as evenly of each rating as there are"
    )
    assert_same(made, collected(save(tmp_path / "turned.jsonl", rows[::-1]), **told))
