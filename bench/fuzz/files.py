"""Users' files, damaged in their bytes or in their values, as the prompts, the traces and the ratings of a study."""

import csv
import gzip
import io
import json
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import redirect_stderr, suppress
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from curation.calls.ledger import Ledger
from curation.calls.ledger import Params as LedgerParams
from curation.core.errors import CurationError
from curation.judging.judge import judge
from curation.judging.judges import imported as judges
from curation.prompts.collect import read_sources
from curation.prompts.sources import table
from curation.tables import contracts, parquet
from curation.tables.user_files import open_path
from curation.traces.generate import generate
from curation.traces.generators import imported

SECONDS = 20  # that one file may take
ROOT = Path(__file__).parents[2]
ROWS = 12
COLUMNS = [
    "trace_id", "problem", "reference_answer", "generator", "sample_idx", "generator_params_b", "trace", "score",
    "messages", "tools",
]  # fmt: skip
FORMS = ("jsonl", "json", "pretty.json", "csv", "tsv", "parquet", "jsonl.gz", "jsonl.zst", "csv.gz")
VALUES: list[Any] = [
    None, True, 0, -1, 3.0, 2.5, 2**31, 2**53 + 1, 2**63, 2**64 - 1, 2**70, -(2**70), 10**400, float("nan"),
    float("inf"), "", " ", "3", "3.0", "1e5", "1e999", "9" * 5000, "nan", "null", "\ud800", "\x00", "é\u0301\u2028\r\n",
    "[]", [], ["a"], {}, {"a": 1}, [{"role": "user", "content": "What is 2 + 3?"}], "a" * 100_000, "2020-01-01",
    '[{"role": "user", "content": "Why?"}]', [{"from": "gpt", "value": "5"}], [{"type": "text", "text": "a"}],
    [{"type": "image_url", "image_url": {"url": "x"}}], '{"name": "add", "arguments": "{"}', {"name": "add"},
    json.loads('{"a":' * 200 + "1" + "}" * 200),
]  # fmt: skip
KEYS = ("role", "content", "from", "value", "tool_calls", "function_call", "reasoning", "thinking", "name", "type")
ROLES = ("system", "human", "gpt", "Assistant", "observation", "function_call", "developer", "robot", "")
FILTERS = (
    None,
    "problem <> ''",
    "length(messages) > 1",
    "try_cast(score as double) > 1 or problem is null",
)
PIECES = [
    b"{", b"}", b"[", b"]", b'"', b",", b":", b"\\", b"\n", b"\r", b"\r\n", b"\0", b"\xff", b"\xef\xbb\xbf",
    b"\xff\xfe", b"NaN", b"-Infinity", b"null", b"1e999", b"[" * 3000, b'{"a":' * 3000, b"9" * 5000,
    b'"\\ud800"', b"\\u0000",
    b"'", b"#", b"PAR1", b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\xe2\x80\xa8", b"True", b"\t", b" ",
]  # fmt: skip


