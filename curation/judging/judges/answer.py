"""A judge that verifies the final answer of a trace. It calls no model.

The prompt's `verifier` says how answers are compared: one of the files in curation/judging/answers.
"""

import re
from typing import Annotated, Literal, NamedTuple

import polars as pl

from curation.calls.ledger import Ledger
from curation.core.kinds import verifier_kind
from curation.core.params import Strict, regular_expression
from curation.core.progress import progress
from curation.core.ranges import Share
from curation.judging.answers._kind import Unreadable

DIMENSION = "correct"


class Params(Strict):
    """A judge of kind answer.

    The final answer is the last match of the first of `patterns` that matches. `missing_answer` says what a trace
    without one is. A verifier's score of `pass_at` or more counts as correct.
    """

    kind: Literal["answer"]
    patterns: list[Annotated[str, regular_expression(groups=1, way_out="put the answer in one group")]]
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
    """1.0 or 0.0 with status scored, or no score and a status that says why; the rationale is what was compared."""

    score: float | None
    status: str
    rationale: str


def judge(settings: Params, name: str, traces: pl.DataFrame, prompts: pl.DataFrame, ledger: Ledger) -> pl.DataFrame:
    """One row per trace: trace_id, dimension, repeat, score, expected_score (null), status, rationale."""
    rows = []
    references = prompts.select("prompt_id", "answer", "verifier", "entry")
    cases = traces.join(references, on="prompt_id", maintain_order="left")
    with progress(f"judge {name}", cases.height, "traces") as shown:
        for trace_id, *case in cases.select("trace_id", "completion", "answer", "verifier", "entry").iter_rows():
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
    settings: Params, completion: str | None, reference: str | None, verifier: str | None, entry: str | None
) -> Grade:
    """Whether the completion's final answer is `reference`, as `verifier` compares them.

    Raises CurationError if there is no such verifier.
    """
    if completion is None:
        return Grade(None, "error", "no completion")
    if reference is None or verifier is None:
        return Grade(None, "no_reference", "no reference answer")
    answer = final_answer(settings, completion)
    if answer is None and settings.missing_answer == "wrong":
        return Grade(0.0, "scored", "no answer found")
    if answer is None:
        return Grade(None, "unparsable", "no answer found")
    kind, _, task = verifier.partition(":")
    try:
        score = verifier_kind(kind).score(answer, reference, task, entry)
    except Unreadable as error:
        return Grade(None, "unparsable", f"answered {answer}, which the scorer cannot read ({error})")
    return Grade(float(score >= settings.pass_at), "scored", f"answered {answer}")


def final_answer(settings: Params, completion: str) -> str | None:
    """The last match of the first pattern that matches; None if none does or it is empty."""
    for pattern in settings.patterns:
        if matches := re.findall(pattern, completion):
            return str(matches[-1]).strip() or None
    return None
