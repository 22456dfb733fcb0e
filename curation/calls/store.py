"""The ledger's file: append-only SQLite in WAL mode. A row is an attempt, committed as it comes, so a killed run loses
at most the calls in flight.

The oldest reply that serves a call answers it, so ledgers merged in any order answer alike.
"""

import json
import re
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Self

import pyarrow as pa

from curation.calls.attempts import ADDED, ADDED_IN, COLUMNS, Attempt, Row, read_rows, row_of, serves, write_rows
from curation.calls.call import Call, Reply
from curation.calls.foreign import MOST_TOKENS
from curation.calls.opening import (
    LOCKED,
    UNWRITABLE,
    VERSION,
    connect,
    connect_to_copy,
    explain,
    require_ledger,
    trouble_of,
)
from curation.core.delimiters import DELIMITER
from curation.core.errors import CurationError
from curation.core.hashing import hash_file

NAMES = ", ".join(COLUMNS.names)
SLOTS = ", ".join("?" for _ in COLUMNS.names)
FIELDS = ("text", "finish_reason", "prompt_tokens", "completion_tokens", "logprobs", "error", "engine", "mode", *ADDED)
REPLY = ", ".join(FIELDS)
FIND = f"SELECT max_tokens, {REPLY} FROM calls WHERE key = ? AND error IS NULL ORDER BY created_at, id"
DECIDING = ("text", "finish_reason", "error", "reasoning", "refusal", "tool_calls")  # whether a row is a reply
IS_REPLY = f"(error IS NULL AND is_reply({', '.join(DECIDING)}))"


def counted(name: str) -> str:
    """SQL of a count of tokens, null where an earlier version kept what is none."""
    return f"(CASE WHEN typeof({name}) = 'integer' AND {name} BETWEEN 0 AND {MOST_TOKENS - 1} THEN {name} END)"


CACHED = f"min({counted('cached_tokens')}, {counted('prompt_tokens')})"  # null where one of them is


