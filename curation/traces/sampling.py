"""From prompts to calls, and from replies to the rows of `traces`."""

import json
from collections.abc import Iterable
from typing import Annotated

import polars as pl
from pydantic import Field

from curation.calls.call import Call, Reply
from curation.core.params import Strict
from curation.core.ranges import HashedSeed, Length, Share, Temperature
from curation.models.reasoning import split
from curation.tables.contracts import TRACES, empty
from curation.tables.ids import content_id


class GenerationSampling(Strict):
    """How a model is sampled. `top_k` 0 means all tokens."""

    samples: Annotated[int, Field(ge=1, le=100_000, description="each is a call for every prompt")]
    temperature: Temperature
    top_p: Share
    top_k: Annotated[int, Field(ge=0, le=10_000_000, description="no vocabulary holds more")]
    max_tokens: Length
    seed: HashedSeed


def make_calls(
    prompts: pl.DataFrame, model: str, revision: str, system: str | None, sampling: GenerationSampling
) -> list[Call]:
    """`samples` calls per row of prompts, in the rows' order, each opened by the message `system` unless that is None.

    A call's seed is a hash of seed, messages and sample index, so that no name in params.yaml changes it.
    """
    settings = sampling.model_dump(exclude={"samples", "seed"})
    opening = [{"role": "system", "content": system}] if system else []
    calls = []
    for prompt in prompts["prompt"]:
        messages = [*opening, *prompt]
        for index in range(sampling.samples):
            seed = content_id(sampling.seed, json.dumps(messages), index) % 2**31
            calls.append(Call(model, revision, messages, {**settings, "seed": seed}, index))
    return calls


def make_rows(prompts: pl.DataFrame, sampling: GenerationSampling, replies: Iterable[Reply]) -> pl.DataFrame:
    """One row per call of `make_calls`, in the same order: prompt_id, sample_index, reasoning and completion (null
    after an error and where the model came to no such text), finish_reason, n_tokens."""
    slots = [(prompt_id, index) for prompt_id in prompts["prompt_id"] for index in range(sampling.samples)]
    rows = [
        (prompt_id, index, *split(reply), None if reply.error else reply.completion_tokens)
        for (prompt_id, index), reply in zip(slots, replies, strict=True)
    ]
    columns = ("prompt_id", "sample_index", "reasoning", "completion", "finish_reason", "n_tokens")
    schema = empty(TRACES).schema
    return pl.DataFrame(rows, schema={name: schema[name] for name in columns}, orient="row")
