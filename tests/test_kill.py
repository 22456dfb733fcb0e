"""A run that is killed again and again, and one that is interrupted: nothing bought is lost or bought again, the tables
come out the same."""

import signal
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
from conftest import Serve
from served import Held, answering, draws, line_with, ran, rebuilt, served_params, started
from server import Answer, Request

from curation.calls import upkeep
from curation.calls.counts import count_calls
from curation.calls.ledger import Ledger
from curation.core.params import read

pytestmark = pytest.mark.slow

PROMPTS, SAMPLES, CONCURRENCY = 60, 2, 4


@pytest.mark.parametrize("times", [6, pytest.param(20, marks=pytest.mark.long)])
def test_kills_lose_and_rebuy_nothing_but_what_was_in_flight(serve: Serve, tmp_path: Path, times: int) -> None:
    calm, killed = tmp_path / "calm", tmp_path / "killed"
    reached, dead, lock, left = threading.Event(), threading.Event(), threading.Lock(), [0]

    def counting(request: Request) -> Answer:
        """Answers so many calls; those after them are in flight when the kill comes."""
        with lock:
            left[0] -= 1
            now = left[0]
        if now == 0:
            reached.set()
        elif now < 0:
            dead.wait(60)
        return answering(request)

    served_params(calm, serve(answering).url, PROMPTS, SAMPLES)
    expected = rebuilt(calm)

    server = serve(counting)
    served_params(killed, server.url, PROMPTS, SAMPLES, concurrency=CONCURRENCY)
    assert ran(killed, "stages.collect").returncode == 0
    stages, kills = [("stages.generate", "writer"), ("stages.judge", "rubric")], 0
    for stage, seed in zip(stages, (1, 2), strict=True):
        for calls in draws(seed, times // 2, 2 * PROMPTS * SAMPLES // times - 1):
            reached.clear()
            dead.clear()
            left[0] = calls
            child = started(killed, *stage)
            assert reached.wait(60)
            child.send_signal(signal.SIGKILL)
            kills += child.wait() == -signal.SIGKILL
            child.communicate()
            dead.set()
        left[0] = 10**6
        assert ran(killed, *stage).returncode == 0
    assert kills == times
    assert rebuilt(killed) == expected

    distinct = 2 * PROMPTS * SAMPLES
    print(
        f"\n{kills} kills, {distinct} distinct calls, {CONCURRENCY} at once: asked {len(server.requests)} times, "
        f"so {len(server.requests) - distinct} bought twice"
    )
    assert distinct <= len(server.requests) <= distinct + times * CONCURRENCY
    study = read(killed / "params.yaml")
    with Ledger(
        study.ledger.model_copy(update={"path": str(killed / study.ledger.path), "recorded": str(killed / "none")})
    ) as ledger:
        assert (
            upkeep.verify(ledger)
            == ledger.db.execute("SELECT count(DISTINCT key) FROM calls").fetchone()[0]
            == distinct
        )


def test_ctrl_c_keeps_what_is_under_way_and_starts_nothing(serve: Serve, tmp_path: Path) -> None:
    held = Held()
    server = serve(held)
    served_params(tmp_path, server.url, 100, 1)
    assert ran(tmp_path, "stages.collect").returncode == 0
    child = started(tmp_path, "stages.generate", "writer")
    assert held.begun.wait(60)
    child.send_signal(signal.SIGINT)
    line = line_with(child, "waiting for ")
    held.go.set()
    _, said = child.communicate(timeout=60)
    assert line.startswith("waiting for ") and line.endswith(" calls under way; Ctrl-C again drops them\n")
    assert child.returncode == 130, said
    before = len(server.requests)
    assert said.endswith(f"interrupted; the ledger has what was bought: {before} attempts\n")
    assert before <= 11 + CONCURRENCY
    assert not (tmp_path / "data/traces/writer.parquet").exists()
    assert ran(tmp_path, "stages.generate", "writer").returncode == 0
    assert len(server.requests) == 100


def test_a_second_ctrl_c_drops_what_is_under_way(serve: Serve, tmp_path: Path) -> None:
    """Had it waited, each call that the server holds would be kept as one that got no reply in time."""
    held = Held()
    served_params(tmp_path, serve(held).url, 50)
    assert ran(tmp_path, "stages.collect").returncode == 0
    child = started(tmp_path, "stages.generate", "writer")
    assert held.begun.wait(30)
    child.send_signal(signal.SIGINT)
    assert line_with(child, "waiting for ")
    with closing(sqlite3.connect(tmp_path / ".curation/ledger.sqlite")) as db:
        while db.execute("SELECT count(*) FROM calls").fetchone() != (10,):  # the replies that the server gave
            assert child.poll() is None
            time.sleep(0.01)
    child.send_signal(signal.SIGINT)
    assert child.wait(60) == 130 and not held.go.is_set()
    held.go.set()
    study = read(tmp_path / "params.yaml")
    with Ledger(
        study.ledger.model_copy(update={"path": str(tmp_path / study.ledger.path), "recorded": "none"})
    ) as ledger:
        assert [(line["attempts"], line["failed"]) for line in count_calls(ledger)] == [(10, 0)]
