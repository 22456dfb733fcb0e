"""Stages: what one poisoned prompt costs, what a server that fails costs, and a rebuild without a socket."""

import socket
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import world
from conftest import Serve
from flow import write
from served import answering, ran, rebuilt, save, served_params
from server import BROKEN, DROPPED, NO_CHOICES, STALLED, Answer, Request, cut, failing, good, shaped

from curation.core.params import read
from curation.training.evaluate_all import evaluate_all

POISON = "What is 3 + 1?"
FAULTS: dict[str, tuple[Answer, str, int]] = {  # the answer, the status of its judgments, attempts with one retry
    "429": (failing(429), "error", 2),
    "429 without Retry-After": (failing(429, retry_after=None), "error", 2),
    "500": (failing(500), "error", 2),
    "503": (failing(503), "error", 2),
    "dropped": (DROPPED, "error", 2),
    "broken": (BROKEN, "error", 2),
    "stalled": (STALLED, "error", 2),
    "cut JSON": (cut(), "error", 2),
    "empty choice": (NO_CHOICES, "error", 2),
    "400": (failing(400), "error", 1),
    "another body": (shaped({"choices": "abc"}), "error", 1),
    "wrong schema": (good('{"steps": "high", "sums": 9}'), "unparsable", 1),
    "valid JSON of another shape": (good("[1, 2]"), "unparsable", 1),
    "refusal": (good(None, refusal="No."), "refused", 1),
    "length": (good('{"steps": 4, "su', "length"), "truncated", 1),
}
QUICK = ("429", "dropped", "cut JSON", "wrong schema", "refusal", "length")  # one of each sort


@pytest.mark.slow
@pytest.mark.parametrize(
    "fault", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in FAULTS]
)
def test_one_poisoned_prompt_costs_one_row(serve: Serve, tmp_path: Path, fault: str) -> None:
    answer, status, attempts = FAULTS[fault]
    server = serve(
        lambda request: (
            answer if "response_format" in request.body and POISON in request.last_message else answering(request)
        )
    )
    # A busy machine may answer late. One call at a time: a 400 heard before any good reply is asked again in another
    # mode.
    served_params(
        tmp_path, server.url, 24, 1, concurrency=1, max_retries=1, timeout_s=2.0 if fault == "stalled" else 60.0
    )
    rebuilt(tmp_path)
    rows = pl.read_parquet(tmp_path / "data/judgments/rubric.parquet")
    bad = rows.filter(pl.col("status") != "scored")
    assert bad.select("status", "score", "expected_score").rows() == [(status, None, None)] * 2
    assert bad["trace_id"].n_unique() == 1 and rows.height == 48
    rated = [POISON in request.last_message for request in server.requests if "response_format" in request.body]
    assert not rated[0] and sum(rated) == attempts


def test_a_server_that_fails_too_often_stops_the_stage(serve: Serve, tmp_path: Path) -> None:
    """A quarter of the calls fail, a twentieth is allowed: no table, exit 1; once the server is well the same
    command goes on."""
    ill = [True]

    def sometimes(request: Request) -> Answer:
        return (
            failing(500, "out of memory")
            if ill[0] and request.body["messages"][-1]["content"].startswith(("What is 1", "What is 2"))
            else answering(request)
        )

    server = serve(sometimes)
    served_params(tmp_path, server.url, 8, 1, max_retries=0)
    assert ran(tmp_path, "stages.collect").returncode == 0
    done = ran(tmp_path, "stages.generate", "writer")
    assert done.returncode == 1
    assert done.stderr.endswith(
        "error: generate writer: 2 of 8 calls failed, the first with HTTP 500: out of memory: "
        "more than ledger.max_failed: 0.05; run again to try these again, or raise it\n"
    )
    assert not (tmp_path / "data/traces").exists()
    ill[0] = False
    assert ran(tmp_path, "stages.generate", "writer").returncode == 0
    assert len(server.requests) == 10


class Forbidden(socket.socket):
    def connect(self, *_: Any) -> None:
        raise AssertionError("a socket was opened")

    connect_ex = connect  # type: ignore[assignment]


def test_offline_rebuilds_the_tables_without_a_socket(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = served_params(tmp_path, serve(answering).url, 4)
    expected = rebuilt(tmp_path)
    params["ledger"]["offline"] = True
    save(params, tmp_path)
    monkeypatch.setattr(socket, "socket", Forbidden)
    for name in expected:
        (tmp_path / "data" / name).unlink()
    assert rebuilt(tmp_path) == expected

    params["judges"]["rubric"]["instructions"] += "Be strict.\n"
    save(params, tmp_path)
    done = ran(tmp_path, "stages.judge", "rubric")
    assert done.returncode == 1
    assert done.stderr.startswith(
        "error: judge rubric: ledger.offline is true and 8 of 8 calls have no reply (the first is key "
    )
    assert "prompt 'Problem:" in done.stderr


def test_a_run_that_a_server_does_not_know_costs_no_other(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of the adapters was not loaded when the server was started."""
    raw = world.settings()
    server = serve(lambda request: failing(404) if request.body["model"] == "forgotten" else good("9"))
    raw["evaluate"]["engine"] = {"kind": "openai", "endpoint": server.endpoint(max_retries=0).model_dump()}
    monkeypatch.chdir(tmp_path)
    write(raw, tmp_path / "params.yaml")
    runs = dict.fromkeys(("forgotten", "baseline", "again"))
    outcomes = {run: (done and done.results, error) for run, done, error in evaluate_all(read(), runs, world.prompts())}
    assert list(outcomes) == list(runs)
    (none, error), (rows, fine), (again, well) = outcomes.values()
    assert none is None and "forgotten: HTTP 404: no; check model" in error
    assert fine is None and well is None and set(rows["completion"]) == set(again["completion"]) == {"9"}
