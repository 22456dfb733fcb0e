"""A row of a user's file is known by what it says, not by where it stands: its id, and the ratings that name it.

Kinds of fault: an id made of a row's place; a rating that moves to another text when rows are reversed, added or
changed; a row that is lost because its prompt is worded otherwise; an id of two things; a null that counts as rated.
"""

import itertools
import random
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import world
from test_imported import ROWS, generator, save, source

from curation.calls.ledger import Ledger
from curation.core.errors import CurationError, Errors
from curation.core.params import read
from curation.judging.judge import judge, metrics
from curation.judging.judges import imported as ratings
from curation.judging.pairwise_judges import imported as verdicts
from curation.judging.pairwise_judges._kind import Compared
from curation.judging.prefer import prefer
from curation.pairs.pair import pair
from curation.prompts.collect import read_sources
from curation.reliability.measures import measure_ratings
from curation.tables import contracts, db, parquet
from curation.traces.generate import generate

BARE = {"sample_index": None, "scale_b": None}
MANY = [  # six texts of one model for one prompt, two of them equal, and some of another
    {"q": "Why?", "gold": None, "by": by, "text": text, "own": f"{by}-{number}"}
    for by, texts in {"big": "abcdda", "small": "ab"}.items()
    for number, text in enumerate(texts)
]


def written(file: Path, rows: list[dict[str, Any]], ledger: Ledger, **columns: Any) -> pl.DataFrame:
    """The traces of a file with these rows, after their trip through a table."""
    path = save(file, rows)
    prompts = read_sources({"mine": source(path)})
    made = generate("theirs", generator(path, columns=BARE | columns), prompts, ledger)
    parquet.write(contracts.TRACES, made, file.with_suffix(".out"))
    return parquet.read(contracts.TRACES, file.with_suffix(".out"))


def rated(file: Path, rows: list[dict[str, Any]], **changes: Any) -> ratings.Params:
    """A judge whose ratings are these rows."""
    body = {"kind": "imported", "path": save(file, rows), "trace_id": "id", "dimensions": {"logic": "x"},
            "unmatched": "error"}  # fmt: skip
    return ratings.Params.model_validate(body | changes)


@pytest.mark.parametrize("columns", [{}, pytest.param({"trace_id": "own"}, marks=pytest.mark.slow)])
def test_the_order_of_rows_changes_no_byte_of_traces(columns: dict[str, str], tmp_path: Path, ledger: Ledger) -> None:
    first = written(tmp_path / "t.jsonl", MANY, ledger, **columns)
    orders = [MANY[::-1], *(random.Random(seed).sample(MANY, len(MANY)) for seed in range(5))]
    body = (tmp_path / "t.out").read_bytes()
    for rows in orders:
        assert written(tmp_path / "t.jsonl", rows, ledger, **columns).equals(first)
        assert (tmp_path / "t.out").read_bytes() == body
    assert first["trace_id"].is_unique().all()
    for _, rows in first.group_by("prompt_id", "generator"):
        assert sorted(rows["sample_index"]) == list(range(rows.height))


@pytest.mark.parametrize("columns", [{}, {"trace_id": "own"}, {"sample_index": "n"}])
def test_the_audit_knows_the_ids_of_imported_traces(columns: dict[str, str], tmp_path: Path, ledger: Ledger) -> None:
    rows = [row | {"n": 7 * number} for number, row in enumerate(MANY)]
    made = written(tmp_path / "t.jsonl", rows, ledger, **columns)
    assert db.query("checks/trace_id_not_of_slot", {"traces": made}).is_empty()
    other = made.with_columns(pl.col("completion") + ".")
    assert db.query("checks/trace_id_not_of_slot", {"traces": other}).height == len(MANY)


