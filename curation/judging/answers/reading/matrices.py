"""What stands in rows: matrices, systems of equations, functions in pieces; and vectors, however they are written."""

from collections.abc import Callable
from fractions import Fraction

from curation.judging.answers.reading.equality import at, equal_formulas
from curation.judging.answers.reading.exact import names
from curation.judging.answers.reading.quantities import braced_text
from curation.judging.answers.reading.stream import Stream
from curation.judging.answers.reading.values import (
    Apply,
    Formula,
    Items,
    Matrix,
    Name,
    Number,
    Pieces,
    UnreadableError,
    Value,
)

ENVIRONMENTS = {"cases", "matrix", "pmatrix", "bmatrix", "Bmatrix", "smallmatrix", "array"}
CONDITION = {"if", "for", "when", "where", "for all"}
AXES = ("i", "j", "k")


def matrix(stream: Stream, cell: Callable[[Stream], Value]) -> Value:
    r"""What stands from `\begin` to `\end`, each cell read by `cell`. Raises UnreadableError."""
    stream.take()
    kind = braced_text(stream)
    if kind not in ENVIRONMENTS:
        raise UnreadableError(f"an environment {kind!r}")
    if kind == "array":
        braced_text(stream)
    rows: list[tuple[Value, ...]] = []
    row: list[Value] = []
    while stream.sign() != r"\end":
        if kind == "cases" and (token := stream.peek()) and token.kind == "word" and token.text in CONDITION:
            stream.take()
        row.append(cell(stream))
        if kind == "cases":
            stream.accept(",", ";", ".")
        if stream.accept("\\\\"):
            rows.append(tuple(row))
            row = []
        elif not stream.accept("&") and stream.sign() != r"\end":
            raise UnreadableError("a matrix whose cells cannot be read")
    stream.take()
    if braced_text(stream) != kind:
        raise UnreadableError("a matrix that ends as another")
    rows += [tuple(row)] if row else []
    return _cases(rows) if kind == "cases" else Matrix(tuple(rows))


def _cases(rows: list[tuple[Value, ...]]) -> Value:
    """A system of equations as a list, a function in pieces as these."""
    if all(len(row) == 1 for row in rows):
        return Items("", tuple(row[0] for row in rows), "")
    pieces = [(row[0], row[1]) for row in rows if len(row) == 2]
    if len(pieces) < len(rows):
        raise UnreadableError("a function in pieces with a piece of other than two parts")
    return Pieces(tuple(pieces))


def rows_of(value: Value) -> tuple[tuple[Value, ...], ...]:
    """The rows of a matrix, or of a list of lists `[[1, 2], [3, 4]]`; () of anything else."""
    match value:
        case Matrix(rows):
            return rows
        case Items("[" | "(", items, _) if len(items) > 1:
            rows = tuple(item.items for item in items if isinstance(item, Items) and item.left == value.left)
            return rows if len(rows) == len(items) else ()
    return ()


def coordinates(formula: Formula, count: int) -> tuple[Formula, ...] | None:
    """The `count` coordinates of `i - 2j + 3k`; None of a formula that is no sum along these axes."""
    axes, used = AXES[:count], names(formula)  # which has no i: that is a constant
    if not 2 <= count <= 3 or not used or not used <= set(axes):
        return None
    units = [{axis: Fraction(axis == chosen) for axis in AXES} for chosen in axes]
    found = tuple(at(formula, unit) for unit in units)
    terms = (Apply("*", (part, Name(axis))) for part, axis in zip(found, axes, strict=True))
    place = {axis: Fraction(number) for axis, number in zip(AXES, (5, 11, 23), strict=True)}
    total = Apply("+", (at(formula, place), Apply("neg", (at(Apply("+", tuple(terms)), place),))))
    return found if equal_formulas(total, Number(Fraction(0))) else None
