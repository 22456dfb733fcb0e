"""The checks on a sound world and on worlds that one thing is wrong with."""

import re
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from shutil import copy
from typing import Any

import flow
import polars as pl
import pytest
import world
from test_examples import STOPS, WARNS
from test_findings import PLANTED
from world import World, prompt_id, trace_id

from curation.core.errors import Errors
from curation.tables import db
from curation.tables.checks import check, read_checks
from curation.tables.ids import content_id

SOUND = world.sound()


def where(frame: pl.DataFrame, rows: pl.Expr, **values: Any) -> pl.DataFrame:
    """`frame` with `values` in the columns of those `rows`."""
    return frame.with_columns(
        pl.when(rows).then(value).otherwise(pl.col(column)).alias(column) for column, value in values.items()
    )


MESSAGE = pl.lit(pl.Series([[{"role": "assistant", "content": "other"}]]))
LARGE, TEXT = trace_id("plus", "large"), pl.col("prompt_id") == prompt_id("plus")
IN_CLEAR = SOUND.subsets["clear"]["pair_id"][0]
ON_CLEAR = (pl.col("selection") == "clear") & (pl.col("pair_id") == IN_CLEAR)


def prompts(world: World, **values: Any) -> World:
    return replace(world, prompts=where(world.prompts, TEXT, **values))


def traces(world: World, **values: Any) -> World:
    return replace(world, traces=where(world.traces, pl.col("trace_id") == LARGE, **values))


def pairs(world: World, **values: Any) -> World:
    return replace(world, pairs=where(world.pairs, pl.col("chosen_trace_id") == LARGE, **values))


def columns(world: World, table: str, **values: Any) -> World:
    """The world with other values in all rows of a table."""
    return replace(world, **{table: getattr(world, table).with_columns(**values)})


def fewer(world: World, table: str, kept: pl.Expr) -> World:
    """The world with only the kept rows of a table."""
    return replace(world, **{table: getattr(world, table).filter(kept)})


def verdicts(world: World, rows: pl.Expr, **values: Any) -> World:
    return replace(world, selections=where(world.selections, rows, **values))


def clear(world: World, **values: Any) -> World:
    changed = where(world.subsets["clear"], pl.col("pair_id") == IN_CLEAR, **values)
    return replace(world, subsets=world.subsets | {"clear": changed})


def labelled(world: World, model: str, turned: bool = False) -> pl.DataFrame:
    """The world's row of `listed_pairs`, about its traces of `plus` by large and another model, or turned round."""
    traces = [LARGE, trace_id("plus", model)][:: -1 if turned else 1]
    sides = dict(zip(("chosen_trace_id", "rejected_trace_id"), traces, strict=True))
    return world.listed_pairs.with_columns(**{name: pl.lit(number) for name, number in sides.items()},
                                           listed_id=pl.lit(content_id(*traces)))  # fmt: skip


def with_first_turned(rows: pl.DataFrame) -> pl.DataFrame:
    """Subset rows, and the first once more the other way round, as another pair."""
    ids = {"chosen_trace_id": "rejected_trace_id", "rejected_trace_id": "chosen_trace_id"}
    first = rows.head(1).with_columns(pl.col(other).alias(one) for one, other in ids.items())
    return pl.concat([rows, first.with_columns(pl.col("pair_id") + 1)])


def loose(world: World, change: Callable[[pl.DataFrame], pl.DataFrame]) -> World:
    return replace(world, unpaired=world.unpaired | {"clear": change(world.unpaired["clear"])})


def rated(world: World, change: Callable[[pl.DataFrame], pl.DataFrame]) -> World:
    return replace(world, deltas=world.deltas | {"rubric": change(world.deltas["rubric"])})


