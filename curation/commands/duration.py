"""How long the runs of the grid will take on this machine, from a few seconds of the student's own work."""

import json
import math
import time
from functools import cache
from itertools import islice
from typing import Any, NamedTuple

from curation.calls.call import Call, Reply
from curation.calls.ledger import Ledger
from curation.commands.outstanding import Known
from curation.commands.to_come import Reading, find_readings, find_to_come
from curation.core.progress import progress
from curation.core.study import Study
from curation.models import weights
from curation.models.chat_template import Template
from curation.training.student_calls import make_student_calls

START = 12.0  # seconds of a stage before its first batch: imports, weights
TOKENS_TIMED = 16  # of a reply
TIMES = 2  # that each is timed, of which the shorter counts: what else the machine does makes it longer
BACKWARD = 2.0  # of all layers, in forward passes
FEWEST_LENGTHS = 20  # of replies that say how long the next are


class Duration(NamedTuple):
    """Runs of the grid, or their evaluations with the baseline's: how many, how many are to come, and the seconds
    these take, null where that is not timed."""

    stage: str
    runs: int
    to_come: int
    seconds: float | None


def durations(study: Study, known: Known | None = None) -> list[Duration]:
    """What `train` and `evaluate` have to do, and how long it takes by the time of one batch of each. Replies are
    counted as long as those so far, else at `max_tokens`, which few reach.

    Raises CurationError if the arms are not there yet, and nothing is `known` by which they could be foreseen.
    """
    runs, engine = study.runs, study.evaluate.engine
    untrained, unanswered, evaluated, held_out = find_to_come(study, known)
    readings = find_readings(study, untrained, known) if untrained else {}
    training, answering = 0.0, None

    @cache
    def load_student(dtype: str, device: str) -> tuple[Any, Any]:
        return weights.load(study.student.model, study.student.pinned, dtype, device=device)

    with progress("time the student's work", 2, "batches") as shown:
        if untrained:
            network, _ = load_student(study.student.dtype, study.student.device)
            tokens = sum(map(count_tokens_read, readings.values()))
            training = START + _seconds_a_token(network) * tokens
        shown.advance()
        if engine.kind == "transformers" and unanswered:
            calls = make_student_calls(study.evaluate, study.student, study.student.pinned, held_out)
            network, tokenizer = load_student(engine.dtype, engine.device)
            seen = find_length(study)
            timed = _seconds_of_replies(network, tokenizer, calls, engine.batch_size, study.student.template, seen)
            answering = START + len(unanswered) * timed
        shown.advance()
    return [
        Duration("train", len(runs), len(untrained), training),
        Duration("evaluate", evaluated, len(unanswered), answering),
    ]


def print_durations(study: Study, as_json: bool) -> None:
    """Print `durations`, a line or an object each."""
    stages = durations(study)
    if as_json:
        print(json.dumps([duration._asdict() for duration in stages], indent=1))
        return
    for stage, runs, to_come, seconds in stages:
        if not to_come:
            took = "nothing to wait for"
        elif seconds is None:
            took = f"not timed here: engine {study.evaluate.engine.kind}"
        else:
            took = f"about {max(seconds / 60, 0.1):.1f} min"
        print(f"{stage}: {to_come} of {runs} runs to come, {took}")
    limits = sorted({study.evaluate.sampling_of(name).max_tokens for name in study.benchmarks})
    counted = " to ".join(map(str, dict.fromkeys([limits[0], limits[-1]]))) if limits else "no"
    if seen := find_length(study):
        counted = f"{min(seen, limits[-1] if limits else 0):.0f}"
    print(
        f"one after the other, on {study.student.device} in {study.student.dtype}; "
        f"replies counted at {counted} tokens each"
    )


def _seconds_a_token(network: Any) -> float:
    """Of reading, by a batch of 8 texts of 128 tokens."""
    import torch

    ids = torch.arange(8 * 128).reshape(8, 128).remainder(network.config.vocab_size).to(network.device)

    def read() -> float:
        began = time.perf_counter()
        float(network(ids).logits[0, 0, 0])
        return time.perf_counter() - began

    with torch.inference_mode():
        network(ids[:, :8])  # what is done once
        return min(read() for _ in range(TIMES)) / int(ids.numel())


def count_tokens_read(reading: Reading) -> float:
    """The tokens that a run reads, those of backward passes in forward ones: its examples in all updates; KTO another
    completion beside each; and by the reference once, or in every update where it is not computed beforehand."""
    method, tokens = reading.method, reading.padded * (2 if reading.method.kind == "kto" else 1)
    few_layers = method.lora is not None and method.lora.layers is not None  # which end the backward pass sooner
    layers = 0.3 if few_layers else 1.0
    reference = 0 if method.kind == "sft" else reading.examples if getattr(method, "precompute", True) else reading.read
    return tokens * (reading.read * (1 + BACKWARD * layers) + reference)


def find_length(study: Study) -> float | None:
    """How many tokens a reply of the student is decoded for, by those that it gave to benchmarks, or as a generator;
    None where it gave few. A batch is decoded until half of it has ended: longer than the mean, short of the limit."""
    with Ledger(study.ledger, study.budget) as ledger:
        for stage in ("evaluate", "generate"):
            tokens = sorted(said for _, _, said, _ in ledger.history(stage, None, study.student.model))
            if len(tokens) >= FEWEST_LENGTHS:
                return (sum(tokens) / len(tokens) + tokens[len(tokens) * 9 // 10]) / 2
    return None


def _seconds_of_replies(
    network: Any,
    tokenizer: Any,
    calls: list[Call],
    batch_size: int,
    template: Template,
    seen: float | None = None,
) -> float:
    """Of all calls, by the first tokens of a few batches of them; each is as long as `seen` says, at most as its
    limit."""
    from curation.models.engines.transformers import sample

    if not calls:
        return 0.0
    most = [call.max_tokens or TOKENS_TIMED for call in calls]
    limits = most if seen is None else [min(limit, seen) for limit in most]
    few = list(islice(calls, 2 * batch_size))
    timed = min(TOKENS_TIMED, *most)

    def seconds_of(tokens: int) -> float:
        short = [
            Call(call.model, call.revision, call.messages, {**call.sampling, "max_tokens": tokens}, call.sample_index)
            for call in few
        ]
        replies: list[Reply] = []
        began = time.perf_counter()
        sample(network, tokenizer, short, batch_size, lambda call, reply: replies.append(reply), template=template)
        return time.perf_counter() - began

    first, last = (min(seconds_of(tokens) for _ in range(TIMES)) for tokens in (1, timed))
    each = extend(first, last, timed, sum(limits) / len(limits))
    return each * math.ceil(len(calls) / len(few))


def extend(first: float, seconds: float, timed: int, tokens: float) -> float:
    """The seconds of a reply of so many tokens, by those to its first, which reading the prompt takes, and to the last
    of those `timed`."""
    a_token = max(seconds - first, 0.0) / (timed - 1) if timed > 1 else first
    return first + a_token * (tokens - 1)
