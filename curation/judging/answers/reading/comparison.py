"""Whether two values are the same answer. Values of different structure are not, but for the few pairs named here.

Nothing is asked twice: the first comparison that fits two structures decides.
"""

import re
from dataclasses import dataclass
from fractions import Fraction

from curation.judging.answers.reading.amounts import equal_bare, equal_quantities
from curation.judging.answers.reading.bounds import difference, forward, interval, is_variable, variable
from curation.judging.answers.reading.dots import ends, goes_on, rise
from curation.judging.answers.reading.equality import equal_formulas, proportional
from curation.judging.answers.reading.figures import same_corners, same_letters
from curation.judging.answers.reading.forms import equal_colons, is_time
from curation.judging.answers.reading.matrices import coordinates, rows_of
from curation.judging.answers.reading.plain import FORMULA, plain
from curation.judging.answers.reading.units import same_words
from curation.judging.answers.reading.values import (
    Based,
    Choice,
    Colon,
    Date,
    Formula,
    Items,
    LimitError,
    Matrix,
    Name,
    Number,
    Pieces,
    Quantity,
    Relation,
    Text,
    Union,
    Value,
)

MOST_ITEMS = 200
GRAPH = re.compile(r"[a-zA-Z](?:\^\{?-1\}?)?\(x\)")


