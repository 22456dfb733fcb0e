"""A ledger on a bad day: a full disk, a file or a folder that is read-only, locks, two processes, a clock set back."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from conftest import OpenLedger, Serve
from pydantic import ValidationError
from served import answering, ended, line_with, ran, rebuilt, served_params, started
from server import Answer, Request, good

from curation.calls import keeping, opening, upkeep
from curation.calls.attempts import Attempt
from curation.calls.call import Call, OnReply, Reply
from curation.calls.chat import HttpEngine
from curation.calls.ledger import Ledger, Params
from curation.calls.store import insert_attempt
from curation.core.errors import CurationError

MOVED = ("move it away", "another file")  # what no sentence about a disk, a right or a lock may advise


def calls(*prompts: str) -> list[Call]:
    return [Call("m", "r", [{"role": "user", "content": text}], {"seed": 0, "max_tokens": 64}, 0) for text in prompts]


def engine(asked: list[str], before: Callable[[int], None] = lambda at: None, size: int = 1) -> Any:
    """One that notes what it was asked, and calls `before` with the number of each call."""

    def answer(calls: Iterator[Call], on_reply: OnReply) -> None:
        for call in calls:
            before(len(asked))
            asked.append(call.last_message)
            on_reply(call, Reply(f"re {call.last_message} " + "x" * size, "stop", 1, 1))

    return answer


def settings(file: Path, recorded: Path | str = "none") -> Params:
    return Params(path=str(file), recorded=str(recorded), offline=False, max_failed=1.0)


@contextmanager
def mounted(folder: Path, *options: str) -> Iterator[Path]:
    """A small disk of its own, which only root may mount."""
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", *options, "tmpfs", folder], capture_output=True).returncode:
        pytest.skip("no right to mount a disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """`folder` is a disk that nobody can write to, root included."""
    if subprocess.run(["mount", "--bind", folder, folder], capture_output=True).returncode:
        pytest.skip("no right to mount a disk")
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", folder], check=True)
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def refused(said: str, error: CurationError) -> None:
    """It is one sentence of this kind that gives no bad advice."""
    text = str(error)
    assert said in text and len(text.splitlines()) == 1 and not any(advice in text for advice in MOVED), text


def test_a_full_disk_ends_the_run_and_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the disk cannot take lies in another folder, is read by `ledger import`, and is not bought again."""
    monkeypatch.setattr(keeping, "AGAIN", 0.05)
    monkeypatch.chdir(tmp_path)
    wanted, asked = calls(*[f"q{n}" for n in range(200)]), list[str]()
    with mounted(tmp_path / "disk", "-o", "size=1m") as disk:
        with pytest.raises(CurationError) as caught, Ledger(settings(disk / "l.sqlite")) as ledger:
            list(ledger.fulfil(wanted, engine(asked, size=20_000), "generate", "g"))
        refused("the disk is full, so nothing more can be kept; free some space and run again", caught.value)
        assert 10 < len(asked) < 100
        [spilled] = tmp_path.glob("l.sqlite.unkept.*.parquet")
        assert str(spilled) in str(caught.value) and not list(disk.glob("*.parquet*"))
        subprocess.run(["mount", "-o", "remount,size=16m", disk], check=True)
        with Ledger(settings(disk / "l.sqlite")) as ledger:
            ledger.import_file(spilled)
            replies = list(ledger.fulfil(wanted, engine(asked, size=20_000), "generate", "g"))
            assert len(replies) == 200 and upkeep.verify(ledger) == 200
    assert sorted(asked) == sorted(call.last_message for call in wanted)


def test_a_full_disk_is_said_before_anything_is_asked(tmp_path: Path) -> None:
    asked = list[str]()
    with mounted(tmp_path / "disk", "-o", "size=64k") as disk:
        (disk / "ballast").write_bytes(bytes(60_000))
        with pytest.raises(CurationError) as caught, Ledger(settings(disk / "l.sqlite")) as ledger:
            list(ledger.fulfil(calls("q"), engine(asked), "generate", "g"))
    refused("nothing more can be kept", caught.value)
    assert asked == []


