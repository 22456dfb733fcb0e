r"""Sums and products over a counter: `\sum_{k=1}^{n} k^2`. They are compared written out term by term, for several
whole numbers in the place of the variables in their bounds."""

from fractions import Fraction

from curation.judging.answers.reading.exact import exact, names, size
from curation.judging.answers.reading.stream import Stream
from curation.judging.answers.reading.values import Apply, Formula, LimitError, Name, Number, UnreadableError

SERIES = {"sum": "+", "prod": "*"}
MOST_TERMS = 200  # of one sum
MOST_WRITTEN = 4_000  # operations and operands of a sum that is written out
SIZES = (5, 6, 8, 11)  # in the place of the variables in bounds


def series(stream: Stream, name: str) -> Formula:
    """A sum or a product of what is multiplied behind its sign. In it, a subscript that names the counter counts."""
    from curation.judging.answers.reading.formulas import exponent, formula, product  # which are made of operands

    stream.expect("_")
    stream.expect("{")
    counter = stream.take()
    if counter.kind != "name":
        raise UnreadableError(f"{counter.text!r} as a counter")
    stream.expect("=")
    low = formula(stream)
    stream.expect("}")
    stream.expect("^")
    high = exponent(stream)
    stream.counters.append(counter.text)
    body = product(stream)
    stream.counters.pop()
    return Apply(name, (Name(counter.text), low, high, body))


def bounded(formula: Formula) -> frozenset[str]:
    """The variables in the bounds of the sums of a formula."""
    match formula:
        case Apply(operation, (_, low, high, body)) if operation in SERIES:
            return names(low) | names(high) | bounded(body)
        case Apply(_, arguments):
            return frozenset().union(*map(bounded, arguments))
        case _:
            return frozenset()


def has_series(formula: Formula) -> bool:
    return isinstance(formula, Apply) and (formula.operation in SERIES or any(map(has_series, formula.arguments)))


def written_out(formula: Formula, place: dict[str, Fraction]) -> Formula:
    """A formula with its sums written out, at a place that gives the variables in bounds. Raises LimitError of bounds
    that are no whole numbers, of too many terms and of subscripts that count otherwise."""
    match formula:
        case Name(name) if name in place:
            return Number(place[name])
        case Name(name) if any(variable in name.partition("_")[2] for variable in place):
            raise LimitError(f"a sum beside {name}")
        case Apply("term", (Name(name), index)):
            return Name(f"{name}_{_whole(index, place)}")
        case Apply(operation, (Name(counter), low, high, body)) if operation in SERIES:
            first, last = _whole(low, place), _whole(high, place)
            if not first - 1 <= last < first + MOST_TERMS:
                raise LimitError(f"a sum of more than {MOST_TERMS} terms, or of fewer than none")
            terms, written = list[Formula](), 0
            for number in range(first, last + 1):
                terms.append(written_out(body, place | {counter: Fraction(number)}))
                written += size(terms[-1])
                if written > MOST_WRITTEN:
                    raise LimitError(f"a sum of more than {MOST_WRITTEN} operations")
            return Apply(SERIES[operation], tuple(terms)) if terms else Number(Fraction(operation == "prod"))
        case Apply(operation, arguments):
            return Apply(operation, tuple(written_out(argument, place) for argument in arguments))
        case _:
            return formula


def _whole(formula: Formula, place: dict[str, Fraction]) -> int:
    value = exact(written_out(formula, place))
    if value is None or value.denominator != 1:
        raise LimitError("a sum whose bounds or subscripts are no whole numbers")
    return value.numerator
