"""The ledger's layouts: the third keeps what was sent, the fourth the server's count of what was thought and what of
the message has no column, the fifth what of the prompt the server had kept and whether it came in a batch. Files of
earlier ones are read as they are, and what an earlier version kept as a reply and is none, is asked again."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from conftest import OpenLedger
from served import ROOT, ran, served_params
from test_ledger import call, echo, edited, fulfil, rows

from curation.calls import upkeep
from curation.calls.attempts import ADDED, ADDED_IN, COLUMNS, id_of
from curation.calls.call import Reply
from curation.calls.counts import count_calls
from curation.calls.ledger import Ledger, Params
from curation.core.errors import CurationError

OLD = COLUMNS.names[: -len(ADDED)]
COLUMNS_OF = {2: OLD, 3: COLUMNS.names[: -len(ADDED_IN[4] + ADDED_IN[5])]}
SAID = Reply(
    "A: 5",
    "stop",
    7,
    3,
    reasoning="2+3",
    reasoning_field="reasoning",
    refusal=None,
    tool_calls=None,
    note="a part dropped",
    reasoning_tokens=2,
    rest='{"content": ["2+3", "é"]}',
    cached_tokens=4,
    batched=1,
)
CALLED = Reply(None, "tool_calls", tool_calls='[{"name": "é"}]')


def old_row(prompt: str, **changes: Any) -> tuple[Any, ...]:
    """The row of a good reply as a version before the third layout kept it, with the hash that belongs to it."""
    made = call(prompt)
    body = {
        "key": made.key, "max_tokens": made.max_tokens, "attempt": 1, "stage": "generate", "name": "g",
        "model": made.model, "request": made.request, "text": f"old {prompt}", "finish_reason": "stop",
        "prompt_tokens": 1, "completion_tokens": 2, "logprobs": None, "error": None, "mode": "", "engine": "e",
        "created_at": "2026-11-01T00:00:00.000000+00:00",
    } | changes  # fmt: skip
    return (id_of((*body.values(), *(None for _ in ADDED))), *body.values())


def old_file(file: Path, kept: list[tuple[Any, ...]], layout: int = 2) -> None:
    """A ledger of the second layout, or the third."""
    numbers, names = ("max_tokens", "attempt", "prompt_tokens", "completion_tokens"), COLUMNS_OF[layout]
    types = ", ".join(f"{name} {'INTEGER' if name in numbers else 'TEXT'}" for name in names if name != "id")
    file.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(file)) as db, db:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute(f"CREATE TABLE calls (id TEXT PRIMARY KEY, {types}, bought INTEGER NOT NULL)")
        db.execute("CREATE INDEX calls_by_key ON calls (key, created_at, id)")
        db.execute("CREATE TABLE imports (sha256 TEXT PRIMARY KEY, file TEXT)")
        db.executemany(f"INSERT INTO calls VALUES ({', '.join('?' * len(names))}, 1)", kept)
        db.execute(f"PRAGMA user_version={layout}")


def test_what_was_sent_is_kept_under_its_field_and_travels(open_ledger: OpenLedger, tmp_path: Path) -> None:
    first, second = open_ledger("first"), open_ledger("second")
    first.append(call("a"), SAID, "generate", "g")
    first.append(call("b"), CALLED, "generate", "g")
    fulfil(first, "c")
    first.export_file(tmp_path / "all.parquet")
    assert second.import_file(tmp_path / "all.parquet") == upkeep.verify(second) == 3
    assert [second.find(call(prompt)) for prompt in "abc"] == [SAID, CALLED, echo("c")]
    assert rows(first) == rows(second)


@pytest.mark.parametrize("name", ADDED)
def test_an_edited_new_column_is_a_mismatch(open_ledger: OpenLedger, tmp_path: Path, name: str) -> None:
    for prompt, reply in (("plain", echo("plain")), ("thought", SAID)):
        ledger = open_ledger(prompt)
        ledger.append(call(prompt), reply, "generate", "g")
        ledger.export_file(tmp_path / f"{prompt}.parquet")
        edited(name, 5 if name in ("reasoning_tokens", "cached_tokens", "batched") else "edited")(
            tmp_path / f"{prompt}.parquet"
        )
        with pytest.raises(CurationError, match="hash mismatch: row was modified"):
            open_ledger("target").import_file(tmp_path / f"{prompt}.parquet")


def test_a_file_of_the_second_layout_is_brought_to_the_third_and_keeps_its_ids(
    open_ledger: OpenLedger, tmp_path: Path
) -> None:
    kept = [old_row("a"), old_row("b", text=None, finish_reason="error", error="HTTP 500: boom")]
    old_file(tmp_path / "ledger.sqlite", kept)
    ledger = open_ledger()
    assert upkeep.verify(ledger) == 2 and {row[: len(OLD)] for row in rows(ledger)} == set(kept)
    assert fulfil(ledger, "a", "b") == (["old a", "re b"], ["b"])
    ledger.append(call("c"), SAID, "generate", "g")
    assert open_ledger().find(call("c")) == SAID and ledger.spending().calls == 4


def test_a_file_of_the_third_layout_is_brought_to_the_fourth_and_keeps_its_ids(
    open_ledger: OpenLedger, tmp_path: Path
) -> None:
    """Its exports too. The kind: a layout that came and went while users had it."""
    thought = ("2+3", "reasoning", None, None, None)
    plain, body = old_row("a"), old_row("b")[1:]
    given = (id_of((*body, *thought, *(None for _ in ADDED[len(thought) :]))), *body, *thought)
    old_file(tmp_path / "ledger.sqlite", [(*plain, *(None for _ in thought)), given], 3)
    ledger = open_ledger()
    assert upkeep.verify(ledger) == 2 and {row[0] for row in rows(ledger)} == {plain[0], given[0]}
    found = ledger.find(call("b"))
    assert found is not None and (found.reasoning, found.rest) == ("2+3", None)
    ledger.append(call("c"), SAID, "generate", "g")
    ledger.export_file(tmp_path / "new.parquet")
    third = pq.read_table(tmp_path / "new.parquet").slice(0, 3).select(COLUMNS_OF[3])
    pq.write_table(third.filter(pc.is_in(third["id"], pa.array([plain[0], given[0]]))), tmp_path / "third.parquet")
    again = open_ledger("again")
    assert again.import_file(tmp_path / "third.parquet") == upkeep.verify(again) == 2 and again.find(call("b")) == found


def test_an_old_export_is_read_beside_a_new_one(open_ledger: OpenLedger, tmp_path: Path) -> None:
    recorded = next(iter(sorted((ROOT / "data/recorded").glob("*.parquet"))))
    assert pq.read_schema(recorded).names == OLD
    ledger = open_ledger()
    count = ledger.import_file(recorded)
    assert count == upkeep.verify(ledger) > 100
    ledger.export_file(tmp_path / "new.parquet")
    assert pq.read_schema(tmp_path / "new.parquet").names == COLUMNS.names
    again = open_ledger("again")
    assert again.import_file(tmp_path / "new.parquet") == count and rows(again) == rows(ledger)
    assert again.import_file(recorded) == count and len(rows(again)) == count


OPEN = """
import sys
from pathlib import Path
from curation.calls import upkeep
from curation.calls.store import Store
with Store(Path(sys.argv[1])) as store:
    print(upkeep.verify(store))
