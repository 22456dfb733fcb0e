"""The ledger's file: append-only SQLite in WAL mode. A row is an attempt, committed as it comes, so a killed run loses
at most the calls in flight.

The oldest reply that serves a call answers it, so ledgers merged in any order answer alike.
"""

import hashlib
import json
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import pyarrow as pa

from curation.calls.attempts import ADDED, COLUMNS, is_intact, read_rows, write_rows
from curation.calls.call import Call, Reply
from curation.calls.foreign import MOST_TOKENS
from curation.calls.redaction import PLACEHOLDER
from curation.core.errors import CurationError

VERSION = 3  # of the file's layout
LOCKED = 60.0  # seconds to wait for another process
NAMES = ", ".join(COLUMNS.names)
SLOTS = ", ".join("?" for _ in COLUMNS.names)
FIELDS = ("text", "finish_reason", "prompt_tokens", "completion_tokens", "logprobs", "error", "engine", "mode", *ADDED)
REPLY = ", ".join(FIELDS)
# Good by its row, and no reply by what it holds, as versions before the third layout kept some.
UNUSABLE = f"error IS NULL AND NOT is_reply({REPLY})"

# A good reply that holds `[key]`: the model's own words, or left by a version that took the key out of replies too.
REDACTED = (
    f"error IS NULL AND (instr(text, '{PLACEHOLDER}') OR instr(logprobs, '{PLACEHOLDER}') OR "
    f"instr(finish_reason, '{PLACEHOLDER}'))"
)


def counted(name: str) -> str:
    """SQL of a count of tokens, null where an earlier version kept what is none."""
    return f"(CASE WHEN typeof({name}) = 'integer' AND {name} BETWEEN 0 AND {MOST_TOKENS - 1} THEN {name} END)"


