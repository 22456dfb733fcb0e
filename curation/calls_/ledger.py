"""The call ledger: every model call keyed by its content, bought once, kept for good.

Append-only SQLite in WAL mode, outside DVC's outputs. A row is an attempt, committed as it comes, so a killed run
loses at most the calls in flight. The oldest reply without an error answers its key, so ledgers merged in any order
answer alike. Requests hold no address and no credential.
"""

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from curation.errors import CurationError
from curation.params import Strict
from curation.progress import progress


class Params(Strict):
    """`ledger` in params.yaml."""

    path: str
    recorded: str
    offline: bool


@dataclass(frozen=True)
class Call:
    """One model call. Everything in it, and nothing else, decides its key."""

    model: str
    revision: str
    messages: list[dict[str, str]]
    sampling: dict[str, Any]
    sample_index: int
    schema: dict[str, Any] | None = None

    @cached_property
    def request(self) -> str:
        """The call as canonical JSON."""
        return json.dumps(
            {field: getattr(self, field) for field in ("model", "revision", "messages", "sampling", "sample_index", "schema")},
            sort_keys=True, ensure_ascii=False, separators=(",", ":"),
        )  # fmt: skip

    @cached_property
    def key(self) -> str:
        """SHA-256 of `request`, hexadecimal."""
        return _key(self.request)


@dataclass(frozen=True)
class Reply:
    """What came back: the raw text, or the error. `logprobs` is a list of [token, {token: logprob}] per position."""

    text: str | None
    finish_reason: str
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    logprobs: list[Any] | None = None
    error: str | None = None
    engine: str = ""


Heard: TypeAlias = Callable[[Call, Reply], None]
Ask: TypeAlias = Callable[[list[Call], Heard], None]

COLUMNS = pa.schema(
    [(name, pa.string()) for name in ("id", "key", "stage", "name", "request", "text", "finish_reason")]
    + [("prompt_tokens", pa.int64()), ("completion_tokens", pa.int64())]
    + [(name, pa.string()) for name in ("logprobs", "error", "engine", "created_at")]
)
NAMES = ", ".join(COLUMNS.names)
SLOTS = ", ".join("?" for _ in COLUMNS.names)


