"""A generator that runs in this process, in vLLM, where vllm is installed (the extra `vllm`)."""

from collections.abc import Iterator
from itertools import islice
from typing import Annotated, Literal

import polars as pl
from pydantic import Field

from curation.calls.call import Call, Heard, Reply
from curation.calls.ledger import Ledger
from curation.errors import CurationError
from curation.generators._rows import Described, trace_rows
from curation.params import Positive
from curation.sampling import Sampling, answered, calls_for
from curation.weights import fingerprint, locate


class Params(Described):
    """A generator of kind vllm. Replies are kept after each chunk of `chunk` calls, so a kill loses at most one chunk."""

    kind: Literal["vllm"]
    model: str
    revision: str
    system: str | None
    sampling: Sampling
    dtype: Literal["float32", "bfloat16", "auto"]
    max_model_len: Positive
    tensor_parallel: Positive
    gpu_memory: Annotated[float, Field(gt=0, le=1)]
    eager: bool
    chunk: Positive


def traces(settings: Params, name: str, prompts: pl.DataFrame, ledger: Ledger) -> pl.DataFrame:
    """One row per prompt and sample; starts the engine only if the ledger lacks a reply."""
    calls = calls_for(prompts, settings.model, settings.revision, settings.system, settings.sampling)
    replies = ledger.fulfil(calls, lambda missing, heard: _run(settings, missing, heard), "generate", name)
    return trace_rows(answered(prompts, settings.sampling, replies), name, settings)


def _run(settings: Params, missing: Iterator[Call], heard: Heard) -> None:
    try:
        import vllm
    except ImportError:
        raise CurationError('kind vllm: vllm is not installed; `pip install -e ".[vllm]"` on a GPU machine, or serve the model and use kind openai') from None
    path = locate(settings.model)
    if path is not None and settings.revision != fingerprint(path):
        raise CurationError(f"{settings.model}: its revision is {fingerprint(path)}, params.yaml says {settings.revision}; correct the one that is wrong")
    engine = vllm.LLM(
        model=str(path or settings.model), revision=None if path else settings.revision, dtype=settings.dtype, enforce_eager=settings.eager,
        max_model_len=settings.max_model_len, tensor_parallel_size=settings.tensor_parallel, gpu_memory_utilization=settings.gpu_memory,
    )  # fmt: skip
    while chunk := list(islice(missing, settings.chunk)):
        asked = [vllm.SamplingParams(**{**call.sampling, "top_k": call.sampling["top_k"] or -1}) for call in chunk]
        for call, output in zip(chunk, engine.chat([call.messages for call in chunk], asked, use_tqdm=False), strict=True):
            best = output.outputs[0]
            heard(
                call,
                Reply(best.text.strip(), best.finish_reason or "stop", len(output.prompt_token_ids), len(best.token_ids), engine=f"vllm {vllm.__version__}"),
            )
