"""How long the runs of the grid will take on this machine, from a few seconds of the student's own work."""

import json
import math
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from curation.calls.call import Call, Reply
from curation.calls.ledger import Ledger
from curation.core.errors import require_existing
from curation.core.params import BASELINE
from curation.core.progress import progress
from curation.core.study import Study
from curation.experiment.grid import Arm
from curation.models import weights
from curation.models.chat_template import Template
from curation.models.rendering import Renderer, rows_of_side
from curation.tables import contracts, measurements, parquet
from curation.training.run_store import RunStore
from curation.training.runs import look_up, plan_runs
from curation.training.student_calls import make_student_calls, revision_of
from curation.training.updates import count_updates, take_updates

START = 12.0  # seconds of a stage before its first batch: imports, weights
TOKENS_TIMED = 16  # of a reply
BACKWARD = 2.0  # of all layers, in forward passes
FEWEST_LENGTHS = 20  # of replies that say how long the next are
WAY_OUT = "run `dvc repro audit` first"


class Duration(NamedTuple):
    """Runs of the grid, or their evaluations with the baseline's: how many, how many are to come, and the seconds
    these take, null where that is not timed."""

    stage: str
    runs: int
    to_come: int
    seconds: float | None


class ToCome(NamedTuple):
    """The names of the runs that are to be trained, and of those that are to be answered; how many are evaluated in
    all, and on which prompts."""

    untrained: list[str]
    unanswered: list[str]
    evaluated: int
    held_out: pl.DataFrame


def durations(study: Study) -> list[Duration]:
    """What `train` and `evaluate` have to do, and how long it takes by the time of one batch of each: where DVC knows
    of a change, the runs that are not in the run store, and those whose answers the ledger has not all; else those
    whose outcome is not there. Replies are counted at `max_tokens`, which few reach.

    Raises CurationError if the subsets are not there yet.
    """
    runs, data, engine = study.runs, study.path.parent / contracts.DATA, study.evaluate.engine
    untrained, unanswered, evaluated, held_out = find_to_come(study)
    training, answering = 0.0, None

    @cache
    def load_student(dtype: str, device: str) -> tuple[Any, Any]:
        return weights.load(study.student.model, study.student.pinned, dtype, device=device)

    with progress("time the student's work", 2, "batches") as shown:
        if untrained:
            network, tokenizer = load_student(study.student.dtype, study.student.device)
            tokens = sum(
                _count_tokens_read(study, run.method, run.arm, Renderer(tokenizer, study.student), data)
                for run in (runs[name] for name in untrained)
            )
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


def find_to_come(study: Study) -> ToCome:
    """The runs that are to be trained, and those that are to be answered. Raises CurationError if the arms, or the
    prompts, are not there yet."""
    runs, data = study.runs, study.path.parent / contracts.DATA
    changed = find_changed_stages(study.path.parent) or frozenset[str]()
    prompts = parquet.read(contracts.PROMPTS, require_existing(contracts.path("prompts", data=data), WAY_OUT))
    held_out = prompts.filter(pl.col("split") != "train")
    if "train" in changed:
        keys, stored, untrained = look_up(plan_runs(study, data), RunStore.beside(study.ledger))
        trained = {name: stored[key].weights for name, key in keys.items() if key in stored}
    else:
        trained = _find_trained(data)
        untrained = [name for name in runs if name not in trained]
    evaluated = [BASELINE, *runs, *study.models.folders]
    there = [name for name in evaluated if contracts.path("results", name, data).exists() and "evaluate" not in changed]
    unanswered = untrained + _find_unanswered(study, trained, held_out, [*untrained, *there])
    return ToCome(untrained, unanswered, len(evaluated), held_out)


def count_examples(study: Study, names: Sequence[str]) -> dict[str, int]:
    """By run, how many examples its training reads. Raises CurationError if its arm is not there yet."""
    plans, counts = plan_runs(study, study.path.parent / contracts.DATA), dict[str, int]()
    for name in names:
        settings, rows = plans[name].settings, pl.scan_parquet(plans[name].rows).select(pl.len()).collect().item()
        counts[name] = count_updates(settings, rows) * settings.batch_size * settings.accumulation
    return counts


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


