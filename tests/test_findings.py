"""What one should see of a subset: planted, and said by the stage that makes it, by the audit and in the metrics.

The kind of fault: pairs that are no preferences, or not the ones that a user thinks, learnt from without a word.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
import world
from conftest import fast
from world import World, prompt_id, trace_id

from curation.core.errors import Errors
from curation.core.params import read
from curation.tables import contracts, db, parquet
from curation.tables.checks import check, examine
from curation.tables.update_rows import UPDATE_ROWS, update_rows_path
from curation.traces import generate

SOUND = world.sound()
CLEAR = SOUND.subsets["clear"]  # of `plus`: large over small 0, and medium over it; of `times`, medium over large
LARGE, MEDIUM = trace_id("plus", "large"), trace_id("plus", "medium")
IN_PLUS = pl.col("chosen_trace_id").is_in([LARGE, MEDIUM])


def traces(where: pl.Expr, **values: object) -> World:
    changed = [pl.when(where).then(pl.lit(value)).otherwise(pl.col(name)).alias(name) for name, value in values.items()]
    return replace(SOUND, traces=SOUND.traces.with_columns(*changed).cast(dict(SOUND.traces.schema)))


def subset(rows: pl.DataFrame, **others: pl.DataFrame) -> World:
    return replace(SOUND, subsets=SOUND.subsets | {"clear": rows}, unpaired=SOUND.unpaired | others)


def message(text: str) -> pl.Expr:
    return pl.concat_list(pl.struct(role=pl.lit("assistant"), content=pl.lit(text)))


def again(**columns: str) -> World:
    """The subset, and its first pair once more under another id, with columns exchanged."""
    return subset(pl.concat([CLEAR, CLEAR.head(1).with_columns(pl.col("pair_id") + 1, **columns)]))


TURNED = {"chosen_trace_id": "rejected_trace_id", "rejected_trace_id": "chosen_trace_id"}
PLANTED: dict[str, tuple[Callable[[], World], str]] = {  # check: what it warns of in `clear`, and what it says
    "margin_not_above_zero": (
        lambda: subset(CLEAR.with_columns(margin=pl.Series([1.0, 0.0, -0.5]))),
        "2 of 3 pairs have a margin of 0 or below, in a selection of the highest",
    ),
    "wrong_chosen": (
        lambda: SOUND,
        "1 of 3 chosen traces are wrong, and 1 rejected ones are better, by the judge taken for the truth",
    ),
    "texts_repeated": (again, "1 of 4 pairs repeat the two texts of another"),
    "texts_opposed": (
        lambda: again(**TURNED), "2 of 4 pairs are of two texts that stand the other way round in another pair",
    ),
    "texts_of_both_labels": (
        lambda: traces(pl.col("prompt_id") == prompt_id("plus"), text_id=1),
        "1 text is both desirable and undesirable, carried by different traces",
    ),
    "empty_side": (
        lambda: subset(CLEAR.with_columns(chosen=pl.when(IN_PLUS).then(message(" \u3000\n")).otherwise("chosen"))),
        "2 chosen and 0 rejected texts of 3 pairs are empty",
    ),
    "truncated_side": (
        lambda: traces(pl.col("trace_id").is_in([LARGE, MEDIUM]), status="truncated"),
        "2 of 3 chosen and 0 rejected traces were cut off at the limit of tokens",
    ),
    "truncated_beginning": (
        lambda: replace(
            traces(pl.col("trace_id") == trace_id("plus", "small"), status="truncated"),
            subsets=SOUND.subsets | {"clear": CLEAR.with_columns(chosen=message("2 + 3 = 6, I think, or 7 or 5"))},
        ),
        "2 of 3 pairs have a side that is the beginning of the other, cut off",
    ),
    "chosen_longer": (
        lambda: replace(
            subset(pl.concat([CLEAR.with_columns(pl.col("pair_id") + number) for number in range(2)])),
            traces=traces(pl.col("trace_id").is_in(CLEAR["chosen_trace_id"].to_list()), characters=9999).traces,
        ),
        "the chosen trace is longer in 6 of 6 pairs, shorter in 0",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", fast(PLANTED, 2))
def test_what_is_planted_in_a_subset_is_said_by_name(name: str, tmp_path: Path) -> None:
    plant, said = PLANTED[name]
    params = world.write(plant(), tmp_path)
    found = examine(read(params), ["clear"])["clear"]
    assert said in found.messages
    if name == "chosen_longer":
        assert (found.metrics["chosen_longer"], found.metrics["chosen_shorter"]) == (6, 0)


def test_which_part_is_longer_is_said_where_there_is_reasoning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The chosen traces reason at length and answer in a word, the rejected ones the other way round. One rejected
    trace, of `times`, does not reason."""
    chosen = pl.col("trace_id").is_in(CLEAR["chosen_trace_id"].to_list())
    reasoning = pl.when(chosen).then(pl.lit("t" * 900)).when(prompt_id=prompt_id("plus")).then(pl.lit("t" * 9))
    written = pl.col("completion").is_not_null()
    traces = SOUND.traces.with_columns(
        reasoning=pl.when(written).then(reasoning),
        completion=pl.when(written).then(pl.when(chosen).then(pl.lit("5")).otherwise(pl.lit("it is 5 5"))),
    )
    twice = pl.concat([CLEAR.with_columns(pl.col("pair_id") + number) for number in range(2)])
    params = world.write(replace(subset(twice), traces=generate.add_text_columns(traces)), tmp_path)
    assert (
        "the chosen trace is longer in 6 of 6 pairs, shorter in 0: its reasoning longer in 6, shorter in 0, its answer "
        "longer in 0, shorter in 6"
    ) in examine(read(params), ["clear"])["clear"].messages
    imbalance = db.checks()["length_imbalance"]
    monkeypatch.setattr("curation.tables.checks.checks", lambda: {"length_imbalance": imbalance})
    assert check("before_training", params)["length_imbalance"] >= 1
    times = round((901 / 18) ** (4 / 6) * (901 / 9) ** (2 / 6), 3)
    assert (
        f"clear: the chosen traces of 6 pairs are {times} times as long as the rejected: their reasoning 100.0 times, "
        "their answers 0.111 times"
    ) in capsys.readouterr().err


