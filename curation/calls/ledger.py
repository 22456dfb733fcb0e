"""The call ledger: every model call keyed by its content, bought once, kept for good.

Append-only SQLite in WAL mode, outside DVC's outputs. A row is an attempt, committed as it comes, so a killed run loses at most the
calls in flight. The oldest reply that serves a call answers it, so ledgers merged in any order answer alike. Rows hold no address and
no credential.
"""

import hashlib
import json
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Self

import pyarrow as pa
from pydantic import Field

from curation.calls import budget as money
from curation.calls.attempts import COLUMNS, read_rows, row_of, sound, write_rows
from curation.calls.call import Ask, Call, Reply
from curation.errors import CurationError
from curation.params import Strict
from curation.progress import progress

VERSION = 2  # of the file's layout
LOCKED = 60.0  # seconds to wait for another process
NAMES = ", ".join(COLUMNS.names)
SLOTS = ", ".join("?" for _ in COLUMNS.names)
REPLY = "text, finish_reason, prompt_tokens, completion_tokens, logprobs, error, engine, mode"
# A reply serves a call of another limit if it ended by itself within it.
SERVES = "error IS NULL AND (max_tokens IS :limit OR (finish_reason <> 'length' AND (:limit IS NULL OR coalesce(completion_tokens, 0) <= :limit)))"


class Params(Strict):
    """`ledger` in params.yaml. A stage of whose calls more than the share `max_failed` ended in an error stops, and makes no table."""

    path: str
    recorded: str
    offline: bool
    max_failed: Annotated[float, Field(ge=0, le=1)]