class Store:
    """An open ledger file. Use as a context manager, or close it. Raises CurationError if the file is not a ledger
    of this layout."""

    def __init__(self, where: Path) -> None:
        self.where = where
        try:
            where.parent.mkdir(parents=True, exist_ok=True)
            self.db = sqlite3.connect(where, timeout=LOCKED, isolation_level=None)
            self._use_wal()
            self.db.execute("PRAGMA synchronous=NORMAL")
            self.db.create_function("is_reply", len(FIELDS), _is_reply, deterministic=True)
            self._lay_out(where)
        except (sqlite3.DatabaseError, OSError) as error:
            raise CurationError(
                f"{where}: not a call ledger ({error}); move it away, or set ledger.path to another file"
            ) from None

    def _use_wal(self) -> None:
        """Switch to write-ahead logging. SQLite's own timeout does not cover another process that opens a new file at
        the same time."""
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
        try:
            with self.transaction():  # or two processes would each find the other's half
                self._bring_to_layout(self._layout(), where)
        except sqlite3.OperationalError as error:
            if "readonly" not in str(error):
                raise
            raise CurationError(
                f"{where}: a ledger of layout {self._layout()} that cannot be written, so not be brought to layout "
                f"{VERSION}; make it writable, or set ledger.path to a copy"
            ) from None

    def _bring_to_layout(self, layout: int, where: Path) -> None:
        if layout == VERSION:
            return
        if layout == 2:
            for name in ADDED:
                self.db.execute(f"ALTER TABLE calls ADD COLUMN {name} TEXT")
        elif self.db.execute("SELECT 1 FROM sqlite_master").fetchone():
            raise CurationError(
                f"{where}: a ledger of layout {layout}, not {VERSION}; move it away, or set ledger.path to another file"
            )
        types = ", ".join(
            f"{f.name} {'INTEGER' if f.type == pa.int64() else 'TEXT'}" for f in COLUMNS if f.name != "id"
        )
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
        """Close the file; it cannot be used afterwards."""
        self.db.close()

    def find(self, call: Call) -> Reply | None:
        """The oldest reply that serves `call`, or None: a good one with its key, of the same max_tokens, or one that
        ended by itself within them. What an earlier version kept as a reply and is none, is not there."""
        rows = self.db.execute(
            f"SELECT max_tokens, {REPLY} FROM calls WHERE key = ? AND error IS NULL ORDER BY created_at, id",
            (call.key,),
        ).fetchall()
        for limit, *values in rows:
            reply = _reply_of(values)
            if _serves(call, limit, reply):
                return reply
        return None

    def _insert(self, rows: Iterable[tuple[Any, ...]], bought: int) -> None:
        self.db.executemany(f"INSERT OR IGNORE INTO calls ({NAMES}, bought) VALUES ({SLOTS}, {bought})", rows)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """What is appended inside the block is kept whole or, after an error, not at all."""
        self.db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self.db.execute("ROLLBACK")
            raise
        self.db.execute("COMMIT")

    def has(self, call: Call, reply: Reply) -> bool:
        """Whether this very reply to `call` is kept, whenever it came."""
        same = "key = ? AND max_tokens IS ? AND text IS ? AND error IS ? AND engine = ? AND reasoning IS ?"
        values = (call.key, call.max_tokens, reply.text, reply.error, reply.engine, reply.reasoning)
        return self.db.execute(f"SELECT 1 FROM calls WHERE {same}", values).fetchone() is not None

    def history(self, stage: str, name: str | None, model: str, most: int = 1000) -> list[tuple[str, int, int]]:
        """Request, prompt tokens and completion tokens of the newest good replies of one stage and model, and of one
        name unless None."""
        return self.db.execute(
            "SELECT request, prompt_tokens, completion_tokens FROM calls WHERE stage = ? AND model = ? "
            f"AND (? IS NULL OR name = ?) AND error IS NULL AND {counted('prompt_tokens')} IS NOT NULL "
            f"AND {counted('completion_tokens')} IS NOT NULL ORDER BY created_at DESC, id LIMIT ?",
            (stage, model, name, name, most),
        ).fetchall()

    def export_file(self, where: Path, stage: str | None = None, name: str | None = None) -> int:
        """Write the rows of one stage and name (all where None) to `where`, Parquet, sorted by id. Returns how many."""
        rows = self.db.execute(
            f"SELECT {NAMES} FROM calls WHERE (? IS NULL OR stage = ?) AND (? IS NULL OR name = ?) ORDER BY id",
            (stage, stage, name, name),
        ).fetchall()
        write_rows(rows, where)
        return len(rows)

    def import_file(self, where: Path) -> int:
        """Add the rows of an exported file that are not here yet; returns how many rows it has, 0 if it was imported
        before.

        Raises CurationError, and changes nothing, if it is no export of a ledger or a row was modified.
        """
        try:
            digest = hashlib.sha256(where.read_bytes()).hexdigest()
        except OSError as error:
            raise CurationError(f"{where}: cannot be read: {error.strerror}") from None
        if self.db.execute("SELECT 1 FROM imports WHERE sha256 = ?", (digest,)).fetchone():
            return 0
        rows = read_rows(where)
        with self.transaction():
            self._insert(rows, bought=0)
            self.db.execute("INSERT OR IGNORE INTO imports VALUES (?, ?)", (digest, where.name))
        return len(rows)

    def verify(self) -> int:
        """The number of rows, all of which have the hashes of their content. Raises CurationError naming the first
        that was modified."""
        (state,) = self.db.execute("PRAGMA integrity_check").fetchone()
        if state != "ok":
            raise CurationError(f"{self.where}: damaged: {state}; export what can be read, and move it away")
        count = 0
        for row in self.db.execute(f"SELECT {NAMES} FROM calls ORDER BY created_at, id"):
            if not is_intact(row):
                raise CurationError(
                    f"{self.where}: row {row[0][:16]}…: hash mismatch: row was modified; delete it, and run "
                    "again to buy it"
                )
            count += 1
        return count

    def prune(self) -> int:
        """Delete the failed attempts of calls that were answered later, the good replies that an older one of the same
        limit hides, and what an earlier version kept as a reply and is none.

        Returns how many rows went. No reply that a call can get is lost.
        """
        with self.transaction():
            gone = self.db.execute(f"DELETE FROM calls WHERE {UNUSABLE}").rowcount
            gone += self.db.execute(
                "DELETE FROM calls WHERE EXISTS (SELECT 1 FROM calls AS other WHERE other.key = calls.key "
                "AND other.error IS NULL AND other.max_tokens IS calls.max_tokens "
                "AND (calls.error IS NOT NULL OR (other.created_at, other.id) < (calls.created_at, calls.id)))"
            ).rowcount
        self.db.execute("VACUUM")
        return gone

    def find_unusable(self) -> list[tuple[str, str, str, str]]:
        """Key, stage, name and fault of what an earlier version kept as a reply and is none, the oldest first."""
        rows = self.db.execute(
            f"SELECT key, stage, name, {REPLY} FROM calls WHERE {UNUSABLE} ORDER BY created_at, id"
        ).fetchall()
        return [(key, stage, name, str(_reply_of(values).error)) for key, stage, name, *values in rows]

    def find_redacted(self) -> list[tuple[str, str, str]]:
        """Key, stage and name of the good replies that hold `[key]`, the oldest first."""
        return self.db.execute(
            f"SELECT key, stage, name FROM calls WHERE {REDACTED} ORDER BY created_at, id"
        ).fetchall()

    def drop_redacted(self) -> int:
        """Delete the good replies that hold `[key]`, so that the next run buys them again. Returns how many."""
        gone = self.db.execute(f"DELETE FROM calls WHERE {REDACTED}").rowcount
        self.db.execute("VACUUM")
        return gone


def _reply_of(values: Sequence[Any]) -> Reply:
    """The reply of a row's FIELDS."""
    text, finish_reason, prompt_tokens, completion_tokens, logprobs, error, engine, mode, *added = values
    if logprobs:
        with suppress(ValueError):
            logprobs = json.loads(logprobs)
    return Reply(text, finish_reason, prompt_tokens, completion_tokens, logprobs, error, engine, mode, True, *added)


def _is_reply(*values: Any) -> bool:
    return _reply_of(values).error is None


def _serves(call: Call, limit: int | None, reply: Reply) -> bool:
    """Whether a reply that was asked for under `limit` tokens is one to `call`."""
    if reply.error is not None or limit == call.max_tokens:
        return reply.error is None
    ended = reply.finish_reason != "length"
    return ended and (call.max_tokens is None or (reply.completion_tokens or 0) <= call.max_tokens)
