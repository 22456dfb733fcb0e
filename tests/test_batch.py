"""Batch files: what is outstanding goes out, results come back, and the stages then ask nothing."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from conftest import Serve
from served import answering, ran, rebuilt, served_params
from server import ChatServer, Request

KEY = "sk-planted-0123456789"

Outstanding: TypeAlias = tuple[Path, ChatServer, list[dict[str, Any]]]  # a folder, the server, the results


def results(folder: Path, server: ChatServer, stage: str, name: str) -> list[dict[str, Any]]:
    """The batch that is outstanding, answered as a provider would."""
    assert ran(folder, "curation", "batch", "write", stage, name, "out.jsonl").returncode == 0
    lines = [json.loads(line) for line in (folder / "out.jsonl").read_text().splitlines()]
    assert {(line["method"], line["url"]) for line in lines} == {("POST", "/v1/chat/completions")}
    bodies = [json.loads(answering(Request(line["body"], "")).body) for line in lines]
    return [
        {
            "id": f"b{n}",
            "custom_id": line["custom_id"],
            "response": {"status_code": 200, "request_id": "r", "body": body},
            "error": None,
        }
        for n, (line, body) in enumerate(zip(lines, bodies, strict=True))
    ]


def read(folder: Path, stage: str, name: str, rows: list[Any]) -> tuple[int, str]:
    (folder / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = ran(folder, "curation", "batch", "read", stage, name, "in.jsonl")
    return done.returncode, done.stdout + done.stderr


@pytest.mark.slow
def test_a_study_filled_by_batches_is_the_study_asked_live(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLANTED", KEY)
    server, live, offline = serve(answering), tmp_path / "live", tmp_path / "offline"
    served_params(live, server.url, 5, api_key_env="PLANTED")
    expected, asked = rebuilt(live), list(server.requests)
    served_params(offline, server.url, 5, api_key_env="PLANTED")
    early = ran(offline, "curation", "batch", "write", "judge", "rubric", "out.jsonl")
    assert (
        early.stderr
        == "error: batch write: judge rubric rates traces that are not written yet; fill the generators' calls first\n"
    )
    for stage, name in (("generate", "writer"), ("judge", "rubric")):
        rows = results(offline, server, stage, name)
        written = [json.loads(line)["body"] for line in (offline / "out.jsonl").read_text().splitlines()]
        live_bodies = [one.body for one in asked if ("response_format" in one.body) == (stage == "judge")]
        assert sorted(map(json.dumps, written)) == sorted(map(json.dumps, live_bodies))
        assert KEY not in (offline / "out.jsonl").read_text()
        assert read(offline, stage, name, rows[::-1]) == (0, "in.jsonl: 10 good, 0 failed, 0 known\n")
        assert read(offline, stage, name, rows) == (0, "in.jsonl: 0 good, 0 failed, 10 known\n")
    assert rebuilt(offline) == expected
    assert len(server.requests) == len(asked)
    nothing = ran(offline, "curation", "batch", "write", "generate", "writer", "out.jsonl")
    assert (
        nothing.stderr
        == "error: batch write: generate writer: the ledger has all 10 calls; there is nothing to write\n"
    )


def test_a_failed_line_is_an_attempt_and_stays_outstanding(serve: Serve, tmp_path: Path) -> None:
    server = serve(answering)
    served_params(tmp_path, server.url, 3, 1)
    rows = results(tmp_path, server, "generate", "writer")
    rows[0] |= {"response": None, "error": {"code": "batch_expired", "message": "too late"}}
    rows[1]["response"] = {"status_code": 400, "body": {"error": {"message": "too long"}}}
    assert read(tmp_path, "generate", "writer", rows) == (0, "in.jsonl: 1 good, 2 failed, 0 known\n")
    assert [row["custom_id"] for row in results(tmp_path, server, "generate", "writer")] == [
        row["custom_id"] for row in rows[:2]
    ]


def test_no_key_comes_in_with_a_batchs_errors(serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kind of fault: a second way in for what a server says. Escaped or not, in a line's error or a response's,
    and cut to 300 characters."""
    monkeypatch.setenv("PLANTED", KEY)
    server = serve(answering)
    served_params(tmp_path, server.url, 4, 1, api_key_env="PLANTED")
    rows = results(tmp_path, server, "generate", "writer")
    escaped = "".join(f"\\u{ord(char):04X}" for char in KEY)
    rows[0] |= {"response": None, "error": {"message": f"no such key: {KEY}"}}
    rows[1] |= {"response": None, "error": {"message": f"{'-' * 270} {escaped}"}}
    rows[2]["response"] = {"status_code": 400, "body": {"error": {"message": f"no such key: {escaped}"}}}
    rows[3]["response"]["body"]["choices"][0]["message"]["content"] = f"It is {KEY}."
    assert read(tmp_path, "generate", "writer", rows) == (0, "in.jsonl: 1 good, 3 failed, 0 known\n")
    with closing(sqlite3.connect(tmp_path / ".curation/ledger.sqlite")) as ledger:
        errors = {error for (error,) in ledger.execute("SELECT error FROM calls WHERE error IS NOT NULL")}
        assert ledger.execute("SELECT text FROM calls WHERE error IS NULL").fetchall() == [(f"It is {KEY}.",)]
    assert {'batch: {"message": "no such key: [key]"}', "HTTP 400: no such key: [key]"} < errors
    assert all("[key]" in error and "sk-" not in error and r"\u" not in error for error in errors) and len(errors) == 3