@dataclass(frozen=True)
class Comparison:
    """How values are compared. `ordered`: whether a list without brackets is the same only in the same order."""

    ordered: bool

    def equal(self, one: Value, other: Value) -> bool:
        """Whether the two are the same answer. Raises LimitError."""
        if one == other:
            return True
        one, other = plain(one), plain(other)
        if isinstance(one, Relation) or isinstance(other, Relation):
            return self._relations(one, other)
        if goes_on(one) or goes_on(other):
            return self._dotted(one, other)
        match one, other:
            case Choice(), _:
                return self._choices(one, other)
            case _, Choice():
                return self._choices(other, one)
            case Items(), Items():
                return self._items(one, other)
            case (Matrix(rows), (Matrix() | Items()) as other) | (Items() as other, Matrix(rows)):
                return self._matrices(rows, other)
            case ((Matrix() | Items()) as row, formula) | (formula, (Matrix() | Items()) as row) if isinstance(
                formula, FORMULA
            ):
                return self._vector(row, formula)
            case Pieces(pieces), Pieces(other_pieces):
                return self._pieces(pieces, other_pieces)
            case Union(operation, parts), Union(other_operation, other_parts):
                matched = self._in_order if operation == "\\" else self._in_any_order
                return operation == other_operation and matched(parts, other_parts)
            case (Items("", items, _), Union("∪", parts)) | (Union("∪", parts), Items("", items, _)):
                return all(isinstance(item, Relation) for item in items) and self._in_any_order(items, parts)
            case Quantity(), Quantity():
                return equal_quantities(one, other)
            case (Quantity() as quantity, formula) | (formula, Quantity() as quantity) if isinstance(formula, FORMULA):
                return equal_bare(quantity, formula)
            case Based(value, base), Based(other_value, other_base):
                return (value, base) == (other_value, other_base)
            case Colon(), Colon():
                return equal_colons(one, other)
            case (Colon(parts, written, half), formula) | (formula, Colon(parts, written, half)) if isinstance(
                formula, FORMULA
            ):
                is_ratio = len(parts) == 2 and not is_time(parts, written, half) and parts[1] != 0
                return is_ratio and equal_formulas(Number(Fraction(*parts)), formula)
            case Date(year, month, day), Date(other_year, other_month, other_day):
                return (month, day) == (other_month, other_day) and (year == other_year or 0 in (year, other_year))
            case Text(text), Text(other_text):
                return same_words(text, other_text)
            case (Text(text), formula) | (formula, Text(text)) if isinstance(formula, FORMULA):
                return same_letters(text, formula)
            case _ if isinstance(one, FORMULA) and isinstance(other, FORMULA):
                return same_corners(one, other) or equal_formulas(one, other)
        return False

    def _items(self, one: Items, other: Items) -> bool:
        if r"\{" in (one.left, other.left):
            if one.left == other.left:
                return self._in_any_order(self._distinct(one.items), self._distinct(other.items))
            return "" in (one.left, other.left) and self._in_any_order(one.items, other.items)
        if one.left == other.left == "":
            return (self._in_order if self.ordered else self._in_any_order)(one.items, other.items)
        if "" in (one.left, other.left):
            bracketed = one if one.left else other
            return bracketed.left + bracketed.right in ("()", "[]") and self._in_order(one.items, other.items)
        brackets = {one.left + one.right, other.left + other.right}
        if len(brackets) > 1 and (len(one.items) == 2 or not brackets <= {"()", "[]"}):
            return False
        return self._in_order(one.items, other.items)

    def _dotted(self, one: Value, other: Value) -> bool:
        """Lists with dots: the same item by item; not the same if both rise and differ before the dots or at the end.
        Raises LimitError of any others, as what the dots stand for is not told."""
        if isinstance(one, Items) and isinstance(other, Items) and (one.left == ":") == (other.left == ":"):
            if (one.left == other.left or "" in (one.left, other.left)) and self._in_order(one.items, other.items):
                return True
            (start, end), (other_start, other_end) = ends(one), ends(other)
            alike = all(map(self.equal, start, other_start)) and all(map(self.equal, end[-1:], other_end[-1:]))
            if rise(one) and rise(other) and not alike:
                return False
        raise LimitError("lists with dots that may be the same")

    def _in_order(self, items: "tuple[Value, ...] | list[Value]", others: "tuple[Value, ...] | list[Value]") -> bool:
        return len(items) == len(others) and all(map(self.equal, items, others))

    def _in_any_order(
        self, items: "tuple[Value, ...] | list[Value]", others: "tuple[Value, ...] | list[Value]"
    ) -> bool:
        if len(items) != len(others):
            return False
        left = list(others)
        if len(left) > MOST_ITEMS:
            raise LimitError(f"more than {MOST_ITEMS} items")
        for item in items:
            place = next((place for place, candidate in enumerate(left) if self.equal(item, candidate)), None)
            if place is None:
                return False
            del left[place]
        return True

    def _distinct(self, items: "tuple[Value, ...]") -> "list[Value]":
        distinct: list[Value] = []
        for item in items[: MOST_ITEMS + 1]:
            if not any(self.equal(item, kept) for kept in distinct):
                distinct.append(item)
        return distinct

    def _matrices(self, rows: "tuple[tuple[Value, ...], ...]", other: Matrix | Items) -> bool:
        if others := rows_of(other):
            return len(rows) == len(others) and all(map(self._in_order, rows, others))
        if isinstance(other, Matrix) or other.left == r"\{" or 1 not in (len(rows), len(rows[0])):
            return False
        return self._in_order([cell for row in rows for cell in row], other.items)

    def _vector(self, row: Matrix | Items, formula: Formula) -> bool:
        """A row or a column against a sum along i, j and k."""
        rows = row.rows if isinstance(row, Matrix) else (row.items,) if row.left in ("(", "[") else ()
        cells = [cell for part in rows for cell in part] if 1 in (len(rows), len(rows[0]) if rows else 0) else []
        along = coordinates(formula, len(cells))
        return along is not None and self._in_order(cells, along)

    def _pieces(self, pieces: "tuple[tuple[Value, Value], ...]", others: "tuple[tuple[Value, Value], ...]") -> bool:
        """Functions in pieces, in any order. Raises LimitError where they are divided otherwise."""
        left = list(others)
        for value, condition in pieces:
            place = next((place for place, (_, other) in enumerate(left) if self.equal(condition, other)), None)
            if place is None or len(pieces) != len(others):
                raise LimitError("two functions in pieces that are divided otherwise")
            if not self.equal(value, left.pop(place)[0]):
                return False
        return True

    def _choices(self, one: Choice, other: Value) -> bool:
        match other:
            case Choice(letter, _) | Name(letter):
                return one.letter == letter
            case Text(text) if len(text) == 1:
                return one.letter.lower() == text
        from curation.judging.answers.reading.answer import try_reading

        said = try_reading(one.text) if one.text else None
        return said is not None and not isinstance(said, Choice) and self.equal(said, other)

    def _relations(self, one: Value, other: Value) -> bool:
        """Relations of the same sign, sides swapped or not; an assignment against its value; bounds against a set."""
        if isinstance(one, Relation) and isinstance(other, Relation):
            return self._same_relation(one, other)
        relation, value = (one, other) if isinstance(one, Relation) else (other, one)
        assert isinstance(relation, Relation)
        if relation.signs[-1] in "=∈≡" and relation.label and len(relation.sides) == 2:
            return self.equal(relation.sides[1], value)
        if (bounds := interval(relation)) is not None:
            return self.equal(bounds, value)
        if relation.signs == ("=",) and is_variable(relation.sides[1]):
            return self.equal(relation.sides[0], value)
        if set(relation.signs) <= {"=", "≈"} and not (isinstance(relation.sides[0], Name) and relation.label is None):
            return self._chain(relation, value)
        return False

    def _chain(self, relation: Relation, value: Value) -> bool:
        """A calculation such as 2 + 3 = 5, or √2 ≈ 1.41: its last value, or any that stands before an ≈."""
        sides = relation.sides[1:] if relation.label else relation.sides
        signs = relation.signs[1:] if relation.label else relation.signs
        steps = zip(signs, sides[:-1], sides[1:], strict=True)
        if any(sign == "=" and not self.equal(left, right) for sign, left, right in steps):
            return False
        return any(self.equal(side, value) for side in ((sides[0], sides[-1]) if "≈" in relation.signs else sides[-1:]))

    def _same_relation(self, one: Relation, other: Relation) -> bool:
        sides, signs = forward(one)
        other_sides, other_signs = forward(other)
        if signs == other_signs and self._in_order(sides, other_sides):
            return True
        if one.label and signs == other_signs == ("=",) and _name_the_same(one.label, other.label or ""):
            return self.equal(sides[1], other_sides[1])
        are_formulas = all(isinstance(side, FORMULA) for side in (*sides, *other_sides))
        if are_formulas and signs == other_signs and len(sides) == 2:
            symmetric = signs[0] in ("=", "≠", "≈", "≡")
            if signs[0] not in ("=", "≠", "<", "≤"):
                return symmetric and self._in_order(sides[::-1], other_sides)
            return proportional(difference(sides), difference(other_sides), positive=not symmetric)
        if (
            signs == other_signs
            and set(signs) <= {"=", "∥", "⊥", "≡", "≈"}
            and self._in_order(sides[::-1], other_sides)
        ):
            return True
        bounds, other_bounds = interval(one), interval(other)
        return (
            bounds is not None
            and other_bounds is not None
            and variable(one) == variable(other)
            and self.equal(bounds, other_bounds)
        )


def _name_the_same(label: str, other: str) -> bool:
    """Whether two left sides are one name; `f(x)` and `y` are, for a function and its graph."""
    return label == other or ("y" in (label, other) and any(GRAPH.fullmatch(name) for name in (label, other)))