def run(count: int, seed: int) -> Counter[str]:
    """How often files of each form, damaged in their values or bytes, were read and refused. Raises AssertionError
    with its number if one came to something else: a traceback, more than SECONDS, a sentence of two lines."""
    rows, made = _real_rows(), Counter[str]()
    with tempfile.TemporaryDirectory() as folder, Ledger(_ledger(Path(folder))) as ledger:
        for number in range(count):
            form = FORMS[number % len(FORMS)]
            damage = ("values", "bytes", "messages")[number // len(FORMS) % 3]
            source = random.Random(f"{seed} {number}")  # noqa: S311 (no secret)
            file = Path(folder) / f"file.{form}"
            file.write_bytes(_damage(source, rows, form, damage))
            try:
                outcome = _try(str(file), Path(folder), ledger, of_messages=damage == "messages" or number % 2 == 1)
            except Exception as error:
                raise AssertionError(f"files {count} {seed}: number {number}, {form}, {damage}: {error!r}") from error
            made[f"{form}, {damage} damaged: {outcome}"] += 1
    return made


def _real_rows() -> list[dict[str, Any]]:
    """Real traces, and beside each the conversation that it ends, with a tool called on the way."""
    frame = pl.read_parquet(ROOT / "tests/data/zeroeval_gsm/traces.parquet").sort("problem_id", "generator").head(ROWS)
    rows = frame.with_columns(pl.int_range(1, ROWS + 1).alias("score")).to_dicts()
    for row in rows:
        call = {"id": "1", "type": "function", "function": {"name": "add", "arguments": '{"a": 2, "b": 3}'}}
        row["messages"] = [
            {"role": "system", "content": "Be brief."}, {"role": "user", "content": row["problem"]},
            {"role": "assistant", "content": None, "tool_calls": [call], "reasoning": "Add them."},
            {"role": "tool", "content": "5", "tool_call_id": "1"}, {"role": "assistant", "content": row["trace"]},
        ]  # fmt: skip
        row["tools"] = json.dumps([{"name": "add", "parameters": {"type": "object"}}])
    return [{name: row[name] for name in COLUMNS} for row in rows]


def _try(path: str, folder: Path, ledger: Ledger, of_messages: bool) -> str:
    """`read` or `refused`. Raises whatever else comes of it."""
    began = time.perf_counter()
    try:
        with redirect_stderr(io.StringIO()):
            _read(path, folder, ledger, of_messages)
        outcome = "read"
    except CurationError as error:
        said, outcome = str(error), "refused"
        assert said.isprintable() and len(said) <= 1000, f"no one plain sentence: {said[:300]!r}"
    assert time.perf_counter() - began < SECONDS, f"more than {SECONDS} s"
    return outcome


def _read(path: str, folder: Path, ledger: Ledger, of_messages: bool) -> None:
    """The file as prompts, traces and ratings, written as tables; its conversations, or its prompts and completions.
    Before, its rows as they are, filtered and not."""
    for where in FILTERS:
        with suppress(CurationError):
            for block in open_path(path, where, say=False).blocks({name: name for name in ("problem", "messages")}):
                block.values("messages")
    source, generator = (CHATS, CHATS_WRITTEN) if of_messages else (SOURCE, GENERATOR)
    prompts = read_sources({"mine": source.model_copy(update={"path": path})})
    parquet.write(contracts.PROMPTS, prompts, folder / "out/prompts.parquet")
    traces = generate("theirs", generator.model_copy(update={"path": path}), prompts, ledger)
    parquet.write(contracts.TRACES, traces, folder / "out/traces.parquet")
    rated = judge("people", JUDGE.model_copy(update={"path": path}), traces, prompts, ledger)
    parquet.write(contracts.JUDGMENTS, rated, folder / "out/judgments.parquet")


SOURCE = table.Params.model_validate({
    "kind": "table", "path": "replaced", "split": "train", "verifier": "math", "instruction": None,
    "columns": {"prompt": "problem", "answer": "reference_answer", "task": None},
})  # fmt: skip
GENERATOR = imported.Params.model_validate({
    "kind": "imported", "family": None, "scale_b": None, "path": "replaced", "unmatched": "drop",
    "columns": {
        "prompt": "problem", "completion": "trace", "generator": "generator", "sample_index": "sample_idx",
        "family": None, "scale_b": "generator_params_b", "finish_reason": None, "trace_id": "trace_id",
    },
})  # fmt: skip
CHATS = table.Params.model_validate(SOURCE.model_dump() | {
    "verifier": "math",
    "columns": SOURCE.columns.model_dump() | {"prompt": None, "messages": "messages", "tools": "tools"},
})  # fmt: skip
CHATS_WRITTEN = imported.Params.model_validate(GENERATOR.model_dump() | {
    "columns": GENERATOR.columns.model_dump()
    | {"prompt": None, "completion": None, "messages": "messages", "tools": "tools"},
})  # fmt: skip
JUDGE = judges.Params.model_validate({
    "kind": "imported", "path": "replaced", "trace_id": "trace_id", "dimensions": {"logic": "score"},
    "unmatched": "drop", "completion": "trace", "scale": {"logic": [1.0, 12.0]},
})  # fmt: skip


def _ledger(folder: Path) -> LedgerParams:
    return LedgerParams(
        path=str(folder / "ledger.sqlite"), recorded=str(folder / "recorded"), offline=True, max_failed=0.0
    )


def encode(rows: list[dict[str, Any]], form: str) -> bytes:
    """The rows as a file of that form; a value that the form cannot hold is written as its text."""
    plain, _, packing = form.removeprefix("pretty.").partition(".")
    if plain == "parquet":
        body = _parquet(rows)
    elif plain in ("csv", "tsv"):
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, COLUMNS, dialect="excel" if plain == "csv" else "excel-tab")
        writer.writeheader()
        writer.writerows({name: _as_text(value) for name, value in row.items()} for row in rows)
        body = text.getvalue().encode(errors="surrogatepass")
    elif plain == "jsonl":
        body = "".join(json.dumps(row) + "\n" for row in rows).encode()
    else:
        body = json.dumps(rows, indent=2 if form.startswith("pretty") else None).encode()
    if packing == "gz":
        return gzip.compress(body)
    return bytes(pa.compress(body, codec="zstd", asbytes=True)) if packing else body


