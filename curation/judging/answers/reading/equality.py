"""Whether two formulas are the same function: exactly where both are rational, else by their values.

Two formulas without variables are computed with 50 and with 200 digits: a difference that shrinks with the digits is
none. With variables this is done at fixed points, which two different formulas of an answer's size do not share. What
bounds the work is counted: operations, digits, the size of exponents. No clock is read.
"""

from collections.abc import Iterator
from fractions import Fraction
from hashlib import blake2b

from curation.judging.answers.reading.evaluate import HIGH, LOW, UndefinedError, compute
from curation.judging.answers.reading.exact import MOST_BITS, exact, has_imaginary, is_rational, names, size
from curation.judging.answers.reading.series import SIZES, bounded, has_series, written_out
from curation.judging.answers.reading.values import Apply, Formula, LimitError, Name, Number

MOST_OPERATIONS = 400
POINTS = 6


def equal_formulas(one: Formula, other: Formula) -> bool:
    """Whether the two have the same value wherever both have one. Raises LimitError."""
    if one == other:
        return True
    left, right = exact(one), exact(other)
    if left is not None and right is not None:
        return left == right
    if has_series(one) or has_series(other):
        return _equal_series(one, other)
    same = vanishes(Apply("+", (one, Apply("neg", (other,)))), one, other)
    if same and is_rational(one) and is_rational(other):
        raise LimitError(f"a number of more than {MOST_BITS} bits")
    return same


def _equal_series(one: Formula, other: Formula) -> bool:
    """Whether two formulas with sums have the same value wherever they are written out. Raises LimitError."""
    variables = sorted(bounded(one) | bounded(other))
    places = [
        {name: Fraction(size + place) for place, name in enumerate(variables)}
        for size in (SIZES if variables else (0,))
    ]
    same = all(equal_formulas(written_out(one, place), written_out(other, place)) for place in places)
    if not same and "∞" in variables:
        raise LimitError("a sum without an end")
    return same


def vanishes(difference: Formula, *parts: Formula) -> bool:
    """Whether `difference` is zero wherever it has a value, by its values at fixed points; `parts` say how large is
    small. Raises LimitError if it is too large or has no value at any point."""
    if size(difference) > MOST_OPERATIONS:
        raise LimitError(f"more than {MOST_OPERATIONS} operations")
    variables = sorted(names(difference))
    seen = 0
    for place in points(variables):
        try:
            if not _is_zero(difference, parts, place):
                return False
        except UndefinedError:
            continue
        seen += 1
    if not variables:
        return seen > 0
    return seen >= 3


def points(variables: list[str]) -> Iterator[dict[str, Fraction]]:
    """Values for the variables, the same on every machine: positive ones first, then of both signs."""
    for number in range(2 * POINTS if variables else 1):
        yield {name: _coordinate(name, number) for name in variables}


def _coordinate(name: str, number: int) -> Fraction:
    drawn = int.from_bytes(blake2b(f"{name} {number}".encode(), digest_size=4).digest())
    value = Fraction(drawn % 99_991 + 30_011, 52_361)
    value *= (1, 1, 4)[number % 3]
    return -value if number >= POINTS and drawn & 1 << 30 else value


def _is_zero(difference: Formula, parts: tuple[Formula, ...], place: dict[str, Fraction]) -> bool:
    """Whether the difference is zero at one point. Raises UndefinedError where it has no value; where a variable is
    below zero, also where a part of it is not real, and so of another branch."""
    real = any(value < 0 for value in place.values()) and not any(map(has_imaginary, parts))
    low, high = compute(difference, place, LOW, real), compute(difference, place, HIGH, real)
    if high == 0:
        return True
    scale = max((abs(compute(part, place, HIGH)) for part in parts), default=abs(high))
    ten = type(scale)(10)
    small = abs(high) <= scale * ten ** -(3 * HIGH // 4)
    shrank = low != 0 and abs(high) <= abs(low) * ten ** -(HIGH - 2 * LOW)
    if (small or shrank) and scale > ten ** (HIGH - LOW):
        raise LimitError("values too large to compare")
    return bool(small or shrank)


def proportional(one: Formula, other: Formula, positive: bool) -> bool:
    """Whether the two differ by a constant factor that is not zero (above zero, if `positive`): the same equation.
    Raises LimitError."""
    if has_series(one) or has_series(other):
        raise LimitError("equations with sums")
    variables = sorted(names(one) | names(other))
    if names(one) != names(other) or not variables:
        return False
    place = next(points(variables))
    try:
        ratio = compute(Apply("/", (one, other)), place, HIGH)
    except UndefinedError:
        return False
    import mpmath

    if ratio == 0 or mpmath.im(ratio) != 0 or (positive and ratio < 0):
        return False
    at_place = at(one, place), at(other, place)
    return vanishes(
        Apply("+", (Apply("*", (one, at_place[1])), Apply("neg", (Apply("*", (other, at_place[0])),)))), one, other
    )


def at(formula: Formula, place: dict[str, Fraction]) -> Formula:
    """A formula with its variables' values in their place."""
    match formula:
        case Name(name) if name in place:
            return Number(place[name])
        case Apply(operation, arguments):
            return Apply(operation, tuple(at(argument, place) for argument in arguments))
        case _:
            return formula