@pytest.mark.slow
def test_a_limit_on_the_size_of_files_is_no_end_of_the_ledger(tmp_path: Path) -> None:
    """A quota, or `ulimit -f`."""
    code = (
        "import resource, signal, sys, test_keeping as t; from pathlib import Path\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))\n"
        "t.keeping.AGAIN = 0.05\n"
        "with t.Ledger(t.settings(Path('l.sqlite'))) as ledger:\n"
        "    list(ledger.fulfil(t.calls(*map(str, range(50))), t.engine([], size=20_000), 'generate', 'g'))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True,
        env=os.environ | {"PYTHONPATH": f"{Path(__file__).parents[1]}:{Path(__file__).parent}"},
    )  # fmt: skip
    assert "CurationError: l.sqlite: the disk, a quota or a limit on the size of files lets nothing more" in done.stderr
    asked = list[str]()
    with Ledger(settings(tmp_path / "l.sqlite")) as ledger:
        kept = upkeep.verify(ledger)
        list(ledger.fulfil(calls(*map(str, range(50))), engine(asked), "generate", "g"))
    assert kept >= 5 and len(asked) == 50 - kept and not list(tmp_path.glob("*.parquet"))


@pytest.mark.slow
@pytest.mark.parametrize("log", [False, True], ids=["closed", "killed"])
def test_a_read_only_ledger_is_planned_counted_exported_and_replayed(serve: Serve, tmp_path: Path, log: bool) -> None:
    """Also where a killed run left its last replies in the write-ahead log, whose index cannot be made."""
    server, study = serve(answering), tmp_path / "study"
    study.mkdir()
    served_params(study, server.url, prompts=4)
    rebuilt(study)
    bought, folder = len(server.requests), study / ".curation"
    if log:
        with closing(sqlite3.connect(folder / "ledger.sqlite", isolation_level=None)) as db:
            db.execute("UPDATE calls SET model = 'late' WHERE stage = 'judge'")
            shutil.copytree(folder, tmp_path / "copy")
        shutil.rmtree(folder)
        shutil.move(tmp_path / "copy", folder)
        (folder / "ledger.sqlite-shm").unlink()
        assert (folder / "ledger.sqlite-wal").stat().st_size
    with read_only(folder):
        plan = json.loads(ran(study, "curation", "plan", "--json").stdout)
        assert [(stage["in_ledger"], stage["to_make"]) for stage in plan["stages"]] == [(8, 0), (8, 0)]
        stat = ran(study, "curation", "ledger", "stat")
        assert stat.returncode == 0 and "writer" in stat.stdout and ("late" in stat.stdout) == log
        assert ran(study, "curation", "ledger", "verify").returncode == (1 if log else 0)
        assert ran(study, "curation", "ledger", "export", "calls.parquet").returncode == 0
        assert ran(study, "stages.generate", "writer").returncode == 0
        for refusal in (["import", "calls.parquet"], ["prune"]):
            done = ran(study, "curation", "ledger", *refusal)
            assert done.returncode == 1
            refused("is read-only, and what is bought must be kept", CurationError(done.stderr.strip()))
        served_params(study, server.url, prompts=5)
        assert ran(study, "stages.collect").returncode == 0
        done = ran(study, "stages.generate", "writer")
        assert done.returncode == 1
        refused("is read-only, and what is bought must be kept", CurationError(done.stderr.strip()))
    assert len(server.requests) == bought


def test_a_ledger_that_is_not_there_yet_on_a_read_only_disk_is_empty(serve: Serve, tmp_path: Path) -> None:
    served_params(tmp_path, serve(answering).url, prompts=2)
    (tmp_path / ".curation").mkdir()
    with read_only(tmp_path / ".curation"):
        plan = json.loads(ran(tmp_path, "curation", "plan", "--json").stdout)
    assert plan["total"]["to_make"] == 8


