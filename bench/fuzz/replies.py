"""Bodies that a server might send, mutated at random, through the reading of replies, the makers of rows, the ledger
and Parquet."""

import json
import random
import re
import tempfile
from collections import Counter
from contextlib import suppress
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from curation.calls import upkeep
from curation.calls.attempts import Row
from curation.calls.call import Call, Reply
from curation.calls.ledger import Ledger, Params
from curation.calls.store import NAMES
from curation.calls.wire import MODES, read_response
from curation.judging.judges import process, rubric
from curation.judging.pairwise_judges import verdict
from curation.tables import contracts, parquet
from curation.traces.generate import add_text_columns
from curation.traces.sampling import GenerationSampling, make_rows

ASKING = {
    "model": "m", "revision": "r", "repeats": 1, "reference": False, "rationale": True, "instructions": "Rate it.",
    "sampling": {"temperature": 0.0, "max_tokens": 64, "seed": 0, "top_logprobs": 5},
    "endpoint": {
        "base_url": "http://127.0.0.1:9/v1", "engine": "e", "api_key_env": None, "concurrency": 1, "timeout_s": 1.0,
        "max_retries": 0, "validation_retries": 0,
    },
}  # fmt: skip
SCALE = {"description": "How good?", "scores": {score: str(score) for score in range(1, 6)}}
RUBRIC = rubric.Params.model_validate(ASKING | {"kind": "rubric", "calls": "together", "dimensions": {"logic": SCALE}})
STEPS = process.Params.model_validate(ASKING | {"kind": "process", "separator": "\n", "max_steps": 3})
VERDICT = verdict.Params.model_validate(ASKING | {"kind": "verdict", "ties": True})
SAMPLING = GenerationSampling(samples=1, temperature=1.0, top_p=1.0, top_k=0, max_tokens=64, seed=0)

TEXTS = [
    '{"rationale": "It adds up.", "logic": 4, "better": 1, "step_1": "valid", "step_2": "invalid"}',
    '<think>maybe {"logic": 1, "better": 2}</think>{"logic": 4, "better": 1}',
    'Sure:\n```json\n{"logic": 4, "better": 1, "step_1": "neutral", "step_2": "valid"}\n```',
    '<think>maybe {"logic": 1} but then',
    "The sum is 5.\n\\boxed{5}",
]
HOSTILE: list[Any] = [
    None, True, False, 0, -1, 7, 2.5, 10**18, -(10**30), float("nan"), float("inf"), -float("inf"), 1000.0, "", " ",
    "x", "4", "error", "length", "stop", "refusal", "\ud83d", "\x00", "\x1b[31m", "<think>", "</think>", '{"logic": 1}',
    "9" * 5000, [], {}, [[]], [1, None], {"type": "text", "text": "x"}, {"text": {"text": 1}}, {"error": "no"},
    [{"type": "thinking", "thinking": "t"}, {"type": "text", "text": "x"}], [[[[[[[[[[["x"]]]]]]]]]]],
    {"a": {"b": [{}]}},
]  # fmt: skip
KEYS = [
    "content",
    "reasoning",
    "reasoning_content",
    "refusal",
    "tool_calls",
    "function_call",
    "error",
    "logprobs",
    "usage",
]


def base(source: random.Random) -> dict[str, Any]:
    """A good body, with every field that a reader looks at."""
    text = source.choice(TEXTS)
    positions = [
        {
            "token": token,
            "logprob": -0.1,
            "top_logprobs": [{"token": token, "logprob": -0.1}, {"token": "3", "logprob": -3.0}],
        }
        for token in re.findall(r"\w+|\W", text)
    ]
    message = {"role": "assistant", "content": text, "refusal": None}
    choice = {
        "index": 0,
        "message": message,
        "finish_reason": source.choice(["stop", "length"]),
        "logprobs": {"content": positions},
    }
    usage = {"prompt_tokens": 7, "completion_tokens": 30, "total_tokens": 37}
    return {"id": "c", "model": "m", "choices": [choice], "usage": usage, "system_fingerprint": "f"}


def mutate(body: Any, source: random.Random) -> Any:
    """`body` with one of its values replaced, left out, doubled or given another name; every other time one of its
    message."""
    node: Any = body
    if source.random() < 0.5:
        with suppress(LookupError, TypeError):
            node = body["choices"][0]["message"]
    if not isinstance(node, dict):
        node = body
    while True:
        names = list(node) if isinstance(node, dict) else list(range(len(node)))
        if not names:
            node = body
            continue
        name = source.choice(names)
        if isinstance(node[name], dict | list) and node[name] and source.random() < 0.8:
            node = node[name]
            continue
        how = source.random()
        if how < 0.6:
            node[name] = deepcopy(source.choice(HOSTILE))
        elif how < 0.75:
            del node[name]
        elif isinstance(node, list):
            node.insert(name, deepcopy(node[name]))
        else:
            node[source.choice(KEYS)] = deepcopy(source.choice([node[name], *HOSTILE]))
        return body


