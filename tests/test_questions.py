"""The documented questions on a world whose answers were worked out by hand, and on tables that are not there."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import world
from world import World

from curation.commands.rows import DECIMALS_SHOWN, print_rows
from curation.core.errors import CurationError
from curation.core.params import read
from curation.tables import ask, contracts, db, parquet
from curation.traces.generate import add_text_columns

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
        found = {name: rows for name, text in db.questions().items() for rows in ask.answer(connection, text)}
    return {
        name: rows.filter(pl.col("judge") != "versus")
        if "dimension" in rows.columns and name not in ("position_bias", "judge_accuracy", "p_chosen")
        else rows
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
HERE = (-1.0, 1.0, 2, 1, "this run", None, None)  # of two prompts and one seed, which say nothing
ANSWERS: dict[str, list[tuple[Any, ...]]] = {
    "gains": [
        ("avg@2", "held_sums", *TREATED, 3, 0.75, 0.5, *HERE, 0.0, 0.0, 0.0, 0.0),
        ("avg@2", "held_sums", *NOBODY, 0.25, *[None] * 8, 0.0, None, 0.0, None),
        ("avg@2", "held_sums", *CONTROL, 3, 0.25, 0.0, *HERE, 0.0, 0.0, 0.0, 0.0),
        ("pass@2", "held_sums", *TREATED, 3, 1.0, 0.5, *HERE, 0.0, 0.0, 0.0, 0.0),
        ("pass@2", "held_sums", *NOBODY, 0.5, *[None] * 8, 0.0, None, 0.0, None),
        ("pass@2", "held_sums", *CONTROL, 3, 0.5, 0.0, *HERE, 0.0, 0.0, 0.0, 0.0),
    ],
    "gains_over_controls": [
        ("avg@2", "held_sums", *CONTROL, 0.5, -0.763, *HERE[1:], 0.0, 0.0, 0.0, 0.0),
        ("pass@2", "held_sums", *CONTROL, 0.5, *HERE, 0.0, 0.0, 0.0, 0.0),
    ],
    "contrasts": [
        ("direction", 0.5, -0.763, 1.0, 2, None, "this run"),
    ],
    "efficiency": [
        ("avg@2", "held_sums", *TREATED[:3], "itself", 3, 0.5, -1.0, 1.0, 1),
        ("avg@2", "held_sums", *TREATED[:3], "reversed", 3, 0.0, -1.0, 1.0, 1),
        ("pass@2", "held_sums", *TREATED[:3], "itself", 3, 0.5, -1.0, 1.0, 1),
        ("pass@2", "held_sums", *TREATED[:3], "reversed", 3, 0.0, -1.0, 1.0, 1),
    ],
    "ladder": [  # Wilson's interval of 2 right in 3 is 0.21 to 0.94
        ("answer", "large", 7.0, 0.667, 0.208, 0.939, 3, 0, 3),
        ("answer", "small", 0.1, 0.667, 0.159, 0.955, 3, 1, 2),
        ("answer", "medium", 1.5, 0.333, 0.061, 0.792, 3, 0, 3),
    ],
    "judged_better_but_wrong": [  # logic misleads in times large/medium, minus large/small and minus medium/small
        ("answer", "rubric", "logic", 0.5, 0.0, 0.5, 6),
        ("answer", "rubric", "brevity", 0.0, 0.25, 0.75, 4),
    ],
    "correctness_cells": [
        ("answer", "right", "right", 1, 0.111, "rubric", "brevity", 1.0, 1),
        ("answer", "right", "right", 1, 0.111, "rubric", "logic", 1.0, 1),
        ("answer", "right", "wrong", 4, 0.444, "rubric", "brevity", 2.25, 4),
        ("answer", "right", "wrong", 4, 0.444, "rubric", "logic", 1.05, 4),
        ("answer", "wrong", "right", 3, 0.333, "rubric", "brevity", -4.0, 1),
        ("answer", "wrong", "right", 3, 0.333, "rubric", "logic", 0.5, 3),
        ("answer", "wrong", "wrong", 1, 0.111, "rubric", "brevity", 0.0, 1),
        ("answer", "wrong", "wrong", 1, 0.111, "rubric", "logic", 0.0, 1),
    ],
    "judge_agreement_with_answers": [  # logic: 11.5 of 20 right-wrong pairs, brevity: 10 of 16
        ("answer", "rubric", "brevity", 0.625, 4, 4),
        ("answer", "rubric", "logic", 0.575, 5, 4),
    ],
    "why_not_kept": [
        ("all", "kept", 6, 0.667, None, None),
        ("all", "identical", 1, 0.111, None, None),
        ("all", "repeated", 1, 0.111, None, None),
        ("all", "reversed", 1, 0.111, None, None),
        ("capable", "kept", 4, 0.444, 0.0, 0.333),
        ("capable", "over_budget", 2, 0.222, 0.0, 0.0),
        ("capable", "identical", 1, 0.111, 0.333, 0.333),
        ("capable", "repeated", 1, 0.111, 0.0, 0.0),
        ("capable", "reversed", 1, 0.111, 0.0, 0.0),
        ("clear", "kept", 3, 0.333, 1.0, 2.5),
        ("clear", "clear", 2, 0.222, -0.5, -0.3),
        ("clear", "per_prompt", 2, 0.222, 0.5, 1.0),
        ("clear", "identical", 1, 0.111, 0.0, 0.0),
        ("clear", "repeated", 1, 0.111, 1.0, 1.0),
        ("nothing", "over_budget", 6, 0.667, None, None),
        ("nothing", "identical", 1, 0.111, None, None),
        ("nothing", "repeated", 1, 0.111, None, None),
        ("nothing", "reversed", 1, 0.111, None, None),
        ("wordy", "kept", 5, 0.556, -4.0, 3.0),
        ("wordy", "unscored", 2, 0.222, None, None),
        ("wordy", "identical", 1, 0.111, 0.0, 0.0),
        ("wordy", "reversed", 1, 0.111, 4.0, 4.0),
    ],
}
ANSWERS[
    "judge_accuracy"
] = [  # of seven such pairs four have the right trace as chosen; no interval of an AUROC so small
    ("rubric", "brevity", "answer", 0.9, 0.279, 0.995, 0.8, 4, 1, 1.0, None, None),
    ("rubric", "logic", "answer", 0.571, 0.002, 0.999, 0.571, 4, 3, 0.667, None, None),
    ("versus", "preference", "answer", 0.714, 0.003, 1.0, 0.571, 4, 3, 0.667, None, None),
]
ANSWERS["p_chosen"] = [  # seven labelled pairs are too few to calibrate
    (judge, dimension, 0, pairs, *[None] * 4, 0, *[None] * 6)
    for judge, dimension, pairs in (("rubric", "brevity", 6), ("rubric", "logic", 8), ("versus", "preference", 8))
]
ANSWERS["position_bias"] = [("versus", "preference", 0.5, 8, 0.75, 0.0, 16)]
ANSWERS["preference_set"] = [("sums", "prompts nearly the same as another", 0, 3, 0.0)]  # no response of it is a trace
SOME_ANSWERS: dict[str, list[tuple[Any, ...]]] = {  # rows among others
    "delta_by_generator_pair": [
        ("answer", "correct", "large", "medium", 0.333, -1.101, 1.768, 3, 0, 3, 0.333, 0.667, 0.0),
        ("rubric", "brevity", "medium", "small", 2.0, None, None, 1, 1, 1, 1.0, 0.0, 0.0),
        ("rubric", "logic", "large", "small", 1.75, -7.78, 11.28, 2, 0, 2, 1.0, 0.0, 0.0),
    ],
    "coverage": [
        ("answer", "correct", "small", "scored", 3, 0.75),
        ("answer", "correct", "small", "error", 1, 0.25),
        ("rubric", "logic", "medium", "scored", 5, 0.833),
        ("rubric", "logic", "medium", "unparsable", 1, 0.167),
    ],
    "selection_overlap": [("all", "clear", 6, 3, 3, 0.5), ("clear", "nothing", 3, 0, 0, 0.0)],
    "length_against_delta": [
        ("rubric", "brevity", -0.968, None, -0.968, -0.327, 6),
        ("rubric", "logic", -0.37, None, -0.37, 0.156, 8),
    ],
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


def test_numbers_are_rounded_once() -> None:
    """To as many decimals as are shown; 9 are a table's own, and 0 stands for null. The kind of fault: 0.97449 that a
    question rounds to 0.9745, and the terminal to 0.975."""
    decimals = [(name, digits) for name, text in db.questions().items() for digits in re.findall(r", (\d)\)", text)]
    assert len(decimals) > 40
    assert [(name, digits) for name, digits in decimals if digits not in ("0", f"{DECIMALS_SHOWN}", "9")] == []


def test_a_small_p_is_not_shown_as_none(capsys: pytest.CaptureFixture[str]) -> None:
    """The kind of fault: a p of 0.0003 that a question rounds, or the terminal shows, as 0."""
    print_rows(pl.DataFrame({"p": [0.0003, 0.04951, 0.5, 1.0, None], "p_holm": [3e-12, 0.1, 0.25, 1.0, None]}), "md")
    shown = [[value.strip() for value in line.split("|")[1:-1]] for line in capsys.readouterr().out.splitlines()[2:]]
    expected = [["0.0003", "3e-12"], ["0.050", "0.100"], ["0.500", "0.250"], ["1.000", "1.000"], ["null", "null"]]
    assert shown == expected
    assert [name for name, text in db.questions().items() if re.search(r"round\(p(_holm)?,", text)] == []


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
        wanted, abs=1e-3
    )


@pytest.mark.slow
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
            "create view deltas as from written union all "
            "select pair_id, 'second', 'correct', * exclude (pair_id), null from second"
        )
        (cells,) = ask.answer(connection, db.questions()["correctness_cells"])
    assert cells is not None
    cells = cells.filter(pl.col("judge") != "versus")
    assert set(cells.select("answer_judge", "judge").rows()) == {
        ("answer", "rubric"),
        ("answer", "second"),
        ("second", "answer"),
        ("second", "rubric"),
    }


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


def test_what_is_there_twice_or_contradicted_in_a_preference_set(tmp_path: Path) -> None:
    """Two prompts that differ in blanks. Two models say "five" to the first, one of them also "Five"; "five" beats
    "six" in one row, loses in another, and one row is a tie."""
    texts = {"a": ("plus", "large", "five"), "b": ("plus", "small", "five "), "c": ("plus", "small", "Five"),
             "d": ("plus", "large", "number six"), "e": ("again", "large", "nine")}  # fmt: skip
    number = {name: place for place, name in enumerate(["plus", "again", *texts])}
    said = {"plus": "What is 2 + 3?", "again": "what is  2 + 3?\n"}
    prompts = [
        {"prompt_id": number[name], "source": "mine", "task": "", "split": "train",
         "prompt": [{"role": "user", "content": text}]}
        for name, text in said.items()
    ]  # fmt: skip
    responses = [
        {"trace_id": number[name], "prompt_id": number[prompt], "generator": model, "completion": text,
         "sample_index": place, "finish_reason": "stop", "source": "mine"}
        for place, (name, (prompt, model, text)) in enumerate(texts.items())
    ]  # fmt: skip
    traces = [{key: value for key, value in row.items() if key != "source"} for row in responses]
    rows = [("a", "d", "chosen"), ("d", "b", "chosen"), ("a", "d", "tie"), ("c", "d", None), ("a", "b", "chosen")]
    listed = [
        {"listed_id": place, "source": "mine", "prompt_id": number["plus"], "chosen_trace_id": number[one],
         "rejected_trace_id": number[other], "verdict": verdict, "order": contracts.UNKNOWN}
        for place, (one, other, verdict) in enumerate(rows)
    ]  # fmt: skip
    made = replace(
        SOUND,
        prompts=world.rows_of(contracts.PROMPTS, prompts),
        responses=world.rows_of(contracts.RESPONSES, responses),
        listed_pairs=world.rows_of(contracts.LISTED_PAIRS, listed),
        traces=add_text_columns(world.rows_of(contracts.TRACES, traces)),
    )
    with db.connect(world.write(made, tmp_path)) as connection:
        (found,) = ask.answer(connection, db.questions()["preference_set"])
    assert found.drop("source").rows() == [
        ("prompts nearly the same as another", 2, 2, 1.0),
        ("responses the same as another to their prompt", 2, 5, 0.4),
        ("responses the same as another model's", 2, 5, 0.4),
        ("responses nearly the same as another", 3, 5, 0.6),
        ("comparisons of the same text", 1, 5, 0.2),
        ("comparisons that are ties", 1, 5, 0.2),
        ("comparisons without a verdict", 1, 5, 0.2),
        ("pairs of texts in several rows", 1, 2, 0.5),
        ("pairs of texts that are contradicted", 1, 2, 0.5),
        ("verdicts for the longer response", 1, 2, 0.5),
    ]
