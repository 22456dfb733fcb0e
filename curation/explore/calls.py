"""The calls behind a trace or a pair, found in the ledger by the very code that made them, and what was replied.
Nothing is asked."""

from contextlib import redirect_stderr
from io import StringIO
from typing import Any

import polars as pl

from curation.calls.call import Call, Reply
from curation.calls.dry import AsksModel, DryLedger
from curation.core.study import Study
from curation.judging.judge import judge
from curation.judging.prefer import prefer
from curation.judging.probabilities import score_probabilities
from curation.models.weights import identity
from curation.tables.contracts import ORDERS
from curation.traces.sampling import make_calls

Record = dict[str, Any]


def calls_of_trace(study: Study, ledger: DryLedger, trace: pl.DataFrame, prompt: pl.DataFrame) -> list[Record]:
    """The call that wrote a trace, and those of each judge that asks a model about it, in the order of params.yaml;
    `trace` and `prompt` are a row each of their tables."""
    found, name = list[Record](), trace["generator"].item()
    writer: Any = study.generators.get(name)
    if isinstance(writer, AsksModel):
        sampled: Any = writer  # whoever asks a model to write is sampled
        revision = identity(sampled.revision, getattr(sampled, "dtype", None))
        calls = make_calls(prompt, sampled.model, revision, sampled.system, sampled.sampling)
        own = [call for call in calls if call.sample_index == trace["sample_index"].item()]
        found += [_record(ledger, call, "generate", name) for call in own]
    for name, rater in study.judges.items():
        if isinstance(rater, AsksModel):
            found += _asked(
                ledger, "judge", name, lambda name=name, rater=rater: judge(name, rater, trace, prompt, ledger)
            )
    return found


def calls_of_pair(
    study: Study, ledger: DryLedger, pair: pl.DataFrame, traces: pl.DataFrame, prompt: pl.DataFrame
) -> list[Record]:
    """The calls of each pairwise judge that asks a model about a pair, each with the order that it shows; `pair` is a
    row of `pairs`, and `traces` has its sides."""
    found = list[Record]()
    for name, comparer in study.pairwise_judges.items():
        if isinstance(comparer, AsksModel):
            records = _asked(
                ledger, "prefer", name,
                lambda name=name, comparer=comparer: prefer(name, comparer, pair, traces, prompt, ledger),
            )  # fmt: skip
            half = max(len(records) // len(ORDERS), 1)  # all repeats of one order come before those of the other
            found += [record | {"order": ORDERS[at // half]} for at, record in enumerate(records)]
    return found


def _asked(ledger: DryLedger, stage: str, name: str, ask: Any) -> list[Record]:
    """What a judge asks; and why that cannot be said, where the judge itself fails here."""
    ledger.forget()
    try:
        with redirect_stderr(StringIO()):  # what a stage tells of its calls is no news of this one
            ask()
    except Exception as error:  # a model that is not on this machine, a package, a tokenizer's own fault
        return [{"stage": stage, "name": name, "fault": f"{type(error).__name__}: {error}"}]
    return [_record(ledger, call, stage, name) for call in ledger.asked]


def _record(ledger: DryLedger, call: Call, stage: str, name: str) -> Record:
    """A call's key and what was replied: nothing where the ledger has no reply."""
    (attempts,) = ledger.db.execute("SELECT count(*) FROM calls WHERE key = ?", (call.key,)).fetchone()
    record: Record = {
        "stage": stage, "name": name, "key": call.key, "repeat": call.sample_index, "model": call.model,
        "revision": call.revision, "sampling": call.sampling, "attempts": attempts, "reply": None,
    }  # fmt: skip
    if (reply := ledger.find(call)) is not None:
        record["reply"] = {
            "text": reply.text, "reasoning": reply.reasoning, "finish_reason": reply.finish_reason,
            "prompt_tokens": reply.prompt_tokens, "completion_tokens": reply.completion_tokens,
            "engine": reply.engine, "note": reply.note, "weights": _weights(call, reply),
        }  # fmt: skip
    return record


def _weights(call: Call, reply: Reply) -> dict[str, dict[str, float]]:
    """By dimension, how likely the model found each score, where its log-probabilities say."""
    valid = {}
    for name, field in (call.schema or {}).get("properties", {}).items():
        if numbers := field.get("enum", [field["const"]] if "const" in field else []):
            valid[name] = numbers
    found = score_probabilities(reply, valid)
    return {name: {str(score): weight for score, weight in sorted(by.items())} for name, by in found.items()}