@pytest.fixture(scope="module")
def outstanding(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outstanding]:
    """A study that waits for three results, and they: one for all the files that change nothing."""
    folder = tmp_path_factory.mktemp("outstanding")
    with pytest.MonkeyPatch.context() as patch, ChatServer(answering) as server:
        patch.setenv("PLANTED", KEY)
        served_params(folder, server.url, 3, 1, api_key_env="PLANTED")
        yield folder, server, results(folder, server, "generate", "writer")


SPOILED = {
    "foreign": (
        {"custom_id": "0" * 64, "response": {"status_code": 200, "body": {}}},
        "in.jsonl: line 3: custom_id 0000000000000000… is no call of generate writer under this params.yaml",
    ),
    "no result": ({"hello": 1}, "in.jsonl: line 3: not a line of a batch result; nothing was kept"),
    "a request": (
        {"custom_id": "0" * 64, "method": "POST", "url": "/v1/chat/completions", "body": {}},
        "line 3: neither a response nor an error, so not a line of a batch result; nothing was kept",
    ),
    "a list": ([1], "in.jsonl: line 3: not a line of a batch result; nothing was kept"),
    "an id that is a list": (
        {"custom_id": [1], "response": {"status_code": 200, "body": {}}},
        "line 3: custom_id [1]… is no call of generate writer under",
    ),
    "an id that is an object": (
        {"custom_id": {}, "error": {}},
        "line 3: custom_id {}… is no call of generate writer under this params.yaml",
    ),
    "a key as id": (
        {"custom_id": KEY, "error": {}},
        "line 3: custom_id [key]… is no call of generate writer under this params.yaml",
    ),
    "half a pair as id": (
        {"custom_id": "\x1b\ud83d", "error": {}},
        "line 3: custom_id ?… is no call of generate writer under this params.yaml",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("how", SPOILED)
def test_a_file_that_is_not_this_stages_result_changes_nothing(outstanding: Outstanding, how: str) -> None:
    (folder, server, rows), (line, said) = outstanding, SPOILED[how]
    code, output = read(folder, "generate", "writer", [*rows[:2], line])
    assert (code, said in output) == (1, True)
    assert len(results(folder, server, "generate", "writer")) == 3


@pytest.mark.slow
@pytest.mark.parametrize("status", [KEY, "200", None, True, 2.5, 0, 10**18, [200]], ids=repr)
def test_a_status_that_is_none_of_https_changes_nothing(outstanding: Outstanding, status: Any) -> None:
    """The kind of fault: a field that is no text, trusted, and shown in an error."""
    folder, server, rows = outstanding
    strange = rows[1] | {"response": {"status_code": status, "body": {"error": {"message": "no"}}}}
    code, output = read(folder, "generate", "writer", [rows[0], strange, rows[2]])
    shown = "[key]" if status == KEY else str(status)[:16]
    assert (code, output) == (1, f"error: in.jsonl: line 2: status_code {shown} is no HTTP status; nothing was kept\n")
    assert len(results(folder, server, "generate", "writer")) == 3


def test_a_stage_that_calls_no_model_is_said(serve: Serve, tmp_path: Path) -> None:
    served_params(tmp_path, serve(answering).url, 2, 1)
    done = ran(tmp_path, "curation", "batch", "write", "judge", "answer", "out.jsonl")
    assert done.stderr == "error: batch: judge answer calls no model; these do: generate writer, judge rubric\n"