"""


@pytest.mark.slow
def test_two_processes_may_open_an_old_file_at_once(tmp_path: Path) -> None:
    file = tmp_path / "ledger.sqlite"
    old_file(file, [old_row(str(n)) for n in range(50)])
    children = [
        subprocess.Popen(
            [sys.executable, "-c", OPEN, str(file)], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for _ in range(3)
    ]
    assert [child.communicate(timeout=60) for child in children] == [(b"50\n", b"")] * 3


NONE: dict[str, dict[str, Any]] = {
    "the server ended the reply with an error": {"finish_reason": "error", "text": "A: 5 is ha"},
    "the reply is empty": {"text": None},
}
ODD: dict[str, dict[str, Any]] = {
    "huge": {"completion_tokens": 3_000_000_000},
    "sum overflows": {"prompt_tokens": 2**63 - 1, "completion_tokens": 2**63 - 1},
    "negative": {"completion_tokens": -1},
    "a text": {"prompt_tokens": "many"},
    "logprobs": {"logprobs": '[["5", {"5": NaN}]]'},
    "no logprobs": {"logprobs": "{"},
    "no list": {"logprobs": '{"a": 1}'},
}


def test_what_is_no_reply_is_asked_again_named_and_pruned(tmp_path: Path) -> None:
    """The kind of fault: a row that is good by its columns and holds what no table can. It blocked its stage on every
    run; now it is not there."""
    served_params(tmp_path, "http://127.0.0.1:9/v1", 1)
    where = tmp_path / ".curation/ledger.sqlite"
    times = (f"2026-11-0{day}T00:00:00.000000+00:00" for day in range(1, 9))
    kept = [old_row(fault, **changes, created_at=next(times)) for fault, changes in NONE.items()]
    old_file(where, [*kept, old_row("sound")])
    prompts = [*NONE, "sound"]
    with Ledger(Params(path=str(where), recorded="none", offline=False, max_failed=0.0)) as ledger:
        assert fulfil(ledger, *prompts) == ([*(f"re {fault}" for fault in NONE), "old sound"], [*NONE])
    verified = ran(tmp_path, "curation", "ledger", "verify")
    named = ", ".join(f"{call(fault).key[:16]}… of generate g: {fault}" for fault in NONE)
    assert (verified.returncode, verified.stdout) == (
        1, ".curation/ledger.sqlite: 5 rows, all with the hash of their content\n",
    )  # fmt: skip
    assert verified.stderr == (
        f"error: .curation/ledger.sqlite: 2 rows that an earlier version kept as replies are none ({named}); no run "
        "reads them, and the next one buys their calls again; `curation ledger prune` deletes them\n"
    )
    pruned = ran(tmp_path, "curation", "ledger", "prune")
    assert pruned.stdout == ".curation/ledger.sqlite: 2 rows deleted, none of which could answer a call\n"
    assert ran(tmp_path, "curation", "ledger", "verify").returncode == 0
    with Ledger(Params(path=str(where), recorded="none", offline=True, max_failed=0.0)) as ledger:
        assert fulfil(ledger, *prompts)[1] == []


def test_pruning_keeps_the_reply_that_one_which_is_none_would_hide(open_ledger: OpenLedger, tmp_path: Path) -> None:
    old_file(tmp_path / "ledger.sqlite", [old_row("a", finish_reason="error"), old_row("b", finish_reason="error")])
    ledger = open_ledger()
    fulfil(ledger, "a")
    assert upkeep.prune(ledger) == 2
    assert fulfil(ledger, "a", "b") == (["re a", "re b"], ["b"])


@pytest.mark.parametrize("how", ODD)
def test_what_is_optional_and_unusable_in_an_old_row_costs_nothing(
    open_ledger: OpenLedger, tmp_path: Path, how: str
) -> None:
    old_file(tmp_path / "ledger.sqlite", [old_row(f"{how} {n}", **ODD[how]) for n in range(3)])
    ledger = open_ledger()
    reply = ledger.find(call(f"{how} 0"))
    assert reply is not None and reply.completion == f"old {how} 0" and reply.completion_tokens in (2, None)
    assert fulfil(ledger, f"{how} 1")[1] == []
    assert count_calls(ledger)[0]["attempts"] == upkeep.verify(ledger) == ledger.spending().calls == 3
    if how == "a text":
        with pytest.raises(CurationError, match="a row of the ledger holds what Parquet cannot"):
            ledger.export_file(tmp_path / "all.parquet")
    else:
        assert ledger.export_file(tmp_path / "all.parquet") == 3
    assert ledger.history("generate", "g", "m") == [] or how in ("logprobs", "no logprobs", "no list")