def test_a_row_more_or_less_changes_no_other_rows_id(tmp_path: Path, ledger: Ledger) -> None:
    every = written(tmp_path / "all.jsonl", MANY, ledger)
    for left_out in range(len(MANY)):
        fewer = written(tmp_path / "t.jsonl", [row for n, row in enumerate(MANY) if n != left_out], ledger)
        assert set(fewer["trace_id"]) < set(every["trace_id"])
        both = fewer.join(every, on="trace_id", suffix="_before")
        assert (both["completion"] == both["completion_before"]).all()


def test_another_text_is_another_trace_though_its_sample_is_numbered(tmp_path: Path, ledger: Ledger) -> None:
    """Else a rating of the old text would be one of the new."""
    before, after = (
        written(tmp_path / f"{number}.jsonl", [ROWS[0] | {"text": text}], ledger, sample_index="n")["trace_id"].item()
        for number, text in enumerate(("It is 5", "It is 6"))
    )
    assert before != after


def test_a_rating_follows_its_text_when_rows_are_reversed(tmp_path: Path, ledger: Ledger) -> None:
    """From the file to the judgment: `logic` of a trace is what was said of its text, wherever the rows stand."""
    said = dict(zip("abcd", (1.0, 2.0, 3.0, 4.0), strict=True))
    first = written(tmp_path / "t.jsonl", MANY, ledger)
    ids = first.select(pl.col("trace_id").alias("id"), pl.col("completion").replace_strict(said).alias("x")).to_dicts()
    settings = rated(tmp_path / "gold.jsonl", ids)
    for rows, gold in itertools.product((MANY, MANY[::-1]), (ids, ids[::-1])):
        traces = written(tmp_path / "t.jsonl", rows, ledger)
        save(tmp_path / "gold.jsonl", gold)
        scores = judge("gold", settings, traces, world.prompts(), ledger).join(traces, on="trace_id")
        assert scores.height == len(MANY)
        assert all(said[text] == score for text, score in scores.select("completion", "score").rows())


def test_ratings_go_by_the_users_own_ids(tmp_path: Path, ledger: Ledger) -> None:
    traces = written(tmp_path / "t.jsonl", MANY, ledger, trace_id="own")
    assert set(traces["external_id"]) == {row["own"] for row in MANY}
    gold = [{"id": "big-2", "x": 3}, {"id": str(traces.filter(external_id="small-1")["trace_id"].item()), "x": 2}]
    rows = judge("gold", rated(tmp_path / "gold.jsonl", gold), traces, world.prompts(), ledger)
    scored = rows.filter(status="scored").join(traces, on="trace_id").sort("external_id")
    assert scored.select("external_id", "completion", "score").rows() == [("big-2", "c", 3.0), ("small-1", "b", 2.0)]


def test_own_ids_are_whole_numbers_or_text_alike(tmp_path: Path, ledger: Ledger) -> None:
    numbered = [row | {"own": number} for number, row in enumerate(MANY)]
    traces = written(tmp_path / "t.parquet", numbered, ledger, trace_id="own")
    for id in (3, "3", 3.0):
        rows = judge("gold", rated(tmp_path / "gold.jsonl", [{"id": id, "x": 1}]), traces, world.prompts(), ledger)
        assert rows.filter(status="scored").join(traces, on="trace_id")["external_id"].to_list() == ["3"]


def test_an_id_of_two_traces_is_refused(tmp_path: Path, ledger: Ledger) -> None:
    with pytest.raises(
        CurationError, match=r"rows 1 and 3 both have 'own' 'x'; give each row an id of its own, or set "
    ):
        written(tmp_path / "t.jsonl", [r | {"own": "x" if n in (1, 3) else str(n)} for n, r in enumerate(MANY)], ledger,
                trace_id="own")  # fmt: skip
    traces = written(tmp_path / "t.jsonl", MANY, ledger, trace_id="own")
    twice = traces.with_columns(external_id=pl.lit("x"))
    with pytest.raises(CurationError, match=r"gold\.jsonl: row 0: id 'x' is the id of 8 traces; give each trace an id"):
        judge("gold", rated(tmp_path / "gold.jsonl", [{"id": "x", "x": 1}]), twice, world.prompts(), ledger)


