"""A generator that runs here, in transformers: local weights, CPU or GPU, batched."""

from collections.abc import Iterator
from typing import Any, Literal

import polars as pl

from curation.generators._rows import Described, trace_rows
from curation.ledger import Call, Heard, Ledger, Reply, engine_name
from curation.params import Positive
from curation.sampling import Sampling, answered, calls_for
from curation.weights import load


class Params(Described):
    """A generator of kind transformers. `model` as `curation.weights` reads it; `revision` is its hash."""

    kind: Literal["transformers"]
    model: str
    revision: str
    system: str | None
    sampling: Sampling
    dtype: Literal["float32", "bfloat16"]
    device: str
    batch_size: Positive


def traces(settings: Params, name: str, prompts: pl.DataFrame, ledger: Ledger) -> pl.DataFrame:
    """One row per prompt and sample; loads the model only if the ledger lacks a reply."""
    calls = calls_for(prompts, settings.model, settings.revision, settings.system, settings.sampling)

    def run(missing: list[Call], heard: Heard) -> None:
        network, tokenizer = load(settings.model, settings.revision, settings.dtype, device=settings.device)
        sample(network, tokenizer, missing, settings.batch_size, heard)

    return trace_rows(answered(prompts, settings.sampling, ledger.fulfil(calls, run, "generate", name)), name, settings)


def sample(network: Any, tokenizer: Any, calls: list[Call], batch_size: int, heard: Heard) -> None:
    """Give `heard` a sampled reply to every call. Prompts of like length share a batch, whatever the model; a batch is seeded by its first call."""
    import torch

    def render(call: Call) -> str:
        return str(tokenizer.apply_chat_template(call.messages, add_generation_prompt=True, tokenize=False))

    for batch in _batches(sorted(calls, key=lambda call: (len(render(call)), render(call), call.sample_index)), batch_size):
        settings = batch[0].sampling
        encoded = tokenizer([render(call) for call in batch], return_tensors="pt", padding=True, add_special_tokens=False).to(network.device)
        torch.manual_seed(settings["seed"])
        with torch.inference_mode():
            output = network.generate(**encoded, **_generation(settings), pad_token_id=tokenizer.pad_token_id, eos_token_id=tokenizer.eos_token_id)
        for call, prompt, new in zip(batch, encoded["attention_mask"], output[:, encoded["input_ids"].shape[1] :], strict=True):
            heard(call, _reply(tokenizer, int(prompt.sum()), new.tolist()))


def _generation(settings: dict[str, Any]) -> dict[str, Any]:
    if settings["temperature"] == 0:
        return {"do_sample": False, "temperature": None, "top_p": None, "top_k": None, "max_new_tokens": settings["max_tokens"]}
    return {
        "do_sample": True, "temperature": settings["temperature"], "top_p": settings["top_p"],
        "top_k": settings["top_k"], "max_new_tokens": settings["max_tokens"],
    }  # fmt: skip


def _batches(calls: list[Call], size: int) -> Iterator[list[Call]]:
    """Runs of at most `size` calls that differ only in prompt, seed and sample index."""
    batch: list[Call] = []
    for call in calls:
        if batch and (len(batch) == size or _shared(call) != _shared(batch[0])):
            yield batch
            batch = []
        batch.append(call)
    if batch:
        yield batch


def _shared(call: Call) -> dict[str, Any]:
    return {name: value for name, value in call.sampling.items() if name != "seed"}


def _reply(tokenizer: Any, prompt_tokens: int, new: list[int]) -> Reply:
    ended = tokenizer.eos_token_id in new
    kept = new[: new.index(tokenizer.eos_token_id)] if ended else new
    text = tokenizer.decode(kept, skip_special_tokens=True).strip()
    return Reply(text, "stop" if ended else "length", prompt_tokens, len(kept) + ended, engine=engine_name("transformers"))
