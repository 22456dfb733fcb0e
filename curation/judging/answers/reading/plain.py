"""Values without what makes no difference: ± written out, one name for several values, a list of one item."""

from itertools import pairwise, product

from curation.judging.answers.reading.dots import goes_on
from curation.judging.answers.reading.exact import exact
from curation.judging.answers.reading.units import factor
from curation.judging.answers.reading.values import (
    Apply,
    Formula,
    Items,
    LimitError,
    Name,
    Number,
    Quantity,
    Relation,
    Union,
    Value,
)

FORMULA = (Number, Name, Apply)
INFINITY = Name("∞")
MINUS = Apply("neg", (INFINITY,))
REALS = Name("set R")


def plain(value: Value) -> Value:
    """A value without what makes no difference: a list of one item, ± written out, one name for several values."""
    if isinstance(value, Items) and len(value.items) == 1 and value.left in ("[", r"\{", ""):
        return plain(value.items[0])
    if isinstance(value, Quantity) and (both := signs_written_out(value.amount)):
        return Items("", tuple(Quantity(amount, value.unit) for amount in both), "")
    if isinstance(value, FORMULA) and (both := signs_written_out(value)):
        return Items("", both, "")
    if isinstance(value, Items) and value.left == "" and (once := _said_twice(value.items)):
        return once
    if isinstance(value, Items) and value.left in ("", r"\{"):
        return _without_label(Items(value.left, tuple(_spread(value.items)), value.right))
    if isinstance(value, Relation) and value.label and value.signs == ("=",):
        right = plain(value.sides[1])
        return Relation((value.sides[0], right), value.signs, value.label)
    if isinstance(value, Union) and value.operation == "\\" and value.parts[0] == REALS:
        return _punctured(value)
    if isinstance(value, Union) and value.operation == "∪" and (listed := _listed(value.parts)):
        return plain(listed)
    if value == REALS:
        return Items("(", (MINUS, INFINITY), ")")
    return value


def _listed(parts: "tuple[Value, ...]") -> Items | None:
    """The union of sets whose members are listed; None where one of the parts is no such set."""
    sets = [part for part in parts if isinstance(part, Items) and part.left == r"\{" and not goes_on(part)]
    members = tuple(member for part in sets for member in part.items)
    return Items(r"\{", members, r"\}") if len(sets) == len(parts) else None


def _said_twice(items: "tuple[Value, ...]") -> Value | None:
    """One quantity that is said in several units, `90 minutes or 1 hour 30 minutes`; None otherwise."""
    quantities = [item for item in items if isinstance(item, Quantity)]
    units = {item.unit for item in quantities}
    if not items or len(quantities) < len(items) or len(units) < len(items):
        return None
    ratios = [factor(item.unit, quantities[0].unit) for item in quantities]
    sizes = [exact(item.amount) for item in quantities]
    values = {
        None if ratio is None or size is None else ratio * size for ratio, size in zip(ratios, sizes, strict=True)
    }
    return quantities[0] if len(values) == 1 and None not in values else None


def _punctured(value: Union) -> Value:
    """The reals without some numbers or without an interval, as the intervals that are left."""
    out = value.parts[1]
    if len(value.parts) > 2 or not isinstance(out, Items):
        return value
    if out.left in ("(", "[") and len(out.items) == 2:
        below, above = ")" if out.left == "[" else "]", "(" if out.right == "]" else "["
        low, high = out.items
        parts = (Items("(", (MINUS, low), below), Items(above, (high, INFINITY), ")"))
        kept = tuple(part for part in parts if part.items not in ((MINUS, MINUS), (INFINITY, INFINITY)))
        return kept[0] if len(kept) == 1 else Union("∪", kept)
    if out.left != r"\{":
        return value
    points = _spread(out.items)
    sized = [(exact(item), item) for item in points if isinstance(item, FORMULA)]
    if len(sized) < len(points) or len({size for size, _ in sized} - {None}) < len(sized):
        return value
    inner = [item for _, item in sorted(sized, key=lambda pair: pair[0] or 0)]
    ends = [MINUS, *inner, INFINITY]
    return Union("∪", tuple(Items("(", pair, ")") for pair in pairwise(ends)))


def _spread(items: "tuple[Value, ...]") -> "list[Value]":
    """Items, those with ± as two."""
    spread: list[Value] = []
    for item in items:
        both = signs_written_out(item) if isinstance(item, FORMULA) else ()
        spread += both or [item]
    return spread


def _without_label(items: Items) -> Value:
    """`x = 2, x = 3` and `x = 2, 3` as x = (2, 3); `y = 2, x = 1` as the list 1, 2, in the order of the names."""
    first = items.items[0] if items.items else None
    if not (isinstance(first, Relation) and first.label and first.signs == ("=",)):
        return items
    labels = [item.label if isinstance(item, Relation) and item.signs == ("=",) else None for item in items.items]
    values = tuple(
        item.sides[1] if isinstance(item, Relation) and label else item
        for item, label in zip(items.items, labels, strict=True)
    )
    if all(label in (first.label, None) for label in labels) and not any(
        isinstance(value, Relation) for value in values
    ):
        flat = tuple(inner for value in values for inner in _flat(value))
        return Relation((first.sides[0], Items("", flat, "")), ("=",), first.label)
    if len(set(labels)) == len(labels) and all(label and len(label) == 1 for label in labels):
        named = sorted(zip(labels, items.items, strict=True), key=lambda pair: pair[0] or "")
        return Items(items.left, tuple(item for _, item in named), items.right)
    return items


def point(items: "tuple[Value, ...]") -> Items | None:
    """`x = 1, y = 2`, in the order of the names, as the point (1, 2); None of anything else."""
    values = [item.sides[1] for item in items if isinstance(item, Relation) and item.signs == ("=",)]
    labels = {item.label for item in items if isinstance(item, Relation) and item.label and len(item.label) == 1}
    return Items("(", tuple(values), ")") if len(labels) == len(values) == len(items) > 1 else None


def _flat(value: Value) -> "tuple[Value, ...]":
    only = plain(value)
    return only.items if isinstance(only, Items) and only.left == "" else (only,)


def signs_written_out(formula: Formula) -> "tuple[Formula, ...]":
    """The formulas that one with ± stands for; () if it has none. With ∓ in it, all upper signs belong together."""
    count, opposed = _count(formula, "±"), _count(formula, "∓")
    if not count + opposed:
        return ()
    if count + opposed > 4:
        raise LimitError("more than 4 signs ±")
    if opposed:
        choices = [(True,) * count, (False,) * count]
        return tuple(
            _signed(formula, iter(choice), iter([not choice[0] if choice else upper] * opposed))
            for upper, choice in zip((False, True), choices, strict=True)
        )
    return tuple(_signed(formula, iter(choice), iter(())) for choice in product((True, False), repeat=count))


def _count(formula: Formula, sign: str) -> int:
    if not isinstance(formula, Apply):
        return 0
    return (formula.operation == sign) + sum(_count(argument, sign) for argument in formula.arguments)


def _signed(formula: Formula, upper: "object", lower: "object") -> Formula:
    if not isinstance(formula, Apply):
        return formula
    if formula.operation in "±∓":
        is_plus = next(upper if formula.operation == "±" else lower)  # type: ignore[call-overload]
        left, right = (_signed(argument, upper, lower) for argument in formula.arguments)
        return Apply("+", (left, right if is_plus else Apply("neg", (right,))))
    return Apply(formula.operation, tuple(_signed(argument, upper, lower) for argument in formula.arguments))