@contextmanager
def locked(file: Path) -> Iterator[Callable[[], None]]:
    """Another process holds the write lock, until it is told to leave, or the block ends."""
    code = (
        "import sqlite3, sys; db = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "db.execute('BEGIN IMMEDIATE'); print('held', flush=True); sys.stdin.readline(); db.execute('COMMIT')"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdin and child.stdout and child.stdout.readline() == "held\n"

    def leave() -> None:
        child.communicate("\n", timeout=20)

    try:
        yield leave
    finally:
        if child.poll() is None:
            leave()


@pytest.mark.slow
def test_a_lock_held_by_another_neither_stalls_the_loop_nor_loses_a_reply(serve: Serve, tmp_path: Path) -> None:
    """All calls are answered while the lock is held, which with one append a wait would take far longer; the lock goes
    only after the last reply came, and the ledger then has them all."""
    server, file = serve([good("x")]), tmp_path / "l.sqlite"
    Ledger(settings(file)).close()
    with locked(file) as leave, Ledger(settings(file)) as ledger:
        watcher = threading.Thread(target=lambda: (_until(lambda: len(server.requests) == 60), leave()))
        watcher.start()
        replies = list(
            ledger.fulfil(calls(*map(str, range(60))), HttpEngine(server.endpoint(concurrency=8)), "generate", "g")
        )
        watcher.join()
        assert len(replies) == 60 == upkeep.verify(ledger) and ledger.spending().calls == 60


def _until(condition: Callable[[], bool]) -> None:
    for _ in range(1000):
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError


@pytest.mark.slow  # it waits for two locks
def test_a_lock_that_is_never_given_up_ends_the_run_and_the_next_one_has_it_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "LOCKED", 1.0)
    monkeypatch.setattr(keeping, "AGAIN", 0.05)
    file, asked, threads = tmp_path / "l.sqlite", list[str](), threading.active_count()
    Ledger(settings(file)).close()
    with locked(file):
        with pytest.raises(CurationError) as caught, Ledger(settings(file)) as ledger:
            list(ledger.fulfil(calls(*map(str, range(20))), engine(asked), "generate", "g"))
        refused("another process holds it locked; wait for it, or end it, and run again", caught.value)
        assert "20 replies that it could not take are in" in str(caught.value)
        time.sleep(0.1)  # until the thread waits for the lock again
    [spilled] = tmp_path.glob("*.unkept.*.parquet")
    assert pq.read_metadata(spilled).num_rows == 20
    _until(lambda: threading.active_count() == threads)  # one that still waits for the lock writes nothing after it
    with closing(sqlite3.connect(file)) as db:
        assert db.execute("SELECT count(*) FROM calls").fetchone() == (0,)
    with Ledger(settings(file)) as ledger:
        list(ledger.fulfil(calls(*map(str, range(20))), engine(asked), "generate", "g"))
        assert ledger.spending().calls == upkeep.verify(ledger) == 20 == len(asked)
    assert not list(tmp_path.glob("*.parquet"))


@pytest.mark.slow
def test_two_processes_pay_twice_only_for_what_is_in_flight(serve: Serve, tmp_path: Path) -> None:
    """Two that begin together would go on side by side, each call in flight in both; one that begins later would join
    the first at its front."""

    def slow(request: Request) -> Answer:
        time.sleep(0.02)
        return answering(request)

    server = serve(slow)
    served_params(tmp_path, server.url, prompts=100, samples=2)
    assert ran(tmp_path, "stages.collect").returncode == 0
    children = [started(tmp_path, "stages.generate", "writer") for _ in range(2)]
    for child in children:
        assert child.wait(60) == 0, child.communicate()[1]
        child.communicate()
    print(f"\n200 distinct calls in two processes, 4 at once in each: asked {len(server.requests)} times")
    assert 200 <= len(server.requests) <= 200 + 40
    verified = ran(tmp_path, "curation", "ledger", "verify")
    assert verified.returncode == 0, verified.stderr


def test_a_call_that_another_bought_meanwhile_is_not_sent(tmp_path: Path) -> None:
    file, asked = tmp_path / "l.sqlite", list[str]()
    wanted = calls(*map(str, range(10)))
    with Ledger(settings(file)) as ledger, Ledger(settings(file)) as other:

        def buy_elsewhere(at: int) -> None:
            if at == 0:
                for call in wanted[3:]:
                    other.append(call, Reply("elsewhere", "stop", 1, 1), "generate", "g")

        replies = list(ledger.fulfil(wanted, engine(asked, buy_elsewhere), "generate", "g"))
    assert sorted(asked) == ["0", "1", "2"]
    assert [reply.text for reply in replies[3:]] == ["elsewhere"] * 7


