"""From prompts to calls, and from replies to the rows of `traces`."""

import json
from collections.abc import Iterable
from typing import Annotated, Any

import polars as pl
from pydantic import AfterValidator, Field

from curation.calls.call import Call, Reply
from curation.calls.extra import SAMPLING, Extra, refuse_own
from curation.core.params import Strict
from curation.core.ranges import HashedSeed, Length, Share, Temperature
from curation.models.reasoning import Rule, split
from curation.tables.contracts import TRACES, empty
from curation.tables.ids import content_id
from curation.tables.messages import for_model, full_messages, with_system

OWN = dict.fromkeys(("top_p", "top_k"), SAMPLING)
Samples = Annotated[int, Field(ge=1, le=100_000, description="each is a call for every prompt")]
TopK = Annotated[int, Field(ge=0, le=10_000_000, description="no vocabulary holds more")]
SamplingExtra = Annotated[Extra, AfterValidator(refuse_own(OWN))]


class SamplingChanges(Strict):
    """What of a sampling is another; what is left out or null stays. `extra` takes the place of the other whole."""

    samples: Samples | None = None
    temperature: Temperature | None = None
    top_p: Share | None = None
    top_k: TopK | None = None
    max_tokens: Length | None = None
    seed: HashedSeed | None = None
    extra: SamplingExtra | None = None


class GenerationSampling(Strict):
    """How a model is sampled. `top_k` 0 means all tokens; `extra`, which may be left out, holds further fields of each
    request."""

    samples: Samples
    temperature: Temperature
    top_p: Share
    top_k: TopK
    max_tokens: Length
    seed: HashedSeed
    extra: SamplingExtra | None = None

    def changed(self, changes: SamplingChanges) -> "GenerationSampling":
        """This one, but for the changes."""
        return self.model_copy(update={name: value for name, value in changes if value is not None})

    @property
    def sent(self) -> dict[str, Any]:
        """What each request holds of it but the seed, which is a call's own."""
        return self.model_dump(exclude={"samples", "seed", "extra"}) | (self.extra or {})


def make_calls(
    prompts: pl.DataFrame, model: str, revision: str, system: str | None, sampling: GenerationSampling
) -> list[Call]:
    """`samples` calls per row of prompts, in the rows' order, each opened by the message `system` unless that is None
    or the prompt has a system message of its own, and with the row's tools.

    A call's seed is a hash of seed, messages and sample index, so that no name in params.yaml changes it.
    """
    calls = []
    for prompt, whole, given in prompts.select("prompt", "messages", "tools").iter_rows():
        messages = with_system(for_model(full_messages(prompt, whole)), system)
        tools = json.loads(given) if given else None
        for index in range(sampling.samples):
            seed = content_id(sampling.seed, json.dumps(messages), index) % 2**31
            calls.append(Call(model, revision, messages, {**sampling.sent, "seed": seed}, index, tools=tools))
    return calls


def make_rows(
    prompts: pl.DataFrame, sampling: GenerationSampling, replies: Iterable[Reply], rule: Rule | None = None
) -> pl.DataFrame:
    """One row per call of `make_calls`, in the same order: prompt_id, sample_index, reasoning and completion (null
    after an error and where the model came to no such text), finish_reason, left_out_characters, n_tokens. `rule` says
    how the model marks its reasoning."""
    slots = [(prompt_id, index) for prompt_id in prompts["prompt_id"] for index in range(sampling.samples)]
    rows = [
        (prompt_id, index, *split(reply, rule), None if reply.error else reply.completion_tokens)
        for (prompt_id, index), reply in zip(slots, replies, strict=True)
    ]
    columns = (
        "prompt_id", "sample_index", "reasoning", "completion", "finish_reason", "left_out_characters", "n_tokens",
    )  # fmt: skip
    schema = empty(TRACES).schema
    return pl.DataFrame(rows, schema={name: schema[name] for name in columns}, orient="row")
