"""What other harnesses measured, read from logs that they wrote (tests/data/harness_logs): the numbers that they print,
rows of results, and contrasts of the runs that `results` names.

Kinds of fault: an answer that failed, was cut or was not scored and counts as a zero; a number that is another than the
harness's own; a log that is not whole, holds an answer twice, or contradicts itself, and is read as if it were sound;
one of several filters, metrics or scorers taken without being named; prompts joined by where they stand; runs that were
measured otherwise and compared without a word.
"""

import hashlib
import importlib
import json
import math
import re
import shlex
import shutil
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flow
import polars as pl
import pytest
import world
from ruamel.yaml import YAML
from served import ran

from curation.core.errors import CurationError
from curation.core.kinds import kind
from curation.core.needs import look_around
from curation.core.params import read
from curation.exchange.measured import read_run
from curation.exchange.results._kind import Log
from curation.exchange.results._zip import Archive
from curation.experiment.results import find_differences
from curation.tables import contracts, measurements, parquet
from curation.tables.db import connect

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/results_in.md").read_text()
LOGS = Path(__file__).parent / "data/harness_logs"
LM_EVAL, INSPECT, TASK = LOGS / "lm_eval", LOGS / "inspect", LOGS / "lm_eval_task"
LIGHTEVAL = LOGS / "lighteval/details"
SUMS = {"kind": "lm_eval", "task": "sums", "filter": "strict-match"}
MATCH = {"kind": "inspect", "task": "whole_sums", "scorer": "match"}
SHORT = MATCH | {"task": "short_sums"}


def log_of(path: Path | str, **settings: Any) -> Log:
    """All that the logs at a path say under these settings."""
    params = kind("results", settings["kind"]).Params
    one = params.model_validate({"split": "out_of_domain", "runs": {"run": str(path)}, **settings})
    return read_run(one, "benchmark", str(path))


def refusal(path: Path | str, **settings: Any) -> str:
    """Why they are not read."""
    with pytest.raises(CurationError) as raised:
        log_of(path, **settings)
    return str(raised.value)


def mean(log: Log) -> float:
    """Of the scores that there are."""
    scores = [row.score for row in log.rows if row.score is not None]
    return sum(scores) / len(scores)


def printed(model: str, task: str, metric: str) -> float:
    """What lm-eval says of a model."""
    (file,) = (LM_EVAL / model).glob("results_*.json")
    return float(json.loads(file.read_text())["results"][task][metric])


@pytest.mark.parametrize("model", ["plain", "noisy"])
def test_of_lm_eval_the_numbers_are_those_that_it_prints(model: str) -> None:
    for filtered in ("strict-match", "flexible-extract"):
        found = log_of(LM_EVAL / model, **SUMS | {"filter": filtered})
        assert mean(found) == printed(model, "sums", f"exact_match,{filtered}")
        assert len(found.rows) == 24  # one question stands twice in the set, and counts twice
    for metric in ("acc", "acc_norm"):
        found = log_of(LM_EVAL / model, kind="lm_eval", task="colours", metric=metric)
        assert mean(found) == printed(model, "colours", f"{metric},none")
        assert {row.completion for row in found.rows} == {None}  # it chose, and wrote nothing


@pytest.mark.parametrize("model", ["plain", "noisy"])
def test_of_inspect_the_numbers_are_those_that_it_prints(model: str) -> None:
    (file,) = (INSPECT / model).glob("*whole-sums*.eval")
    said = json.loads(Archive(file).read("header.json"))["results"]["scores"]
    values = {one["name"]: next(iter(one["metrics"].values()))["value"] for one in said}
    for name, settings in (
        ("match", {"scorer": "match"}),
        ("near", {"scorer": "near"}),
        ("digits", {"scorer": "form", "metric": "digits"}),
        ("brief", {"scorer": "form", "metric": "brief"}),
    ):
        found = log_of(file, **MATCH | settings)
        assert math.isclose(mean(found), values[name])
        assert sorted(row.sample for row in found.rows) == [0] * 14 + [1] * 14


def test_what_failed_or_met_a_limit_has_no_score() -> None:
    """inspect scores the last words of a sample that a limit ended; a zero of it would be the limit's."""
    rows = log_of(INSPECT / "plain", **SHORT).rows
    without = {(row.status, row.finish_reason): row.score for row in rows if row.status != "scored"}
    assert without == {("error", "error"): None, ("missing", "length"): None}
    assert len(rows) == 28 and sum(row.status == "scored" for row in rows) == 25


