"""The memory section of `curation plan`: the most that training and answering hold at once, by the sizes of models.

A bound from what must be there: weights, what is trained and its optimizer's moments, what layers keep for the backward
pass, logits, keys and values. docs/plan.md says how near it comes.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from curation.commands.forecast import CHARS_PER_TOKEN
from curation.commands.rows import print_rows
from curation.core.study import Study
from curation.models.engines import transformers, vllm
from curation.models.size import BYTES, Size, read_size
from curation.tables import contracts, parquet
from curation.tables.contracts import EXAMPLES
from curation.traces.generators.transformers import Params as Generator
from curation.traces.generators.vllm import Params as VllmGenerator

GIB = 2**30
PROCESS = 1.0 * GIB  # of a process that has loaded torch, transformers and TRL
CONTEXT = 0.5 * GIB  # of CUDA's on a device
EVALUATE = "evaluate"
# Bytes of a logit in training, as measured: as it comes, moved by one, its gradient, and what TRL makes of it for loss
# and metrics, of all rows at once in float32, and row by row in bfloat16.
OF_A_LOGIT = {4: 32, 2: 10}
# Texts that are read at once of an example: KTO's is read with another's.
SIDES = {"dpo": 2, "soft_dpo": 2, "kto": 2, "sft": 1}


class Need(NamedTuple):
    """What a piece of work holds at once, in bytes: on the host, and on a device that is not the host, else None; of
    how many runs side by side; whether there is room, None where that is not known."""

    work: str
    model: str
    dtype: str
    at_once: int
    tokens: int  # that are read or written side by side in one run
    host: float | None
    device: float | None
    fits: bool | None
    way_out: str


def needs(study: Study, prompts: pl.DataFrame) -> list[Need]:
    """Of every method that the grid trains by, of evaluation, and of generators that run here."""
    lengths = _longest_examples()
    runs, student = study.execution.of_runs, study.student
    size = read_size(student.model, student.pinned) if student.revision else None
    found = []
    for name in dict.fromkeys(run.method for run in study.runs.values()):
        method = study.methods[name]
        length = min(method.max_length, lengths.get(name, method.max_length))
        tokens = method.batch_size * SIDES.get(method.kind, 2) * length
        held = None if size is None else training_bytes(size, method, student.dtype, tokens, length)
        at_once = min(runs.parallel, len(study.runs)) if runs.engine == "local" else 1
        devices = len(runs.devices or [""])
        work = f"train by {name}"
        found.append(_need(work, student.model, student.dtype, student.device, at_once, tokens, held, devices))
    return [*found, *_needs_of_answers(study, prompts)]


class Asked(NamedTuple):
    """A model that answers on this machine: how it is asked, the tokens of a reply at most, and the prompts."""

    work: str
    model: str
    revision: str
    engine: transformers.Params | vllm.Params
    limit: int
    prompts: pl.DataFrame


def _needs_of_answers(study: Study, prompts: pl.DataFrame) -> Iterator[Need]:
    """Of evaluation, and of each generator that runs here."""
    runs = study.execution.of_runs
    for work, model, revision, engine, limit, read in _list_asked(study, prompts):
        if read.is_empty():
            continue
        said = pl.col("prompt").list.eval(pl.element().struct.field("content").str.len_chars()).list.sum()
        length = round(int(read.select(said.max()).item() or 0) / CHARS_PER_TOKEN) + limit
        if isinstance(engine, vllm.Params):
            yield _need_of_vllm(work, model, read_size(model, revision), engine, length)
            continue
        batches = min(os.cpu_count() or 1, transformers.MOST_THREADS) if engine.device == "cpu" else 1
        rows, size = engine.batch_size * batches, read_size(model, revision)
        held = None if size is None else answering_bytes(size, engine.dtype, rows, length, length - limit)
        at_once = runs.parallel if work == EVALUATE and runs.engine == "local" else 1
        yield _need(work, model, engine.dtype, engine.device, at_once, rows * length, held)


def _list_asked(study: Study, prompts: pl.DataFrame) -> Iterator[Asked]:
    engine, student = study.evaluate.engine, study.student
    held_out, train = prompts.filter(pl.col("split") != "train"), prompts.filter(split="train")
    if isinstance(engine, transformers.Params | vllm.Params) and student.revision:
        limit = max((study.evaluate.sampling_of(name).max_tokens for name in study.benchmarks), default=0)
        yield Asked(EVALUATE, student.model, student.pinned, engine, limit, held_out)
    for name, one in study.generators.items():
        if isinstance(one, Generator | VllmGenerator):
            yield Asked(f"generate {name}", one.model, one.revision, one, one.sampling.max_tokens, train)


def training_bytes(size: Size, method: Any, dtype: str, tokens: int, length: int) -> float:
    """What training holds, of so many tokens in a batch, in sides of that length.

    Attention is torch's own (SDPA), which keeps no product of queries and keys, but of a padded batch in each layer
    what is hidden: a number for each two tokens of a side.
    """
    width = BYTES.get(dtype, 4)
    own = size.parameters * width
    if method.lora is not None:
        trained = 16.0 * size.adapter(method.lora.rank, method.lora.modules, method.lora.layers)
        layers = min(method.lora.layers or size.layers, size.layers)
    else:  # gradients and two moments; and the reference, which an adapter is taken off for
        trained = own * (3.0 + (method.kind != "sft" and not method.precompute))
        layers = size.layers
    kept = tokens * (size.kept_a_token + length) * width
    activations = tokens * size.hidden * width * layers + kept if method.checkpointing else kept * layers
    logits = tokens * size.vocabulary * OF_A_LOGIT[width]
    return float(own + trained + activations + logits)


def answering_bytes(size: Size, dtype: str, rows: int, length: int, prompt: int) -> float:
    """What answering holds, of so many rows of prompt and reply, and of the prompt alone."""
    width = BYTES.get(dtype, 4)
    cache = cache_bytes(size, width, rows, length)
    hidden = rows * prompt**2 * (1 + width)  # which tokens of a padded prompt see which, as truth and as numbers
    reading = rows * length * (2 * size.inner + 4 * size.hidden) * width + hidden  # a layer's, of the prompts
    logits = rows * size.vocabulary * (width + 3 * 4)
    return float(size.parameters * width + cache + reading + logits)


def cache_bytes(size: Size, width: int, rows: int, length: int) -> float:
    """What keys and values of so many rows take."""
    return float(rows * length * size.layers * 2 * size.keys * width)


def _need_of_vllm(work: str, model: str, size: Size | None, engine: vllm.Params, length: int) -> Need:
    """A GPU's share of weights, and of the cache of `concurrency` rows. vLLM takes `gpu_memory` of the device, whatever
    it needs, and answers fewer at once where the cache has less room: there is none where it cannot hold one row of
    `max_model_len`."""
    width, gpus, room = BYTES.get(engine.dtype, 4), engine.tensor_parallel, device_room("cuda")
    device, fits = None, None
    if size is not None:
        own = size.parameters * width / gpus + CONTEXT
        device = own + cache_bytes(size, width, engine.concurrency, min(length, engine.max_model_len)) / gpus
        least = own + cache_bytes(size, width, 1, engine.max_model_len) / gpus
        fits = None if room is None else least <= engine.gpu_memory * room
    helps = "raise gpu_memory or tensor_parallel, or lower max_model_len"
    return Need(work, model, engine.dtype, 1, engine.concurrency * length, PROCESS, device, fits, helps)


def _need(
    work: str, model: str, dtype: str, device: str, at_once: int, tokens: int, held: float | None, devices: int = 1
) -> Need:
    on_host = device == "cpu"
    beside = PROCESS * at_once
    host = None if held is None else beside + (held * at_once if on_host else 0.0)
    there = None if held is None or on_host else (held + CONTEXT) * -(-at_once // devices)
    wanted, room = (host, host_room()) if on_host else (there, device_room(device))
    fits = None if wanted is None or room is None else wanted <= room
    helps = "lower execution.runs.parallel" if at_once > 1 else "lower batch_size, or its lengths"
    return Need(work, model, dtype, at_once, tokens, host, there, fits, helps)


def _longest_examples() -> dict[str, int]:
    """By method, the tokens of the longest side that it reads; nothing where no arm was audited."""
    file = contracts.path("examples")
    if not file.exists():
        return {}
    tokens = (pl.col("prompt_tokens") + pl.col("target_tokens")).max().alias("tokens")
    return dict(parquet.read(EXAMPLES, file).group_by("method").agg(tokens).drop_nulls().rows())


def host_room() -> float | None:
    """The bytes of memory that this machine has, or its control group allows; None where it does not say."""
    rooms = []
    with suppress(OSError, ValueError, AttributeError):
        rooms.append(float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")))
    with suppress(OSError, ValueError), Path("/sys/fs/cgroup/memory.max").open() as file:
        rooms.append(float(file.read()))
    return min(rooms, default=None)


def device_room(device: str) -> float | None:
    """The bytes that the device has; None where there is none here."""
    with suppress(ImportError, AssertionError, RuntimeError):
        import torch

        if torch.cuda.is_available():
            return float(torch.cuda.get_device_properties(device).total_memory)
    return None


def print_needs(found: Sequence[Need]) -> None:
    """Print a row for each piece of work, and what has no room."""
    if not found:
        print("memory: nothing is loaded on this machine")
        return
    print("memory: the most that is held at once")
    print_rows(pl.DataFrame([_row(need) for need in found], infer_schema_length=None))
    for line in _warn(found):
        print(line)


def _row(need: Need) -> dict[str, object]:
    return {
        "work": need.work,
        "dtype": need.dtype,
        "tokens at once": need.tokens,
        "side by side": need.at_once,
        "host": _say(need.host),
        "device": "" if need.device is None else _say(need.device),
    }


def _say(held: float | None) -> str:
    return "not known" if held is None else f"{held / GIB:.1f} GiB"


def _warn(found: Sequence[Need]) -> Iterator[str]:
    for need in found:
        if need.fits is False:
            yield f"warning: {need.work}: needs more than there is here; {need.way_out}"
    if unknown := [need.work for need in found if need.device is None and need.host in (None, PROCESS)]:
        yield f"not known, since config.json is not on this machine, or is of no decoder: {', '.join(unknown)}"
    yield (
        "counted: weights (of all experts), gradients and two moments of what is trained, what layers keep, logits, "
        "keys and values, what attention keeps; not what an allocator keeps beside that; `auto` as bfloat16"
    )
