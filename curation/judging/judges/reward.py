"""A judge that is a reward model or a process reward model, here or behind a server. It says nothing, it scores."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Literal

import polars as pl
from pydantic import AfterValidator, Field

from curation.calls import scores
from curation.calls.call import Call, Engine
from curation.calls.ledger import Ledger
from curation.core.devices import find_unmet_torch
from curation.core.errors import CurationError
from curation.core.needs import find_uninstalled
from curation.core.params import Column, Strict
from curation.core.ranges import FilePath, Scale, Word
from curation.core.study import Study
from curation.judging.judges._rated import find_flat_scales, find_off_scale
from curation.judging.judges._reward_calls import make_caller, write_texts
from curation.judging.judges._reward_scores import Scored, parse
from curation.judging.patterns import check_separator
from curation.judging.shown import NotShown, Shows
from curation.models import reward_model, weights
from curation.models.local import find_head_fault, find_model_faults, find_too_long, find_unknown_token
from curation.tables.contracts import JUDGMENTS, empty

ROUTES_OF_TEXTS = ("score", "rerank")  # which are sent two texts, where the others are sent messages


def _check_names(names: list[str]) -> list[str]:
    if len(set(names)) < len(names):
        raise ValueError("names one dimension twice; each label has a name of its own")
    return names


class StepParams(Strict):
    """How a process reward model scores steps. What stands between the matches of `separator` is a step, as to a judge
    of kind process; `token`, one token of the model's, follows each. `label` is the one of the model's labels whose
    probability is a step's score, from 0; `aggregate` makes the trace's score of them."""

    separator: Annotated[str, AfterValidator(check_separator)]
    token: Word
    label: Annotated[int, Field(ge=0, le=1000, description="no model has more labels")]
    aggregate: Literal["min", "mean", "last", "product"]


class Params(Strict):
    """A judge of kind reward. `dimensions` names the model's labels, in its order; most have one.

    What may be left out: `shows`, which is then both; `delimiters`, what opens and closes the reasoning where the
    answer follows it, without which a blank line parts them; `scale`, the lowest and highest score by dimension; and
    `steps`, which makes it a process reward model.
    """

    kind: Literal["reward"]
    model: FilePath
    revision: Word
    engine: Annotated[reward_model.Params | scores.Params, Field(discriminator="kind")]
    dimensions: Annotated[list[Column], Field(min_length=1), AfterValidator(_check_names)]
    shows: Shows | None = None
    delimiters: Annotated[list[str], Field(min_length=2, max_length=2)] | None = None
    scale: dict[Column, Scale] | None = None
    steps: StepParams | None = None

    @property
    def dimension_names(self) -> list[str]:
        """The dimensions it rates, in the order of the model's labels."""
        return list(self.dimensions)

    @property
    def scales(self) -> dict[str, tuple[float, float]]:
        """The lowest and the highest score of each dimension that says them."""
        return {name: (low, high) for name, (low, high) in (self.scale or {}).items()}

    @property
    def as_texts(self) -> bool:
        """Whether the model reads a problem and what is to be scored as two texts, not as messages."""
        if isinstance(self.engine, scores.Params):
            return self.engine.route in ROUTES_OF_TEXTS
        return self.engine.input == "pair"

    @property
    def writes_text(self) -> bool:
        """Whether a server is sent the text that the model's own chat template writes here."""
        return isinstance(self.engine, scores.Params) and self.engine.takes_text

    def make_engine(self) -> Engine:
        """What answers its calls."""
        if isinstance(self.engine, scores.Params):
            return scores.ScoreEngine(self.engine)
        labels = None if self.steps else len(self.dimensions)
        return reward_model.RewardEngine(self.engine, self.model, self.revision, labels)

    def count_tokens(self, calls: Sequence[Call]) -> int | None:
        """The tokens of what the model would read, by its own tokenizer; None where that is not on this machine."""
        if not isinstance(self.engine, reward_model.Params) or weights.locate(self.model) is None:
            return None
        tokenizer = weights.tokenizer(self.model, self.revision)
        written = reward_model.write(tokenizer, calls, self.engine)
        return sum(len(text.ids) for text in written if not isinstance(text, str))

    def mistakes(self, study: Study) -> Iterator[str]:
        """A scale of no dimension or without a width; steps of a model that is not asked for them."""
        for name in self.scales:
            if name not in self.dimensions:
                yield f"scale.{name}: is none of its dimensions; known: {', '.join(self.dimensions)}"
        yield from find_flat_scales(self.scales)
        if isinstance(self.engine, scores.Params):
            route = self.engine.route
            if self.engine.endpoint.base_url.rstrip("/").endswith(f"/{route}"):
                yield f"engine.endpoint.base_url: has the route already; leave out /{route}"
            if self.steps and route != "pooling":
                yield f"engine.route: {route} gives one score to all steps; pooling gives one to each"
        elif self.steps and self.as_texts:
            yield "engine.input: pair has no place for step tokens; write chat"
        if self.steps and len(self.dimensions) > 1:
            yield f"dimensions: {len(self.dimensions)} are named, and steps give one score; name one"
        if self.delimiters and self.shows == "answer":
            yield "delimiters: it shows no reasoning; leave them out, or write shows: both"

    def unmet(self, study: Study) -> Iterator[str]:
        """What of the model, of its device or of packages is not there; a model that gives no scores, or others."""
        if isinstance(self.engine, scores.Params):
            yield from (f"engine.endpoint: {line}" for line in find_uninstalled("aiohttp"))
            yield from find_model_faults(self.model, self.revision) if self.writes_text else ()
            return
        faults = list(find_model_faults(self.model, self.revision, chats=self.engine.input == "chat"))
        heads = (reward_model.TOKENS, reward_model.QWEN) if self.steps else (reward_model.SEQUENCES,)
        if not faults and (fault := find_head_fault(self.model, heads, None if self.steps else len(self.dimensions))):
            faults = [f"model: {fault}"]
        if not faults and self.steps and (fault := find_unknown_token(self.model, self.steps.token)):
            faults = [f"steps.token: {fault}"]
        yield from faults
        yield from find_too_long("engine.max_length", self.engine.max_length, self.model)
        yield from (f"engine.{line}" for line in find_unmet_torch(self.engine.device, self.engine.dtype))


