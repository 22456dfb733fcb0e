"""Formulas from tokens: a parser of arithmetic as LaTeX, plain text and Python write it.

It takes what it understands and stops before the first token that it does not; a caller that has tokens left has not
read the text. `a b` is a product and `2 2/3` a mixed number; `1/2x` is `(1/2)x`.
"""

from fractions import Fraction

from curation.judging.answers.reading.operands import (
    ACCENTS,
    CONSTANTS,
    FIGURES,
    GREEK,
    PAIRS,
    ROUND,
    group,
    primary,
    unmixed,
)
from curation.judging.answers.reading.series import SERIES
from curation.judging.answers.reading.stream import Stream
from curation.judging.answers.reading.tokens import FUNCTIONS
from curation.judging.answers.reading.values import Apply, Formula, LimitError, Number, UnreadableError

DEEPEST = 40  # brackets within brackets
MOST_NESTED = 80  # divisions, powers and factorials of a text
SIGNS = {"+": "+", "-": "-", r"\pm": "±", r"\mp": "∓"}


def formula(stream: Stream) -> Formula:
    """A sum, as far as it goes."""
    stream.depth += 1
    if stream.depth > DEEPEST:
        raise LimitError(f"more than {DEEPEST} brackets within brackets")
    first = stream.accept("+", "-", r"\pm", r"\mp")
    total = _signed(SIGNS[first or "+"], product(stream))
    while sign := stream.accept(*SIGNS):
        term = product(stream)
        if SIGNS[sign] in "±∓":
            total = Apply(SIGNS[sign], (total, term))
        else:
            total = Apply("+", (*_terms(total), _signed(SIGNS[sign], term)))
    stream.depth -= 1
    return total


def _terms(total: Formula) -> tuple[Formula, ...]:
    return total.arguments if isinstance(total, Apply) and total.operation == "+" else (total,)


def _signed(sign: str, term: Formula) -> Formula:
    if sign in "±∓":
        return Apply(sign, (Number(Fraction(0)), term))
    if sign == "+":
        return term
    return Number(-term.value) if isinstance(term, Number) else Apply("neg", (term,))


def product(stream: Stream) -> Formula:
    """Factors, as far as they go."""
    factors = [_factor(stream)]
    while True:
        if stream.accept("*"):
            factors.append(_factor(stream))
        elif not _is_per(stream) and stream.accept("/"):
            factors = [_nest(stream, "/", _joined(factors), _factor(stream))]
        elif _starts_factor(stream):
            factors.append(_power(stream))
        else:
            return _joined(factors)


def _is_per(stream: Stream) -> bool:
    """Whether a slash and a word follow, as in $5/hour."""
    after = stream.peek(1)
    return stream.sign() == "/" and after is not None and after.kind == "word"


def _joined(factors: list[Formula]) -> Formula:
    return factors[0] if len(factors) == 1 else Apply("*", tuple(factors))


def _nest(stream: Stream, operation: str, *arguments: Formula) -> Formula:
    """An operation on what has been read so far. Raises LimitError where too many are piled up."""
    stream.nested += 1
    if stream.nested > MOST_NESTED:
        raise LimitError(f"more than {MOST_NESTED} operations one on the other")
    return Apply(operation, arguments)


def _starts_factor(stream: Stream) -> bool:
    """Whether a factor follows without a sign of multiplication. A number never does."""
    token = stream.peek()
    if token is None or token.kind in ("number", "word"):
        return False
    if token.kind == "name":
        return True
    if token.kind == "sign":
        return token.text in ("(", "{") or (token.text == "|" and not stream.bars)
    return token.text in ("frac", "sqrt", "binom", *FUNCTIONS, *SERIES, *GREEK, *CONSTANTS, *ROUND, *ACCENTS, *FIGURES)


def _factor(stream: Stream) -> Formula:
    if sign := stream.accept("-", "+"):
        stream.depth += 1
        if stream.depth > DEEPEST:
            raise LimitError(f"more than {DEEPEST} signs in a row")
        inner = _factor(stream)
        stream.depth -= 1
        return _signed(sign, inner)
    return _power(stream)


def _power(stream: Stream) -> Formula:
    """A primary with what is behind it: factorials, a degree sign, an exponent."""
    base = _operand(stream)
    while True:
        if stream.sign() == "!" and stream.sign(1) != "=":
            stream.take()
            base = _nest(stream, "!", base)
        elif stream.sign() == "^" and _is_degree(stream):
            base = _nest(stream, "degrees", base)
        elif stream.accept("^", "**"):
            base = _nest(stream, "^", base, exponent(stream))
        else:
            return base


def _operand(stream: Stream) -> Formula:
    token = stream.peek()
    return _function(stream) if token and token.kind == "command" and token.text in FUNCTIONS else primary(stream)


def _is_degree(stream: Stream) -> bool:
    """Whether a degree sign follows, which is then taken."""
    for signs in (("^", r"\circ"), ("^", "{", r"\circ", "}")):
        if tuple(stream.sign(ahead) for ahead in range(len(signs))) == signs:
            stream.place += len(signs)
            return True
    return False


def exponent(stream: Stream) -> Formula:
    """What is raised to: a group, or one signed primary with an exponent of its own."""
    stream.depth += 1
    if stream.depth > DEEPEST:
        raise LimitError(f"more than {DEEPEST} exponents of exponents")
    if stream.sign() == "{":
        result = group(stream)
    else:
        sign = stream.accept("-", "+") or "+"
        result = _signed(sign, _operand(stream))
        if stream.sign() in ("^", "**"):
            stream.take()
            result = Apply("^", (result, exponent(stream)))
    stream.depth -= 1
    return result


def _function(stream: Stream) -> Formula:
    """A function with its base, its exponent and its argument, which needs no brackets: `\\sin 3x`."""
    name = stream.take().text
    base: tuple[Formula, ...] = ()
    if stream.accept("_"):
        if name != "log":
            raise UnreadableError(f"\\{name} with a base")
        base = (unmixed(stream),)
    power = None
    if stream.sign() == "^":
        stream.take()
        power = exponent(stream)
    if name in ("gcd", "lcm", "max", "min"):
        arguments = _several(stream)
    elif stream.sign() in ("(", "{", "["):
        arguments = (group(stream),)
    else:
        arguments = (_bare_argument(stream),)
    if power == Number(Fraction(-1)) and name in ("sin", "cos", "tan"):
        return Apply(f"a{name}", arguments)
    result = Apply(name, (*arguments, *base))
    return result if power is None else Apply("^", (result, power))


def _several(stream: Stream) -> tuple[Formula, ...]:
    opening = stream.take().text
    found = [formula(stream)]
    while stream.accept(","):
        found.append(formula(stream))
    stream.expect(r"\}" if opening == r"\{" else PAIRS.get(opening, ")"))
    return tuple(found)


def _bare_argument(stream: Stream) -> Formula:
    """Factors side by side up to the next function, bracket or sign; a division belongs to it."""
    factors = [_factor(stream)]
    while _starts_factor(stream) and stream.sign() != "(" and stream.sign()[1:] not in FUNCTIONS:
        factors.append(_power(stream))
    argument = _joined(factors)
    return _nest(stream, "/", argument, _power(stream)) if stream.accept("/") else argument
