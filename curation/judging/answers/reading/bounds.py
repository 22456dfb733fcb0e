"""Relations turned one way, and the sets that bounds on one variable describe."""

from fractions import Fraction
from itertools import pairwise

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


def between(relations: "list[Value]") -> Value | None:
    """Bounds on one variable that leave something between them, `x > 1` and `x <= 3`, as `1 < x <= 3`, and a bound with
    holes, `x > 1` and `x != 2`, as the intervals that are left; else None."""
    parts = [one for one in relations if isinstance(one, Relation)]
    if len(parts) < len(relations) or len(parts) < 2 or len({variable(one) for one in parts}) > 1:
        return None
    holes = [one.sides[1] for one in parts if one.signs == ("≠",) and is_variable(one.sides[0])]
    bounds = [one for one in parts if one.signs != ("≠",)]
    bound = _joined(*bounds) if len(bounds) == 2 else bounds[0] if len(bounds) == 1 else None
    if bound is None or len(bounds) + len(holes) < len(parts):
        return None
    return _with_holes(interval(bound), holes) if holes else bound


def _joined(one: Relation, other: Relation) -> Relation | None:
    """A lower and an upper bound as one relation; None if they are no such two, or leave nothing between them."""
    lower = upper = None
    for sides, signs in map(forward, (one, other)):
        if len(signs) == 1 and signs[0] in ("<", "≤") and is_variable(sides[1]):
            lower = (sides[0], signs[0], sides[1])
        elif len(signs) == 1 and signs[0] in ("<", "≤") and is_variable(sides[0]):
            upper = (sides[1], signs[0], sides[0])
    if lower is None or upper is None:
        return None
    low, high = _exact(lower[0]), _exact(upper[0])
    if low is None or high is None or low >= high:
        return None
    return Relation((lower[0], lower[2], upper[0]), (lower[1], upper[1]), None)


def _with_holes(bounds: Value | None, holes: "list[Value]") -> Value | None:
    """An interval without points that are in it; None if it is no interval, or a point not within."""
    if not (isinstance(bounds, Items) and len(bounds.items) == 2):
        return None
    sized = sorted((size, hole) for hole in holes if (size := _exact(hole)) is not None)
    low, high = map(_exact, bounds.items)
    within = all((low is None or low < size) and (high is None or size < high) for size, _ in sized)
    if len({size for size, _ in sized}) < len(holes) or not within:
        return None
    ends = [bounds.items[0], *(hole for _, hole in sized), bounds.items[1]]
    parts = [Items("(", pair, ")") for pair in pairwise(ends)]
    parts[0], parts[-1] = Items(bounds.left, parts[0].items, ")"), Items("(", parts[-1].items, bounds.right)
    return Union("∪", tuple(parts))


def _exact(value: Value) -> Fraction | None:
    return exact(value) if isinstance(value, FORMULA) else None


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
