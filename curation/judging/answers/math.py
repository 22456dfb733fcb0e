"""Answers of mathematics, in LaTeX or plain: each side is read whole, then values of one structure are compared."""

import re
from typing import Literal

from curation.core.params import Strict
from curation.judging.answers._kind import Verdict
from curation.judging.answers.reading.answer import read
from curation.judging.answers.reading.comparison import Comparison
from curation.judging.answers.reading.notation import clean
from curation.judging.answers.reading.values import STRUCTURES, LimitError, UnreadableError, Value, describe


class Params(Strict):
    """A verifier of kind math. `order` says whether a list without brackets, `2, 3`, must keep the reference's order
    (`kept`) or not (`free`); lists in round or square brackets always must, sets never."""

    kind: Literal["math"]
    order: Literal["free", "kept"]


PLAIN = Params(kind="math", order="free")


def verify(settings: Params, answer: str, reference: str, task: str, entry: str | None) -> Verdict:
    """Whether the two are the same answer: 1, 0, or None where a side is a formula that cannot be read, or larger
    than the limits."""
    if answer.split() == reference.split() and answer.split():
        return Verdict(1.0, _said(answer), _said(reference), "the two are the same text")
    try:
        right = read(reference)
    except (UnreadableError, LimitError) as error:
        if isinstance(error, UnreadableError) and _signs(answer) == _signs(reference):
            return Verdict(1.0, _said(answer), _said(reference), "the two are the same signs")
        return Verdict(None, _said(answer), reference, f"the reference cannot be read: {error}")
    try:
        left = read(answer)
    except (UnreadableError, LimitError) as error:
        return Verdict(None, answer, describe(right), f"the answer cannot be read: {error}")
    try:
        same = Comparison(settings.order == "kept").equal(right, left)
    except (LimitError, RecursionError) as error:
        return Verdict(None, describe(left), describe(right), f"the two cannot be compared: {error}")
    return Verdict(float(same), describe(left), describe(right), _why(left, right, same))


def _signs(text: str) -> str:
    """A text that is not read, in one notation: without blanks that separate nothing and braces round one sign."""
    spaced = re.sub(r"\s+", " ", re.sub(r"\{(\w)\}", r"\1 ", clean(text)))
    return re.sub(r"(?<!\w) | (?!\w)", "", spaced)


def _said(text: str) -> str:
    try:
        return describe(read(text))
    except (UnreadableError, LimitError):
        return text


def _why(left: Value, right: Value, same: bool) -> str:
    if same:
        return "the two are equal"
    kinds = STRUCTURES[type(left)], STRUCTURES[type(right)]
    return "the two differ" if kinds[0] == kinds[1] else f"the answer is {kinds[0]}, the reference {kinds[1]}"
