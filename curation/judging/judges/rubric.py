"""A judge that asks a model to rate a trace on every dimension of a rubric, in one call or in a call for each."""

from collections.abc import Callable, Iterable
from typing import Annotated, Any, Literal, NamedTuple

import polars as pl
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, create_model

from curation.calls.call import Call, Reply
from curation.calls.chat import HttpEngine
from curation.calls.ledger import Ledger
from curation.core.params import Strict, column
from curation.judging import prompting
from curation.judging.conversation import Problem, read_problems
from curation.judging.marks import DATA_NOTICE, format_message
from curation.judging.probabilities import score_probabilities
from curation.judging.shown import NotShown, Shown, find_shown, lay_out, list_texts
from curation.tables.contracts import JUDGMENTS, empty

Score = Annotated[int, Field(ge=-1_000_000, le=1_000_000, description="a reply names it in digits")]


class Dimension(Strict):
    """What one dimension rates, and what each score means."""

    description: str
    scores: dict[Score, str]


def _check_dimensions(dimensions: dict[str, Dimension]) -> dict[str, Dimension]:
    if not dimensions:
        raise ValueError("rates nothing; add a dimension")
    for name, dimension in dimensions.items():
        column(name)
        if name == "rationale":
            raise ValueError("'rationale' is the reply's reason, not a dimension; choose another name")
        if len(dimension.scores) < 2:
            raise ValueError(f"{name}: a dimension has at least two scores")
    return dimensions


class Params(prompting.ModelJudgeParams):
    """A judge of kind rubric.

    `calls` asks for all dimensions together, or for each in a call of its own: that costs more, and no dimension
    colours another (the halo effect).
    """

    kind: Literal["rubric"]
    calls: Literal["together", "each"]
    dimensions: Annotated[dict[str, Dimension], AfterValidator(_check_dimensions)]

    @property
    def dimension_names(self) -> list[str]:
        """The dimensions it rates, in the rubric's order."""
        return list(self.dimensions)

    @property
    def scales(self) -> dict[str, tuple[float, float]]:
        """The lowest and the highest score of each dimension."""
        return {name: (float(min(rated.scores)), float(max(rated.scores))) for name, rated in self.dimensions.items()}


class Rating(NamedTuple):
    """One dimension of one reply."""

    score: float | None
    expected_score: float | None
    status: str


def judge(settings: Params, name: str, traces: pl.DataFrame, prompts: pl.DataFrame, ledger: Ledger) -> pl.DataFrame:
    """One row per trace, dimension and repeat: score, expected_score, status, rationale. A trace of which there is
    nothing to show has the status that `find_shown` gives it."""
    if settings.calls == "together":
        return _rate(settings, name, traces, prompts, ledger)
    each = [settings.model_copy(update={"dimensions": {name: rated}}) for name, rated in settings.dimensions.items()]
    return pl.concat([_rate(alone, name, traces, prompts, ledger) for alone in each])


def _rate(settings: Params, name: str, traces: pl.DataFrame, prompts: pl.DataFrame, ledger: Ledger) -> pl.DataFrame:
    """The rows of `judge`, from one call per trace and repeat that asks for all of `settings.dimensions`."""
    cases = traces.join(prompts.select("prompt_id", "answer"), on="prompt_id", maintain_order="left")
    problems = read_problems(prompts)
    slots: list[tuple[int, int]] = []
    calls: list[Call] = []
    rows: list[tuple[Any, ...]] = []
    call_for = make_caller(settings)
    for trace_id, prompt_id, answer, *texts in cases.select(
        "trace_id", "prompt_id", "answer", "reasoning", "completion", "status"
    ).iter_rows():
        shown, repeats = find_shown(settings.shows, *texts), range(settings.repeats)
        if isinstance(shown, NotShown):
            rows += [(trace_id, name, repeat, None, None, *shown) for name in settings.dimensions for repeat in repeats]
            continue
        for repeat in repeats:
            slots.append((trace_id, repeat))
            calls.append(call_for(problems[prompt_id], answer, shown, repeat))
    replies = ledger.fulfil(calls, HttpEngine(settings.endpoint, reply_model(settings)), "judge", name)
    rows += [row for slot, reply in zip(slots, replies, strict=True) for row in _make_rows(settings, slot, reply)]
    return pl.DataFrame(rows, schema=empty(JUDGMENTS).drop("judge").schema, orient="row")


def make_caller(settings: Params) -> Callable[[Problem, str | None, Shown, int], Call]:
    """A function from problem, reference answer, what is shown of a trace, and repeat to the call that rates it.

    The rubric comes first and the trace last, so that a server's prefix cache serves the rubric.
    """
    schema = reply_model(settings).model_json_schema()
    form_call = prompting.make_caller(settings, rubric_text(settings))

    def call_for(problem: Problem, answer: str | None, shown: Shown, repeat: int) -> Call:
        def layout(seal: str) -> str:
            return f"Solution to rate ({DATA_NOTICE}):\n{lay_out(shown, seal)}"

        user = format_message(problem, answer if settings.reference else None, list_texts(shown), layout)
        return form_call(user, repeat, schema)

    return call_for


def rubric_text(settings: Params) -> str:
    """The system message: the instructions, then every dimension with what each score means."""
    blocks = [settings.instructions.strip()]
    for name, dimension in settings.dimensions.items():
        scores = "\n".join(f"  {score}: {meaning}" for score, meaning in sorted(dimension.scores.items()))
        blocks.append(f"{name}: {dimension.description}\n{scores}")
    return "\n\n".join(blocks)


def reply_model(settings: Params) -> type[BaseModel]:
    """The schema of a reply: a rationale, if the settings ask for one, then for each dimension one of its scores, and
    nothing else."""
    fields: dict[str, Any] = {"rationale": (str, ...)} if settings.rationale else {}
    for name, dimension in settings.dimensions.items():
        fields[name] = (Literal[tuple(sorted(dimension.scores))], ...)
    return create_model("Ratings", __config__=ConfigDict(extra="forbid"), **fields)


def _make_rows(settings: Params, slot: tuple[int, int], reply: Reply) -> Iterable[tuple[Any, ...]]:
    ratings, rationale = parse(settings, reply)
    trace_id, repeat = slot
    return [(trace_id, name, repeat, *rating, rationale) for name, rating in ratings.items()]


def parse(settings: Params, reply: Reply) -> tuple[dict[str, Rating], str | None]:
    """Each dimension's rating, and the rationale. What failed, was refused, was truncated or is not a valid score has
    that status and no score."""
    body, status = prompting.parse_reply(reply)
    if body is None:
        return dict.fromkeys(settings.dimensions, Rating(None, None, status)), None
    expected, ratings = expected_scores(settings, reply), {}
    for name, dimension in settings.dimensions.items():
        score = prompting.valid_number(body, name, dimension.scores)
        ratings[name] = (
            Rating(None, None, "unparsable") if score is None else Rating(float(score), expected.get(name), "scored")
        )
    return ratings, prompting.read_rationale(body)


def expected_scores(settings: Params, reply: Reply) -> dict[str, float]:
    """Per dimension the probability-weighted mean of its scores, where the reply gives their probabilities."""
    likely = score_probabilities(reply, {name: dimension.scores for name, dimension in settings.dimensions.items()})
    return {name: sum(score * share for score, share in shares.items()) for name, shares in likely.items()}