def payload(source: random.Random) -> bytes:
    """A body that was mutated once or more, in its values or its bytes."""
    body = base(source)
    for _ in range(source.randint(1, 4)):
        body = mutate(body, source) if isinstance(body, dict) and body else body
    sent = bytearray(json.dumps(body, ensure_ascii=source.random() < 0.5).encode("utf-8", "surrogatepass"))
    if source.random() < 0.15:
        at = source.randrange(len(sent))
        sent[at : at + source.randint(0, 3)] = source.randbytes(source.randint(0, 3))
    if source.random() < 0.03:
        sent = sent[: source.randrange(len(sent))]
    return bytes(sent)


def run(count: int, seed: int) -> "Counter[str]":
    """How often each outcome came, of `count` bodies. Raises AssertionError on one that should not be."""
    source, outcomes = random.Random(seed), Counter[str]()  # noqa: S311
    with tempfile.TemporaryDirectory() as folder:
        ledgers = [
            Ledger(Params(path=f"{folder}/{name}.sqlite", recorded="none", offline=False, max_failed=1.0))
            for name in "ab"
        ]
        replies, judged = list[Reply](), list[tuple[Any, ...]]()
        with ledgers[0], ledgers[1], ledgers[0].transaction():
            for number in range(count):
                body = payload(source)
                reply = replace(read_response(200, body, "e").reply, mode=source.choice(MODES))
                call = Call("m", "r", [{"role": "user", "content": str(number)}], {"max_tokens": 64}, 0)
                ledgers[0].append(call, reply, "generate", "g")
                assert ledgers[0].find(call) == (reply if reply.error is None else None), body
                replies.append(reply)
                outcomes[judge(number, reply, judged, body)] += 1
        check_tables(Path(folder), replies, judged)
        file = Path(folder) / "all.parquet"
        with Ledger(ledgers[0].settings) as first, Ledger(ledgers[1].settings) as second:
            assert first.export_file(file) == second.import_file(file) == upkeep.verify(second) == count
            assert rows_of(first) == rows_of(second) and not upkeep.find_unusable(second)
    return outcomes


def judge(number: int, reply: Reply, judged: list[tuple[Any, ...]], body: bytes) -> str:
    """What every judge makes of a reply, as an outcome. A score is one that stands in the text."""
    ratings, rationale = rubric.parse(RUBRIC, reply)
    score, expected, status = ratings["logic"]
    steps, preference = process.parse(reply, 2), verdict.parse(VERDICT, reply, "chosen_first")
    judged.append((number, "j", "logic", 0, score, expected, status, rationale))
    judged.append((number, "j", "worst_step", 0, steps.worst, None, steps.status, steps.rationale))
    for given, pattern in (
        (score, f'"logic"\\s*:\\s*{score or 0:.0f}\\s*[,}}]'),
        (preference.verdict, '"better"\\s*:\\s*[012]\\s*[,}]'),
        (steps.worst, '"step_2"\\s*:\\s*"(in)?(valid|neutral)"'),
    ):
        assert given is None or re.search(pattern, reply.text or ""), body
    assert score is None or reply.completion is not None, body
    assert expected is None or (score is not None and 1 <= expected <= 5), body
    assert preference.strength is None or abs(preference.strength) <= 1, body
    if reply.error is not None:
        return "failed: " + re.sub(r"type \w+", "type …", reply.error.split(": ")[0])
    ending = (
        reply.ending if reply.ending in ("stop", "length", "tool_calls", "refusal", "unfinished") else "another ending"
    )
    kept = "a completion" if reply.completion is not None else "no completion"
    return f"kept: {kept}, {ending}; rubric: {status}"


def check_tables(folder: Path, replies: list[Reply], judged: list[tuple[Any, ...]]) -> None:
    """The rows of all replies keep the contracts of their tables, and are the same when read again."""
    prompts = pl.DataFrame({"prompt_id": range(len(replies))})
    traces = make_rows(prompts, SAMPLING, replies).with_columns(
        pl.col("prompt_id").alias("trace_id"), generator=pl.lit("g"), family=None, scale_b=None
    )
    schema = contracts.empty(contracts.TRACES).schema
    whole = add_text_columns(traces.with_columns(pl.col(name).cast(schema[name]) for name in ("family", "scale_b")))
    ratings = pl.DataFrame(judged, schema=contracts.empty(contracts.JUDGMENTS).schema, orient="row")
    for table, frame in ((contracts.TRACES, whole), (contracts.JUDGMENTS, ratings)):
        parquet.write(table, frame, folder / f"{table.name}.parquet")
        rounded = frame.with_columns(pl.col(pl.Float64).round(contracts.DECIMALS)).sort(table.key)
        assert parquet.read(table, folder / f"{table.name}.parquet").sort(table.key).equals(rounded)


def rows_of(ledger: Ledger) -> list[Row]:
    """All rows, by id."""
    return ledger.db.execute(f"SELECT {NAMES} FROM calls ORDER BY id").fetchall()
