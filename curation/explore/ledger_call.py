"""What the ledger knows of a call by its key: the request, every attempt, what each cost, and what was made of it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import polars as pl

from curation.calls.attempts import COLUMNS
from curation.calls.dry import DryLedger
from curation.calls.store import CACHED, IS_REPLY
from curation.core.errors import CurationError
from curation.core.progress import progress
from curation.core.study import Study
from curation.explore.calls import calls_of_pair, calls_of_trace
from curation.explore.tables import Row, Tables
from curation.tables.contracts import SIDES

KEY = 64  # hexadecimal digits
MOST_PROMPTS = 50  # that a request may have the texts of, whose traces and pairs are then tried
ATTEMPT = (
    "attempt", "created_at", "error", "finish_reason", "text", "reasoning", "refusal", "tool_calls", "note",
    "prompt_tokens", "completion_tokens", "reasoning_tokens", "cached_tokens", "max_tokens", "mode", "engine",
)  # fmt: skip
SECTIONS = {"generate": "generators", "judge": "judges", "prefer": "pairwise_judges"}  # of params.yaml, by stage


@contextmanager
def opened_ledger(study: Study) -> Iterator[tuple[DryLedger | None, list[str]]]:
    """The ledger; None, and a note why, where it cannot be opened."""
    try:
        ledger = DryLedger(study.ledger, study.budget)
    except CurationError as error:
        yield None, [f"no calls: {error}"]
        return
    try:
        yield ledger, []
    finally:
        ledger.close()


def find_keys(ledger: DryLedger, begin: str, most: int) -> list[str]:
    """The keys of the calls that begin so, in their order; at most so many."""
    found = ledger.db.execute(
        "SELECT DISTINCT key FROM calls WHERE key BETWEEN ? AND ? ORDER BY key LIMIT ?",
        (begin, begin.ljust(KEY, "f"), most),
    )
    return [key for (key,) in found]


def describe_call(tables: Tables, key: str, ledger: DryLedger) -> Row:
    """The request of a call and, oldest first, its attempts: what came, which of them were `bought` here and are a
    reply (`good`), and their dollars at today's prices. `made` are the traces, pairs or answers of which the code that
    asks today asks this very call."""
    names = [*COLUMNS.names, "bought", "good", "cached"]
    rows = ledger.db.execute(
        f"SELECT {', '.join(COLUMNS.names)}, bought, {IS_REPLY}, {CACHED} FROM calls WHERE key = ? "
        "ORDER BY created_at, id",
        (key,),
    )
    attempts = [dict(zip(names, row, strict=True)) for row in rows]
    first = attempts[0]
    request = json.loads(first["request"])
    return {
        "key": key,
        "stage": first["stage"],
        "name": first["name"],
        "request": request,
        "attempts": [_attempt(row, ledger) for row in attempts],
        "made": _find_made(tables, ledger, key, first["stage"], first["name"], request),
        "places": [f"{SECTIONS[first['stage']]}.{first['name']}"] if first["stage"] in SECTIONS else [],
    }


def _attempt(row: Row, ledger: DryLedger) -> Row:
    asked, said = row["prompt_tokens"] or 0, row["completion_tokens"] or 0
    usd = ledger.budget.usd(row["model"], asked, said, row["cached"] or 0, bool(row["batched"]))
    flags = {name: bool(row[name]) for name in ("bought", "good", "batched")}
    return {name: row[name] for name in ATTEMPT} | flags | {"usd": usd if row["bought"] else 0.0}


def _find_made(tables: Tables, ledger: DryLedger, key: str, stage: str, name: str, request: Row) -> list[Row]:
    """What the tables hold of it. Only what is of a prompt whose last message stands in the request can be."""
    said = "\n".join(str(message.get("content")) for message in request["messages"])
    last = pl.col("prompt").list.last().struct.field("content")
    asked = (last.str.len_chars() > 0) & pl.lit(said).str.contains(last, literal=True)
    prompts = tables.frame("prompts", asked).head(MOST_PROMPTS)
    if stage == "evaluate":
        of_run = pl.col("prompt_id").is_in(prompts["prompt_id"].to_list()) & (pl.col("run") == name)
        rows = tables.find("results", of_run & (pl.col("sample_index") == request["sample_index"]))
        return [{"kind": "answer", "id": row["prompt_id"], "of": f"{row['run']} on {row['benchmark']}"} for row in rows]
    find = _find_pairs if stage == "prefer" else _find_traces
    with progress("why: what the call made", prompts.height, "prompts") as shown:
        found = list[Row]()
        for prompt in prompts.iter_slices(1):
            found += find(tables, ledger, key, prompt)
            shown.advance()
    return found


def _find_pairs(tables: Tables, ledger: DryLedger, key: str, prompt: pl.DataFrame) -> Iterator[Row]:
    """The prompt's pairs that a judge asks this call about."""
    traces = tables.frame("traces", pl.col("prompt_id") == prompt["prompt_id"].item())
    for pair in tables.frame("pairs", pl.col("prompt_id") == prompt["prompt_id"].item()).iter_slices(1):
        sides = traces.filter(pl.col("trace_id").is_in([pair[f"{side}_trace_id"].item() for side in SIDES]))
        for call in calls_of_pair(tables.study, ledger, pair, sides, prompt):
            if call.get("key") == key:
                of = f"{pair['chosen_model'].item()} over {pair['rejected_model'].item()}, {call['order']}"
                yield {"kind": "pair", "id": pair["pair_id"].item(), "of": of}


def _find_traces(tables: Tables, ledger: DryLedger, key: str, prompt: pl.DataFrame) -> Iterator[Row]:
    """The prompt's traces that this call wrote, or that a judge asks it about."""
    for trace in tables.frame("traces", pl.col("prompt_id") == prompt["prompt_id"].item()).iter_slices(1):
        if any(call.get("key") == key for call in calls_of_trace(tables.study, ledger, trace, prompt)):
            of = f"{trace['generator'].item()}, sample {trace['sample_index'].item()}"
            yield {"kind": "trace", "id": trace["trace_id"].item(), "of": of}
