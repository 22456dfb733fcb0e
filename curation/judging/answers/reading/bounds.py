"""Relations turned one way, and the sets that bounds on one variable describe."""

from fractions import Fraction

from curation.judging.answers.reading.exact import CONSTANTS, exact, names
from curation.judging.answers.reading.plain import FORMULA, INFINITY
from curation.judging.answers.reading.values import Apply, Formula, Items, Name, Number, Relation, Union, Value

FLIPPED = {">": "<", "≥": "≤"}


def forward(relation: Relation) -> "tuple[tuple[Value, ...], tuple[str, ...]]":
    """Sides and signs with > and ≥ turned round, where all of them point one way."""
    if relation.signs and all(sign in FLIPPED for sign in relation.signs):
        return relation.sides[::-1], tuple(FLIPPED[sign] for sign in reversed(relation.signs))
    return relation.sides, relation.signs


def difference(sides: "tuple[Value, ...]") -> Formula:
    left, right = sides
    assert isinstance(left, FORMULA) and isinstance(right, FORMULA)
    return Apply("+", (left, Apply("neg", (right,))))


def variable(relation: Relation) -> frozenset[str]:
    return frozenset().union(*(names(side) for side in relation.sides if isinstance(side, FORMULA))) - {"∞"}


def interval(relation: Relation) -> Value | None:
    """The set that bounds on one variable describe, `1 < x <= 3` as (1, 3]; None if the relation is no such thing."""
    sides, signs = forward(relation)
    if relation.signs == ("∈",) and isinstance(sides[0], Name):
        return sides[1]
    if len(sides) == 2 and signs == ("≠",) and isinstance(sides[0], Name):
        low, high = Apply("neg", (INFINITY,)), INFINITY
        return Union("∪", (Items("(", (low, sides[1]), ")"), Items("(", (sides[1], high), ")")))
    if not signs or not set(signs) <= {"<", "≤"}:
        return None
    brackets = {"<": "()", "≤": "[]"}
    if len(sides) == 2 and (middle := _middle(sides[0])) and not _has_variable(sides[1]):
        return Items(brackets[signs[0]][0], _around(middle, sides[1]), brackets[signs[0]][1])
    if len(sides) == 2 and (middle := _middle(sides[1])) and not _has_variable(sides[0]):
        start, end = _around(middle, sides[0])
        below = Items("(", (Apply("neg", (INFINITY,)), start), brackets[signs[0]][1])
        return Union("∪", (below, Items(brackets[signs[0]][0], (end, INFINITY), ")")))
    if len(sides) == 3 and is_variable(sides[1]):
        return Items(brackets[signs[0]][0], (sides[0], sides[2]), brackets[signs[1]][1])
    if len(sides) == 2 and is_variable(sides[0]) and not _has_variable(sides[1]):
        return Items("(", (Apply("neg", (INFINITY,)), sides[1]), brackets[signs[0]][1])
    if len(sides) == 2 and is_variable(sides[1]) and not _has_variable(sides[0]):
        return Items(brackets[signs[0]][0], (sides[0], INFINITY), ")")
    return None


def between(relations: "list[Value]") -> Relation | None:
    """Two bounds on one variable with something between them, `x > 1` and `x <= 3`, as `1 < x <= 3`; else None."""
    if len(relations) != 2 or not all(isinstance(one, Relation) and len(one.signs) == 1 for one in relations):
        return None
    lower = upper = None
    for sides, signs in (forward(one) for one in relations if isinstance(one, Relation)):
        if signs[0] not in ("<", "≤"):
            return None
        if is_variable(sides[1]):
            lower = (sides[0], signs[0], sides[1])
        elif is_variable(sides[0]):
            upper = (sides[1], signs[0], sides[0])
    if lower is None or upper is None or lower[2] != upper[2]:
        return None
    ends = [exact(end[0]) if isinstance(end[0], FORMULA) else None for end in (lower, upper)]
    if ends[0] is None or ends[1] is None or ends[0] >= ends[1]:
        return None
    return Relation((lower[0], lower[2], upper[0]), (lower[1], upper[1]), None)


def is_variable(value: Value) -> bool:
    return isinstance(value, Name) and value.name not in CONSTANTS and value != INFINITY


def _has_variable(value: Value) -> bool:
    return not isinstance(value, FORMULA) or bool(names(value) - {"∞"})


def _middle(value: Value) -> Formula | None:
    """Where `|x - 1|` is zero; None if `value` is no distance of a variable from a place."""
    match value:
        case Apply("abs", (Name() as name,)) if is_variable(name):
            return Number(Fraction(0))
        case Apply("abs", (Apply("+", (Name() as name, place)),)) if is_variable(name) and not names(place):
            return Apply("neg", (place,))
    return None


def _around(middle: Formula, radius: Value) -> "tuple[Formula, Formula]":
    assert isinstance(radius, FORMULA)
    return Apply("+", (middle, Apply("neg", (radius,)))), Apply("+", (middle, radius))
