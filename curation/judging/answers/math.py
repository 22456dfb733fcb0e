"""Mathematical equality: numbers exactly, anything else as math-verify compares it."""

import re
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Literal

from curation.core.params import Strict
from curation.judging.answers._kind import Verdict

FRACTION = r"\s*(-?\d{1,99})\s*/\s*(\d{0,99}[1-9]\d{0,99})\s*"
DOLLAR = r"\\?\$"


class Params(Strict):
    """A verifier of kind math. It has no settings."""

    kind: Literal["math"]


PLAIN = Params(kind="math")


def verify(settings: Params, answer: str, reference: str, task: str, entry: str | None) -> Verdict:
    """Whether the two are mathematically equal."""
    right = score(answer, reference, task, entry)
    return Verdict(right, answer, reference, "the two are equal" if right else "the two are not equal")


def score(answer: str, reference: str, task: str, entry: str | None) -> float:
    """1.0 if the two are equal, else 0.0: compared exactly where both are plain numbers or fractions, else by
    math-verify.

    math-verify is given both as LaTeX, then as prose: without dollars `\\frac{1}{2}`, a letter or an interval is
    nothing to it, with dollars `18 apples` is nothing. What it cannot evaluate in 5 s, its own limit, is not equal: a
    model may answer 10**10**10.
    """
    left, right = _number(answer), _number(reference)
    if left is not None and right is not None:
        return float(left == right)
    from math_verify import parse, verify

    return float(any(verify(parse(form(reference)), parse(form(answer))) for form in (_latex, str)))


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
