"""The call ledger: bought once, kept for good, whatever kills the run; what it is given to import is not trusted."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import OpenLedger, Serve
from served import ran, served_params
from server import STALLED, Answer, Request, endpoint, good

from curation.calls import upkeep
from curation.calls.attempts import COLUMNS, id_of
from curation.calls.call import Call, Engine, OnReply, Reply
from curation.calls.chat import HttpEngine
from curation.calls.counts import count_calls
from curation.calls.ledger import Ledger, Params
from curation.calls.store import NAMES
from curation.core.errors import CurationError

PROMPTS = [f"p{n}" for n in range(6)]
FAILED = Reply(None, "error", error="HTTP 500: boom", engine="e")
RUN = "import sys, test_ledger; test_ledger.buy(*sys.argv[1:])"


def call(prompt: str, **sampling: Any) -> Call:
    return Call("m", "r1", [{"role": "user", "content": prompt}], {"temperature": 0.0, **sampling}, 0)


def echo(prompt: str) -> Reply:
    return Reply(f"re {prompt}", "stop", 1, 2, engine="e")


def replying(sent: list[str], reply: Callable[[str], Reply] = echo) -> Engine:
    """An engine that keeps the prompts it was given in `sent`."""

    def answer(calls: Iterator[Call], heard: OnReply) -> None:
        for one in calls:
            sent.append(one.messages[-1]["content"])
            heard(one, reply(sent[-1]))

    return answer


def fulfil(ledger: Ledger, *prompts: str, reply: Callable[[str], Reply] = echo) -> tuple[list[str | None], list[str]]:
    """What came back for the prompts, and which of them were sent."""
    sent: list[str] = []
    return [
        one.text for one in ledger.fulfil([call(prompt) for prompt in prompts], replying(sent, reply), "generate", "g")
    ], sent


def rows(ledger: Ledger) -> list[Any]:
    return ledger.db.execute(f"SELECT {NAMES} FROM calls ORDER BY id").fetchall()


def buy(url: str, folder: str) -> list[str | None]:
    """A whole run, one request at a time; also what the child process does."""
    with Ledger(
        Params(path=f"{folder}/ledger.sqlite", recorded=f"{folder}/recorded", offline=False, max_failed=1.0)
    ) as ledger:
        to = endpoint(url, timeout_s=60.0)
        return [
            reply.text for reply in ledger.fulfil([call(prompt) for prompt in PROMPTS], HttpEngine(to), "generate", "g")
        ]


def test_a_run_that_dies_midway_rebuys_only_what_is_missing(ledger: Ledger) -> None:
    first = {prompt: Reply(f"first {prompt}", "stop") for prompt in PROMPTS[:3]}
    with pytest.raises(KeyError, match="p3"):
        fulfil(ledger, *PROMPTS, reply=first.__getitem__)
    texts, sent = fulfil(ledger, *PROMPTS)
    assert sent == ["p3", "p4", "p5"]
    assert texts == ["first p0", "first p1", "first p2", "re p3", "re p4", "re p5"]


@pytest.mark.slow
def test_a_killed_process_rebuys_only_what_is_missing(serve: Serve, tmp_path: Path) -> None:
    reached = threading.Event()

    def stuck_at_p3(request: Request) -> Answer:
        if request.last_message == "p3" and not reached.is_set():
            reached.set()
            return STALLED
        return good(f"re {request.last_message}")

    server = serve(stuck_at_p3)
    paths = os.pathsep.join(str(Path(__file__).parents[n]) for n in (0, 1))
    child = subprocess.Popen(
        [sys.executable, "-c", RUN, server.url, str(tmp_path)], env={**os.environ, "PYTHONPATH": paths}
    )
    try:
        assert reached.wait(30)
    finally:
        child.send_signal(signal.SIGKILL)
        assert child.wait(10) == -signal.SIGKILL
    assert [request.last_message for request in server.requests] == ["p0", "p1", "p2", "p3"]
    assert buy(server.url, str(tmp_path)) == [f"re {prompt}" for prompt in PROMPTS]
    assert [request.last_message for request in server.requests[4:]] == ["p3", "p4", "p5"]


def test_duplicates_are_bought_once_and_answered_each(ledger: Ledger) -> None:
    assert fulfil(ledger, "a", "b", "a", "a") == (["re a", "re b", "re a", "re a"], ["a", "b"])
    assert fulfil(ledger, "b", "c") == (["re b", "re c"], ["c"])
    assert len(rows(ledger)) == 3


def test_a_failed_attempt_is_kept_and_tried_again(ledger: Ledger) -> None:
    assert fulfil(ledger, "a", reply=lambda prompt: FAILED) == ([None], ["a"])
    before = rows(ledger)
    assert ledger.find(call("a")) is None
    assert [fulfil(ledger, "a") for _ in range(2)] == [(["re a"], ["a"]), (["re a"], [])]
    assert set(before) < set(rows(ledger))
    assert ledger.db.execute("SELECT error, text FROM calls ORDER BY created_at, error IS NULL").fetchall() == [
        ("HTTP 500: boom", None),
        (None, "re a"),
    ]
    assert [
        (line["attempts"], line["answered"], line["failed"], line["completion_tokens"]) for line in count_calls(ledger)
    ] == [(2, 1, 1, 2)]


def test_the_first_good_reply_wins(ledger: Ledger) -> None:
    for reply in (FAILED, Reply("z first", "stop"), Reply("a second", "stop"), FAILED):
        ledger.append(call("a"), reply, "judge", "j")
        time.sleep(0.003)  # replies are told apart by the millisecond
    assert (ledger.find(call("a")) or FAILED).text == "z first"


def test_a_call_that_nobody_answered_is_no_reply(ledger: Ledger) -> None:
    with pytest.raises(
        CurationError,
        match=r"generate g: 1 of 2 calls have no reply \(the first is key .*, prompt 'b'\): run again to go on",
    ):
        ledger.fulfil(
            [call("a"), call("b")], lambda calls, heard: heard(next(calls), Reply("re a", "stop")), "generate", "g"
        )
    assert fulfil(ledger, "a", "b") == (["re a", "re b"], ["b"])


def test_a_key_is_the_calls_content(ledger: Ledger) -> None:
    base = Call("m", "r1", [{"role": "user", "content": "p"}], {"temperature": 0.0, "seed": 1}, 0, {"type": "object"})
    fields = {
        name: getattr(base, name) for name in ("model", "revision", "messages", "sampling", "sample_index", "schema")
    }
    others = {
        "model": "n",
        "revision": "r2",
        "messages": [],
        "sampling": {"seed": 1},
        "sample_index": 1,
        "schema": None,
    }
    assert Call(**{**fields, "sampling": {"seed": 1, "temperature": 0.0}}).key == base.key
    assert len({base.key, *(Call(**{**fields, name: value}).key for name, value in others.items())}) == 7


def test_offline_names_the_first_missing_call_and_asks_nothing(open_ledger: OpenLedger) -> None:
    fulfil(open_ledger(), "a")
    ledger = open_ledger(offline=True)
    assert fulfil(ledger, "a") == (["re a"], [])
    sent: list[str] = []
    with pytest.raises(CurationError) as caught:
        ledger.fulfil([call("a"), call("b"), call("c")], replying(sent), "judge", "strict")
    said = str(caught.value)
    assert said.startswith("judge strict: ledger.offline is true and 2 of 3 calls have no reply ")
    assert f"(the first is key {call('b').key[:16]}…, prompt 'b'); import a ledger" in said
    assert sent == []


def test_an_export_fills_an_empty_ledger(open_ledger: OpenLedger, tmp_path: Path) -> None:
    first, second = open_ledger("first"), open_ledger("second")
    fulfil(
        first,
        "a",
        "b",
        reply=lambda prompt: FAILED if prompt == "b" else Reply("re a", "stop", 1, 2, [["é", {"é": -0.5}]]),
    )
    first.append(call("c"), Reply("re c", "stop"), "judge", "j")
    assert first.export_file(tmp_path / "all.parquet") == 3
    assert second.import_file(tmp_path / "all.parquet") == 3
    assert rows(second) == rows(first)
    assert second.find(call("a")) == first.find(call("a"))
    assert fulfil(second, "a", "b", "c") == (["re a", "re b", "re c"], ["b"])
    assert [
        first.export_file(tmp_path / "part.parquet", *part)
        for part in (("generate", "g"), ("judge", None), ("judge", "x"))
    ] == [2, 1, 0]


def test_merging_is_idempotent_and_has_no_direction(open_ledger: OpenLedger, tmp_path: Path) -> None:
    first, second = open_ledger("first"), open_ledger("second")
    fulfil(first, "a", "b", reply=lambda prompt: Reply(f"first {prompt}", "stop"))
    fulfil(second, "b", "c", reply=lambda prompt: Reply(f"second {prompt}", "stop"))
    files = [tmp_path / "first.parquet", tmp_path / "second.parquet"]
    for ledger, file in zip((first, second), files, strict=True):
        ledger.export_file(file)
    assert [first.import_file(file) for file in reversed(files * 2)] == [2, 2, 0, 0]
    assert [second.import_file(file) for file in files * 2] == [2, 2, 0, 0]
    assert rows(first) == rows(second)
    assert len(rows(first)) == 4
    assert first.find(call("b")) == second.find(call("b"))
    for ledger, file in zip((first, second), files, strict=True):
        ledger.export_file(file)
    assert files[0].read_bytes() == files[1].read_bytes()


def test_recorded_files_are_imported_on_opening(open_ledger: OpenLedger, tmp_path: Path) -> None:
    fulfil(open_ledger("first"), "a")
    open_ledger("first").export_file(tmp_path / "recorded" / "calls.parquet")
    assert fulfil(open_ledger("second", offline=True), "a") == (["re a"], [])


REDACTED = {
    "a": Reply("The set is [key], x, 3.", "stop"),
    "b": Reply("fine", "stop", logprobs=[["fine", {"fine": -0.1, "[key]": -3.0}]]),
    "c": Reply("fine", "[key]"),  # of the key `stop`
    "d": Reply("counts[key] += 1", "stop"),  # the model's own words, which nobody can tell from the others
}
UNTOUCHED = {
    "e": Reply("key]", "stop", logprobs=[["[", {"[": -0.1}], ["key]", {}]]),
    "f": Reply(None, "error", error="HTTP 400: bad credential Bearer [key]"),
    "g": Reply("[key]", "stop", error="not of the schema: 1 error(s)"),
}


def test_replies_that_hold_a_cut_out_key_are_named_and_dropped_when_asked(
    open_ledger: OpenLedger, tmp_path: Path
) -> None:
    """The kind of fault: what an earlier version spoilt in silence. A sound row can hold it, so it is warned of, and
    only `--redacted` drops it."""
    served_params(tmp_path, "http://127.0.0.1:9/v1", 1)
    where, file = str(tmp_path / ".curation/ledger"), "calls.parquet"
    with Ledger(
        Params(path=f"{where}.sqlite", recorded=str(tmp_path / "none"), offline=False, max_failed=1.0)
    ) as ledger:
        for prompt, reply in (REDACTED | UNTOUCHED).items():
            ledger.append(call(prompt), reply, "judge", "j")
        ledger.append(call("e"), Reply("later", "stop"), "judge", "j")
        named = ", ".join(f"{call(prompt).key[:16]}… of judge j" for prompt in "abc")
        assert ledger.export_file(tmp_path / file) == 8
    path = ".curation/ledger.sqlite"
    warning = (
        f"warning: {path}: 4 replies hold `[key]` ({named} and 1 more): "
        "an earlier version may have cut the API key's text out of them, "
    )
    verified = ran(tmp_path, "curation", "ledger", "verify")
    assert (verified.returncode, verified.stdout) == (0, f"{path}: 8 rows, all with the hash of their content\n")
    assert (
        verified.stderr.startswith(warning)
        and "`curation ledger prune --redacted` deletes them" in verified.stderr
        and verified.stderr.count("\n") == 1
    )
    assert ran(tmp_path, "curation", "ledger", "prune")[:2] == (
        0,
        f"{path}: 1 row deleted, none of which could answer a call\n",
    )
    wrong = ran(tmp_path, "curation", "ledger", "verify", "--redacted")
    assert (wrong.returncode, wrong.stderr) == (1, "error: ledger verify: takes no --redacted, which goes with prune\n")
    pruned = ran(tmp_path, "curation", "ledger", "prune", "--redacted")
    assert pruned[:2] == (0, f"{path}: 4 replies that held `[key]` deleted, to be bought again by the next run\n")
    assert ran(tmp_path, "curation", "ledger", "verify") == (
        0,
        f"{path}: 3 rows, all with the hash of their content\n",
        "",
    )
    imported = ran(tmp_path, "curation", "ledger", "import", file)
    assert imported.stdout == f"{file}: 8 new rows read\n" and imported.stderr.startswith(warning)


def test_a_recorded_reply_that_was_dropped_is_bought_and_not_read_again(
    open_ledger: OpenLedger, tmp_path: Path
) -> None:
    source = open_ledger("source")
    fulfil(source, "a", "b", reply=lambda prompt: REDACTED["a"] if prompt == "a" else echo(prompt))
    source.export_file(tmp_path / "recorded" / "calls.parquet")
    assert fulfil(open_ledger(), "a", "b") == (["The set is [key], x, 3.", "re b"], [])
    assert upkeep.drop_redacted(open_ledger()) == 1
    assert fulfil(open_ledger(), "a", "b") == (["re a", "re b"], ["a"])
    assert upkeep.find_redacted(open_ledger()) == []


def edited(name: str, value: Any) -> Callable[[Path], None]:
    """Rewrites a file with one column set to one value."""

    def edit(file: Path) -> None:
        table = pq.read_table(file)
        at = table.schema.get_field_index(name)
        kind = pa.binary() if isinstance(value, bytes) else table.schema.field(at).type
        pq.write_table(table.set_column(at, name, pa.array([value] * len(table), kind)), file)

    return edit


def damaged(file: Path) -> None:
    body, ids = bytearray(file.read_bytes()), pq.read_metadata(file).row_group(0).column(0)
    body[ids.dictionary_page_offset] ^= 0xFF
    file.write_bytes(body)


def forged(file: Path) -> None:
    """Files the replies under other keys, with ids that fit."""
    rows = [{**row, "key": call("z").key} for row in pq.read_table(file).to_pylist()]
    pq.write_table(pa.Table.from_pylist([{**row, "id": id_of(tuple(row.values())[1:])} for row in rows], COLUMNS), file)


SPOILED: dict[str, tuple[Callable[[Path], object], str]] = {
    "text": (lambda file: file.write_text("hello"), "not a whole Parquet file: "),
    "empty": (lambda file: file.write_bytes(b""), "not a whole Parquet file: "),
    "cut": (lambda file: file.write_bytes(file.read_bytes()[:-20]), "not a whole Parquet file: "),
    "damaged": (damaged, "not a whole Parquet file: "),
    "forged": (forged, "hash mismatch: row was modified"),
    "binary": (edited("text", b"\xff"), "not a whole Parquet file: "),
    "foreign": (lambda file: pq.write_table(pa.table({"a": [1]}), file), "columns ['a'] are not a ledger's"),
    "fewer columns": (lambda file: pq.write_table(pq.read_table(file).drop(["engine"]), file), "columns ['id', "),
    "text edited": (edited("text", "5"), "hash mismatch: row was modified"),
    "tokens edited": (edited("completion_tokens", 1_000_000), "hash mismatch: row was modified"),
    "request edited": (edited("request", "{}"), "hash mismatch: row was modified"),
    "request removed": (edited("request", None), "hash mismatch: row was modified"),
    "key edited": (edited("key", call("z").key), "hash mismatch: row was modified"),
    "id edited": (edited("id", "0" * 64), "hash mismatch: row was modified"),
    "gone": (Path.unlink, "cannot be read: No such file or directory"),
}


@pytest.mark.parametrize("how", SPOILED)
def test_a_file_that_cannot_be_trusted_changes_nothing(open_ledger: OpenLedger, tmp_path: Path, how: str) -> None:
    file, (spoil, said) = tmp_path / "calls.parquet", SPOILED[how]
    source, ledger = open_ledger("source"), open_ledger("target")
    fulfil(source, *PROMPTS)
    source.export_file(file)
    fulfil(ledger, "own")
    before = list(ledger.db.iterdump())
    spoil(file)
    with pytest.raises(CurationError) as caught:
        ledger.import_file(file)
    assert str(caught.value).startswith(f"{file}: ") and said in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    assert list(ledger.db.iterdump()) == before


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("notes.txt", "is no ledger, and stays as it is; set ledger.path to another file"),
        ("other.sqlite", "is no ledger, and stays as it is; set ledger.path to another file"),
        ("later.sqlite", "a ledger of layout 99, written by a later version of this program, which reads up to 5; "
         "update it, or set ledger.path to another file"),
        ("pipe", "is no ledger, and stays as it is; set ledger.path to another file"),
        ("folder", "is a folder; set ledger.path to a file in it"),
        ("notes.txt/ledger.sqlite", "its folder cannot be made (File exists); set ledger.path to another file"),
    ],
)  # fmt: skip
def test_a_path_that_is_no_ledger_is_refused_and_left_alone(tmp_path: Path, path: str, said: str) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("my notes, longer than the header of any database\n" * 40)
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name, sql in {"other": "CREATE TABLE cards (id)", "later": "PRAGMA user_version=99"}.items():
        with closing(sqlite3.connect(tmp_path / f"{name}.sqlite")) as db:
            db.execute(sql)
    before = {file: file.read_bytes() for file in tmp_path.iterdir() if file.is_file()}
    with pytest.raises(CurationError) as caught:
        Ledger(Params(path=str(tmp_path / path), recorded=str(tmp_path / "recorded"), offline=False, max_failed=1.0))
    assert str(caught.value) == f"{tmp_path / path}: {said}"
    assert {file.name: body for file, body in before.items() if file.read_bytes() != body} == {}
