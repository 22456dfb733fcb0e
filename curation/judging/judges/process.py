"""A judge that asks a model to rate each step of a trace. The trace is as good as its worst step."""

from collections.abc import Callable
from functools import cache
from typing import Annotated, Any, Literal, NamedTuple

import polars as pl
from pydantic import AfterValidator, BaseModel, ConfigDict, create_model

from curation.calls.call import Call, Reply
from curation.calls.chat import HttpEngine
from curation.calls.ledger import Ledger
from curation.core.ranges import Few
from curation.judging import prompting
from curation.judging.conversation import Problem, read_problems
from curation.judging.marks import DATA_NOTICE, STEPS, format_message
from curation.judging.patterns import check_separator
from curation.judging.shown import NotShown, Shown, find_shown, lay_out
from curation.judging.steps import Steps, split_shown

RATINGS = {"invalid": -1, "neutral": 0, "valid": 1}
WORST, FIRST_BAD = "worst_step", "first_bad_step"


class Params(prompting.ModelJudgeParams):
    """A judge of kind process.

    The steps of a trace are what stands between the matches of `separator`, blank ones left out: those of its reasoning
    first, then those of its answer, as far as the judge `shows` them. RE2 runs it; one with lookaround is run by
    Python, and may repeat single characters and sets of them only. A trace of more than `max_steps` is not sent to the
    model, and has status truncated.
    """

    kind: Literal["process"]
    separator: Annotated[str, AfterValidator(check_separator)]
    max_steps: Few

    @property
    def dimension_names(self) -> list[str]:
        """`worst_step`, the minimum over steps of 1 valid, 0 neutral, -1 invalid; and `first_bad_step`, the index from
        0 of the first invalid step, or the number of steps where none is invalid."""
        return [WORST, FIRST_BAD]


class StepRatings(NamedTuple):
    """What one reply says of a trace."""

    worst: float | None
    first_bad: float | None
    status: str
    rationale: str | None


def judge(settings: Params, name: str, traces: pl.DataFrame, prompts: pl.DataFrame, ledger: Ledger) -> pl.DataFrame:
    """Two rows per trace and repeat, a dimension each; the rationale is the rating of every step. A trace without a
    step is `error`; one of which there is nothing to show has the status that `find_shown` gives it."""
    cases = traces.join(prompts.select("prompt_id", "answer"), on="prompt_id", maintain_order="left")
    problems = read_problems(prompts)
    call_for, slots, calls = make_caller(settings), [], []
    rows: list[tuple[Any, ...]] = []
    shown = [
        find_shown(settings.shows, *texts) for texts in cases.select("reasoning", "completion", "status").iter_rows()
    ]
    for (trace_id, prompt_id, answer), steps in zip(
        cases.select("trace_id", "prompt_id", "answer").iter_rows(), split_shown(settings.separator, shown), strict=True
    ):
        steps = _refuse_long(settings, steps)
        for repeat in range(settings.repeats):
            if isinstance(steps, NotShown):
                rows.append((trace_id, repeat, None, None, *steps))
            else:
                slots.append((trace_id, repeat, len(steps.all)))
                calls.append(call_for(problems[prompt_id], answer, steps, repeat))
    replies = ledger.fulfil(calls, HttpEngine(settings.endpoint, _read_shape), "judge", name)
    rows += [
        (trace_id, repeat, *parse(reply, count))
        for (trace_id, repeat, count), reply in zip(slots, replies, strict=True)
    ]
    columns = {
        "trace_id": pl.Int64,
        "repeat": pl.Int32,
        WORST: pl.Float64,
        FIRST_BAD: pl.Float64,
        "status": pl.String,
        "rationale": pl.String,
    }
    wide = pl.DataFrame(rows, schema=columns, orient="row")
    long = wide.unpivot(
        [WORST, FIRST_BAD],
        index=["trace_id", "repeat", "status", "rationale"],
        variable_name="dimension",
        value_name="score",
    )
    return long.with_columns(pl.lit(None, pl.Float64).alias("expected_score"))


def _refuse_long(settings: Params, steps: Steps | NotShown) -> Steps | NotShown:
    """The steps, or the status of what is not sent to the model as they are too many."""
    if isinstance(steps, NotShown) or len(steps.all) <= settings.max_steps:
        return steps
    return NotShown("truncated", f"{len(steps.all)} steps, more than max_steps: {settings.max_steps}")


def make_caller(settings: Params) -> Callable[[Problem, str | None, Steps, int], Call]:
    """A function from problem, reference answer, steps and repeat to the call that rates the steps."""
    form_call = prompting.make_caller(settings, settings.instructions.strip())

    def call_for(problem: Problem, answer: str | None, steps: Steps, repeat: int) -> Call:
        def layout(seal: str) -> str:
            notice = f"{DATA_NOTICE}; each step begins with its number and {seal}" if seal else DATA_NOTICE
            words = f" {seal}" if seal else ""
            numbered = [f"Step {number}{words}:\n{step}" for number, step in enumerate(steps.all, 1)]
            parts = numbered[: len(steps.reasoning)], numbered[len(steps.reasoning) :]
            shown = Shown(*("\n".join(part) if part else None for part in parts))
            return f"Solution to rate step by step ({notice}):\n{lay_out(shown, seal)}"

        user = format_message(problem, answer if settings.reference else None, steps.all, layout, STEPS)
        return form_call(user, repeat, reply_model(len(steps.all), settings.rationale).model_json_schema())

    return call_for


@cache
def reply_model(count: int, rationale: bool) -> type[BaseModel]:
    """The schema of a reply: a rationale, if the settings ask for one, then a rating for each of `count` steps under
    its number, so that none can be left out."""
    fields: dict[str, Any] = {"rationale": (str, ...)} if rationale else {}
    fields |= {f"step_{number}": (Literal[tuple(RATINGS)], ...) for number in range(1, count + 1)}
    return create_model("Steps", __config__=ConfigDict(extra="forbid"), **fields)


def _read_shape(call: Call) -> type[BaseModel]:
    names = (call.schema or {})["properties"]
    return reply_model(sum(name.startswith("step_") for name in names), "rationale" in names)


def parse(reply: Reply, count: int) -> StepRatings:
    """The worst and the first bad of `count` steps, from a reply that rates every one of them; no scores where a rating
    is missing."""
    body, status = prompting.parse_reply(reply)
    if body is None:
        return StepRatings(None, None, status, None)
    ratings = [body.get(f"step_{number}") for number in range(1, count + 1)]
    scores = [RATINGS[rating] for rating in ratings if isinstance(rating, str) and rating in RATINGS]
    if len(scores) < count:
        return StepRatings(None, None, "unparsable", prompting.read_rationale(body))
    rationale = "; ".join([", ".join(map(str, ratings)), *filter(None, [prompting.read_rationale(body)])])
    return StepRatings(min(scores), scores.index(-1) if -1 in scores else count, "scored", rationale)