class Ledger:
    """An open ledger file. Use as a context manager, or close it."""

    def __init__(self, settings: Params) -> None:
        self.settings = settings
        where = Path(settings.path)
        try:
            where.parent.mkdir(parents=True, exist_ok=True)
            self.db = sqlite3.connect(where, timeout=60, isolation_level=None)
            self.db.execute("PRAGMA journal_mode=WAL")
            self.db.execute("PRAGMA synchronous=NORMAL")
            types = ", ".join(f"{f.name} {'INTEGER' if f.type == pa.int64() else 'TEXT'}" for f in COLUMNS if f.name != "id")
            self.db.execute(f"CREATE TABLE IF NOT EXISTS calls (id TEXT PRIMARY KEY, {types})")
            self.db.execute("CREATE INDEX IF NOT EXISTS calls_by_key ON calls (key)")
            self.db.execute("CREATE TABLE IF NOT EXISTS imports (sha256 TEXT PRIMARY KEY, file TEXT)")
        except (sqlite3.DatabaseError, OSError) as error:
            raise CurationError(f"{where}: not a call ledger ({error}); move it away, or set ledger.path to another file") from None
        for file in sorted(Path(settings.recorded).glob("*.parquet")):
            self.import_file(file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; the ledger cannot be used afterwards."""
        self.db.close()

    def fulfil(self, calls: list[Call], ask: Ask, stage: str, name: str) -> list[Reply]:
        """A reply for each call, in order. Asks once for each distinct call that has no good reply yet, and keeps each as it comes.

        Raises CurationError when the ledger is offline and a call is missing, naming the stage, the key and the prompt.
        """
        known = {call.key: self.find(call.key) for call in calls}
        missing = list({call.key: call for call in calls if known[call.key] is None}.values())
        if missing and self.settings.offline:
            first = missing[0]
            raise CurationError(
                f"{stage} {name}: ledger.offline is true and {len(missing)} of {len(known)} calls are not in {self.settings.path}; "
                f"the first is key {first.key[:16]}…, prompt {first.messages[-1]['content'][:80]!r}; "
                "import a ledger that has them, or set ledger.offline: false"
            )
        if missing:
            tokens = 0
            with progress(f"{stage} {name}", len(missing), "calls") as shown:

                def heard(call: Call, reply: Reply) -> None:
                    nonlocal tokens
                    known[call.key] = reply
                    self.append(call, reply, stage, name)
                    tokens += reply.completion_tokens or 0
                    shown.advance(note=f"{tokens} tokens")

                ask(missing, heard)
        replies = [known[call.key] for call in calls]
        silent = [call.key for call, reply in zip(calls, replies, strict=True) if reply is None]
        if silent:
            raise CurationError(f"{stage} {name}: {len(silent)} calls got no reply, the first is key {silent[0][:16]}…; run again to go on")
        return [reply for reply in replies if reply is not None]

    def find(self, key: str) -> Reply | None:
        """The first good reply to `key`, or None."""
        row = self.db.execute(
            "SELECT text, finish_reason, prompt_tokens, completion_tokens, logprobs, error, engine FROM calls "
            "WHERE key = ? AND error IS NULL ORDER BY created_at, id LIMIT 1",
            (key,),
        ).fetchone()
        if row is None:
            return None
        text, finish_reason, prompt_tokens, completion_tokens, logprobs, error, engine = row
        return Reply(text, finish_reason, prompt_tokens, completion_tokens, json.loads(logprobs) if logprobs else None, error, engine)

    def append(self, call: Call, reply: Reply, stage: str, name: str) -> None:
        """Keep one attempt, good or bad, at once."""
        body = (call.key, stage, name, call.request, reply.text, reply.finish_reason, reply.prompt_tokens, reply.completion_tokens,
                json.dumps(reply.logprobs, ensure_ascii=False, separators=(",", ":")) if reply.logprobs else None,
                reply.error, reply.engine, datetime.now(UTC).isoformat(timespec="milliseconds"))  # fmt: skip
        self._insert([(_id(body), *body)])

    def _insert(self, rows: Iterable[tuple[Any, ...]]) -> None:
        self.db.executemany(f"INSERT OR IGNORE INTO calls ({NAMES}) VALUES ({SLOTS})", rows)

    def stat(self) -> list[dict[str, Any]]:
        """Per stage and name: attempts, distinct calls answered, attempts that failed, tokens."""
        rows = self.db.execute(
            "SELECT stage, name, count(*), count(DISTINCT CASE WHEN error IS NULL THEN key END), count(error), "
            "sum(prompt_tokens), sum(completion_tokens) FROM calls GROUP BY stage, name ORDER BY stage, name"
        ).fetchall()
        names = ("stage", "name", "attempts", "answered", "failed", "prompt_tokens", "completion_tokens")
        return [dict(zip(names, row, strict=True)) for row in rows]

    def export_file(self, where: Path, stage: str | None = None, name: str | None = None) -> int:
        """Write the rows of one stage and name (all where None) to `where`, Parquet, sorted by id. Returns how many."""
        rows = self.db.execute(
            f"SELECT {NAMES} FROM calls WHERE (? IS NULL OR stage = ?) AND (? IS NULL OR name = ?) ORDER BY id", (stage, stage, name, name)
        ).fetchall()
        table = pa.table([list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in COLUMNS], schema=COLUMNS)
        where.parent.mkdir(parents=True, exist_ok=True)
        partial = where.with_suffix(".partial")
        pq.write_table(table, partial, compression="zstd", compression_level=19)
        partial.replace(where)
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
        try:
            table = pq.read_table(where)
            if table.schema.names != COLUMNS.names:
                raise CurationError(f"{where}: columns {table.schema.names} are not a ledger's; nothing was imported")
            rows = [tuple(row.values()) for row in table.cast(COLUMNS).to_pylist()]
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            raise CurationError(f"{where}: not a whole Parquet file: {' '.join(str(error).split())}; nothing was imported") from None
        for number, (row_id, *body) in enumerate(rows):
            if body[0] != _key(body[3] or "") or row_id != _id(tuple(body)):
                raise CurationError(f"{where}: row {number} ({str(row_id)[:16]}…): its content is not what its key says; nothing was imported")
        self.db.execute("BEGIN IMMEDIATE")
        self._insert(rows)
        self.db.execute("INSERT OR IGNORE INTO imports VALUES (?, ?)", (digest, where.name))
        self.db.execute("COMMIT")
        return len(rows)


def engine_name(distribution: str) -> str:
    """`distribution` and its installed version, as the ledger's `engine` column names them."""
    return f"{distribution} {version(distribution)}"


def _key(request: str) -> str:
    return hashlib.sha256(request.encode()).hexdigest()


def _id(body: tuple[Any, ...]) -> str:
    return hashlib.sha256(json.dumps(body, ensure_ascii=False).encode()).hexdigest()