class Ledger:
    """An open ledger file. Use as a context manager, or close it."""

    def __init__(self, settings: Params, budget: money.Params = money.UNLIMITED) -> None:
        self.settings, self.budget = settings, budget
        where = Path(settings.path)
        try:
            where.parent.mkdir(parents=True, exist_ok=True)
            self.db = sqlite3.connect(where, timeout=LOCKED, isolation_level=None)
            self._use_wal()
            self.db.execute("PRAGMA synchronous=NORMAL")
            self._lay_out(where)
        except (sqlite3.DatabaseError, OSError) as error:
            raise CurationError(f"{where}: not a call ledger ({error}); move it away, or set ledger.path to another file") from None
        for file in sorted(Path(settings.recorded).glob("*.parquet")):
            self.import_file(file)

    def _use_wal(self) -> None:
        """Switch to write-ahead logging. SQLite's own time-out does not cover another process that opens a new file at the same time."""
        last = time.monotonic() + LOCKED
        while True:
            try:
                self.db.execute("PRAGMA journal_mode=WAL")
                return
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > last:
                    raise
                time.sleep(0.02)

    def _lay_out(self, where: Path) -> None:
        if self._layout() == VERSION:
            return
        with self.at_once():  # or two processes would each find the other's half
            found = self._layout()
            if found != VERSION and self.db.execute("SELECT 1 FROM sqlite_master").fetchone():
                raise CurationError(f"{where}: a ledger of layout {found}, not {VERSION}; move it away, or set ledger.path to another file")
            types = ", ".join(f"{f.name} {'INTEGER' if f.type == pa.int64() else 'TEXT'}" for f in COLUMNS if f.name != "id")
            self.db.execute(f"CREATE TABLE IF NOT EXISTS calls (id TEXT PRIMARY KEY, {types}, bought INTEGER NOT NULL)")
            self.db.execute("CREATE INDEX IF NOT EXISTS calls_by_key ON calls (key, created_at, id)")
            self.db.execute("CREATE TABLE IF NOT EXISTS imports (sha256 TEXT PRIMARY KEY, file TEXT)")
            self.db.execute(f"PRAGMA user_version={VERSION}")

    def _layout(self) -> int:
        return int(self.db.execute("PRAGMA user_version").fetchone()[0])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; the ledger cannot be used afterwards."""
        self.db.close()

    def fulfil(self, calls: list[Call], ask: Ask, stage: str, name: str) -> list[Reply]:
        """A reply for each call, in order. Asks once for each distinct call that no reply serves yet, and keeps every attempt as it comes.

        Raises CurationError when the ledger is offline and a call is missing, naming the stage, the key and the prompt; when the budget is
        spent; when a call got no reply; and when too many failed.
        """
        known, missing = self.look_up(calls)
        if missing and self.settings.offline:
            raise CurationError(f"{stage} {name}: ledger.offline is true and {_lacking(missing, len(known))}; "
                                "import a ledger that has them, or set ledger.offline: false")  # fmt: skip
        if missing:
            cap = self._buy(missing, known, ask, stage, name)
            if silent := [call for call in missing if known[call.key] is None]:
                way_out = f"{cap}; raise it, then `dvc repro` goes on" if cap else "run again to go on"
                raise CurationError(f"{stage} {name}: {_lacking(silent, len(known))}: {way_out}")
        replies = [reply for call in calls if (reply := known[call.key]) is not None]
        self._refuse_failures(replies, f"{stage} {name}")
        return replies

    def look_up(self, calls: list[Call]) -> tuple[dict[str, Reply | None], list[Call]]:
        """By key the reply that serves each call, or None; and the distinct calls that have none, in order."""
        known = {call.key: self.find(call) for call in calls}
        return known, list({call.key: call for call in calls if known[call.key] is None}.values())

    def _buy(self, missing: list[Call], known: dict[str, Reply | None], ask: Ask, stage: str, name: str) -> str | None:
        """Put the replies to `missing` into `known`. `ask` takes calls from an iterator that ends where the budget does: then the cap is returned."""
        spending, tokens = self.spending(), 0

        def affordable() -> Iterator[Call]:
            for call in missing:
                if spending.cap():
                    return
                spending.in_flight += 1
                yield call

        def heard(call: Call, reply: Reply) -> None:
            nonlocal tokens
            self.append(call, reply, stage, name)
            spending.heard(call.model, reply.prompt_tokens or 0, reply.completion_tokens or 0, reply.last)
            tokens += reply.completion_tokens or 0
            if reply.last:
                known[call.key] = reply
                shown.advance(note=f"{tokens} tokens" + (f", ${spending.usd:.4f} in all" if self.budget.prices else ""))

        with progress(f"{stage} {name}", len(missing), "calls") as shown:
            ask(affordable(), heard)
        return spending.cap()

    def _refuse_failures(self, replies: list[Reply], where: str) -> None:
        failed = [reply.error for reply in replies if reply.error is not None]
        if len(failed) > self.settings.max_failed * len(replies):
            raise CurationError(f"{where}: {len(failed)} of {len(replies)} calls failed, the first with {failed[0]}: more than ledger.max_failed: "
                                f"{self.settings.max_failed:g}; run again to try these again, or raise it")  # fmt: skip

    def find(self, call: Call) -> Reply | None:
        """The oldest reply that serves `call`: a good one with its key, of the same max_tokens, or that ended by itself within its own."""
        found = self.db.execute(
            f"SELECT {REPLY} FROM calls WHERE key = :key AND {SERVES} ORDER BY created_at, id LIMIT 1", {"key": call.key, "limit": call.max_tokens}
        ).fetchone()
        if found is None:
            return None
        text, finish_reason, prompt_tokens, completion_tokens, logprobs, error, engine, mode = found
        return Reply(text, finish_reason, prompt_tokens, completion_tokens, json.loads(logprobs) if logprobs else None, error, engine, mode)

    def append(self, call: Call, reply: Reply, stage: str, name: str) -> None:
        """Keep one attempt, good or bad, at once."""
        (before,) = self.db.execute("SELECT count(*) FROM calls WHERE key = ?", (call.key,)).fetchone()
        self._insert([row_of(call, reply, before + 1, stage, name)], bought=1)

    def _insert(self, rows: Iterable[tuple[Any, ...]], bought: int) -> None:
        self.db.executemany(f"INSERT OR IGNORE INTO calls ({NAMES}, bought) VALUES ({SLOTS}, {bought})", rows)

    def spending(self) -> money.Spending:
        """What the calls that were bought into this file cost, at today's prices."""
        rows = self.db.execute("SELECT model, count(*), sum(prompt_tokens), sum(completion_tokens) FROM calls WHERE bought GROUP BY model").fetchall()
        usd = sum(self.budget.usd(model, prompt or 0, completion or 0) for model, _, prompt, completion in rows)
        return money.Spending(self.budget, sum(count for _, count, _, _ in rows), usd)

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """What is appended meanwhile is kept whole or, after an error, not at all."""
        self.db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self.db.execute("ROLLBACK")
            raise
        self.db.execute("COMMIT")

    def has(self, call: Call, reply: Reply) -> bool:
        """Whether this very reply to `call` is kept, whenever it came."""
        same = "key = ? AND max_tokens IS ? AND text IS ? AND error IS ? AND engine = ?"
        return self.db.execute(f"SELECT 1 FROM calls WHERE {same}", (call.key, call.max_tokens, reply.text, reply.error, reply.engine)).fetchone() is not None

    def history(self, stage: str, name: str | None, model: str, most: int = 1000) -> list[tuple[str, int, int]]:
        """Request, prompt tokens and completion tokens of the newest good replies of one stage and model, and of one name unless None."""
        return self.db.execute(
            "SELECT request, prompt_tokens, completion_tokens FROM calls WHERE stage = ? AND model = ? AND (? IS NULL OR name = ?) AND error IS NULL "
            "AND prompt_tokens IS NOT NULL AND completion_tokens IS NOT NULL ORDER BY created_at DESC, id LIMIT ?", (stage, model, name, name, most),
        ).fetchall()  # fmt: skip

    def stat(self) -> list[dict[str, Any]]:
        """Per stage, name and model: attempts, distinct calls answered, attempts that failed, tokens, and dollars where it has a price."""
        rows = self.db.execute(
            "SELECT stage, name, model, count(*), count(DISTINCT CASE WHEN error IS NULL THEN key END), count(error), "
            "sum(prompt_tokens), sum(completion_tokens) FROM calls GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
        ).fetchall()
        names = ("stage", "name", "model", "attempts", "answered", "failed", "prompt_tokens", "completion_tokens", "usd")
        return [dict(zip(names, (*row, self.budget.usd(row[2], row[6] or 0, row[7] or 0)), strict=True)) for row in rows]

    def export_file(self, where: Path, stage: str | None = None, name: str | None = None) -> int:
        """Write the rows of one stage and name (all where None) to `where`, Parquet, sorted by id. Returns how many."""
        rows = self.db.execute(
            f"SELECT {NAMES} FROM calls WHERE (? IS NULL OR stage = ?) AND (? IS NULL OR name = ?) ORDER BY id", (stage, stage, name, name)
        ).fetchall()
        write_rows(rows, where)
        return len(rows)

    def import_file(self, where: Path) -> int:
        """Add the rows of an exported file that are not here yet; returns how many rows it has, 0 if it was imported before.

        Raises CurationError, and changes nothing, if it is not an export of a ledger or a row does not match its key.
        """
        try:
            digest = hashlib.sha256(where.read_bytes()).hexdigest()
        except OSError as error:
            raise CurationError(f"{where}: cannot be read: {error.strerror}") from None
        if self.db.execute("SELECT 1 FROM imports WHERE sha256 = ?", (digest,)).fetchone():
            return 0
        rows = read_rows(where)
        with self.at_once():
            self._insert(rows, bought=0)
            self.db.execute("INSERT OR IGNORE INTO imports VALUES (?, ?)", (digest, where.name))
        return len(rows)

    def verify(self) -> int:
        """The number of rows, each of which is what its key and id say. Raises CurationError naming the first that is not."""
        (state,) = self.db.execute("PRAGMA integrity_check").fetchone()
        if state != "ok":
            raise CurationError(f"{self.settings.path}: damaged: {state}; export what can be read, and move it away")
        count = 0
        for row in self.db.execute(f"SELECT {NAMES} FROM calls ORDER BY created_at, id"):
            if not sound(row):
                raise CurationError(f"{self.settings.path}: row {row[0][:16]}…: its content is not what its key says; delete it, and run again to buy it")
            count += 1
        return count

    def prune(self) -> int:
        """Delete the failed attempts of calls that were answered later, and good replies that an older one of the same limit stands before.

        Returns how many rows went. No reply that a call can get is lost.
        """
        gone = self.db.execute(
            "DELETE FROM calls WHERE EXISTS (SELECT 1 FROM calls AS other WHERE other.key = calls.key AND other.error IS NULL AND other.max_tokens IS "
            "calls.max_tokens AND (calls.error IS NOT NULL OR (other.created_at, other.id) < (calls.created_at, calls.id)))"
        ).rowcount
        self.db.execute("VACUUM")
        return gone


def _lacking(missing: list[Call], known: int) -> str:
    first = missing[0]
    return f"{len(missing)} of {known} calls have no reply (the first is key {first.key[:16]}…, prompt {first.asked[:80]!r})"
