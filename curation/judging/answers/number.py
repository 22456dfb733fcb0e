"""Numbers within a stated tolerance, with or without their units."""

import re
from fractions import Fraction
from typing import Annotated, Literal

from pydantic import Field

from curation.core.params import Strict
from curation.judging.answers._kind import Verdict
from curation.judging.answers.reading.answer import read
from curation.judging.answers.reading.evaluate import HIGH, UndefinedError, compute
from curation.judging.answers.reading.exact import exact, names
from curation.judging.answers.reading.units import canonical_unit, factor
from curation.judging.answers.reading.values import (
    Apply,
    Formula,
    LimitError,
    Name,
    Number,
    Quantity,
    Relation,
    UnreadableError,
    Value,
    describe,
)

PLACES = 100  # decimal places to which an irrational number is computed
POINTS = re.compile(r"(?<![\d.,])(\d{1,3}(?:\.\d{3})+|\d+),(\d+)(?![\d.,])")  # 1.234,56: points group, a comma divides
MONEY = re.compile(r"[$€£]|\b(?:EUR|USD|GBP)\b")
OWED = re.compile(r"\(\s*(\\?[$€£]\s?[\d.,]+)\s*\)")


class Params(Strict):
    """A verifier of kind number.

    An answer is right if it is no further from the reference than `tolerance`, times the reference's size where
    `relative` is true. `units: same` asks for the reference's unit, or one that can be converted into it (45% is
    0.45); `ignored` compares the numbers alone.
    """

    kind: Literal["number"]
    tolerance: Annotated[float, Field(ge=0)]
    relative: bool
    units: Literal["same", "ignored"]


UNIT_LETTERS = (*"NJWVAKCFHTmsghL", "Ω")
PERCENT = {("%", ""): Fraction(1, 100), ("", "%"): Fraction(100)}
PLAIN = None  # a tolerance has to be stated


def verify(settings: Params, answer: str, reference: str, task: str, entry: str | None) -> Verdict:
    """Whether the two numbers are near enough: 1, 0, or None where the reference is no number, or a side is a formula
    that cannot be read. An answer that is words, or several numbers, is wrong."""
    sides: list[Value] = []
    for name, text in (("reference", reference), ("answer", answer)):
        try:
            sides.append(read(_one_number(text)))
        except (UnreadableError, LimitError) as error:
            return Verdict(None, answer, reference, f"the {name} cannot be read: {error}")
    right, left = sides
    said = describe(left), describe(right)
    try:
        wanted, given = _number(right), _number(left)
    except LimitError as error:
        return Verdict(None, *said, f"the two cannot be compared: {error}")
    if wanted is None:
        return Verdict(None, *said, "the reference is no number")
    if given is None:
        return Verdict(0.0, *said, "the answer is no number")
    (size, unit), (answered, answered_unit) = wanted, given
    if settings.units == "same":
        ratio = PERCENT.get((answered_unit, unit)) or factor(answered_unit, unit)
        if ratio is None:
            return Verdict(0.0, *said, f"the units differ: {answered_unit or 'none'} and {unit or 'none'}")
        answered *= ratio
    allowed = Fraction(str(settings.tolerance)) * (abs(size) if settings.relative else 1)
    near = abs(answered - size) <= allowed
    return Verdict(float(near), *said, f"the two are {'within' if near else 'further apart than'} the tolerance")


def _one_number(text: str) -> str:
    """`text`, of which one number is expected: `1.234,56` and a price such as `12,50 €` with a decimal point, and
    `($500)`, as books write what is owed, with a minus."""
    text = OWED.sub(r"-\1", text)
    match = POINTS.search(text)
    if match and ("." in match[1] or (len(match[2]) == 2 and MONEY.search(text))):
        return text.replace(match[0], f"{match[1].replace('.', '')}.{match[2]}", 1)
    return text


def _number(value: Value) -> tuple[Fraction, str] | None:
    """A number and its unit; None if `value` is something else. Raises LimitError."""
    if isinstance(value, Relation) and value.label and value.signs in (("=",), ("≈",)):
        value = value.sides[1]
    amount, unit = (value.amount, value.unit) if isinstance(value, Quantity) else (value, "")
    if isinstance(amount, Apply) and not unit:
        amount, unit = _without_letters(amount)
    size = _size(amount) if isinstance(amount, Formula) else None
    return None if size is None else (size, unit)


def _without_letters(formula: Formula) -> tuple[Formula, str]:
    """`98 N/m`, which reads as a product and a quotient of names, as 98 and its unit; any other formula as it is."""
    match formula:
        case Apply("/", (above, below)) if letters := _letters(below):
            amount, unit = _without_letters(above)
            return (amount, canonical_unit(f"{unit}/{letters}")) if unit else (formula, "")
        case Apply("*", (first, *rest)) if rest and all(_letters(part) for part in rest):
            return first, canonical_unit(" ".join(map(_letters, rest)))
    return formula, ""


def _letters(formula: Formula) -> str:
    """The letter of a unit with its exponent; "" if it is none."""
    match formula:
        case Name(letter) if letter in UNIT_LETTERS:
            return letter
        case Apply("^", (Name(letter), Number(power))) if letter in UNIT_LETTERS:
            return f"{letter}^{power}"
    return ""


def _size(formula: Formula) -> Fraction | None:
    """The value of a formula, to PLACES decimal places where it is irrational; None if it has no real one."""
    if (value := exact(formula)) is not None:
        return value
    if names(formula):
        return None
    try:
        computed = compute(formula, {}, HIGH)
    except UndefinedError:
        return None
    import mpmath

    if mpmath.im(computed) != 0:
        return None
    with mpmath.workdps(HIGH):
        if abs(computed) > mpmath.mpf(10) ** PLACES:
            raise LimitError(f"a number above 10^{PLACES} that is not exact")
        rounded = int(mpmath.nint(mpmath.re(computed) * 10**PLACES))
    return Fraction(rounded, 10**PLACES)