def _as_text(value: Any, otherwise: Callable[[Any], Any] = lambda value: value) -> Any:
    """A list or an object as JSON, which is how it stands in a column of text."""
    return json.dumps(value) if isinstance(value, list | dict) else otherwise(value)


def _parquet(rows: list[dict[str, Any]]) -> bytes:
    columns = {}
    for name in COLUMNS:
        values = [None if row.get(name) == {} else row.get(name) for row in rows]  # Parquet has no struct of nothing
        try:
            columns[name] = pa.array(values)
        except (pa.ArrowException, OverflowError, ValueError, TypeError):
            columns[name] = pa.array([None if value is None else _as_text(value, ascii) for value in values])
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue()


def _damage(source: random.Random, rows: list[dict[str, Any]], form: str, damage: str) -> bytes:
    if damage == "messages":
        return _damage_messages(source, rows, form)
    return _damage_values(source, rows, form) if damage == "values" else _damage_bytes(source, encode(rows, form))


def _damage_bytes(source: random.Random, body: bytes) -> bytes:
    for _ in range(source.choice((1, 1, 2, 5))):
        at, end = sorted(source.randrange(len(body) + 1) for _ in range(2))
        end = min(end, at + source.choice((1, 8, 200, 10**6)))
        body = source.choice((
            body[:at] + source.choice(PIECES) + body[end:],
            body[:at] + source.choice(PIECES) + body[at:],
            body[:at],
            body[:at] + body[end:],
            body[:end] + body[at:],
            body[:at] + bytes([source.randrange(256)]) + body[at + 1 :],
            body[at:],
        ))  # fmt: skip
    return body


def _damage_messages(source: random.Random, rows: list[dict[str, Any]], form: str) -> bytes:
    """Other values, roles and orders within some of the conversations."""
    rows = json.loads(json.dumps(rows))
    for _ in range(source.choice((0, 1, 1, 3))):
        row = source.choice(rows)
        messages = row["messages"]
        if not isinstance(messages, list) or not messages:
            continue
        message = source.choice(messages)
        match source.randrange(7):
            case 0:
                source.shuffle(messages)
            case 1:
                del messages[source.randrange(len(messages)) :]
            case 2:
                messages.insert(source.randrange(len(messages) + 1), source.choice(VALUES))
            case 3:
                row["messages"] = json.dumps(messages)
            case 4 if isinstance(message, dict):
                message["role"] = source.choice(ROLES)
            case _ if isinstance(message, dict):
                message[source.choice(KEYS)] = source.choice(VALUES)
    return encode(rows, form)


def _damage_values(source: random.Random, rows: list[dict[str, Any]], form: str) -> bytes:
    rows = [dict(row) for row in rows]
    for _ in range(source.choice((1, 1, 2, 4))):
        row, name, value = source.choice(rows), source.choice(COLUMNS), source.choice(VALUES)
        match source.randrange(5):
            case 0:
                row.pop(name, None)
            case 1:
                for each in rows:
                    each[name] = value
            case 2:
                rows.append(dict(source.choice(rows)))
            case _:
                row[name] = value
    if source.random() < 0.1:
        rows = rows[: source.randrange(2)]
    return encode(rows, form)
