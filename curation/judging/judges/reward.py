"""A judge that is a reward model or a process reward model, here or behind a server. It says nothing, it scores."""

import json
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Any, Literal, NamedTuple

import polars as pl
from pydantic import AfterValidator, Field

from curation.calls import scores
from curation.calls.call import Call, Engine, Reply
from curation.calls.ledger import Ledger
from curation.core.devices import find_unmet_torch
from curation.core.errors import CurationError
from curation.core.needs import find_uninstalled
from curation.core.params import Column, Strict
from curation.core.ranges import FilePath, Scale, Word
from curation.core.study import Study
from curation.judging.conversation import Conversation, read_problem
from curation.judging.patterns import check_separator
from curation.judging.shown import NotShown, Shows, find_shown
from curation.judging.steps import split_shown
from curation.models import reward_model, weights
from curation.models.local import find_head_fault, find_model_faults, find_too_long, find_unknown_token
from curation.tables.contracts import JUDGMENTS, empty
from curation.tables.messages import for_model, full_messages

ROUTES_OF_TEXTS = ("score", "rerank")  # which are sent two texts, where the others are sent messages
AGGREGATES: dict[str, Callable[[Sequence[float]], float]] = {
    "min": min,
    "mean": lambda steps: math.fsum(steps) / len(steps),
    "last": lambda steps: steps[-1],
    "product": math.prod,
}


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
        for name, (low, high) in self.scales.items():
            if name not in self.dimensions:
                yield f"scale.{name}: is none of its dimensions; known: {', '.join(self.dimensions)}"
            if low >= high:
                yield f"scale.{name}: lowest {low:g} is not below highest {high:g}"
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


class Scored(NamedTuple):
    """What a reply says of a trace: a score for each dimension, none of which is there without the others."""

    scores: Sequence[float | None]
    status: str
    rationale: str | None


def judge(settings: Params, name: str, traces: pl.DataFrame, prompts: pl.DataFrame, ledger: Ledger) -> pl.DataFrame:
    """One row per trace and dimension; of steps the rationale is the score of each. A trace of which there is nothing
    to show has the status that `find_shown` gives it, one that is too long for the model is truncated.

    Raises CurationError if a score is off its scale.
    """
    write_call, asked, calls = make_caller(settings, prompts), list[int](), list[Call]()
    found = dict[int, Scored]()
    for (trace_id, prompt_id), said in zip(
        traces.select("trace_id", "prompt_id").iter_rows(), _write_texts(settings, traces), strict=True
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
    _refuse_off_scale(settings, name, rows)
    return pl.DataFrame(rows, schema=empty(JUDGMENTS).drop("judge").schema, orient="row")


def _write_texts(settings: Params, traces: pl.DataFrame) -> Iterator[str | NotShown]:
    """What of each trace is scored, as the last message of its conversation."""
    shown = [
        find_shown(settings.shows, *texts) for texts in traces.select("reasoning", "completion", "status").iter_rows()
    ]
    opens, closes = settings.delimiters or ("", "\n\n")
    if settings.steps is None:
        for each in shown:
            yield each if isinstance(each, NotShown) else _join(each.reasoning, each.answer, opens, closes)
        return
    token = settings.steps.token
    for steps in split_shown(settings.steps.separator, shown):
        if isinstance(steps, NotShown):
            yield steps
        elif any(token in step for step in steps.all):
            yield NotShown("error", f"a step holds {token}, which ends steps")
        else:
            reasoning, answer = ("".join(f"{step}{token}" for step in part) or None for part in steps)
            yield _join(reasoning, answer, opens, closes)


def _join(reasoning: str | None, answer: str | None, opens: str, closes: str) -> str:
    """Both texts, or the one there is: an answer alone has no delimiters."""
    if reasoning is None:
        return answer or ""
    return f"{opens}{reasoning}{closes.rstrip() if answer is None else closes}{answer or ''}"


def make_caller(settings: Params, prompts: pl.DataFrame) -> Callable[[int, str], Call | NotShown]:
    """A function from prompt_id and what is to be scored to the call that scores it, or why there is none."""
    problems = {row[0]: row[1:] for row in prompts.select("prompt_id", "prompt", "messages", "tools").iter_rows()}
    here = settings.engine if isinstance(settings.engine, reward_model.Params) else None
    revision = weights.identity(settings.revision, here.dtype if here else None)
    way: dict[str, str]
    if isinstance(settings.engine, scores.Params):
        way, sampling = {"route": settings.engine.route}, dict(settings.engine.extra or {})
    else:
        # not in the key: what was too long is asked again under a higher limit, and nothing else
        way, sampling = {"input": settings.engine.input}, {"max_tokens": settings.engine.max_length}
        way |= {"template_date": settings.engine.template_date} if settings.engine.template_date else {}
    token = settings.steps.token if settings.steps else None
    way |= {scores.STEP: token} if token else {}
    sampling |= {scores.SCORING: way}

    def call_for(prompt_id: int, said: str) -> Call | NotShown:
        prompt, whole, tools = problems[prompt_id]
        messages = for_model(full_messages(prompt, whole))
        if settings.as_texts:
            messages, tools = [{"role": "user", "content": _write_problem(prompt, whole, tools)}], None
        if tools and here is None:
            return NotShown("error", "the prompt has tools, of which no route for reward models is told")
        if token and any(token in str(message["content"]) for message in messages):
            return NotShown("error", f"the prompt holds {token}, which ends steps")
        messages = [*messages, {"role": "assistant", "content": said}]
        return Call(settings.model, revision, messages, sampling, 0, tools=json.loads(tools) if tools else None)

    return call_for


def _write_problem(prompt: Any, messages: str | None, tools: str | None) -> str:
    """A prompt as one text: its user message, or all its turns, each under a heading."""
    problem = read_problem(prompt, messages, tools)
    if isinstance(problem, Conversation):
        return "\n\n".join(f"{part.heading}:\n{part.text}" for part in problem.parts)
    return problem


def parse(settings: Params, reply: Reply) -> Scored:
    """The scores that a reply gives, or a status that says why there are none."""
    none = [None] * len(settings.dimensions)
    if reply.error is not None:
        return Scored(none, "error", None)
    if isinstance(settings.engine, reward_model.Params) and (reply.prompt_tokens or 0) > settings.engine.max_length:
        limit = settings.engine.max_length
        return Scored(none, "truncated", f"{reply.prompt_tokens} tokens, more than max_length: {limit}")
    rows = scores.read_rows(reply)
    if rows is None:
        return Scored(none, "unparsable", None)
    if settings.steps is None:
        if len(rows) > 1 or len(rows[0]) != len(none):
            return Scored(none, "unparsable", f"{len(rows[-1])} numbers for {len(none)} dimensions")
        return Scored(rows[0], "scored", None)
    if any(len(row) <= settings.steps.label for row in rows):
        return Scored(none, "unparsable", f"{len(rows[0])} labels, and none is number {settings.steps.label}")
    steps = [row[settings.steps.label] for row in rows]
    return Scored([AGGREGATES[settings.steps.aggregate](steps)], "scored", ", ".join(f"{step:.9g}" for step in steps))


def _refuse_off_scale(settings: Params, name: str, rows: Sequence[tuple[Any, ...]]) -> None:
    for trace_id, dimension, _, score, *_ in rows:
        low, high = settings.scales.get(dimension, (-math.inf, math.inf))
        if score is not None and not low <= score <= high:
            raise CurationError(
                f"judges.{name}.scale.{dimension}: trace_id {trace_id} has {score:g}, off the scale from {low:g} to "
                f"{high:g}; widen it, or leave it out"
            )