ON_HELD_A = pl.col("prompt_id") == prompt_id("held_a")
DROPPED = {"kept": False, "reason": pl.lit("exact"), "against": pl.lit(prompt_id("held_a")), "overlap": 1.0}
FAILED = {"completion": pl.lit(None, pl.String), "finish_reason": pl.lit("error")}
LENGTHS = ("characters", "completion_characters")
NO_TEXT = {"text_id": pl.lit(None, pl.Int64)} | {name: pl.lit(None, pl.Int32) for name in LENGTHS}
FIRST_CLEAR = SOUND.subsets["clear"].select("chosen_trace_id", "rejected_trace_id").row(0, named=True)
BROKEN: dict[str, list[Callable[[World], World]]] = {  # check: what breaks it
    "rating_without_response": [
        lambda w: columns(w, "ratings", trace_id=pl.col("trace_id") + 1),
        lambda w: columns(w, "ratings", source=pl.lit("other")),
    ],
    "listed_pair_without_responses": [
        lambda w: fewer(w, "responses", pl.col("generator") == "gpt"),
        lambda w: columns(w, "listed_pairs", prompt_id=pl.lit(prompt_id("times"))),
        lambda w: columns(w, "listed_pairs", source=pl.lit("other")),
    ],
    "trace_not_its_response": [
        lambda w: replace(w, responses=where(w.responses, pl.col("generator") == "gpt", trace_id=pl.lit(LARGE))),
    ],
    "subset_not_of_its_row": [
        lambda w: columns(w, "listed_pairs", **{name: pl.lit(one) for name, one in FIRST_CLEAR.items()}),
        lambda w: columns(w, "listed_pairs", **dict(zip(FIRST_CLEAR, map(pl.lit, reversed(FIRST_CLEAR.values())),
                                                        strict=True))),
    ],
    "prompt_in_two_splits": [
        lambda w: prompts(w, prompt=w.prompts.filter(prompt_id=prompt_id("held_a"))["prompt"].implode().explode()),
        lambda w: prompts(w, prompt=pl.lit(pl.Series([[{"role": "user", "content": "What is 8 + 1? "}]]))),
    ],
    "messages_not_of_prompt": [
        lambda w: prompts(w, messages=pl.lit('[{"role": "user", "content": "What is 9 + 1?", "name": "Ann"}]')),
        lambda w: prompts(w, messages=pl.lit("[")),
        lambda w: prompts(w, tools=pl.lit("{}")),
        lambda w: prompts(w, tools=pl.lit("add")),
    ],
    "dropped_prompt_in_prompts": [
        lambda w: prompts(w, prompt_id=pl.lit(content_id(*world.DROPPED[:2]))),
        lambda w: replace(w, decontamination=where(w.decontamination, TEXT, **DROPPED)),
    ],
    "trace_without_prompt": [lambda w: fewer(w, "prompts", ~TEXT), lambda w: prompts(w, split=pl.lit("in_domain"))],
    "trace_id_not_of_slot": [lambda w: traces(w, sample_index=pl.lit(5, pl.Int32))],
    "judgment_without_trace": [lambda w: replace(w, traces=w.traces.filter(pl.col("trace_id") != LARGE))],
    "score_without_completion": [lambda w: traces(w, **FAILED, **NO_TEXT)],
    "pair_not_of_its_traces": [
        lambda w: replace(w, traces=w.traces.filter(pl.col("trace_id") != LARGE)),
        lambda w: traces(w, prompt_id=pl.lit(prompt_id("times"))),
        lambda w: pairs(w, chosen_model=pl.lit("medium")),
        lambda w: traces(w, **FAILED, **NO_TEXT),
    ],
    "wrong_identical": [
        lambda w: pairs(w, identical=True),
        lambda w: columns(w, "pairs", identical=False),
    ],
    "wrong_same_texts": [
        lambda w: columns(w, "pairs", same_texts_as=pl.col("pair_id")),
        lambda w: columns(w, "traces", text_id=pl.when(pl.col("text_id").is_not_null()).then(1)),
    ],
    "preference_without_pair": [
        lambda w: replace(w, pairs=w.pairs.clear()),
        lambda w: columns(w, "pairs", identical=True),
    ],
    "score_without_pair": [
        lambda w: replace(w, pairs=w.pairs.clear()),
        lambda w: columns(w, "pairs", identical=True),
        lambda w: replace(w, pair_scores=w.pair_scores.head(-1)),
    ],
    "wrong_delta": [
        lambda w: rated(w, lambda rows: rows.with_columns(pl.col("chosen_logic") + 1e-6)),
        lambda w: rated(w, lambda rows: rows.with_columns(pl.col("chosen_logic").fill_null(0) * None)),
    ],
    "pair_without_delta": [
        lambda w: rated(w, lambda rows: rows.head(-1)),
        lambda w: replace(w, pairs=w.pairs.head(-1)),
    ],
    "wrong_generator_delta": [
        lambda w: columns(w, "generator_deltas", **{n: pl.col(n) + 1e-6 for n in ("mean", "ci_low", "ci_high")}),
        lambda w: replace(w, generator_deltas=w.generator_deltas.with_columns(pl.col("n") + 1)),
        lambda w: replace(w, generator_deltas=w.generator_deltas.head(-1)),
    ],
    "pair_without_verdict": [
        lambda w: fewer(w, "selections", ~ON_CLEAR),
        lambda w: replace(w, pairs=w.pairs.head(-1)),
    ],
    "kept_identical": [lambda w: verdicts(w, pl.col("reason") == "identical", kept=True, reason=pl.lit("kept"))],
    "pair_twice_in_subset": [
        lambda w: replace(w, subsets=w.subsets | {"clear": with_first_turned(w.subsets["clear"])}),
    ],
    "subset_without_pair": [
        lambda w: replace(w, pairs=w.pairs.filter(pl.col("pair_id") != IN_CLEAR)),
        lambda w: clear(w, prompt_id=pl.lit(prompt_id("times"))),
        lambda w: clear(w, rejected_trace_id=pl.lit(trace_id("times", "small"))),
    ],
    "kept_is_not_subset": [
        lambda w: verdicts(w, ON_CLEAR, kept=False, reason=pl.lit("identical")),
        lambda w: replace(w, subsets=w.subsets | {"clear": w.subsets["clear"].head(-1)}),
        lambda w: clear(w, margin=pl.lit(9.0)),
    ],
    "subset_text_not_its_traces": [
        lambda w: clear(w, prompt=MESSAGE),
        lambda w: clear(w, chosen=MESSAGE),
        lambda w: clear(w, rejected=MESSAGE),
        *(
            lambda w, name=name: clear(w, **{name: pl.lit("other")})
            for name in ("chosen_reasoning", "rejected_reasoning", "prompt_messages", "tools")
        ),
        lambda w: clear(w, chosen_truncated=~pl.col("chosen_truncated")),
        lambda w: clear(w, rejected_truncated=~pl.col("rejected_truncated")),
        lambda w: traces(w, reasoning=pl.lit("thought"), reasoning_characters=pl.lit(7, pl.Int32)),
    ],
    "unpaired_text_not_its_traces": [
        lambda w: loose(w, lambda rows: where(rows, pl.lit(True), completion=MESSAGE)),
        *(
            lambda w, name=name: loose(w, lambda rows: rows.with_columns(pl.lit("other").alias(name)))
            for name in ("reasoning", "prompt_messages", "tools")
        ),
        lambda w: loose(w, lambda rows: where(rows, pl.lit(True), prompt=MESSAGE)),
        lambda w: loose(w, lambda rows: rows.with_columns(~pl.col("truncated"))),
    ],
    "subset_of_held_out_prompt": [
        lambda w: prompts(w, split=pl.lit("in_domain")),
        lambda w: clear(w, prompt_id=pl.lit(prompt_id("held_a"))),
    ],
    "unpaired_not_on_one_side": [
        lambda w: loose(w, lambda rows: rows.with_columns(~pl.col("label"))),
        lambda w: loose(w, lambda rows: rows.head(-1)),
        lambda w: loose(w, lambda rows: where(rows, pl.int_range(pl.len()) == 0, trace_id=pl.lit(7))),
    ],
    "judge_text_in_subset": [
        lambda w: columns(w, "judgments", rationale=pl.lit("2 + 3 = 6, I think, or 7")),
        lambda w: clear(
            columns(w, "judgments", rationale=pl.lit("It thinks in twenty letters")),
            rejected_reasoning=pl.lit("So. It thinks in twenty letters."),
        ),
    ],
    "score_off_its_scale": [
        lambda w: columns(w, "judgments", score=pl.when(status="scored").then(6.0)),
        lambda w: columns(w, "judgments", expected_score=pl.when(status="scored").then(0.5)),
    ],
    "duplicate_pair": [lambda w: replace(w, pairs=pl.concat([w.pairs, w.pairs.with_columns(pl.col("pair_id") + 1)]))],
    "wrong_text_id": [lambda w: traces(w, text_id=pl.lit(3)), lambda w: traces(w, characters=pl.lit(3, pl.Int32)),
                      lambda w: traces(w, completion_characters=pl.lit(3, pl.Int32)),
                      lambda w: traces(w, reasoning=pl.lit(" \n"), reasoning_characters=pl.lit(1, pl.Int32)),
                      lambda w: traces(w, reasoning=pl.lit("thought"), reasoning_characters=pl.lit(7, pl.Int32))],
    "result_on_train_prompt": [
        lambda w: replace(w, results=where(w.results, ON_HELD_A, prompt_id=pl.lit(prompt_id("plus")))),
        lambda w: columns(w, "results", benchmark=pl.lit("letters")),
        lambda w: replace(w, prompts=w.prompts.filter(pl.col("prompt_id") != prompt_id("tree"))),
    ],
}  # fmt: skip
CASES = [(name, number) for name, worlds in BROKEN.items() for number in range(len(worlds))]


