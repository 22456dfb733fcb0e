"""The exact value of a formula of rational numbers."""

from fractions import Fraction
from math import prod

from curation.judging.answers.reading.values import Apply, Formula, Name, Number

CONSTANTS = ("π", "e", "i")  # that have a value
MOST_BITS = 400_000  # of an exact number
MOST_FACTORIAL = 5_000  # computed exactly


def exact(formula: Formula) -> Fraction | None:
    """The value of a formula of rational numbers; None if it has none that can be told so. Raises LimitError."""
    match formula:
        case Number(value):
            return value
        case Name():
            return None
        case Apply(operation, arguments):
            values = [exact(argument) for argument in arguments]
            if any(value is None for value in values):
                return None
            return _exact(operation, [value for value in values if value is not None])


def _exact(operation: str, values: list[Fraction]) -> Fraction | None:
    first = values[0]
    if sum(value.numerator.bit_length() + value.denominator.bit_length() for value in values) > MOST_BITS:
        return None
    match operation, values:
        case "+", _:
            return sum(values, Fraction(0))
        case "neg", _:
            return -first
        case "abs", _:
            return abs(first)
        case "floor", _:
            return Fraction(first.__floor__())
        case "ceil", _:
            return Fraction(first.__ceil__())
        case "*", _:
            return prod(values, start=Fraction(1))
        case "/", [_, second]:
            return first / second if second else None
        case "!", _ if first.denominator == 1 and 0 <= first <= MOST_FACTORIAL:
            from math import factorial

            return Fraction(factorial(first.numerator))
        case "binomial", [_, second] if first.denominator == second.denominator == 1 and 0 <= second <= first <= 10_000:
            from math import comb

            return Fraction(comb(first.numerator, second.numerator))
        case "^", [_, second] if second.denominator == 1:
            return _exact_power(first, second.numerator)
        case "root", [_, index] if index.denominator == 1 and 1 <= index <= 64 and first >= 0:
            return _exact_root(first, index.numerator)
        case (("max" | "min"), _):
            return max(values) if operation == "max" else min(values)
        case (("gcd" | "lcm"), _) if all(value.denominator == 1 for value in values):
            import math

            return Fraction(getattr(math, operation)(*(value.numerator for value in values)))
        case _:
            return None


def _exact_power(base: Fraction, exponent: int) -> Fraction | None:
    if base in (0, 1):
        return None if base == 0 and exponent <= 0 else base
    if base == -1:
        return Fraction(1 if exponent % 2 == 0 else -1)
    bits = max(base.numerator.bit_length(), base.denominator.bit_length())
    return None if bits * abs(exponent) > MOST_BITS else Fraction(base**exponent)


def _exact_root(value: Fraction, index: int) -> Fraction | None:
    if index == 2:
        from math import isqrt

        top, bottom = isqrt(value.numerator), isqrt(value.denominator)
        return Fraction(top, bottom) if Fraction(top, bottom) ** 2 == value else None
    if value.numerator.bit_length() + value.denominator.bit_length() > 900:
        return None
    top, bottom = (round(part ** (1 / index)) for part in (value.numerator, value.denominator))
    return Fraction(top, bottom) if bottom and Fraction(top, bottom) ** index == value else None


def is_rational(formula: Formula) -> bool:
    """Whether a formula is made of rational numbers and of operations that keep them rational."""
    match formula:
        case Number():
            return True
        case Apply("^", (base, exponent)) if (value := exact(exponent)) is not None:
            return value.denominator == 1 and is_rational(base)
        case Apply("+" | "*" | "/" | "^" | "neg" | "!" | "binomial" | "abs", arguments):
            return all(map(is_rational, arguments))
        case _:
            return False


def names(formula: Formula) -> frozenset[str]:
    """The variables of a formula."""
    match formula:
        case Number():
            return frozenset()
        case Name(name):
            return frozenset() if name in CONSTANTS else frozenset({name})
        case Apply(_, arguments):
            return frozenset().union(*map(names, arguments))


def has_imaginary(formula: Formula) -> bool:
    """Whether the imaginary unit stands in a formula."""
    return formula == Name("i") or (isinstance(formula, Apply) and any(map(has_imaginary, formula.arguments)))


def size(formula: Formula) -> int:
    """The number of operations and operands."""
    return 1 + sum(map(size, formula.arguments)) if isinstance(formula, Apply) else 1