class Store:
    """An open ledger file. Use as a context manager, or close it. Raises CurationError if the file is not a ledger
    of this layout.

    Where the file cannot be written now, a copy of it is read: `unwritable` says why, else it is None.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self.unwritable: CurationError | None = None
        try:
            self._use(connect(file))
        except (sqlite3.Error, OSError) as error:
            self._read_copy(error)

    def _use(self, db: sqlite3.Connection) -> None:
        self.db = db
        db.create_function("is_reply", len(DECIDING), _is_reply, deterministic=True)
        db.create_function("has_delimiter", 1, _has_delimiter, deterministic=True)
        if require_ledger(self.file, db) != VERSION:
            with self.transaction():  # or two processes would each find the other's half
                self._bring_to_layout(require_ledger(self.file, db))

    def _read_copy(self, error: Exception) -> None:
        """Go on with a copy of the file, or end where `error` does not come of writing."""
        self.unwritable = explain(self.file, error)
        if trouble_of(error) not in UNWRITABLE:
            raise self.unwritable from None
        try:
            self._use(connect_to_copy(self.file))
        except (sqlite3.Error, OSError) as unread:
            raise explain(self.file, unread) from None

    def require_writable(self) -> None:
        """Nothing. Raises CurationError if the file cannot be written, so that what is bought would be lost."""
        if self.unwritable:
            raise self.unwritable

    def _bring_to_layout(self, layout: int) -> None:
        if layout == VERSION:
            return
        for later in ADDED_IN if layout else ():
            for name, kind in ADDED_IN[later] if later > layout else ():
                self.db.execute(f"ALTER TABLE calls ADD COLUMN {name} {_sqlite_type(kind)}")
        types = ", ".join(f"{f.name} {_sqlite_type(f.type)}" for f in COLUMNS if f.name != "id")
        self.db.execute(f"CREATE TABLE IF NOT EXISTS calls (id TEXT PRIMARY KEY, {types}, bought INTEGER NOT NULL)")
        self.db.execute("CREATE INDEX IF NOT EXISTS calls_by_key ON calls (key, created_at, id)")
        self.db.execute("CREATE TABLE IF NOT EXISTS imports (sha256 TEXT PRIMARY KEY, file TEXT)")
        self.db.execute(f"PRAGMA user_version={VERSION}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        self.close()
        if isinstance(error, sqlite3.Error):
            raise explain(self.file, error) from None

    def close(self) -> None:
        """Close the file; it cannot be used afterwards."""
        self.db.close()

    def find(self, call: Call) -> Reply | None:
        """The oldest reply that serves `call`, or None: a good one with its key, of the same max_tokens, or one that
        ended by itself within them. What an earlier version kept as a reply and is none, is not there."""
        for limit, *values in self.db.execute(FIND, (call.key,)).fetchall():
            reply = reply_of(values)
            if serves(call, limit, reply):
                return reply
        return None

    @contextmanager
    def waiting_at_most(self, milliseconds: int) -> Iterator[None]:
        """Inside the block no statement waits longer than that for another process."""
        self.db.execute(f"PRAGMA busy_timeout = {milliseconds}")
        try:
            yield
        finally:
            self.db.execute(f"PRAGMA busy_timeout = {round(LOCKED * 1000)}")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """What is appended inside the block is kept whole or, after an error, not at all."""
        self.db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.db.execute("COMMIT")
        except BaseException:
            if self.db.in_transaction:  # SQLite has rolled it back by itself where the disk is full
                self.db.execute("ROLLBACK")
            raise

    def has(self, call: Call, reply: Reply) -> bool:
        """Whether this very reply to `call` is kept, whenever it came."""
        same = "key = ? AND max_tokens IS ? AND text IS ? AND error IS ? AND engine = ? AND reasoning IS ?"
        values = (call.key, call.max_tokens, reply.text, reply.error, reply.engine, reply.reasoning)
        return self.db.execute(f"SELECT 1 FROM calls WHERE {same}", values).fetchone() is not None

    def names(self) -> list[tuple[str, str, str]]:
        """Stage, name and model of the calls, each once, sorted."""
        return self.db.execute("SELECT DISTINCT stage, name, model FROM calls ORDER BY 1, 2, 3").fetchall()

    def history(self, stage: str, name: str | None, model: str, most: int = 1000) -> list[tuple[str, int, int, int]]:
        """Request, tokens of prompt and completion, and cached ones of the prompt's, of the newest good replies of one
        stage and model, and of one name unless None."""
        return self.db.execute(
            f"SELECT request, prompt_tokens, completion_tokens, coalesce({CACHED}, 0) FROM calls "
            "WHERE stage = ? AND model = ? AND (? IS NULL OR name = ?) AND error IS NULL "
            f"AND {counted('prompt_tokens')} IS NOT NULL "
            f"AND {counted('completion_tokens')} IS NOT NULL ORDER BY created_at DESC, id LIMIT ?",
            (stage, model, name, name, most),
        ).fetchall()

    def arrivals(self, stage: str, name: str | None, model: str, most: int = 100_000) -> list[str]:
        """When the newest good replies of one stage and model, and of one name unless None, came that were bought here,
        the first of them first."""
        rows = self.db.execute(
            "SELECT created_at FROM calls WHERE stage = ? AND model = ? AND (? IS NULL OR name = ?) AND error IS NULL "
            "AND bought ORDER BY created_at DESC LIMIT ?",
            (stage, model, name, name, most),
        )
        return [at for (at,) in rows][::-1]

    def export_file(self, file: Path, stage: str | None = None, name: str | None = None) -> int:
        """Write the rows of one stage and name (all where None) to `file`, Parquet, sorted by id. Returns how many."""
        rows = self.db.execute(
            f"SELECT {NAMES} FROM calls WHERE (? IS NULL OR stage = ?) AND (? IS NULL OR name = ?) ORDER BY id",
            (stage, stage, name, name),
        ).fetchall()
        write_rows(rows, file)
        return len(rows)

    def export_replies(self, file: Path, keys: Collection[str]) -> tuple[int, int]:
        """Write the replies to the calls of these keys to `file`, as `export_file` does. Returns how many rows that
        are, and to how many of the calls."""
        rows = self.db.execute(
            f"SELECT {NAMES} FROM calls WHERE key IN (SELECT value FROM json_each(?)) AND {IS_REPLY} ORDER BY id",
            (json.dumps(sorted(keys)),),
        ).fetchall()
        write_rows(rows, file)
        return len(rows), len({row[COLUMNS.names.index("key")] for row in rows})

    def import_file(self, file: Path, bought: bool = False) -> int:
        """Add the rows of an exported file that are not here yet; returns how many rows it has, 0 if it was imported
        before. They count as bought here only where `bought`.

        Raises CurationError, and changes nothing, if it is no export of a ledger or a row was modified.
        """
        try:
            digest = hash_file(file)
        except OSError as error:
            raise CurationError(f"{file}: cannot be read: {error.strerror}") from None
        if self.db.execute("SELECT 1 FROM imports WHERE sha256 = ?", (digest,)).fetchone():
            return 0
        rows = read_rows(file)
        with self.transaction():
            _insert(self.db, rows, bought)
            self.db.execute("INSERT OR IGNORE INTO imports VALUES (?, ?)", (digest, file.name))
        return len(rows)


def _insert(db: sqlite3.Connection, rows: Iterable[Row], bought: bool) -> None:
    db.executemany(f"INSERT OR IGNORE INTO calls ({NAMES}, bought) VALUES ({SLOTS}, {int(bought)})", rows)


def insert_attempt(db: sqlite3.Connection, attempt: Attempt) -> bool:
    """Keep an attempt that was bought, as the newest of its call, though a clock were set back. Returns whether a good
    reply to the call is there already."""
    call, reply, stage, name, at = attempt
    before, newest, good = db.execute(
        "SELECT count(*), max(created_at), count(*) - count(error) FROM calls WHERE key = ?", (call.key,)
    ).fetchone()
    if newest is not None and newest >= at:
        with suppress(ValueError, OverflowError):  # an imported row may hold any text
            at = (datetime.fromisoformat(newest) + timedelta(microseconds=1)).isoformat(timespec="microseconds")
    _insert(db, [row_of(call, reply, before + 1, stage, name, at)], bought=True)
    return bool(good)


def reply_of(values: Sequence[Any]) -> Reply:
    """The reply that a row's FIELDS hold."""
    text, finish_reason, prompt_tokens, completion_tokens, logprobs, error, engine, mode, *added = values
    if logprobs:
        with suppress(ValueError):
            logprobs = json.loads(logprobs)
    return Reply(text, finish_reason, prompt_tokens, completion_tokens, logprobs, error, engine, mode, True, *added)


def _is_reply(*values: Any) -> bool:
    return Reply(**dict(zip(DECIDING, values, strict=True))).error is None


def _has_delimiter(text: str | None) -> bool:
    return bool(re.search(DELIMITER, text or ""))


def _sqlite_type(kind: pa.DataType) -> str:
    return "INTEGER" if kind == pa.int64() else "TEXT"
