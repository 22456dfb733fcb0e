"""How long the runs of the grid will take on this machine, from a few seconds of the student's own work."""

import math
import time
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from curation import parquet, tables, weights
from curation.calls.call import Call, Reply
from curation.errors import existing
from curation.params import BASELINE, Study
from curation.sampling import calls_for

START = 12.0  # seconds of a stage before its first batch: imports, weights
TOKENS_TIMED = 16  # of a reply
BACKWARD = 2.0  # of all layers, in forward passes


class Duration(NamedTuple):
    """Runs of the grid, and evaluations with the baseline's: how many, how many have no outcome yet, and the seconds of all of them. `seconds` is null where a
    server answers."""

    stage: str
    runs: int
    to_come: int
    seconds: float | None


def durations(study: Study) -> list[Duration]:
    """What `train` and `evaluate` will take, by the time of one batch of each. Replies are counted at `max_tokens`, which few reach.

    Raises CurationError if the subsets are not there yet.
    """
    runs, data = study.runs, study.path.parent / tables.DATA
    held_out = parquet.read(tables.PROMPTS, existing(tables.path("prompts", data=data), "run `dvc repro audit` first")).filter(pl.col("split") != "train")
    network, tokenizer = weights.load(study.student.model, study.student.revision, study.student.dtype, device=study.student.device)
    reading = _seconds_a_token(network)
    training = {name: START + reading * _tokens_read(study, method, arm.name, tokenizer, data) for name, (method, arm) in runs.items()}
    answering = None
    if study.evaluate.engine.kind == "transformers":
        calls = calls_for(held_out, study.student.model, study.student.revision, study.evaluate.system, study.evaluate.sampling)
        answering = START + _seconds_of_replies(network, tokenizer, calls, study.evaluate.engine.batch_size)
    untrained = [name for name in runs if not (data / "models" / name).exists()]
    unanswered = [name for name in (BASELINE, *runs) if not tables.path("results", name, data).exists()]
    return [
        Duration("train", len(runs), len(untrained), sum(training[name] for name in untrained)),
        Duration("evaluate", len(runs) + 1, len(unanswered), None if answering is None else answering * len(unanswered)),
    ]


def _seconds_a_token(network: Any) -> float:
    """Of reading, by a batch of 8 texts of 128 tokens."""
    import torch

    ids = torch.arange(8 * 128).reshape(8, 128).remainder(network.config.vocab_size).to(network.device)
    with torch.inference_mode():
        network(ids[:, :8])  # what is done once
        began = time.perf_counter()
        float(network(ids).logits[0, 0, 0])
    return (time.perf_counter() - began) / int(ids.numel())


def _tokens_read(study: Study, method: str, arm: str, tokenizer: Any, data: Path) -> float:
    """The tokens that a run reads, backward passes in forward ones: once by the reference, and in every epoch; KTO reads another completion beside each."""
    settings = study.methods[method]
    table, columns = (tables.UNPAIRED, ("completion",)) if settings.kind == "kto" else (tables.SUBSETS, ("chosen", "rejected"))
    rows = parquet.read(table, existing(tables.path(table.name, arm, data), "run `dvc repro audit` first"))
    columns = columns[:1] if settings.kind == "sft" else columns
    few = [[*row["prompt"], *row[column]] for row in rows.head(64).iter_rows(named=True) for column in columns]
    lengths = [len(tokenizer.apply_chat_template(messages, tokenize=True, return_dict=False)) for messages in few] or [0]
    tokens = sum(lengths) / len(lengths) * rows.height * len(columns) * (2 if settings.kind == "kto" else 1)
    layers = 1.0 if settings.lora is None or settings.lora.layers is None else 0.3  # the last few end the backward pass sooner
    share: float = 1.0 if settings.max_steps is None else min(1.0, settings.max_steps * settings.batch_size * settings.accumulation / max(rows.height, 1))
    return float(tokens * share * settings.epochs * (1 + BACKWARD * layers) + (0 if settings.kind == "sft" else tokens))


def _seconds_of_replies(network: Any, tokenizer: Any, calls: list[Call], batch_size: int) -> float:
    """Of all calls, by the first tokens of a few batches of them."""
    from curation.engines.transformers import sample

    limit = calls[0].max_tokens or TOKENS_TIMED
    timed = min(TOKENS_TIMED, limit)
    few = [Call(one.model, one.revision, one.messages, {**one.sampling, "max_tokens": timed}, one.sample_index) for one in islice(calls, 2 * batch_size)]
    heard: list[Reply] = []
    began = time.perf_counter()
    sample(network, tokenizer, few, batch_size, lambda call, reply: heard.append(reply))
    return (time.perf_counter() - began) * math.ceil(len(calls) / len(few)) * limit / timed