def _find_trained(data: Path) -> dict[str, str]:
    """The hash of the weights of each run whose training ended well."""
    file = contracts.path("runs", data=data)
    if not file.exists():
        return {}
    return dict(parquet.read(measurements.RUNS, file).filter(status="trained").select("run", "weights").rows())


def _find_unanswered(study: Study, trained: dict[str, str], held_out: pl.DataFrame, known: list[str]) -> list[str]:
    """Of the baseline, the trained runs and the weights trained elsewhere, but for those that are `known`, the names of
    those whose answers the ledger has not all; of equal weights the first."""
    found, revisions = list[str](), {BASELINE: study.student.pinned}
    for name, hashed in trained.items():
        has_adapter = getattr(study.methods[study.runs[name].method], "lora", None) is not None
        revisions[name] = revision_of(study.evaluate, study.student, hashed, has_adapter)
    first = {revision: name for name, revision in reversed(revisions.items())}
    with Ledger(study.ledger, study.budget) as ledger:
        for revision, name in reversed(first.items()):
            if name not in known:
                calls = make_student_calls(study.evaluate, study.student, revision, held_out)
                found += [name] if any(ledger.find(call) is None for call in calls) else []
    return found + [name for name in study.models.folders if name not in known]


@cache
def find_changed_stages(folder: Path) -> frozenset[str] | None:
    """The stages whose dependencies, settings or outcomes DVC finds changed; None where `folder` is not DVC's, or it
    cannot tell."""
    if not (folder / ".dvc").is_dir():
        return None
    status = [sys.executable, "-m", "dvc", "status", "--json"]
    done = subprocess.run(status, cwd=folder, capture_output=True, text=True)
    return frozenset(json.loads(done.stdout)) if done.returncode == 0 else None


def _seconds_a_token(network: Any) -> float:
    """Of reading, by a batch of 8 texts of 128 tokens."""
    import torch

    ids = torch.arange(8 * 128).reshape(8, 128).remainder(network.config.vocab_size).to(network.device)
    with torch.inference_mode():
        network(ids[:, :8])  # what is done once
        began = time.perf_counter()
        float(network(ids).logits[0, 0, 0])
    return (time.perf_counter() - began) / int(ids.numel())


def _count_tokens_read(study: Study, method: str, arm: Arm, renderer: Renderer, data: Path) -> float:
    """The tokens that a run reads, backward passes in forward ones: once by the reference, and in every epoch, or in as
    many updates as it makes; KTO reads another completion beside each."""
    settings = take_updates(study, data).get((arm.name, method), study.methods[method])
    columns = {"kto": ["completion"], "sft": ["chosen"]}.get(settings.kind, ["chosen", "rejected"])
    table = contracts.UNPAIRED if settings.kind == "kto" else contracts.SUBSETS
    rows = parquet.read(table, require_existing(contracts.arm_path(table.name, arm.name, data), WAY_OUT))
    few = [row for column in columns for row in rows_of_side(rows.head(64), column)]
    lengths = [len(renderer.render(*row).ids) for row in few] or [0]
    tokens = sum(lengths) / len(lengths) * rows.height * len(columns) * (2 if settings.kind == "kto" else 1)
    few_layers = settings.lora is not None and settings.lora.layers is not None  # which end the backward pass sooner
    layers, epochs = 0.3 if few_layers else 1.0, settings.epochs
    if settings.max_steps is not None:
        epochs = settings.max_steps * settings.batch_size * settings.accumulation / max(rows.height, 1)
    return float(tokens * epochs * (1 + BACKWARD * layers) + (0 if settings.kind == "sft" else tokens))


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
    timed = min(TOKENS_TIMED, *most)
    few = [
        Call(call.model, call.revision, call.messages, {**call.sampling, "max_tokens": timed}, call.sample_index)
        for call in islice(calls, 2 * batch_size)
    ]
    replies: list[Reply] = []
    began = time.perf_counter()
    sample(network, tokenizer, few, batch_size, lambda call, reply: replies.append(reply), template=template)
    return (time.perf_counter() - began) * math.ceil(len(calls) / len(few)) * (sum(limits) / len(limits)) / timed