def test_a_rating_of_another_text_is_refused_by_row_and_id_or_dropped_aloud(
    tmp_path: Path, ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    traces = written(tmp_path / "t.jsonl", MANY, ledger, trace_id="own")
    gold = [{"id": "big-1", "x": 1, "text": "b \r\n"}, {"id": "big-2", "x": 1, "text": None}]
    settings = rated(tmp_path / "gold.jsonl", gold, completion="text")
    assert judge("gold", settings, traces, world.prompts(), ledger)["score"].drop_nulls().len() == 2
    save(tmp_path / "gold.jsonl", [*gold, {"id": "big-0", "x": 1, "text": "b"}])
    with pytest.raises(
        CurationError,
        match=r"gold\.jsonl: row 2: column 'text' has another text than big-0: 'b', not 'a', as in 1 row",
    ):
        judge("gold", settings, traces, world.prompts(), ledger)
    dropped = judge("gold", settings.model_copy(update={"unmatched": "drop"}), traces, world.prompts(), ledger)
    assert dropped["score"].drop_nulls().len() == 2
    said = "gold.jsonl: 1 row has another text in column 'text' than our tables"
    assert said in (err := capsys.readouterr().err) and "1 of 3 rows are of no trace; dropped" in err


def test_a_rating_of_other_reasoning_is_refused(tmp_path: Path, ledger: Ledger) -> None:
    """The kind of fault: a rating that moves to a trace that reasons otherwise and answers the same. No reasoning and
    an empty block of it are the same."""
    rows = [
        {"q": "Why?", "gold": None, "by": "big", "text": "5", "own": str(number), "thought": thought}
        for number, thought in enumerate(("2 and 3", "3 and 2", "", None))
    ]
    traces = written(tmp_path / "t.jsonl", rows, ledger, trace_id="own", reasoning="thought")
    assert sorted(traces["reasoning"], key=str) == ["", "2 and 3", "3 and 2", None]
    gold = [{"id": "0", "x": 1, "thought": " 2 and 3\n"}, {"id": "2", "x": 1, "thought": None},
            {"id": "3", "x": 1, "thought": ""}]  # fmt: skip
    settings = rated(tmp_path / "gold.jsonl", gold, reasoning="thought")
    assert judge("gold", settings, traces, world.prompts(), ledger)["score"].drop_nulls().len() == 3
    save(tmp_path / "gold.jsonl", [*gold, {"id": "1", "x": 1, "thought": "2 and 3"}])
    with pytest.raises(CurationError, match=r"row 3: column 'thought' has another text than 1: '2 and 3', not '3 and"):
        judge("gold", settings, traces, world.prompts(), ledger)
    pairs = pair(world.pairing(order="both", within_generator=True), traces).filter(~pl.col("identical"))
    prompts = read_sources({"mine": source(str(tmp_path / "t.jsonl"))})
    thoughts = dict(traces.select("trace_id", "reasoning").rows())
    given = [
        {"id": id, "says": "tie", "a": thoughts[chosen], "b": thoughts[rejected] or "\n"}
        for id, chosen, rejected in pairs.select("pair_id", "chosen_trace_id", "rejected_trace_id").rows()
    ]
    people = verdicts.Params(
        kind="imported", path=save(tmp_path / "v.jsonl", given), pair_id="id", verdict="says", order=None,
        unmatched="error", chosen_reasoning="a", rejected_reasoning="b",
    )  # fmt: skip
    assert prefer("people", people, pairs, traces, prompts, ledger).height == len(given) > 6
    save(tmp_path / "v.jsonl", [given[0] | {"b": "2 and 3 and 2"}, *given[1:]])
    with pytest.raises(CurationError, match=rf"row 0: column 'b' has another text than {given[0]['id']}: "):
        prefer("people", people, pairs, traces, prompts, ledger)


def test_a_verdict_on_other_texts_is_refused_by_row_and_id_or_dropped_aloud(
    tmp_path: Path, ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    traces = written(tmp_path / "t.jsonl", MANY, ledger)
    pairs = pair(world.pairing(order="both", ladder=[]), traces)
    texts = dict(traces.select("trace_id", "completion").rows())
    given = [
        {"id": id, "says": "chosen", "a": texts[chosen], "b": texts[rejected]}
        for id, chosen, rejected, same in pairs.select(
            "pair_id", "chosen_trace_id", "rejected_trace_id", "identical").rows() if not same
    ]  # fmt: skip
    settings = verdicts.Params(
        kind="imported", path=save(tmp_path / "v.jsonl", given), pair_id="id", verdict="says", order=None,
        unmatched="error", chosen="a", rejected="b",
    )  # fmt: skip
    prompts = read_sources({"mine": source(str(tmp_path / "t.jsonl"))})
    assert prefer("people", settings, pairs, traces, prompts, ledger).height == len(given)
    given[4] |= {"a": given[4]["b"], "b": given[4]["a"]}
    save(tmp_path / "v.jsonl", given)
    with pytest.raises(CurationError, match=rf"v\.jsonl: row 4: column 'a' has another text than {given[4]['id']}: "):
        prefer("people", settings, pairs, traces, prompts, ledger)
    dropping = settings.model_copy(update={"unmatched": "drop"})
    dropped = prefer("people", dropping, pairs, traces, prompts, ledger)
    assert dropped.filter(status="scored").height == len(given) - 1
    assert f"1 of {len(given)} rows are of no pair of unequal texts; dropped" in capsys.readouterr().err


def test_rows_of_one_prompt_id_are_of_one_prompt_though_its_texts_differ(
    tmp_path: Path, ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [
        {"pid": pid, "q": text, "gold": "5", "by": by, "text": f"{by} says 5"}
        for pid, text, by in [
            (7, "What is 2 + 3?", "a"), (7, "What is 2 + 3?", "b"), (7, "what is 2+3", "c"), ("8", "And 3 + 2?", "a"),
            ("8", "and 3+2", "b"),
        ]
    ]  # fmt: skip
    for given in (rows, rows[::-1]):
        path = save(tmp_path / "t.jsonl", given)
        prompts = read_sources({"mine": source(path, columns={"prompt_id": "pid"})})
        texts = {row["external_id"]: row["prompt"][0]["content"] for row in prompts.to_dicts()}
        assert texts == {"7": "What is 2 + 3?", "8": "And 3 + 2?"}  # the most frequent, or the first in order
        assert "2 prompt_ids have more than one text" in capsys.readouterr().err
        traces = generate("theirs", generator(path, columns=BARE | {"prompt_id": "pid"}), prompts, ledger)
        assert traces["prompt_id"].value_counts()["count"].sort().to_list() == [2, 3]
        assert "2 rows have another text than the prompt of their id" in capsys.readouterr().err
        bare = generate("theirs", generator(path, columns=BARE | {"prompt_id": "pid", "prompt": None}), prompts, ledger)
        assert bare.equals(traces)
        with pytest.raises(CurationError, match="2 of 5 rows have a prompt that is no train prompt"):
            generate("theirs", generator(path, columns=BARE), prompts, ledger)


@pytest.mark.parametrize("written_as", ["caf\u00e9?\nWhy?", "cafe\u0301?\r\nWhy?", " caf\u00e9?\rWhy?\n"])
def test_a_prompt_of_another_system_is_the_same_prompt(written_as: str, tmp_path: Path, ledger: Ledger) -> None:
    """A Mac's letters, Windows' line ends; and where both are prompts, each row is of its own."""
    text = "caf\u00e9?\nWhy?"
    prompts = read_sources({"mine": source(save(tmp_path / "p.jsonl", [ROWS[0] | {"q": text}]))})
    theirs = generator(save(tmp_path / "t.jsonl", [ROWS[0] | {"q": written_as}]))
    assert generate("theirs", theirs, prompts, ledger)["prompt_id"].to_list() == prompts["prompt_id"].to_list()
    both = read_sources({"mine": source(save(tmp_path / "p.jsonl", [ROWS[0] | {"q": q} for q in {text, written_as}]))})
    (prompt_id,) = generate("theirs", theirs, both, ledger)["prompt_id"]
    assert both.filter(prompt_id=prompt_id)["prompt"].item()[-1]["content"] == written_as


def test_a_prompt_id_that_says_two_things_is_refused(tmp_path: Path, ledger: Ledger) -> None:
    one, other = (save(tmp_path / f"{n}.jsonl", [{"pid": 7, "q": f"Q{n}", "gold": "5"}]) for n in (1, 2))
    prompts = read_sources({n: source(path, columns={"prompt_id": "pid"}) for n, path in (("a", one), ("b", other))})
    path = save(tmp_path / "t.jsonl", [{"pid": 7, "q": "Q1", "by": "x", "text": "5"}])
    with pytest.raises(
        CurationError, match=r"t\.jsonl: row 0: prompt_id '7' is of prompts in a and b; give each prompt"
    ):
        generate("theirs", generator(path, columns=BARE | {"prompt_id": "pid"}), prompts, ledger)
    with pytest.raises(
        CurationError, match="1 of 1 rows have a prompt_id that no train prompt has, the first is row 0; "
    ):
        generate("theirs", generator(path, columns=BARE | {"prompt_id": "q"}), prompts, ledger)
    twice = save(tmp_path / "p.jsonl", [{"pid": pid, "q": "Q", "gold": "5"} for pid in (7, 8)])
    with pytest.raises(CurationError, match=r"1 prompt has two ids, the first '7' at row 0 and '8' at row 1; keep"):
        read_sources({"mine": source(twice, columns={"prompt_id": "pid"})})


def test_the_order_of_rows_changes_no_task(tmp_path: Path) -> None:
    rows = [ROWS[0] | {"topic": topic} for topic in ("sums", None, "numbers")]
    for given in itertools.permutations(rows):
        prompts = read_sources({"mine": source(save(tmp_path / "p.jsonl", list(given)), columns={"task": "topic"})})
        assert prompts["task"].to_list() == ["numbers"]


def test_the_order_of_rows_numbers_no_repeat(tmp_path: Path, ledger: Ledger) -> None:
    """Neither do the scores: were the lowest of two the first, people would seem to drift."""
    rows = [MANY[0] | {"text": str(number), "own": f"{number}"} for number in range(60)]
    traces = written(tmp_path / "t.jsonl", rows, ledger, trace_id="own")
    gold = [{"id": row["own"], "x": x} for row in rows for x in (1, 3)]
    pairs = pair(world.pairing(order="both", ladder=[], within_generator=True, samples="all"), traces)
    pairs = pairs.with_columns(pl.lit("").alias(side) for side in contracts.SIDES)
    said = [{"id": id, "says": verdict} for id in pairs["pair_id"][:60] for verdict in ("chosen", "tie")]
    settings = verdicts.Params(kind="imported", path=save(tmp_path / "v.jsonl", said), pair_id="id", verdict="says",
                               order=None, unmatched="error")  # fmt: skip
    gold_settings = rated(tmp_path / "gold.jsonl", gold)
    compared = Compared(pairs, traces, world.prompts(), contracts.empty(contracts.LISTED_PAIRS))

    def repeats() -> list[pl.DataFrame]:
        scores = ratings.judge(gold_settings, "gold", traces, traces, ledger)
        return [scores.sort(pl.all()), verdicts.prefer(settings, "people", compared, ledger).sort(pl.all())]

    before = repeats()
    save(tmp_path / "gold.jsonl", random.Random(0).sample(gold, len(gold)))
    save(tmp_path / "v.jsonl", random.Random(0).sample(said, len(said)))
    after = repeats()
    for number, least in enumerate((pl.col("score") == 1, pl.col("verdict") == "tie")):
        assert after[number].equals(before[number])
        assert 15 < before[number].filter(pl.col("repeat") == 0, least).height < 45


def test_a_null_rating_is_missing_and_counts_in_coverage(tmp_path: Path, ledger: Ledger) -> None:
    traces = written(tmp_path / "t.jsonl", MANY, ledger, trace_id="own")
    gold = [
        {"id": "big-0", "x": 4},
        {"id": "big-1", "x": None},
        {"id": "big-2", "x": float("nan")},
        {"id": "big-3", "x": 2},
    ]
    rows = judge("gold", rated(tmp_path / "gold.jsonl", gold), traces, world.prompts(), ledger)
    parquet.check(contracts.JUDGMENTS, rows, "judgments")
    assert metrics(rows, traces)["status"] == {"missing": 2, "no_reference": 4, "scored": 2}
    coverage = next(measure_ratings(rows.join(traces.select("trace_id", "prompt_id"), on="trace_id")))
    assert (coverage.measure, coverage.n) == ("coverage", 4)  # of the eight traces those that somebody was to rate


def test_a_rating_off_its_scale_is_named(tmp_path: Path, ledger: Ledger) -> None:
    traces = written(tmp_path / "t.jsonl", MANY, ledger, trace_id="own")
    gold = [{"id": "big-0", "x": 5}, {"id": "big-1", "x": None}, {"id": "big-2", "x": 1}]
    settings = rated(tmp_path / "gold.jsonl", gold, scale={"logic": [1, 5]})
    assert settings.scales == {"logic": (1.0, 5.0)}
    assert judge("gold", settings, traces, world.prompts(), ledger)["score"].drop_nulls().len() == 2
    save(tmp_path / "gold.jsonl", [*gold, {"id": "big-3", "x": 0}, {"id": "small-0", "x": 50}])
    with pytest.raises(
        CurationError, match=r"gold\.jsonl: row 3: column 'x' is 0, off the scale of logic from 1 to 5, as in 2 rows"
    ):
        judge("gold", settings, traces, world.prompts(), ledger)


def test_params_name_what_is_no_file_and_a_scale_of_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import flow

    monkeypatch.chdir(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "data/import").mkdir(parents=True)
    Path("data/import/link").symlink_to(tmp_path / "elsewhere")
    raw = world.settings()
    gold = {"kind": "imported", "path": "data/import/link/f.jsonl", "unmatched": "error"}
    raw["judges"]["gold"] = {**gold, "trace_id": "id", "dimensions": {"x": "x"}, "scale": {"y": [1, 2], "x": [2, 2]}}
    raw["pairwise_judges"]["people"] = {
        **gold,
        "path": "data/import/link",
        "pair_id": "id",
        "verdict": "v",
        "order": None,
    }
    raw["generators"]["small"] = generator("elsewhere").model_dump()
    raw["sources"]["sums"] = source("data").model_dump()
    flow.write(raw, tmp_path / "params.yaml")
    with pytest.raises(Errors) as error:
        read(tmp_path / "params.yaml")
    said = [line.removeprefix(f"{tmp_path}/params.yaml: ") for line in error.value.lines]
    assert [line for line in said if "path" in line or "scale" in line] == [
        "sources.sums.path: data has no files of data; put .parquet or .jsonl files there, or correct it",
        "generators.small.path: elsewhere has no files of data; put .parquet or .jsonl files there, or correct it",
        "judges.gold.path: data/import/link/f.jsonl lies behind data/import/link, a link to a folder, which DVC does "
        "not follow: it would not see the file change; link the file itself, or copy it",
        "judges.gold.scale.y: is none of its dimensions; known: x",
        "judges.gold.scale.x: lowest 2 is not below highest 2",
        "pairwise_judges.people.path: data/import/link is a link to a folder, which DVC does not follow; make a "
        "folder, and link or copy the files into it",
    ]