def test_an_archive_and_the_same_log_as_json_say_the_same(tmp_path: Path) -> None:
    (file,) = (INSPECT / "plain").glob("*short-sums*.eval")
    archive = Archive(file)
    assert {one.compress_type for one in archive.members.values()} == {93}  # which zipfile cannot read
    whole = json.loads(archive.read("header.json"))
    whole["samples"] = [json.loads(archive.read(name)) for name in archive.members if name.startswith("samples/")]
    (tmp_path / "log.json").write_text(json.dumps(whole))
    (tmp_path / "notes.json").write_text("[1]")  # no log, and passed over
    one, other = (log_of(path, **SHORT) for path in (file, tmp_path))
    assert [row._replace(at="") for row in one.rows] == [row._replace(at="") for row in other.rows]
    assert one.alike == other.alike


@pytest.mark.parametrize(
    ("path", "settings", "why"),
    [
        (LM_EVAL / "plain", {"kind": "lm_eval", "task": "sums"}, "has 2 filters: flexible-extract, strict-match; name"),
        (LM_EVAL / "plain", SUMS | {"filter": "strict"}, "no filter 'strict'; did you mean 'strict-match'?"),
        (LM_EVAL / "plain", {"kind": "lm_eval", "task": "colours"}, "has 2 metrics: acc, acc_norm; name one as metric"),
        (LM_EVAL / "plain", SUMS | {"task": "sum"}, "has no log of sum; it has those of colours, sums"),
        (INSPECT / "plain", {"kind": "inspect", "task": "whole_sums"}, "has 3 scorers: form, match, near; name one as"),
        (INSPECT / "plain", MATCH | {"scorer": "form"}, "form: has 2 metrics: brief, digits; name one as metric"),
        (INSPECT / "plain", MATCH | {"task": "sums"}, "has no log of sums; it has those of short_sums, whole_sums"),
        (INSPECT / "started", SHORT, "its status is started, so it is not whole; `inspect eval-retry` makes a log of"),
        ("nowhere", SUMS, "nowhere: does not exist; put it there, or correct the path"),
    ],
    ids=lambda value: None if isinstance(value, dict) else Path(str(value)).name[:20],
)
def test_what_is_not_named_or_not_there_is_said(path: Path, settings: dict[str, Any], why: str) -> None:
    assert why in refusal(path, **settings)


def changed_samples(folder: Path, change: Callable[[list[str]], list[str]]) -> Path:
    """The logs of `plain`, with the lines of `sums` changed."""
    shutil.copytree(LM_EVAL / "plain", folder)
    (file,) = folder.glob("samples_sums_*")
    file.write_text("\n".join(change(file.read_text().splitlines())))
    return folder


def edited(line: str, **changes: Any) -> str:
    return json.dumps(json.loads(line) | changes)


def test_a_line_twice_is_one_and_two_that_differ_are_refused(tmp_path: Path) -> None:
    """lm-eval appends to a file of the same name."""
    once = log_of(LM_EVAL / "plain", **SUMS).rows
    twice = log_of(changed_samples(tmp_path / "twice", lambda lines: lines * 2), **SUMS).rows
    assert [row._replace(at="") for row in twice] == [row._replace(at="") for row in once]
    other = changed_samples(tmp_path / "other", lambda lines: [*lines, edited(lines[0], exact_match=0.0)])
    why = refusal(other, **SUMS)
    assert ": line 1 and " in why and ": line 49: contradict each other on one prompt: score 1.0 and 0.0" in why
    both = tmp_path / "both"
    for model in ("plain", "noisy"):
        shutil.copytree(LM_EVAL / model, both / model)
    assert "contradict each other on one prompt" in refusal(both, **SUMS)