def test_a_trace_that_reasons_otherwise_is_no_beginning_of_another(tmp_path: Path) -> None:
    """Though its answer is, and it was cut off: the student sees two traces that part before they answer."""
    plant, said = PLANTED["truncated_beginning"]
    rows = plant().subsets["clear"]
    for reasoning, seen in ((None, True), ("so", False)):
        thought = rows.with_columns(chosen_reasoning=pl.lit(reasoning, pl.String), rejected_reasoning=pl.lit(" "))
        params = world.write(replace(plant(), subsets=SOUND.subsets | {"clear": thought}), tmp_path)
        assert (said in examine(read(params), ["clear"])["clear"].messages) == seen


@pytest.mark.slow
@pytest.mark.parametrize("name", ["wrong_chosen", "texts_opposed"])
def test_the_audit_says_what_is_planted(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The second is a subset that other checks stop at."""
    plant, said = PLANTED[name]
    try:
        check("before_training", world.write(plant(), tmp_path))
    except Errors as error:
        assert "check " in str(error)
    (line,) = [line for line in capsys.readouterr().err.splitlines() if f"check {name}:" in line]
    assert f"clear: {said}" in line


def test_a_sound_subset_has_no_other_findings(tmp_path: Path) -> None:
    params = world.write(SOUND, tmp_path)
    assert [message.split(":")[0] for message in examine(read(params), ["clear"])["clear"].messages] == [
        "ranks by rubric on logic, which is suspect", PLANTED["wrong_chosen"][1],
    ]  # fmt: skip
    assert examine(read(params), ["nothing"])["nothing"] == ({}, [])


def test_a_suspect_judge_is_said_once_reliability_is_known(tmp_path: Path) -> None:
    params = world.write(SOUND, tmp_path)
    (tmp_path / "data/reliability.parquet").unlink()
    assert examine(read(params), ["clear"])["clear"].messages == [PLANTED["wrong_chosen"][1]]
    world.write(replace(SOUND, reliability=SOUND.reliability.with_columns(suspect=False)), tmp_path)
    assert examine(read(params), ["clear"])["clear"].messages == [PLANTED["wrong_chosen"][1]]


@pytest.mark.slow
def test_the_findings_of_every_subset_stand_in_the_metrics_of_audit(tmp_path: Path) -> None:
    world.write(SOUND, tmp_path)
    parquet.write(UPDATE_ROWS, contracts.empty(UPDATE_ROWS), update_rows_path(tmp_path / "data"))
    subprocess.run([sys.executable, "-m", "stages.audit"], cwd=tmp_path, check=True, capture_output=True)
    metrics = json.loads((tmp_path / "data/metrics/audit.json").read_text())
    assert metrics["findings"].keys() == {"all", "clear", "wordy", "capable", world.ARM, world.BESIDE}
    assert metrics["findings"]["clear"]["wrong_chosen"] == metrics["findings"][world.ARM]["wrong_chosen"] == 1