SEEN = {"margin_not_above_zero": 1, "ranked_by_suspect": 3, "wrong_chosen": 5}  # what one should see of its subsets


def test_every_check_runs_and_is_silent_on_the_sound_world(tmp_path: Path) -> None:
    """Those of trained runs after all others."""
    params = world.write(SOUND, tmp_path)
    before, after = check("before_training", params), check("after_training", params)
    assert set(after) == {
        "result_on_train_prompt",
        "answers_all_alike",
        "primary_not_registered",
        "answers_not_found_in_results",
        "answers_truncated",
        "text_left_out_in_results",
        "unread_delimiters_in_results",
    }
    assert before.keys() & after.keys() == set()
    assert before | after == dict.fromkeys(db.checks(), 0) | SEEN
    assert db.checks().keys() == BROKEN.keys() | WARNED.keys() | PLANTED.keys() | STOPS.keys() | WARNS.keys()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("select 1 as x", "'select 1 as x' is not its head; begin with `-- tables: a, b`, the tables that it reads"),
        ("", "'' is not its head; begin with `-- tables: a, b`, the tables that it reads"),
        ("-- tables: trace, pairs\nselect 1", "-- tables: 'trace' is no table; did you mean 'traces'?"),
        ("-- tables: traces pairs\nselect 1", "-- tables: 'traces pairs' is no table; "),
        ("-- tables:\nselect 1", "-- tables: '' is no table; known: "),
    ],
)
def test_a_check_that_would_be_left_out_without_a_word_is_refused(
    text: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kind of fault: a check that never runs, since it waits for a table that there never is."""
    params = world.write(SOUND, tmp_path)
    monkeypatch.setattr("curation.tables.checks.checks", lambda: {"mine": text})
    for when in ("before_training", "after_training", "all"):
        with pytest.raises(Errors, match=rf"^\S+sql/checks/mine\.sql: {re.escape(message)}"):
            check(when, params)


def test_every_shipped_check_has_a_head_and_the_views_are_all_there_are(tmp_path: Path) -> None:
    assert read_checks().keys() == db.checks().keys()
    with db.connect(world.write(SOUND, tmp_path)) as connection:
        assert set(db.views(connection)) == set(db.VIEWS)


def alone(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only this check is made."""
    monkeypatch.setattr("curation.tables.checks.checks", lambda: {name: db.checks()[name]})


@pytest.mark.slow
@pytest.mark.parametrize(("name", "number"), CASES)
def test_a_check_finds_the_broken_world(
    name: str, number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone(name, monkeypatch)
    with pytest.raises(Errors, match=rf"(?m)^check {name}: \d+ row\(s\), such as "):
        check("all", world.write(BROKEN[name][number](SOUND), tmp_path))


WARNED: dict[str, Callable[[World], World]] = {  # check that only warns: what it warns of
    "measured_otherwise": lambda w: replace(
        w, provenance=pl.concat([w.provenance, w.provenance.with_columns(run=pl.lit("ours"), value=pl.lit("lm_eval"))])
    ),
    "answers_all_alike": lambda w: replace(w, results=w.results.with_columns(completion=pl.lit("!!!!"))),
    "answers_not_found": lambda w: replace(w, judgments=w.judgments.with_columns(status=pl.lit("no_answer"))),
    "answers_not_found_in_results": lambda w: columns(
        w, "results", status=pl.when(sample_index=0).then(pl.lit("no_answer")).otherwise(pl.lit("unparsable"))
    ),
    "answers_truncated": lambda w: replace(w, results=w.results.with_columns(finish_reason=pl.lit("length"))),
    "unread_delimiters": lambda w: traces(w, completion=pl.lit("a</THINK>b")),
    "unread_delimiters_in_results": lambda w: columns(
        w, "results", completion=pl.lit("<|channel|>analysis<|message|>")
    ),
    "reasoning_in_part": lambda w: columns(
        w,
        "traces",
        **{
            name: pl.when(pl.col("sample_index") > 0).then(value)
            for name, value in (("reasoning", pl.lit("a")), ("reasoning_characters", pl.lit(1, pl.Int32)))
        },
    ),
    "text_left_out": lambda w: traces(w, left_out_characters=pl.lit(3, pl.Int32)),
    "text_left_out_in_results": lambda w: columns(w, "results", left_out_characters=pl.lit(3, pl.Int32)),
    "too_many_identical": lambda w: columns(w, "pairs", identical=True),
    "one_generators_share": lambda w: traces(w, generator=pl.lit("medium")),
    "prompt_twice": lambda w: replace(
        w, prompts=pl.concat([w.prompts, w.prompts.filter(TEXT).with_columns(pl.lit(7, pl.Int64).alias("prompt_id"))])
    ),
    "length_imbalance": lambda w: traces(w, characters=pl.lit(100_000, pl.Int32)),
    "kto_balance": lambda w: w,
    "selection_without_control": lambda w: w,
    "control_is_its_selection": lambda w: w,
    "control_shares_pairs": lambda w: w,
    "primary_not_registered": lambda w: replace(
        w, contrasts=w.contrasts.with_columns(pl.when("primary").then(pl.lit("differs")).alias("registered"))
    ),
    "labels_contradicted": lambda w: replace(
        w, listed_pairs=pl.concat([labelled(w, "small"), labelled(w, "medium"), labelled(w, "small", turned=True)])
    ),
    "ranked_by_suspect": lambda w: w,
    "run_without_pairs": lambda w: replace(
        w, subsets={name: rows.clear() if name == world.BESIDE else rows for name, rows in w.subsets.items()}
    ),
    "control_of_another_size": lambda w: replace(
        w, subsets={name: rows.head(-1) if name == world.BESIDE else rows for name, rows in w.subsets.items()}
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", WARNED)
def test_a_warning_is_said_and_stops_nothing(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    alone(name, monkeypatch)
    params, raw = world.write(WARNED[name](SOUND), tmp_path), deepcopy(world.settings())
    if name == "selection_without_control":
        raw["grid"]["controls"], raw["contrasts"], raw["compare"]["primary"] = ["itself"], {}, None
    if name == "control_is_its_selection":
        raw["controls"]["reversed"] = {"pairs": "all", "match": [], "labels": "as_is"}
    if name == "control_shares_pairs":
        raw["controls"]["reversed"] = {"pairs": "drawn", "match": [], "labels": "as_is"}
        for file in tmp_path.glob(f"data/arms/*/{world.BESIDE}.parquet"):
            file.rename(file.with_stem(f"{world.BESIDE}-0"))  # what draws has its draw in its name
    if name == "one_generators_share":
        raw["audit"]["generator"] = 0.5
    if name == "kto_balance":
        raw["methods"]["dpo"] = world.own()["methods"]["kto"] | {"desirable_weight": 3.0}
    if raw != world.settings():
        flow.write(raw, params)
    check("all", params)
    said = capsys.readouterr().err
    assert f"warning: check {name}: " in said
    if name.startswith("control_"):  # the kind: what joins a control to its selection finds it as often as that stands
        raw["contrasts"], raw["compare"]["primary"] = {}, None
        raw["controls"]["again"] = dict(raw["controls"]["itself"])
        raw["grid"]["controls"].append("again")
        for file in tmp_path.glob(f"data/arms/*/{world.ARM}.parquet"):
            copy(file, file.with_stem(world.ARM.replace("itself", "again")))
        flow.write(raw, params)
        check("all", params)
        assert capsys.readouterr().err == said


def test_checks_of_tables_that_are_not_there_yet_are_left_out(tmp_path: Path) -> None:
    params = world.write(SOUND, tmp_path)
    for file in ("pairs", "prompts", "generator_deltas", "comparisons", "contrasts"):
        (tmp_path / f"data/{file}.parquet").unlink()
    for name in ("selections", "subsets", "unpaired", "arms", "results"):
        for part in (tmp_path / "data" / name).rglob("*.parquet"):
            part.unlink()
    assert set(check("all", params)) == {
        *STOPS,
        *WARNS,
        "answers_not_found",
        "judgment_without_trace",
        "labels_contradicted",
        "listed_pair_without_responses",
        "measured_otherwise",
        "ranked_by_suspect",
        "rating_without_response",
        "reasoning_in_part",
        "score_off_its_scale",
        "score_without_completion",
        "selection_without_control",
        "text_left_out",
        "trace_id_not_of_slot",
        "trace_not_its_response",
        "unread_delimiters",
        "wrong_delta",
        "wrong_text_id",
    }
