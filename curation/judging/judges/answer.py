"""A judge that verifies the final answer: reasoning-gym's own scorer, math-verify for maths. It calls no model."""

import json
import re
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from functools import cache
from typing import Annotated, Any, Literal, NamedTuple

import polars as pl
from pydantic import AfterValidator

from curation.calls.ledger import Ledger
from curation.core.params import Share, Strict
from curation.core.progress import progress

DIMENSION = "correct"
FRACTION = r"\s*(-?\d{1,99})\s*/\s*(\d{0,99}[1-9]\d{0,99})\s*"
DOLLAR = r"\\?\$"


def _pattern(text: str) -> str:
    try:
        groups = re.compile(text).groups
    except re.error as error:
        raise ValueError(f"{text!r} is not a regular expression: {error}") from None
    if groups != 1:
        raise ValueError(f"{text!r} has {groups} groups; put the answer in one group")
    return text


class Params(Strict):
    """A judge of kind answer.

    The final answer is the last match of the first of `patterns` that matches. `missing_answer` says what a trace
    without one is. A reasoning-gym score of `pass_at` or more counts as correct.
    """

    kind: Literal["answer"]
    patterns: list[Annotated[str, AfterValidator(_pattern)]]
    missing_answer: Literal["wrong", "unscored"]
    pass_at: Share

    @property
    def dimension_names(self) -> list[str]:
        """The one dimension it rates, 0 or 1."""
        return [DIMENSION]

    @property
    def scales(self) -> dict[str, tuple[float, float]]:
        """The lowest and the highest score of each dimension."""
        return {DIMENSION: (0.0, 1.0)}


class Grade(NamedTuple):
    """1.0 or 0.0 with status scored, or null with why not; the rationale is what was compared."""

    score: float | None
    status: str
    rationale: str


def judge(settings: Params, name: str, traces: pl.DataFrame, prompts: pl.DataFrame, ledger: Ledger) -> pl.DataFrame:
    """One row per trace: trace_id, dimension, repeat, score, expected_score (null), status, rationale."""
    rows = []
    asked = traces.join(
        prompts.select("prompt_id", "answer", "verifier", "entry"), on="prompt_id", maintain_order="left"
    )
    with progress(f"judge {name}", asked.height, "traces") as shown:
        for trace_id, *case in asked.select("trace_id", "completion", "answer", "verifier", "entry").iter_rows():
            rows.append((trace_id, DIMENSION, 0, *grade(settings, *case)))
            shown.advance()
    columns = {
        "trace_id": pl.Int64,
        "dimension": pl.String,
        "repeat": pl.Int32,
        "score": pl.Float64,
        "status": pl.String,
        "rationale": pl.String,
    }
    return pl.DataFrame(rows, schema=columns, orient="row").with_columns(
        pl.lit(None, pl.Float64).alias("expected_score")
    )


def grade(
    settings: Params, completion: str | None, answer: str | None, verifier: str | None, entry: str | None
) -> Grade:
    """Whether the completion's final answer is `answer`, as `verifier` compares them."""
    if completion is None:
        return Grade(None, "error", "no completion")
    if answer is None or verifier is None:
        return Grade(None, "no_reference", "no reference answer")
    found = final_answer(settings, completion)
    if found is None:
        return (
            Grade(0.0, "scored", "no answer found")
            if settings.missing_answer == "wrong"
            else Grade(None, "unparsable", "no answer found")
        )
    if verifier == "math":
        right = same_number(found, answer)
    else:
        scorer = _scorer(verifier.removeprefix("reasoning_gym:"))
        try:
            right = scorer(found, json.loads(entry or "{}")) >= settings.pass_at
        except Exception as error:  # some of its scorers raise on what they cannot read
            return Grade(None, "unparsable", f"answered {found}, which the scorer cannot read ({type(error).__name__})")
    return Grade(float(right), "scored", f"answered {found}")


def final_answer(settings: Params, completion: str) -> str | None:
    """The last match of the first pattern that matches; None if none does or it is empty."""
    for pattern in settings.patterns:
        if matches := re.findall(pattern, completion):
            return str(matches[-1]).strip() or None
    return None


def same_number(found: str, answer: str) -> bool:
    """Whether two answers are equal: exactly where both are plain numbers or fractions, else as math-verify compares
    them.

    It reads them as LaTeX, then as prose: `\\frac{1}{2}`, a letter or an interval is nothing to it without dollars, `18
    apples` nothing with them. What it cannot evaluate in 5 s, its own limit, is not equal: a model may answer
    10**10**10.
    """
    left, right = _number(found), _number(answer)
    if left is not None and right is not None:
        return left == right
    from math_verify import parse, verify

    return any(verify(parse(read(answer)), parse(read(found))) for read in (_latex, str))


def _latex(text: str) -> str:
    return f"${re.sub(DOLLAR, '', text)}$"


def _number(text: str) -> Decimal | Fraction | None:
    if fraction := re.fullmatch(FRACTION, text):
        return Fraction(int(fraction[1]), int(fraction[2]))
    try:
        number = Decimal(re.sub(r"[$£€,%\s]", "", text).rstrip("."))
    except InvalidOperation:
        return None
    return number if number.is_finite() else Decimal("NaN")  # which is equal to nothing


@cache
def _scorer(task: str) -> Any:
    import reasoning_gym

    return reasoning_gym.get_score_answer_fn(task)
