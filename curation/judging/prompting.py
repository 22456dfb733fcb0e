"""What judges that ask a model share: their settings, the parts of their messages, and the reading of replies."""

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Annotated, Any

from pydantic import Field

from curation.calls.call import Call, Reply
from curation.calls.endpoint import Endpoint
from curation.calls.extra import Extra
from curation.calls.foreign import utf8
from curation.calls.structured import json_in, read_object
from curation.core.needs import find_uninstalled
from curation.core.params import Strict
from curation.core.ranges import Few, Filled, HashedSeed, Length, Temperature, Word
from curation.core.study import Study
from curation.judging.shown import Shows
from curation.tables.ids import content_id


class JudgeSampling(Strict):
    """How the judge's model is sampled. With `top_logprobs` 0 the server gives no log-probabilities, and no score is an
    expected one. `extra`, which may be left out, holds further fields of each request."""

    temperature: Temperature
    max_tokens: Length
    seed: HashedSeed
    top_logprobs: Annotated[int, Field(ge=0, le=20, description="what servers give at most")]
    extra: Extra | None = None


class ModelJudgeParams(Strict):
    """Settings of a judge that asks a model. `reference` shows it the reference answer where there is one; `rationale`
    asks for a reason first. `shows` may be left out, and is then both: the reasoning of a trace and its answer."""

    model: Word
    revision: Word
    endpoint: Endpoint
    sampling: JudgeSampling
    repeats: Few
    reference: bool
    rationale: bool
    instructions: Filled
    shows: Shows | None = None

    def unmet(self, study: Study) -> Iterator[str]:
        """The packages that are not there."""
        yield from (f"endpoint: {line}" for line in find_uninstalled("aiohttp", "instructor"))


def make_caller(settings: ModelJudgeParams, system: str) -> Callable[[str, int, dict[str, Any]], Call]:
    """A function from user message, repeat and the reply's schema to the call under the message `system`. Each repeat
    has a seed of its own."""
    sampling = settings.sampling.model_dump(exclude={"seed", "top_logprobs", "extra"}) | (settings.sampling.extra or {})
    if settings.sampling.top_logprobs:
        sampling |= {"logprobs": True, "top_logprobs": settings.sampling.top_logprobs}

    def call_for(user: str, repeat: int, schema: dict[str, Any]) -> Call:
        seed = content_id(settings.sampling.seed, repeat) % 2**31
        messages = [{"role": "system", "content": system}, {"role": "user", "content": user}]
        return Call(settings.model, settings.revision, messages, sampling | {"seed": seed}, repeat, schema)

    return call_for


def parse_reply(reply: Reply) -> tuple[dict[str, Any] | None, str]:
    """The JSON object of a reply and status scored, or None and the status that says why: error, refused, truncated or
    unparsable."""
    if reply.error is not None:
        return None, "error"
    if reply.finish_reason in ("refusal", "content_filter"):
        return None, "refused"
    body = read_object(json_in(reply.completion or "", reply.mode))
    if body is None:
        return None, "truncated" if reply.finish_reason == "length" else "unparsable"
    return body, "scored"


def valid_number(body: Mapping[str, Any], name: str, valid: Collection[int]) -> int | None:
    """The whole number of `body` under `name`, or None if it is not a valid one."""
    value = body.get(name)
    return value if type(value) is int and value in valid else None  # type, because True is an int


def read_rationale(body: Mapping[str, Any]) -> str | None:
    """The reason that a reply gives, as a table can hold it; None if it gives none, or no text."""
    reason = body.get("rationale")
    return utf8(reason) if isinstance(reason, str) else None