def test_the_order_and_the_numbers_of_documents_decide_nothing(tmp_path: Path) -> None:
    """With another --limit a document has another number."""

    def turn(lines: list[str]) -> list[str]:
        return [edited(line, doc_id=1000 - json.loads(line)["doc_id"]) for line in reversed(lines)]

    one, other = (log_of(path, **SUMS).rows for path in (LM_EVAL / "plain", changed_samples(tmp_path / "t", turn)))
    assert [row._replace(at="") for row in one] == [row._replace(at="") for row in other]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda lines: [*lines[:-1], lines[-1][:50]], ": line 48 is cut off, so the run was not finished"),
        (lambda lines: [lines[0][:50], *lines[1:]], ": line 1 is no JSON"),
        (lambda lines: lines[:20], ": has 20 of 24 documents, so it is not whole"),
        (lambda lines: [], ": is empty, so the run was not finished"),
        (lambda lines: ["{}", *lines], ": line 1: no 'doc_id', so it is no sample of lm-eval's"),
        (
            lambda lines: [edited(line, exact_match=87.5) for line in lines],
            "is not from 0 to 1; name its ends as scale",
        ),
        (lambda lines: [edited(line, exact_match=[1, 0]) for line in lines], "the score [1, 0] is no number"),
        (lambda lines: [edited(line, exact_match={"a": 1}) for line in lines], "the score is several, {'a': 1}"),
        (
            lambda lines: [edited(line, exact_match="yes") for line in lines],
            "the score 'yes' is no number, and none of C",
        ),
    ],
)
def test_a_log_that_is_not_whole_or_has_odd_scores_is_refused(
    tmp_path: Path, change: Callable[[list[str]], list[str]], why: str
) -> None:
    assert why in refusal(changed_samples(tmp_path / "x", change), **SUMS)


def test_a_scale_and_what_is_no_number(tmp_path: Path) -> None:
    def percent(lines: list[str]) -> list[str]:
        return [edited(line, exact_match=json.loads(line)["exact_match"] * 100) for line in lines]

    assert mean(log_of(changed_samples(tmp_path / "percent", percent), **SUMS, scale=[0.0, 100.0])) == 0.75
    unscored = changed_samples(tmp_path / "nan", lambda lines: [edited(line, exact_match=math.nan) for line in lines])
    assert {(row.score, row.status) for row in log_of(unscored, **SUMS).rows} == {(None, "missing")}


def rewritten(folder: Path, change: Callable[[str, dict[str, Any]], dict[str, Any] | None]) -> Path:
    """The archive of `whole_sums` as a plain ZIP with its members changed; those for which there is None left out."""
    (file,) = (INSPECT / "plain").glob("*whole-sums*.eval")
    archive = Archive(file)
    with zipfile.ZipFile(folder / "log.eval", "w") as written:
        for name in archive.members:
            if not name.startswith("_journal") and name.endswith(".json") and (
                body := change(name, json.loads(archive.read(name)))
            ) is not None:  # fmt: skip
                written.writestr(name, json.dumps(body))
    return folder / "log.eval"


def test_an_unfinished_log_of_inspect_is_named_and_a_cut_one_too(tmp_path: Path) -> None:
    def cancel(name: str, body: Any) -> Any:
        return body | {"status": "cancelled"} if name == "header.json" else body

    assert "log.eval: its status is cancelled, so it is not whole" in refusal(rewritten(tmp_path, cancel), **MATCH)
    lost = rewritten(tmp_path, lambda name, body: None if name == "samples/sum-3_epoch_1.json" else body)
    assert "log.eval: has 27 of 28 samples, so it is not whole" in refusal(lost, **MATCH)
    lost.write_bytes(lost.read_bytes()[:2000])
    assert "log.eval: is no whole archive, so it was cut off" in refusal(lost, **MATCH)


def test_a_damaged_member_is_named(tmp_path: Path) -> None:
    (file,) = (INSPECT / "plain").glob("*whole-sums*.eval")
    body = bytearray(file.read_bytes())
    member = Archive(file).members["samples/sum-3_epoch_1.json"]
    (length,) = struct.unpack_from("<H", body, member.header_offset + 26)
    for place in range(200):
        body[member.header_offset + 30 + length + 100 + place] ^= 0xFF
    (tmp_path / "log.eval").write_bytes(body)
    assert "samples/sum-3_epoch_1.json cannot be read: " in refusal(tmp_path / "log.eval", **MATCH)


def test_what_a_scorer_did_not_say_is_no_zero(tmp_path: Path) -> None:
    """NaN of inspect means that it could not be scored; a sample without the scorer has no score either."""
    values: dict[str, Any] = {"sum-0": math.nan, "sum-1": True, "sum-2": "P", "sum-3": "N", "sum-4": 1}

    def change(name: str, body: Any) -> Any:
        if name.startswith("samples/") and body["id"] in values:
            body["scores"]["match"]["value"] = values[body["id"]]
        if name.startswith("samples/sum-5"):
            del body["scores"]["match"]
        return body

    rows = log_of(rewritten(tmp_path, change), **MATCH).rows
    named = {Path(row.at).name.split("_")[0]: (row.score, row.status) for row in rows}
    assert [named[f"sum-{number}"] for number in range(6)] == [
        (None, "missing"), (1.0, "scored"), (0.5, "scored"), (0.0, "scored"), (1.0, "scored"), (None, "missing"),
    ]  # fmt: skip


