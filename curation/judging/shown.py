"""What of a trace a judge that asks a model is shown: its reasoning, its answer or both, and what becomes of a trace
that has none of it."""

from typing import Literal, NamedTuple, TypeAlias

from curation.judging.marks import fence
from curation.tables.contracts import UNANSWERED
from curation.tables.texts import is_blank

Shows: TypeAlias = Literal["answer", "reasoning", "both"]
REASONING, ANSWER = "Reasoning before the answer:", "Answer after the reasoning:"  # marks.HEADINGS has both


class Shown(NamedTuple):
    """The texts of a trace that a judge is shown. `reasoning` is None where there is none, or none is to be shown;
    `answer` where only the reasoning is."""

    reasoning: str | None
    answer: str | None


class NotShown(NamedTuple):
    """The status of a judgment of a trace that no judge is asked about, and why that is so."""

    status: str
    rationale: str | None


FAILED = NotShown("error", None)


def find_shown(shows: Shows | None, reasoning: str | None, completion: str | None, status: str) -> Shown | NotShown:
    """What a judge that `shows` this (None: both) is shown of a trace with these texts and this status. Reasoning of
    nothing but blanks is none.

    A trace without a completion is not shown, not even its reasoning: it is in no pair. One that was cut off, or never
    ended its reasoning, has no_answer.
    """
    if completion is None:
        return NotShown("no_answer", f"no answer: the trace is {status}") if status in UNANSWERED else FAILED
    if reasoning is None or is_blank(reasoning):
        return NotShown("missing", "no reasoning") if shows == "reasoning" else Shown(None, completion)
    return Shown(None if shows == "answer" else reasoning, None if shows == "reasoning" else completion)


def lay_out(shown: Shown, seal: str) -> str:
    """The texts between marks, each under its heading where there is reasoning. An answer that stands alone has no
    heading."""
    parts = [] if shown.reasoning is None else [f"{REASONING}\n{fence(shown.reasoning, seal)}"]
    if shown.answer is not None:
        parts.append(f"{ANSWER}\n{fence(shown.answer, seal)}" if parts else fence(shown.answer, seal))
    return "\n\n".join(parts)


def list_texts(*sides: Shown) -> list[str]:
    """All that is shown, in its order."""
    return [text for side in sides for text in side if text is not None]
