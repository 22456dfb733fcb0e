"""One attempt at a call as a row: how the ledger keeps it, and how it travels between ledgers as Parquet."""

import hashlib
import io
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, Self, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from curation.calls.call import Call, Reply, key_of
from curation.calls.foreign import utf8
from curation.core.errors import CurationError, write_whole

Row: TypeAlias = tuple[Any, ...]

# The columns that a layout added to those of the second. A row without them has the id that it had, so an id holds for
# good.
ADDED_IN = {
    2: (),
    3: (("reasoning", pa.string()), ("reasoning_field", pa.string()), ("refusal", pa.string()),
        ("tool_calls", pa.string()), ("note", pa.string())),
    4: (("reasoning_tokens", pa.int64()), ("rest", pa.string())),
    5: (("cached_tokens", pa.int64()), ("batched", pa.int64())),
}  # fmt: skip
ADDED = tuple(name for columns in ADDED_IN.values() for name, _ in columns)
COLUMNS = pa.schema(
    [(name, pa.string()) for name in ("id", "key")]
    + [(name, pa.int64()) for name in ("max_tokens", "attempt")]
    + [(name, pa.string()) for name in ("stage", "name", "model", "request", "text", "finish_reason")]
    + [(name, pa.int64()) for name in ("prompt_tokens", "completion_tokens")]
    + [(name, pa.string()) for name in ("logprobs", "error", "mode", "engine", "created_at")]
    + [column for columns in ADDED_IN.values() for column in columns]
)
EARLIER = [
    COLUMNS.names[: -sum(len(ADDED_IN[later]) for later in ADDED_IN if later > layout)]
    for layout in sorted(ADDED_IN)[:-1]
]


class Attempt(NamedTuple):
    """One attempt that is to be kept, and when it came."""

    call: Call
    reply: Reply
    stage: str
    name: str
    at: str

    @classmethod
    def now(cls, call: Call, reply: Reply, stage: str, name: str) -> Self:
        """An attempt that came just now."""
        return cls(call, reply, stage, name, datetime.now(UTC).isoformat(timespec="microseconds"))


def row_of(call: Call, reply: Reply, attempt: int, stage: str, name: str, at: str) -> Row:
    """The row of an attempt made at the time `at`: COLUMNS, of which the first is a hash of the others."""
    logprobs = utf8(json.dumps(reply.logprobs, ensure_ascii=False, separators=(",", ":"))) if reply.logprobs else None
    body = (
        call.key, call.max_tokens, attempt, stage, name, call.model, call.request, reply.text, reply.finish_reason,
        reply.prompt_tokens, reply.completion_tokens, logprobs, reply.error, reply.mode, reply.engine, at,
        *(getattr(reply, name) for name in ADDED),
    )  # fmt: skip
    return (id_of(body), *body)


def id_of(body: Row) -> str:
    """SHA-256, hexadecimal, of a row without its id: of its columns in the second layout, and of the later ones that
    are not null, by name."""
    old, new = body[: -len(ADDED)], dict(zip(ADDED, body[-len(ADDED) :], strict=True))
    given = {name: value for name, value in new.items() if value is not None}
    return hashlib.sha256(json.dumps([*old, *([given] if given else [])], ensure_ascii=False).encode()).hexdigest()


def is_intact(row: Row) -> bool:
    """Whether a row's hashes are those of its content: its id of the row, its key of the request."""
    fields = dict(zip(COLUMNS.names, row, strict=True))
    try:
        request = json.loads(fields["request"])
        columns_agree = (request["model"], request["sampling"].get("max_tokens")) == (
            fields["model"],
            fields["max_tokens"],
        )
        return bool(columns_agree and fields["id"] == id_of(row[1:]) and fields["key"] == key_of(fields["request"]))
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return False


def write_rows(rows: Sequence[Row], file: Path) -> None:
    """`file` holds `rows`, whole, as Parquet. Raises CurationError if an old row holds a count that is no whole
    number."""
    columns = [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in COLUMNS]
    try:
        table = pa.table(columns, schema=COLUMNS)
    except (pa.ArrowException, OverflowError) as error:
        raise CurationError(
            f"{file}: a row of the ledger holds what Parquet cannot ({' '.join(str(error).split())[:80]}); nothing was "
            "written; delete the row, and run again to buy it"
        ) from None
    body = io.BytesIO()
    pq.write_table(table, body, compression="zstd", compression_level=19)
    write_whole(file, body.getvalue())


def read_rows(file: Path) -> list[Row]:
    """The rows that `write_rows` wrote. Raises CurationError if the file is no export of a ledger, or a row was
    modified."""
    try:
        table = pq.read_table(file)
        if table.schema.names in EARLIER:
            for field in list(COLUMNS)[len(table.schema) :]:
                table = table.append_column(field, pa.nulls(len(table), field.type))
        if table.schema.names != COLUMNS.names:
            raise CurationError(f"{file}: columns {table.schema.names} are not a ledger's; nothing was imported")
        rows = [tuple(row.values()) for row in table.cast(COLUMNS).to_pylist()]
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise CurationError(
            f"{file}: not a whole Parquet file: {' '.join(str(error).split())}; nothing was imported"
        ) from None
    for number, row in enumerate(rows):
        if not is_intact(row):
            raise CurationError(
                f"{file}: row {number} ({str(row[0])[:16]}…): hash mismatch: row was modified; nothing was imported"
            )
    return rows


def serves(call: Call, limit: int | None, reply: Reply) -> bool:
    """Whether a reply that was asked for under `limit` tokens is one to `call`."""
    if reply.error is not None or limit == call.max_tokens:
        return reply.error is None
    ended = reply.finish_reason != "length"
    return ended and (call.max_tokens is None or (reply.completion_tokens or 0) <= call.max_tokens)
