"""The documented questions on a world whose answers were worked out by hand, and the checks on sound and on broken
worlds."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import flow
import polars as pl
import pytest
import world
from world import World, prompt_id, trace_id

from curation.core.errors import CurationError, Errors
from curation.core.params import read
from curation.tables import contracts, db, parquet
from curation.tables.checks import check
from curation.tables.ids import content_id

SOUND = world.sound()


def where(frame: pl.DataFrame, rows: pl.Expr, **values: Any) -> pl.DataFrame:
    """`frame` with `values` in the columns of those `rows`."""
    return frame.with_columns(
        pl.when(rows).then(value).otherwise(pl.col(column)).alias(column) for column, value in values.items()
    )


def answers(world_: World, folder: Path) -> dict[str, pl.DataFrame]:
    """The answer of every question over a world that is written into `folder`, without the pairwise judge where it
    is one among others."""
    with db.connect(world.write(world_, folder)) as connection:
        found = {name: rows for name, text in db.questions().items() for rows in db.answer(connection, text)}
    return {
        name: rows.filter(pl.col("judge") != "versus") if "dimension" in rows.columns else rows
        for name, rows in found.items()
    }


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pl.DataFrame]:
    return answers(SOUND, tmp_path_factory.mktemp("study"))


TREATED, CONTROL, NOBODY = (
    ("dpo", "clear", "any", "own", "itself"),
    ("dpo", "clear", "any", "own", "reversed"),
    ("",) * 5 + (None,),
)
ANSWERS: dict[str, list[tuple[Any, ...]]] = {
    "gains": [
        ("avg@2", "held_sums", *TREATED, 3, 0.75, 0.5, -5.8531, 6.8531, 2, 1, 0.5, 1.0),
        ("avg@2", "held_sums", *NOBODY, 0.25, None, None, None, None, None, None, None),
        ("avg@2", "held_sums", *CONTROL, 3, 0.25, 0.0, -6.3531, 6.3531, 2, 1, 1.0, 1.0),
        ("pass@2", "held_sums", *TREATED, 3, 1.0, 0.5, -5.8531, 6.8531, 2, 1, 0.5, 1.0),
        ("pass@2", "held_sums", *NOBODY, 0.5, None, None, None, None, None, None, None),
        ("pass@2", "held_sums", *CONTROL, 3, 0.5, 0.0, -12.7062, 12.7062, 2, 1, 1.0, 1.0),
    ],
    "contrasts": [
        (True, "avg@2", "held_sums", *CONTROL, 0.5, 0.5, 0.5, 2, 1, None, None),
        (False, "pass@2", "held_sums", *CONTROL, 0.5, -5.8531, 6.8531, 2, 1, 0.5, 0.5),
    ],
    "efficiency": [
        ("avg@2", "held_sums", *TREATED[:3], "itself", 3, 0.5, -5.8531, 6.8531, 1),
        ("avg@2", "held_sums", *TREATED[:3], "reversed", 3, 0.0, -6.3531, 6.3531, 1),
        ("pass@2", "held_sums", *TREATED[:3], "itself", 3, 0.5, -5.8531, 6.8531, 1),
        ("pass@2", "held_sums", *TREATED[:3], "reversed", 3, 0.0, -12.7062, 12.7062, 1),
    ],
    "ladder": [  # Wilson's interval of 2 right in 3 is 0.21 to 0.94
        ("answer", "large", 7.0, 0.6667, 0.2077, 0.9385, 3, 3),
        ("answer", "small", 0.1, 0.6667, 0.1594, 0.9547, 3, 2),
        ("answer", "medium", 1.5, 0.3333, 0.0615, 0.7923, 3, 3),
    ],
    "judged_better_but_wrong": [  # logic misleads in times large/medium, minus large/small and minus medium/small
        ("answer", "rubric", "logic", 0.5, 0.0, 0.5, 6),
        ("answer", "rubric", "brevity", 0.0, 0.25, 0.75, 4),
    ],
    "correctness_cells": [
        ("answer", "right", "right", 1, 0.1111, "rubric", "brevity", 1.0, 1),
        ("answer", "right", "right", 1, 0.1111, "rubric", "logic", 1.0, 1),
        ("answer", "right", "wrong", 4, 0.4444, "rubric", "brevity", 2.25, 4),
        ("answer", "right", "wrong", 4, 0.4444, "rubric", "logic", 1.05, 4),
        ("answer", "wrong", "right", 3, 0.3333, "rubric", "brevity", -4.0, 1),
        ("answer", "wrong", "right", 3, 0.3333, "rubric", "logic", 0.5, 3),
        ("answer", "wrong", "wrong", 1, 0.1111, "rubric", "brevity", 0.0, 1),
        ("answer", "wrong", "wrong", 1, 0.1111, "rubric", "logic", 0.0, 1),
    ],
    "judge_agreement_with_answers": [  # logic: 11.5 of 20 right-wrong pairs, brevity: 10 of 16
        ("answer", "rubric", "brevity", 0.625, 4, 4),
        ("answer", "rubric", "logic", 0.575, 5, 4),
    ],
    "why_not_kept": [
        ("all", "kept", 7, 0.7778, None, None),
        ("all", "identical", 1, 0.1111, None, None),
        ("all", "reversed", 1, 0.1111, None, None),
        ("capable", "kept", 4, 0.4444, 0.0, 0.3333),
        ("capable", "over_budget", 3, 0.3333, 0.0, 0.0),
        ("capable", "identical", 1, 0.1111, 0.3333, 0.3333),
        ("capable", "reversed", 1, 0.1111, 0.0, 0.0),
        ("clear", "kept", 3, 0.3333, 1.0, 2.5),
        ("clear", "clear", 2, 0.2222, -0.5, -0.3),
        ("clear", "per_prompt", 2, 0.2222, 0.5, 1.0),
        ("clear", "identical", 1, 0.1111, 0.0, 0.0),
        ("clear", "over_budget", 1, 0.1111, 1.0, 1.0),
        ("nothing", "over_budget", 7, 0.7778, None, None),
        ("nothing", "identical", 1, 0.1111, None, None),
        ("nothing", "reversed", 1, 0.1111, None, None),
        ("wordy", "kept", 5, 0.5556, -4.0, 3.0),
        ("wordy", "unscored", 2, 0.2222, None, None),
        ("wordy", "identical", 1, 0.1111, 0.0, 0.0),
        ("wordy", "reversed", 1, 0.1111, 4.0, 4.0),
    ],
}
ANSWERS["position_bias"] = [("versus", 0.5, 8, 0.75, 0.0, 16)]
SOME_ANSWERS: dict[str, list[tuple[Any, ...]]] = {  # rows among others
    "delta_by_generator_pair": [
        ("answer", "correct", "large", "medium", 0.3333, -1.1009, 1.7676, 3, 3, 0.3333, 0.6667, 0.0),
        ("rubric", "brevity", "medium", "small", 2.0, None, None, 1, 1, 1.0, 0.0, 0.0),
        ("rubric", "logic", "large", "small", 1.75, -7.7797, 11.2797, 2, 2, 1.0, 0.0, 0.0),
    ],
    "coverage": [
        ("answer", "correct", "small", "scored", 3, 0.75),
        ("answer", "correct", "small", "error", 1, 0.25),
        ("rubric", "logic", "medium", "scored", 5, 0.8333),
        ("rubric", "logic", "medium", "unparsable", 1, 0.1667),
    ],
    "selection_overlap": [("all", "clear", 7, 3, 3, 0.4286), ("clear", "nothing", 3, 0, 0, 0.0)],
    "length_against_delta": [("rubric", "brevity", -0.9683, -0.3269, 6), ("rubric", "logic", -0.3699, 0.1559, 8)],
}


def test_every_question_is_answered_below_and_says_what_it_asks() -> None:
    assert db.questions().keys() == ANSWERS.keys() | SOME_ANSWERS.keys()
    for name, text in db.questions().items():
        first, *rest = [line for line in text.splitlines() if line.startswith("--")]
        assert text.startswith(f"{first}\n") and first.endswith("?") and rest, name


def test_no_line_of_sql_is_longer_than_one_of_python() -> None:
    lines = {file: file.read_text().splitlines() for file in db.SQL.rglob("*.sql")}
    assert len(lines) > 40
    assert [(file.name, line) for file, text in lines.items() for line in text if len(line) > 120] == []


@pytest.mark.parametrize("name", ANSWERS)
def test_answers(name: str, found: dict[str, pl.DataFrame]) -> None:
    assert found[name].rows() == ANSWERS[name]


@pytest.mark.parametrize("name", SOME_ANSWERS)
def test_some_rows_of_longer_answers(name: str, found: dict[str, pl.DataFrame]) -> None:
    assert [row for row in found[name].rows() if row in SOME_ANSWERS[name]] == SOME_ANSWERS[name]


def test_length_correlation_is_that_of_polars(found: dict[str, pl.DataFrame]) -> None:
    lengths = SOUND.traces.select("trace_id", pl.col("completion").str.len_chars().cast(pl.Float64).alias("length"))
    rows = SOUND.pairs.filter(~pl.col("identical")).join(SOUND.deltas["rubric"], on="pair_id")
    rows = rows.join(lengths, left_on="chosen_trace_id", right_on="trace_id").join(
        lengths, left_on="rejected_trace_id", right_on="trace_id", suffix="_r"
    )
    wanted = rows.select(pl.corr("delta_logic", (pl.col("length") / pl.col("length_r")).log())).item()
    assert found["length_against_delta"].filter(dimension="logic")["correlation"].item() == pytest.approx(
        wanted, abs=1e-4
    )


def test_a_judge_that_never_varies_has_no_correlation_and_chance_auroc(tmp_path: Path) -> None:
    rated = pl.col("score").is_not_null() & (pl.col("judge") == "rubric")
    flat = answers(world.world(where(SOUND.judgments, rated, score=3.0, expected_score=None)), tmp_path)
    assert flat["length_against_delta"].filter(judge="rubric")["correlation"].to_list() == [None, None]
    assert flat["judge_agreement_with_answers"]["auroc"].to_list() == [0.5, 0.5]


def test_a_second_judge_of_correctness_is_an_answer_judge_too(tmp_path: Path) -> None:
    second = SOUND.deltas["rubric"].rename(lambda name: name.replace("logic", "correct"))
    with db.connect(world.write(SOUND, tmp_path)) as connection:
        connection.register(
            "second",
            second.select(
                "pair_id",
                "chosen_correct",
                "rejected_correct",
                "delta_correct",
                "n_correct",
                "sd_correct",
                "within_noise_correct",
            ).to_arrow(),
        )
        connection.execute("alter view deltas rename to written")
        connection.execute(
            "create view deltas as from written union all select pair_id, 'second', 'correct', * exclude (pair_id) from second"
        )
        (cells,) = db.answer(connection, db.questions()["correctness_cells"])
    assert cells is not None
    cells = cells.filter(pl.col("judge") != "versus")
    assert set(cells.select("answer_judge", "judge").rows()) == {
        ("answer", "rubric"),
        ("answer", "second"),
        ("second", "answer"),
        ("second", "rubric"),
    }


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


def verdicts(world: World, rows: pl.Expr, **values: Any) -> World:
    return replace(world, selections=where(world.selections, rows, **values))


def clear(world: World, **values: Any) -> World:
    changed = where(world.subsets["clear"], pl.col("pair_id") == IN_CLEAR, **values)
    return replace(world, subsets=world.subsets | {"clear": changed})


def turned(rows: pl.DataFrame) -> pl.DataFrame:
    """Subset rows the other way round, of other pairs."""
    ids = {"chosen_trace_id": "rejected_trace_id", "rejected_trace_id": "chosen_trace_id"}
    return rows.with_columns(pl.col(other).alias(one) for one, other in ids.items()).with_columns(pl.col("pair_id") + 1)


def loose(world: World, change: Callable[[pl.DataFrame], pl.DataFrame]) -> World:
    return replace(world, unpaired=world.unpaired | {"clear": change(world.unpaired["clear"])})


def rated(world: World, change: Callable[[pl.DataFrame], pl.DataFrame]) -> World:
    return replace(world, deltas=world.deltas | {"rubric": change(world.deltas["rubric"])})


NO_TEXT = {"text_id": pl.lit(None, pl.Int64), "characters": pl.lit(None, pl.Int32)}
BROKEN: dict[str, list[Callable[[World], World]]] = {  # check: what breaks it
    "prompt_in_two_splits": [
        lambda w: prompts(w, prompt=w.prompts.filter(prompt_id=prompt_id("held_a"))["prompt"].implode().explode()),
        lambda w: prompts(w, prompt=pl.lit(pl.Series([[{"role": "user", "content": "What is 8 + 1? "}]]))),
    ],
    "dropped_prompt_in_prompts": [
        lambda w: prompts(w, prompt_id=pl.lit(content_id(*world.DROPPED[:2]))),
        lambda w: replace(w, decontamination=where(w.decontamination, TEXT, kept=False, reason=pl.lit("exact"), against=pl.lit(prompt_id("held_a")), overlap=1.0)),
    ],
    "trace_without_prompt": [lambda w: replace(w, prompts=w.prompts.filter(~TEXT)), lambda w: prompts(w, split=pl.lit("in_domain"))],
    "trace_id_not_of_slot": [lambda w: traces(w, sample_index=pl.lit(5, pl.Int32))],
    "judgment_without_trace": [lambda w: replace(w, traces=w.traces.filter(pl.col("trace_id") != LARGE))],
    "score_without_completion": [lambda w: traces(w, completion=pl.lit(None, pl.String), finish_reason=pl.lit("error"), **NO_TEXT)],
    "pair_not_of_its_traces": [
        lambda w: replace(w, traces=w.traces.filter(pl.col("trace_id") != LARGE)),
        lambda w: traces(w, prompt_id=pl.lit(prompt_id("times"))),
        lambda w: pairs(w, chosen_model=pl.lit("medium")),
        lambda w: traces(w, completion=pl.lit(None, pl.String), finish_reason=pl.lit("error"), **NO_TEXT),
    ],
    "wrong_identical": [lambda w: pairs(w, identical=True), lambda w: replace(w, pairs=w.pairs.with_columns(identical=False))],
    "preference_without_pair": [lambda w: replace(w, pairs=w.pairs.clear()), lambda w: replace(w, pairs=w.pairs.with_columns(identical=True))],
    "score_without_pair": [
        lambda w: replace(w, pairs=w.pairs.clear()),
        lambda w: replace(w, pairs=w.pairs.with_columns(identical=True)),
        lambda w: replace(w, pair_scores=w.pair_scores.head(-1)),
    ],
    "wrong_delta": [
        lambda w: rated(w, lambda rows: rows.with_columns(pl.col("chosen_logic") + 1e-6)),
        lambda w: rated(w, lambda rows: rows.with_columns(pl.col("chosen_logic").fill_null(0) * None)),
    ],
    "pair_without_delta": [lambda w: rated(w, lambda rows: rows.head(-1)), lambda w: replace(w, pairs=w.pairs.head(-1))],
    "wrong_generator_delta": [
        lambda w: replace(w, generator_deltas=w.generator_deltas.with_columns(pl.col("mean", "ci_low", "ci_high") + 1e-6)),
        lambda w: replace(w, generator_deltas=w.generator_deltas.with_columns(pl.col("n") + 1)),
        lambda w: replace(w, generator_deltas=w.generator_deltas.head(-1)),
    ],
    "pair_without_verdict": [lambda w: replace(w, selections=w.selections.filter(~ON_CLEAR)), lambda w: replace(w, pairs=w.pairs.head(-1))],
    "kept_identical": [lambda w: verdicts(w, pl.col("reason") == "identical", kept=True, reason=pl.lit("kept"))],
    "pair_twice_in_subset": [
        lambda w: replace(w, subsets=w.subsets | {"clear": pl.concat([w.subsets["clear"], turned(w.subsets["clear"].head(1))])}),
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
    "subset_text_not_its_traces": [lambda w: clear(w, prompt=MESSAGE), lambda w: clear(w, chosen=MESSAGE), lambda w: clear(w, rejected=MESSAGE)],
    "subset_of_held_out_prompt": [lambda w: prompts(w, split=pl.lit("in_domain")), lambda w: clear(w, prompt_id=pl.lit(prompt_id("held_a")))],
    "unpaired_not_on_one_side": [
        lambda w: loose(w, lambda rows: rows.with_columns(~pl.col("label"))),
        lambda w: loose(w, lambda rows: rows.head(-1)),
        lambda w: loose(w, lambda rows: where(rows, pl.int_range(pl.len()) == 0, trace_id=pl.lit(7))),
    ],
    "judge_text_in_subset": [lambda w: replace(w, judgments=w.judgments.with_columns(rationale=pl.lit("2 + 3 = 6, I think, or 7")))],
    "score_off_its_scale": [
        lambda w: replace(w, judgments=w.judgments.with_columns(pl.when(status="scored").then(6.0).alias("score"))),
        lambda w: replace(w, judgments=w.judgments.with_columns(pl.when(status="scored").then(0.5).alias("expected_score"))),
    ],
    "duplicate_pair": [lambda w: replace(w, pairs=pl.concat([w.pairs, w.pairs.with_columns(pl.col("pair_id") + 1)]))],
    "wrong_text_id": [lambda w: traces(w, text_id=pl.lit(3)), lambda w: traces(w, characters=pl.lit(3, pl.Int32))],
    "result_on_train_prompt": [
        lambda w: replace(w, results=where(w.results, pl.col("prompt_id") == prompt_id("held_a"), prompt_id=pl.lit(prompt_id("plus")))),
        lambda w: replace(w, results=w.results.with_columns(benchmark=pl.lit("letters"))),
        lambda w: replace(w, prompts=w.prompts.filter(pl.col("prompt_id") != prompt_id("tree"))),
    ],
}  # fmt: skip
CASES = [
    pytest.param(name, number, marks=[pytest.mark.slow] * (number > 0))
    for name, worlds in BROKEN.items()
    for number in range(len(worlds))
]


def test_every_check_runs_and_is_silent_on_the_sound_world(tmp_path: Path) -> None:
    assert check(None, world.write(SOUND, tmp_path)) == dict.fromkeys(db.checks(), 0)
    assert db.checks().keys() == BROKEN.keys() | WARNED.keys()


def alone(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only this check is made."""
    monkeypatch.setattr("curation.tables.checks.checks", lambda: {name: db.checks()[name]})