def judge(settings: Params, name: str, traces: pl.DataFrame, prompts: pl.DataFrame, ledger: Ledger) -> pl.DataFrame:
    """One row per trace and dimension; of steps the rationale is the score of each. A trace of which there is nothing
    to show has the status that `find_shown` gives it, one that is too long for the model is truncated.

    Raises CurationError if a score is off its scale.
    """
    write_call, asked, calls = make_caller(settings, prompts), list[int](), list[Call]()
    found = dict[int, Scored]()
    for (trace_id, prompt_id), said in zip(
        traces.select("trace_id", "prompt_id").iter_rows(), write_texts(settings, traces), strict=True
    ):
        call = said if isinstance(said, NotShown) else write_call(prompt_id, said)
        if isinstance(call, Call):
            asked.append(trace_id)
            calls.append(call)
        else:
            found[trace_id] = Scored([None] * len(settings.dimensions), *call)
    replies = ledger.fulfil(calls, settings.make_engine(), "judge", name)
    found |= {trace_id: parse(settings, reply) for trace_id, reply in zip(asked, replies, strict=True)}
    rows = [
        (trace_id, dimension, 0, score, None, found[trace_id].status, found[trace_id].rationale)
        for trace_id in traces["trace_id"]
        for dimension, score in zip(settings.dimensions, found[trace_id].scores, strict=True)
    ]
    judgments = pl.DataFrame(rows, schema=empty(JUDGMENTS).drop("judge").schema, orient="row")
    for dimension, low, high, off in find_off_scale(judgments, settings.scales):
        trace_id, score = off.select("trace_id", "score").row(0)
        raise CurationError(
            f"judges.{name}.scale.{dimension}: trace_id {trace_id} has {score:g}, off the scale from {low:g} to "
            f"{high:g}; widen it, or leave it out"
        )
    return judgments