NORMED = "acc:logprob_normalization=LogProbCharNorm(name='norm', ignore_first_space=False)"


@pytest.mark.parametrize("model", ["plain", "noisy"])
def test_of_lighteval_the_numbers_are_those_that_it_prints(model: str) -> None:
    (about,) = (LOGS / f"lighteval/results/{model}-model").glob("*.json")
    printed = json.loads(about.read_text())["results"]
    for task, metric, count in (
        ("sums|0", "em", 15), ("sums|0", "extractive_match", 15), ("colours|0", "acc", 8), ("colours|0", NORMED, 8),
        ("drawn|0", "avg@n:n=3", 15),
    ):  # fmt: skip
        found = log_of(LIGHTEVAL / f"{model}-model", kind="lighteval", task=task, metric=metric)
        assert mean(found) == pytest.approx(printed[task][metric]) and len(found.rows) == count
        told = {row.completion is not None for row in found.rows}
        assert told == {task == "sums|0"}  # of the others it chose, or answered three times with one score
        assert (found.alike["num_fewshots"], json.loads(found.alike["generation_parameters"])["temperature"]) == (
            "0", 0.7,
        )  # fmt: skip
        assert found.own["model_name"] == f"{model}-model"


def test_of_lighteval_both_names_of_its_columns_are_read_and_a_cut_file_is_named(tmp_path: Path) -> None:
    """Those of its code, and those of its documentation."""
    (file,) = LIGHTEVAL.glob("plain-model/*/details_sums*")
    settings = {"kind": "lighteval", "task": "sums|0"}
    one = log_of(file, **settings, metric="em")
    (tmp_path / "logs").mkdir()
    moved = tmp_path / "logs" / file.name
    pl.read_parquet(file).rename(lambda name: f"__{name}__").write_parquet(moved)
    other = log_of(tmp_path / "logs", **settings, metric="em")
    assert [row._replace(at="") for row in one.rows] == [row._replace(at="") for row in other.rows]
    assert "has 2 metrics: em, extractive_match; name one as metric" in refusal(tmp_path / "logs", **settings)
    assert "has no log of sum; it has those of sums|0" in refusal(tmp_path / "logs", **settings | {"task": "sum"})
    pl.DataFrame({"doc": [1]}).write_parquet(tmp_path / "other.parquet")
    assert "no column 'metric' or '__metric__'" in refusal(tmp_path / "other.parquet", **settings)
    moved.write_bytes(moved.read_bytes()[:-100])
    assert f"{file.name}: is no whole Parquet file" in refusal(tmp_path / "logs", **settings)


def test_several_tasks_are_one_benchmark_whose_mean_is_that_of_the_group() -> None:
    """Named as the group, by a pattern, or one by one. Each question counts alike, as lm-eval weighs them by size."""
    (about,) = (LOGS / "lm_eval_groups").rglob("results_*.json")
    printed = json.loads(about.read_text())
    logs = [
        log_of(LOGS / "lm_eval_groups", kind="lm_eval", task=task)
        for task in ("signs", "signs-*", ["signs-plus", "signs-minus"])
    ]
    assert logs[0] == logs[1] == logs[2] and len(logs[0].rows) == 16
    assert mean(logs[0]) == pytest.approx(printed["groups"]["signs"]["exact_match,number"])
    means = [mean(log_of(LOGS / "lm_eval_groups", kind="lm_eval", task=f"signs-{one}")) for one in ("plus", "minus")]
    assert means == [printed["results"][f"signs-{one}"]["exact_match,number"] for one in ("plus", "minus")]
    assert means[0] != means[1] and logs[0].alike["task"] == "signs-minus; signs-plus"
    both = log_of(INSPECT / "plain", kind="inspect", task=["short_sums", "whole_sums"], scorer="match")
    assert len(both.rows) == 56 and log_of(INSPECT / "plain", **SHORT).rows[0].content in {
        row.content for row in both.rows
    }
    settings = {"kind": "lm_eval", "metric": "exact_match"}
    assert "has no log of divide; it has those of signs-minus, signs-plus" in refusal(
        LOGS / "lm_eval_groups", **settings, task=["signs-plus", "divide"]
    )
    (file,) = (LOGS / "lm_eval_groups").rglob("samples_signs-plus_*")
    assert "has no log of signs-minus; it has those of signs-plus" in refusal(file, **settings, task="signs-minus")


