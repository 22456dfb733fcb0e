"""A judge that verifies the final answer of a trace. It calls no model.

Its `extract` says where the answer stands, each a file of curation/judging/extractions; the prompt's `verifier` says
how answers are compared, a file of curation/judging/answers.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, NamedTuple

import polars as pl
from pydantic import AfterValidator, Field

from curation.calls.ledger import Ledger
from curation.core.inner_kinds import read_extraction
from curation.core.kinds import extraction_kind
from curation.core.params import Strict
from curation.core.ranges import Share
from curation.core.text import clip
from curation.judging.answers._kind import Verdict
from curation.judging.verification import Case, verify_all
from curation.tables.contracts import UNANSWERED

DIMENSION = "correct"


class Params(Strict):
    """A judge of kind answer.

    The final answer is that of the first of `extract` that finds one. `missing_answer` says what a trace without one
    is. A verifier's score of `pass_at` or more counts as correct; of several reference answers one is enough.
    """

    kind: Literal["answer"]
    extract: Annotated[list[Annotated[Any, AfterValidator(read_extraction)]], Field(min_length=1)]
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
    """1.0 or 0.0, or no score, and a status that says why; the rationale is what was compared, and how it was read."""

    score: float | None
    status: str
    rationale: str


class Question(NamedTuple):
    """A completion, and what it is graded by: the accepted answers, none where there is no reference, the verifier as
    the column of `prompts` has it, and the prompt's entry."""

    completion: str | None
    references: Sequence[str]
    verifier: str | None
    entry: str | None


def judge(settings: Params, name: str, traces: pl.DataFrame, prompts: pl.DataFrame, ledger: Ledger) -> pl.DataFrame:
    """One row per trace: trace_id, dimension, repeat, score, expected_score (null), status, rationale. A trace that was
    cut off while it reasoned, or never ended its reasoning, is one without an answer."""
    without_answer = pl.col("completion").is_null() & pl.col("status").is_in(UNANSWERED)
    said = pl.when(without_answer).then(pl.lit("")).otherwise("completion").alias("completion")
    rows = traces.select("trace_id", "prompt_id", said).join(prompts, on="prompt_id", maintain_order="left")
    grades = grade(settings, read_questions(rows), f"judge {name}")
    return pl.DataFrame(
        [(trace_id, DIMENSION, 0, *graded) for trace_id, graded in zip(rows["trace_id"], grades, strict=True)],
        schema={
            "trace_id": pl.Int64,
            "dimension": pl.String,
            "repeat": pl.Int32,
            "score": pl.Float64,
            "status": pl.String,
            "rationale": pl.String,
        },
        orient="row",
    ).with_columns(pl.lit(None, pl.Float64).alias("expected_score"))


def read_questions(rows: pl.DataFrame) -> list[Question]:
    """A question for each row, which has a completion and the columns of `prompts`."""
    return [
        Question(completion, answers or ([] if answer is None else [answer]), verifier, entry)
        for completion, answer, answers, verifier, entry in rows.select(
            "completion", "answer", "answers", "verifier", "entry"
        ).iter_rows()
    ]


def grade(settings: Params, questions: Sequence[Question], label: str = "grade") -> list[Grade]:
    """The grade of each question's completion. Raises CurationError if there is no such verifier."""
    graded = [question.completion if _has_reference(question) else None for question in questions]  # no other is read
    answers = find_answers(settings.extract, graded)
    cases = [_list_cases(question, answer) for question, answer in zip(questions, answers, strict=True)]
    verdicts = verify_all((case for of_question in cases for case in of_question), label)
    return [
        _grade(settings, question, answer, [verdicts[case] for case in of_question])
        for question, answer, of_question in zip(questions, answers, cases, strict=True)
    ]


def find_answers(extract: Sequence[Any], completions: Sequence[str | None]) -> list[str | None]:
    """The final answer of each completion, by the first extraction that finds one; None where none does."""
    answers: dict[str, str] = {}
    left = list(dict.fromkeys(text for text in completions if text is not None))
    for settings in extract:
        found = extraction_kind(settings.kind).extract(settings, left)
        answers |= {text: answer for text, answer in zip(left, found, strict=True) if answer is not None}
        left = [text for text in left if text not in answers]
    return [None if text is None else answers.get(text) for text in completions]


def _has_reference(question: Question) -> bool:
    return question.verifier is not None and bool(question.references)


def _list_cases(question: Question, answer: str | None) -> list[Case]:
    if answer is None or question.verifier is None:
        return []
    return [Case(answer, reference, question.verifier, question.entry) for reference in question.references]


def _grade(settings: Params, question: Question, answer: str | None, verdicts: Sequence[Verdict]) -> Grade:
    """The grade of one completion, from a verdict on each of its references."""
    if question.completion is None:
        return Grade(None, "error", "no completion")
    if not _has_reference(question):
        return Grade(None, "no_reference", "no reference answer")
    if answer is None:
        return Grade(0.0 if settings.missing_answer == "wrong" else None, "no_answer", "no answer found")
    verdict = choose_verdict(verdicts, settings.pass_at)
    rationale = explain(answer, question.references[verdicts.index(verdict)], verdict)
    if verdict.score is None:
        return Grade(None, "unparsable", rationale)
    return Grade(float(verdict.score >= settings.pass_at), "scored", rationale)


def choose_verdict(verdicts: Sequence[Verdict], pass_at: float) -> Verdict:
    """Of an answer's verdicts on several references the one that counts: the first that calls it right, else the first
    that has no score, since that reference may be the one, else the first."""
    right = (verdict for verdict in verdicts if verdict.score is not None and verdict.score >= pass_at)
    unscored = (verdict for verdict in verdicts if verdict.score is None)
    return next(right, None) or next(unscored, None) or verdicts[0]


def explain(answer: str, reference: str, verdict: Verdict) -> str:
    """What was answered and what is the reference, each with how it was read where that is something else, and why the
    verdict is what it is."""
    return f"answered {_show(answer, verdict.answer)}; reference {_show(reference, verdict.reference)}; {verdict.why}"


def _show(text: str, read: str) -> str:
    return clip(text) + (f" (read as {clip(read)})" if read != text else "")
