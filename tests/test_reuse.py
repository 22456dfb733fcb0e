"""Which kept reply serves which call; two writers at once; verify, prune and the share of failures a stage may have."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import OpenLedger

from curation.calls import upkeep
from curation.calls.call import Call, Reply
from curation.calls.ledger import Ledger, Params
from curation.core.errors import CurationError

ROOT = Path(__file__).parents[1]


def call(limit: int | None = 100, prompt: str = "p", **changes: object) -> Call:
    sampling = {"temperature": 0.0, "seed": 1} | ({} if limit is None else {"max_tokens": limit})
    return Call("m", "r", [{"role": "user", "content": prompt}], sampling | changes, 0)


def reply(text: str, finish_reason: str = "stop", tokens: int | None = 40) -> Reply:
    return Reply(text, finish_reason, 5, tokens)


SERVES = [
    (reply("whole"), 100, True),
    (reply("whole"), 200, True),
    (reply("whole"), 40, True),
    (reply("whole"), 39, False),
    (reply("whole"), None, True),
    (reply("truncated", "length", 100), 100, True),
    (reply("truncated", "length", 100), 200, False),
    (reply("truncated", "length", 100), 50, False),
    (reply("truncated", "length", 100), None, False),
    (reply("uncounted", "stop", None), 50, True),
    (Reply(None, "error", error="HTTP 500"), 100, False),
]


@pytest.mark.parametrize(("kept", "limit", "serves"), SERVES)
def test_a_reply_serves_another_limit_if_it_ended_within_it(
    ledger: Ledger, kept: Reply, limit: int | None, serves: bool
) -> None:
    ledger.append(call(100), kept, "generate", "g")
    assert call(limit).key == call(100).key
    reply = ledger.find(call(limit))
    assert (reply is not None and reply.text == kept.text) if serves else reply is None


def test_no_other_setting_is_left_out_of_a_key() -> None:
    assert (
        len(
            {
                call(100).key,
                call(100, temperature=0.1).key,
                call(100, seed=2).key,
                call(100, top_k=5).key,
                call(100, prompt="q").key,
            }
        )
        == 5
    )


def test_attempts_of_a_call_are_numbered(ledger: Ledger) -> None:
    for text in ("a", "b"):
        ledger.append(call(), Reply(text, "error", error="broke"), "generate", "g")
    ledger.append(call(200), reply("c"), "generate", "g")
    assert ledger.db.execute("SELECT text, attempt, max_tokens FROM calls ORDER BY attempt").fetchall() == [
        ("a", 1, 100),
        ("b", 2, 100),
        ("c", 3, 200),
    ]


WRITER = """
import sys
from curation.calls.call import Call, Reply
from curation.calls.ledger import Ledger, Params
with Ledger(Params(path=sys.argv[1], recorded="none", offline=False, max_failed=1.0)) as ledger:
    for n in range(300):
        call = Call("m", "r", [{"role": "user", "content": f"{sys.argv[2]} {n}"}], {}, 0)
        ledger.fulfil([call], lambda calls, heard: [heard(one, Reply("x", "stop")) for one in calls], "generate", "g")
"""


@pytest.mark.slow
def test_two_processes_write_at_once(tmp_path: Path, open_ledger: OpenLedger) -> None:
    where = tmp_path / "ledger.sqlite"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    children = [subprocess.Popen([sys.executable, "-c", WRITER, str(where), name], env=environment) for name in "abcd"]
    assert [child.wait(60) for child in children] == [0] * 4
    assert upkeep.verify(open_ledger()) == 4 * 300


def test_verify_names_a_row_that_was_changed(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    ledger.append(call(), reply("five"), "judge", "j")
    assert upkeep.verify(ledger) == 1
    (row_id,) = ledger.db.execute("SELECT id FROM calls").fetchone()
    ledger.db.execute("UPDATE calls SET text = 'four'")
    with pytest.raises(
        CurationError,
        match=f"row {row_id[:16]}…: hash mismatch: row was modified; delete it, and run again to buy it",
    ):
        upkeep.verify(ledger)


def test_prune_deletes_what_can_answer_no_call(ledger: Ledger) -> None:
    for limit, one in (
        (100, Reply(None, "error", error="broke")),
        (100, reply("truncated", "length", 100)),
        (200, reply("whole")),
        (200, reply("again")),
    ):
        ledger.append(call(limit), one, "generate", "g")
    ledger.append(call(prompt="q"), Reply(None, "error", error="never answered"), "generate", "g")
    before = [ledger.find(call(limit)) for limit in (100, 150, 200)]
    assert upkeep.prune(ledger) == 2
    assert [ledger.find(call(limit)) for limit in (100, 150, 200)] == before
    assert [row[0] for row in ledger.db.execute("SELECT coalesce(text, error) FROM calls ORDER BY 1")] == [
        "never answered",
        "truncated",
        "whole",
    ]
    assert upkeep.prune(ledger) == 0


def test_a_ledger_of_an_older_layout_is_refused(tmp_path: Path) -> None:
    where = tmp_path / "old.sqlite"
    with Ledger(Params(path=str(where), recorded="none", offline=False, max_failed=0.0)) as ledger:
        ledger.db.execute("PRAGMA user_version=1")
    with pytest.raises(
        CurationError, match=r"a ledger of layout 1, which this version does not read; set ledger.path to another file"
    ):
        Ledger(Params(path=str(where), recorded="none", offline=False, max_failed=0.0))


@pytest.mark.parametrize(("share", "stops"), [(0.25, False), (0.2, True)])
def test_too_many_failures_stop_a_stage(tmp_path: Path, share: float, stops: bool) -> None:
    def ask(calls: object, heard: object) -> None:
        for one in calls:  # type: ignore[attr-defined]
            heard(one, Reply(None, "error", error="HTTP 400: no") if one.last_message == "p0" else reply("x"))  # type: ignore[operator]

    calls = [call(prompt=f"p{n}") for n in range(4)]
    with Ledger(Params(path=str(tmp_path / "l.sqlite"), recorded="none", offline=False, max_failed=share)) as ledger:
        if stops:
            with pytest.raises(
                CurationError,
                match=r"judge j: 1 of 4 calls failed, the first with HTTP 400: no: "
                r"more than ledger.max_failed: 0.2; run again",
            ):
                ledger.fulfil(calls, ask, "judge", "j")
        else:
            assert [one.text for one in ledger.fulfil(calls, ask, "judge", "j")] == [None, "x", "x", "x"]