def test_two_processes_share_one_budget(tmp_path: Path, open_ledger: OpenLedger) -> None:
    asked = list[str]()
    ledger, other = open_ledger(max_calls=8), open_ledger()

    def buy_elsewhere(at: int) -> None:
        for n in range(2):
            [call] = calls(f"other {at} {n}")
            other.append(call, Reply("elsewhere", "stop", 1, 1), "generate", "h")

    with pytest.raises(CurationError, match=r"budget\.max_calls: 8 is reached"):
        list(ledger.fulfil(calls(*map(str, range(20))), engine(asked, buy_elsewhere), "generate", "g"))
    assert len(asked) == 3


def test_a_ledger_that_is_pruned_while_a_run_writes_loses_no_reply(open_ledger: OpenLedger) -> None:
    """VACUUM may move rows; the run counts what it bought anew."""
    asked = list[str]()
    ledger, other = open_ledger(max_calls=100), open_ledger()
    for prompt in ("0", "old"):
        [call] = calls(prompt)
        for _ in range(5):
            ledger.append(call, Reply(None, "error", error="HTTP 500: no"), "generate", "g")
        if prompt == "old":
            ledger.append(call, Reply("old", "stop", 1, 1), "generate", "g")

    def prune(at: int) -> None:
        if at == 3:
            assert upkeep.prune(other) == 10

    replies = list(ledger.fulfil(calls(*map(str, range(8))), engine(asked, prune), "generate", "g"))
    assert len(replies) == 8 and ledger.spending().calls == 9 == upkeep.verify(ledger)


def test_a_clock_set_back_leaves_the_oldest_reply_the_oldest(open_ledger: OpenLedger) -> None:
    ledger, [call] = open_ledger(), calls("q")
    ahead = datetime(2124, 1, 1, tzinfo=UTC).isoformat(timespec="microseconds")
    insert_attempt(ledger.db, Attempt(call, Reply("first", "stop"), "judge", "j", ahead))
    ledger.append(call, Reply("second", "stop"), "judge", "j")
    reply = ledger.find(call)
    assert reply and reply.text == "first"
    assert upkeep.verify(ledger) == 2


@pytest.mark.slow
def test_one_file_imported_by_two_processes_at_once_is_there_once(serve: Serve, tmp_path: Path) -> None:
    served_params(tmp_path, serve(answering).url, prompts=20)
    rebuilt(tmp_path)
    assert ran(tmp_path, "curation", "ledger", "export", "calls.parquet").returncode == 0
    for file in (tmp_path / ".curation").glob("ledger.*"):
        file.unlink()
    children = [started(tmp_path, "curation", "ledger", "import", "calls.parquet") for _ in range(2)]
    for child in children:
        _, err = child.communicate(timeout=60)
        assert child.returncode == 0, err
    assert ended(tmp_path, "curation", "ledger", "verify").stdout.startswith(".curation/ledger.sqlite: 80 rows")


@pytest.mark.slow
def test_ctrl_c_while_replies_wait_names_where_they_are(serve: Serve, tmp_path: Path) -> None:
    served_params(tmp_path, serve(answering).url, prompts=3, samples=1)
    assert ran(tmp_path, "stages.collect").returncode == 0
    assert ran(tmp_path, "curation", "ledger", "stat").returncode == 0
    with locked(tmp_path / ".curation/ledger.sqlite"):
        child = started(tmp_path, "stages.generate", "writer")
        assert line_with(child, "replies wait for .curation/ledger.sqlite")
        child.send_signal(signal.SIGINT)
        _, said = child.communicate(timeout=60)
        assert child.returncode == 1 and "3 replies that it could not take are in .curation/" in said, said
    assert ran(tmp_path, "stages.generate", "writer").returncode == 0
    assert "3" in ran(tmp_path, "curation", "ledger", "stat").stdout


@pytest.mark.parametrize("path", [":memory:", "", "file:a?mode=memory"])
def test_a_path_that_would_keep_nothing_is_refused(path: str) -> None:
    with pytest.raises(ValidationError, match="path"):
        settings(path)  # type: ignore[arg-type]
