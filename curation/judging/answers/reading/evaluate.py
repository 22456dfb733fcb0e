"""The value of a formula at a point, with as many digits as asked for; what bounds the work is counted, by no clock."""

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from curation.judging.answers.reading.exact import exact
from curation.judging.answers.reading.values import Apply, Formula, LimitError, Name, Number

LARGEST = 10**30  # of an argument that is reduced or rounded
LOW, HIGH = 50, 200  # digits


class UndefinedError(Exception):
    """A formula has no value: a division by zero, a logarithm of zero."""


def compute(formula: Formula, place: dict[str, Fraction], digits: int, real: bool = False) -> Any:
    """The value of a formula at a point, an mpmath number. Raises UndefinedError where it has none (if `real`, also
    where a part of it is not real), LimitError."""
    import mpmath

    with mpmath.workdps(digits):
        try:
            value = _compute(formula, place, mpmath.mp, real)
        except (ZeroDivisionError, ValueError, OverflowError, ArithmeticError, mpmath.libmp.ComplexResult) as error:
            raise UndefinedError(str(error)) from None
        if mpmath.isnan(value) or mpmath.isinf(value):
            raise UndefinedError("infinite")
        return +value


def _compute(formula: Formula, place: dict[str, Fraction], mp: Any, real: bool) -> Any:
    match formula:
        case Number(value):
            return mp.mpf(value.numerator) / value.denominator
        case Name("π"):
            return +mp.pi
        case Name("e"):
            return +mp.e
        case Name("i"):
            return mp.mpc(0, 1)
        case Name(name):
            return mp.mpf(place[name].numerator) / place[name].denominator
        case Apply("^", (base, exponent)) if power := _odd_root(exponent):
            root = _root(mp, _compute(base, place, mp, real), mp.mpf(power.denominator))  # a real one, as under a root
            return _power(mp, root, mp.mpf(power.numerator))
        case Apply(operation, arguments):
            values = [_compute(argument, place, mp, real) for argument in arguments]
            value = OPERATIONS[operation](mp, *values)
            if real and mp.im(value) != 0:
                raise ValueError("not real")
            return value


def _odd_root(exponent: Formula) -> Fraction | None:
    """An exponent that asks for an odd root, such as 2/3; None for any other."""
    power = exact(exponent)
    return power if power is not None and power.denominator > 1 and power.denominator % 2 else None


def _reduced(function: str) -> Callable[..., Any]:
    def apply(mp: Any, value: Any) -> Any:
        if abs(value) > LARGEST:
            raise LimitError("an argument too large to be reduced")
        return getattr(mp, function)(value)

    return apply


def _reciprocal(function: str) -> Callable[..., Any]:
    apply = _reduced(function)
    return lambda mp, value: 1 / apply(mp, value)


def _power(mp: Any, base: Any, exponent: Any) -> Any:
    if base == 0:
        if mp.re(exponent) <= 0:
            raise ZeroDivisionError
        return base
    if abs(exponent) * (1 + abs(mp.log(abs(base)))) > 10**15:
        raise LimitError("an exponent too large")
    if mp.im(exponent) == 0 and mp.isint(exponent) and abs(exponent) < 10**12:
        return base ** int(mp.re(exponent))
    return mp.power(base, exponent)


def _root(mp: Any, value: Any, index: Any) -> Any:
    """A real root of a real number where there is one: the cube root of -8 is -2."""
    if mp.im(value) == 0 and value < 0 and mp.isint(index) and int(index) % 2:
        return -mp.power(-value, 1 / index)
    return _power(mp, value, 1 / index) if value != 0 else value


def _logarithm(mp: Any, value: Any, base: Any = 10) -> Any:
    return mp.log(value) / mp.log(base)


def _factorial(mp: Any, value: Any) -> Any:
    if abs(value) > 10**6:
        raise LimitError("a factorial too large")
    return mp.gamma(value + 1)


def _binomial(mp: Any, above: Any, below: Any) -> Any:
    return _factorial(mp, above) / (_factorial(mp, below) * _factorial(mp, above - below))


def _unwritten(mp: Any, *values: Any) -> Any:
    raise LimitError("a sum that is not written out")


OPERATIONS: dict[str, Callable[..., Any]] = {
    "+": lambda mp, *values: sum(values[1:], values[0]),
    "*": lambda mp, *values: mp.fprod(values),
    "/": lambda mp, left, right: left / right,
    "^": _power,
    "neg": lambda mp, value: -value,
    "root": _root,
    "!": _factorial,
    "binomial": _binomial,
    "abs": lambda mp, value: abs(value),
    "degrees": lambda mp, value: value * mp.pi / 180,
    "floor": _reduced("floor"),
    "ceil": _reduced("ceil"),
    "ln": lambda mp, value: mp.log(value),
    "log": _logarithm,
    "max": lambda mp, *values: max(values),
    "min": lambda mp, *values: min(values),
    "sqrt": lambda mp, value: mp.sqrt(value),
    **{name: _reduced(name) for name in ("sin", "cos", "tan", "exp", "sinh", "cosh", "tanh", "asin", "acos", "atan")},
    **dict.fromkeys(("sum", "prod", "term"), _unwritten),
    "cot": _reciprocal("tan"),
    "sec": _reciprocal("cos"),
    "csc": _reciprocal("sin"),
}