@pytest.mark.parametrize(("name", "number"), CASES)
def test_a_check_finds_the_broken_world(
    name: str, number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone(name, monkeypatch)
    with pytest.raises(Errors, match=rf"(?m)^check {name}: \d+ row\(s\), such as "):
        check(None, world.write(BROKEN[name][number](SOUND), tmp_path))


WARNED: dict[str, Callable[[World], World]] = {  # check that only warns: what it warns of
    "answers_all_alike": lambda w: replace(w, results=w.results.with_columns(completion=pl.lit("!!!!"))),
    "answers_truncated": lambda w: replace(w, results=w.results.with_columns(finish_reason=pl.lit("length"))),
    "too_many_identical": lambda w: replace(w, pairs=w.pairs.with_columns(identical=True)),
    "one_generators_share": lambda w: traces(w, generator=pl.lit("medium")),
    "length_imbalance": lambda w: traces(w, characters=pl.lit(100_000, pl.Int32)),
    "kto_balance": lambda w: w,
    "selection_without_control": lambda w: w,
    "control_is_its_selection": lambda w: w,
    "run_without_pairs": lambda w: replace(
        w, subsets={name: rows.clear() if name == world.BESIDE else rows for name, rows in w.subsets.items()}
    ),
    "control_of_another_size": lambda w: replace(
        w, subsets={name: rows.head(-1) if name == world.BESIDE else rows for name, rows in w.subsets.items()}
    ),
}


@pytest.mark.parametrize("name", WARNED)
def test_a_warning_is_said_and_stops_nothing(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    alone(name, monkeypatch)
    params, raw = world.write(WARNED[name](SOUND), tmp_path), deepcopy(world.settings())
    if name == "selection_without_control":
        raw["grid"]["controls"], raw["compare"]["primary"] = ["itself"], None
    if name == "control_is_its_selection":
        raw["controls"]["reversed"] = {"pairs": "all", "match": [], "labels": "as_is"}
    if name == "one_generators_share":
        raw["audit"]["generator"] = 0.5
    if name == "kto_balance":
        raw["methods"]["dpo"] = world.own()["methods"]["kto"] | {"desirable_weight": 3.0}
    if raw != world.settings():
        flow.write(raw, params)
    check(None, params)
    assert f"warning: check {name}: " in capsys.readouterr().err


def test_checks_of_tables_that_are_not_there_yet_are_left_out(tmp_path: Path) -> None:
    params = world.write(SOUND, tmp_path)
    for file in ("pairs", "prompts", "generator_deltas", "comparisons"):
        (tmp_path / f"data/{file}.parquet").unlink()
    for name in ("selections", "subsets", "unpaired", "results"):
        for part in (tmp_path / "data" / name).iterdir():
            part.unlink()
    assert set(check(None, params)) == {
        "judgment_without_trace", "score_off_its_scale", "score_without_completion", "selection_without_control", "trace_id_not_of_slot", "wrong_delta",
        "wrong_text_id",
    }  # fmt: skip


def test_checks_of_trained_runs_come_after_all_others(tmp_path: Path) -> None:
    params = world.write(SOUND, tmp_path)
    before, after = check(False, params), check(True, params)
    assert (
        set(after) == {"result_on_train_prompt", "answers_all_alike", "answers_truncated"}
        and before.keys() | after.keys() == db.checks().keys()
    )


def test_deltas_that_are_not_there_are_named_and_a_damaged_file_is_too(tmp_path: Path) -> None:
    params = world.write(SOUND, tmp_path)
    file = tmp_path / "data/deltas/rubric.parquet"
    file.unlink()
    assert db.absent_parts(read(params)) == [file]
    file.write_bytes(b"no Parquet at all")
    with pytest.raises(
        CurationError, match=r"a table is damaged, delete it and `dvc repro` makes it again: .*deltas/rubric\.parquet"
    ):
        db.connect(params)


def test_a_damaged_file_of_traces_is_named_where_texts_are_picked(tmp_path: Path) -> None:
    world.write(SOUND, tmp_path)
    files = sorted((tmp_path / "data/traces").iterdir())
    files[0].write_bytes(b"no Parquet at all")
    with pytest.raises(
        CurationError, match=r"data/traces: traces cannot be read, delete it and `dvc repro` makes it again"
    ):
        parquet.pick(contracts.TRACES, files, SOUND.traces["trace_id"], ["trace_id", "completion"])