def test_what_runs_of_several_tasks_share_is_not_shown() -> None:
    said = [("b", run, "task", f"add; sub; {more}", True) for run, more in (("one", "mul"), ("two", "div"))]
    said.append(("b", "three", "task", "add; sub", True))
    provenance = pl.DataFrame(said, contracts.empty(measurements.PROVENANCE).schema, orient="row")
    assert [*find_differences(provenance)] == [
        "b: runs were measured with another task: mul (one); div (two); nothing more (three)"
    ]


def test_any_table_is_read_by_a_mapping_of_its_columns(tmp_path: Path) -> None:
    rows = [
        {"q": "1 + 1?", "n": 0, "points": 10, "failed": None},
        {"q": "1 + 1?", "n": 1, "points": 5, "failed": None},
        {"q": "1 + 2?", "n": 0, "points": None, "failed": "timed out"},
        {"q": "1 + 2?", "n": 1, "points": None, "failed": None},
    ]
    (tmp_path / "t.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in [*rows, rows[0]]))
    columns = {"prompt": "q", "score": "points", "sample": "n", "error": "failed"}
    found = log_of(tmp_path / "t.jsonl", kind="table", columns=columns, scale=[0.0, 10.0])
    assert sorted((row.sample, row.score, row.status) for row in found.rows if row.score) == [
        (0, 1.0, "scored"), (1, 0.5, "scored"),
    ]  # fmt: skip
    assert sorted((row.sample, row.status) for row in found.rows if row.score is None) == [(0, "error"), (1, "missing")]
    del columns["sample"]
    assert "t.jsonl: row 1: contradict each other on one prompt: score 1.0 and 0.5" in refusal(
        tmp_path / "t.jsonl", kind="table", columns=columns, scale=[0.0, 10.0]
    )


@pytest.mark.parametrize("written", [(True, False), ("true", "false"), ("True", "False"), ("TRUE", "FALSE")])
@pytest.mark.parametrize("scale", [None, [0.0, 10.0]])
def test_right_and_wrong_are_read_as_truths_of_any_kind(
    written: tuple[object, object], scale: Any, tmp_path: Path
) -> None:
    """Kind: a table says true or false where ours has a number, or null. JSON, Parquet and CSV, whatever the scale."""
    yes, no = written
    frame = pl.DataFrame({"q": ["a", "b", "c"], "ok": [yes, no, no], "failed": [no, no, yes]})
    frame.write_ndjson(tmp_path / "t.jsonl")
    frame.write_parquet(tmp_path / "t.parquet")
    frame.write_csv(tmp_path / "t.csv")
    columns = {"prompt": "q", "score": "ok", "error": "failed"}
    for name in ("t.jsonl", "t.parquet", "t.csv"):
        found = log_of(tmp_path / name, kind="table", columns=columns, scale=scale)
        said = sorted((row.score, row.status) for row in found.rows if row.score is not None)
        assert said == [(0.0, "scored"), (1.0, "scored")] and len(found.rows) == 3, name


RESULTS = {
    name: {**of, "split": split, "runs": {run: f"data/harness/{of['kind']}/{run}" for run in ("plain", "noisy")}}
    for name, of, split in (("additions", SUMS, "out_of_domain"), ("chat", MATCH, "in_domain"))
}
BETTER = {"plus": {"model": "plain"}, "minus": {"model": "noisy"}}


def write_study(folder: Path, **changes: Any) -> dict[str, Any]:
    """`folder` holds the small study, with two models that are measured elsewhere alone, and their logs."""
    world.write(world.sound(), folder)
    (folder / "data/metrics").mkdir(exist_ok=True)
    (folder / "data/metrics/arms.json").write_text(json.dumps({arm: {"pairs": 3} for arm in world.CELLS}))
    for there, here in ((LM_EVAL, "lm_eval"), (INSPECT, "inspect")):
        for model in ("plain", "noisy"):
            shutil.copytree(there / model, folder / "data/harness" / here / model)
    raw = world.settings() | {"models": {"plain": None, "noisy": None}, "results": RESULTS}
    raw["contrasts"] = raw["contrasts"] | {name: BETTER | {"benchmark": name} for name in RESULTS}
    flow.write(raw | changes, folder / "params.yaml")
    return raw


def lines_of(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the check of params.yaml says, without the file's name; of the file first, else of the machine."""
    monkeypatch.chdir(folder)
    try:
        lines = [line for line in look_around(read(Path("params.yaml"))).unmet if ": results." in line]
    except CurationError as error:
        lines = str(error).splitlines()
    return [line.removeprefix("params.yaml: ") for line in lines]


@pytest.mark.slow
def test_the_check_of_params_finds_what_can_be_found_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = write_study(tmp_path)
    assert lines_of(tmp_path, monkeypatch) == []
    additions: dict[str, Any] = RESULTS["additions"]
    runs = additions["runs"]
    odd = {
        "additions": additions | {"filter": None, "runs": runs | {"noisy": "data/harness/gone"}},
        "chat": RESULTS["chat"],
    }
    flow.write(raw | {"results": odd}, tmp_path / "params.yaml")
    said = lines_of(tmp_path, monkeypatch)
    assert "has 2 filters: flexible-extract, strict-match; name one as filter" in said[0]
    assert said[1:] == [
        "results.additions.runs.noisy: data/harness/gone: does not exist; put it there, or correct the path"
    ]
    odd = {
        "held_sums": additions | {"runs": {"plane": runs["plain"], "noisy": "elsewhere/noisy"}, "scale": [1.0, 0.0]},
        "chat": RESULTS["chat"] | {"scorers": "match", "runs": {}},
        "other": {"kind": "lm_evil", "split": "train"},
    }
    flow.write(raw | {"results": odd}, tmp_path / "params.yaml")
    assert set(lines_of(tmp_path, monkeypatch)) >= {
        "results.held_sums: scale: [1.0, 0.0] does not rise; write the score that is worth 0 first",
        "results.held_sums: sources has an entry of that name; benchmarks go by name, so rename one",
        "results.chat.scorers: unknown key; did you mean 'scorer'?",
        "results.chat.runs: 0 are fewer than 1; add to them",
        "results.other.kind: 'lm_evil' is not one of inspect, lighteval, lm_eval, table; did you mean 'lm_eval'?",
    }
    away = str(LM_EVAL / "noisy")
    odd = {"additions": additions | {"runs": {"plane": runs["plain"], "noisy": away}}}
    flow.write(raw | {"results": odd, "contrasts": world.settings()["contrasts"]}, tmp_path / "params.yaml")
    assert lines_of(tmp_path, monkeypatch) == [
        "models.plain: null, but results names no logs of it; add it to an entry's runs, or name its weights",
        "results.additions.runs.plane: no run of the grid, and not in models, where `plane: null` declares it; did you "
        "mean 'plain'?",
        f"results.additions.runs.noisy: {away} is not in data/harness, which DVC watches; put the logs there, or links "
        "to them",
    ]


@pytest.mark.slow
def test_two_models_that_were_measured_elsewhere_are_contrasted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Paired by prompt, beside what the study measured itself; a setting in which they differ is told."""
    write_study(tmp_path)
    (about,) = (tmp_path / "data/harness/lm_eval/noisy").glob("results_*.json")
    about.write_text(about.read_text().replace('"lm_eval_version": "0.4.13"', '"lm_eval_version": "0.4.9"'))
    monkeypatch.chdir(tmp_path)
    importlib.import_module("stages.import_results").main()
    told = "additions: runs were measured with another lm_eval_version: 0.4.9 (noisy); 0.4.13 (plain)"
    assert capsys.readouterr().err == f"warning: import_results: {told}\n"
    importlib.import_module("stages.compare").main()
    said = capsys.readouterr().err.splitlines()
    assert f"warning: compare: {told}" in said
    assert not [line for line in said if "no results of" in line]  # of a run that another harness was not asked of
    contrasts = parquet.read(measurements.CONTRASTS, contracts.path("contrasts"))
    found = {row["contrast"]: row for row in contrasts.iter_rows(named=True)}
    assert (found["additions"]["n"], found["additions"]["measure"]) == (24, "avg@1")
    assert found["additions"]["estimate"] == pytest.approx(0.75 - 1 / 24, abs=1e-8)  # what lm-eval printed
    assert found["additions"]["ci_low"] > 0 and found["additions"]["refused"] is None
    assert (found["chat"]["n"], found["chat"]["measure"]) == (14, "avg@2")
    assert found["chat"]["estimate"] == pytest.approx(6 / 28 - 1 / 28, abs=1e-8)  # what inspect printed
    compared = parquet.read(measurements.COMPARISONS, contracts.path("comparisons"))
    values = compared.filter(pl.col("method") == "given", pl.col("measure").str.starts_with("avg"))
    found_values = dict(values.filter(benchmark="additions").select("selection", "value").rows())
    assert found_values == pytest.approx({"noisy": 1 / 24, "plain": 0.75}, abs=1e-8)
    metrics = json.loads(Path("data/metrics/import_results.json").read_text())
    assert metrics["additions"]["plain"] == {"answers": 24, "mean": 0.75, "without_score": 0}
    with connect(tmp_path / "params.yaml") as tables:
        check = ROOT / "curation/tables/sql/checks/measured_otherwise.sql"
        assert tables.sql(check.read_text()).fetchall() == [("additions", "lm_eval_version", 2, "0.4.13; 0.4.9")]
        assert tables.sql("select count(*) from imported_results where run = 'plain'").fetchall() == [(52,)]


@pytest.mark.slow
def test_without_results_the_tables_are_there_and_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = world.write(world.sound(), tmp_path).parent
    monkeypatch.chdir(folder)
    importlib.import_module("stages.import_results").main()
    for table in (measurements.IMPORTED_RESULTS, measurements.PROVENANCE):
        assert parquet.read(table, contracts.path(table.name)).is_empty()


SHOWN = re.findall(r'^\$ (curation (?:[^\n"]|"[^"]*")+)\n((?:(?!\$ |```).*\n)*)', PAGE, re.MULTILINE)


@pytest.mark.slow
def test_the_page_shows_what_comes_out_of_its_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_study(tmp_path)
    (declared,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    lines = YAML(typ="safe", pure=True).load(declared)
    flow.write(world.settings() | lines | {"compare": {"primary": None}}, tmp_path / "params.yaml")
    monkeypatch.chdir(tmp_path)
    assert [line for line in look_around(read(Path("params.yaml"))).unmet if "results" in line] == []
    for stage in ("import_results", "compare"):
        importlib.import_module(f"stages.{stage}").main()
    asked = [(command, shown) for command, shown in SHOWN if " sql " in command]
    assert len(asked) == 2
    for command, shown in asked:
        assert (command, ran(tmp_path, *shlex.split(command)).stdout) == (command, shown)


def test_lm_eval_asked_the_prompts_of_the_task_that_we_wrote() -> None:
    """It hashed what it asked, after its own templates."""
    ours = [json.loads(line)["prompt"] for line in (TASK / "arithmetic_held_out.jsonl").read_text().splitlines()]
    (file,) = TASK.glob("samples_*.jsonl")
    theirs = [json.loads(line)["prompt_hash"] for line in file.read_text().splitlines()]
    assert sorted(theirs) == sorted(hashlib.sha256(prompt.encode()).hexdigest() for prompt in ours)
    assert len(log_of(TASK, kind="lm_eval", task="arithmetic_held_out").rows) == len(ours) == 15


@pytest.mark.long  # unpacks the student
def test_a_benchmark_goes_out_as_the_task_that_lm_eval_ran(tmp_path: Path) -> None:
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    assert ran(tmp_path, "stages.collect").returncode == 0
    ((command, shown),) = [one for one in SHOWN if "eval-task" in one[0]]
    done = ran(tmp_path, *shlex.split(command))
    assert done.stdout + done.stderr.splitlines()[-1] + "\n" == shown
    for made in (tmp_path / "tasks").iterdir():  # the log is of shorter answers
        assert made.read_text().replace('"max_gen_toks": 64', '"max_gen_toks": 24') == (TASK / made.name).read_text()
    again = ran(tmp_path, *shlex.split(command))
    said = "error: tasks/arithmetic_held_out.jsonl: is there already; delete it, or name another folder\n"
    assert (again.returncode, again.stderr) == (1, said)
    other = ran(tmp_path, "curation", "eval-task", "arithmetic", "--out", "x")
    assert other.stderr.startswith("error: arithmetic: is no source outside the train split; did you mean 'arithmetic_")
