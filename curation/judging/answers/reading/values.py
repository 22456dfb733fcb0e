"""What an answer is once it is read: a formula, a list, an interval, a relation, a text, …

Only values of one structure are compared. `describe` says how a side was read.
"""

from dataclasses import dataclass
from fractions import Fraction

SHOWN = 60  # characters of a number or a text that a description shows


class UnreadableError(Exception):
    """A text is no answer that this reader knows. The message says what it met."""


class LimitError(Exception):
    """An answer is larger than what is compared. The message names the limit."""


@dataclass(frozen=True)
class Number:
    """A rational number, as exactly as it was written."""

    value: Fraction


@dataclass(frozen=True)
class Name:
    """A variable, a constant without a value of its own, or infinity."""

    name: str


@dataclass(frozen=True)
class Apply:
    """An operation on formulas, e.g. `+`, `^`, `sqrt`."""

    operation: str
    arguments: "tuple[Formula, ...]"


Formula = Number | Name | Apply


@dataclass(frozen=True)
class Quantity:
    """A formula and what it counts: `%`, `$`, `°`, a unit or words."""

    amount: Formula
    unit: str


@dataclass(frozen=True)
class Based:
    """A number written with its base as a subscript."""

    value: Fraction
    base: int


@dataclass(frozen=True)
class Items:
    """Several values. `left` and `right` are the brackets, "" where there are none; `{` makes a set."""

    left: str
    items: "tuple[Value, ...]"
    right: str


@dataclass(frozen=True)
class Union:
    """Sets joined by `operation`, the sign of union, intersection or difference."""

    operation: str
    parts: "tuple[Value, ...]"


@dataclass(frozen=True)
class Relation:
    """Values joined by signs such as = or <, one sign fewer than sides. `label` is the left side's text where it only
    names what is given."""

    sides: "tuple[Value, ...]"
    signs: tuple[str, ...]
    label: str | None


@dataclass(frozen=True)
class Matrix:
    rows: "tuple[tuple[Value, ...], ...]"


@dataclass(frozen=True)
class Pieces:
    """A function in pieces: values, each with its condition."""

    pieces: "tuple[tuple[Value, Value], ...]"


@dataclass(frozen=True)
class Colon:
    """A ratio or a time of day: whole numbers joined by colons, with "am" or "pm" where it was written."""

    parts: tuple[int, ...]
    written: str
    half: str


@dataclass(frozen=True)
class Date:
    """A day; year 0 where none was written."""

    year: int
    month: int
    day: int


@dataclass(frozen=True)
class Choice:
    """The letter of an option, and what was written after it."""

    letter: str
    text: str


@dataclass(frozen=True)
class Text:
    """Words, in lower case, with single blanks."""

    text: str


Value = Formula | Quantity | Based | Items | Union | Relation | Matrix | Pieces | Colon | Date | Choice | Text


STRUCTURES = {
    Number: "a number", Name: "a formula", Apply: "a formula", Quantity: "a number with a unit",
    Based: "a number in a base", Items: "a list", Union: "a set made of sets", Relation: "a relation",
    Matrix: "a matrix", Pieces: "a function in pieces", Colon: "a ratio or a time", Date: "a date",
    Choice: "an option", Text: "words",
}  # fmt: skip


def describe(value: Value) -> str:
    """How `value` was read, in words and plain signs."""
    match value:
        case Number() | Name() | Apply():
            return show(value)
        case Quantity(amount, unit):
            return f"{show(amount)} [{unit}]"
        case Based(number, base):
            return f"{show(Number(number))} (base {base})"
        case Items("", items, _):
            return f"list of {'; '.join(map(describe, items))}"
        case Items(left, items, right):
            return f"{left[-1]}{'; '.join(map(describe, items))}{right[-1]}"
        case Union(operation, parts):
            return f" {operation} ".join(map(describe, parts))
        case Relation(sides, signs, _):
            rest = (f" {sign} {describe(side)}" for sign, side in zip(signs, sides[1:], strict=True))
            return describe(sides[0]) + "".join(rest)
        case Matrix(rows):
            return f"matrix {' / '.join(', '.join(map(describe, row)) for row in rows)}"
        case Pieces(pieces):
            return "; ".join(f"{describe(value)} where {describe(condition)}" for value, condition in pieces)
        case Colon(_, written, half):
            return f"{written} {half}".strip()
        case Date(year, month, day):
            return f"date {year or '....'}-{month:02}-{day:02}"
        case Choice(letter, text):
            return f"option {letter}{f' ({_shorten(text)})' if text else ''}"
        case Text(text):
            return f"text '{_shorten(text)}'"


def show(formula: Formula) -> str:
    """A formula with every operation in brackets, so that it can be read in one way only."""
    match formula:
        case Number(value):
            bottom = "" if value.denominator == 1 else f"/{_digits(value.denominator)}"
            return f"{_digits(value.numerator)}{bottom}"
        case Name(name):
            return name
        case Apply("+" | "*" | "/" | "^" as sign, arguments):
            return f"({f' {sign} '.join(map(show, arguments))})"
        case Apply("neg", (inner,)):
            return f"-{show(inner)}"
        case Apply(name, arguments):
            return f"{name}({', '.join(map(show, arguments))})"


def _digits(number: int) -> str:
    """`number` in decimal; long ones as their number of bits, which takes no time to say."""
    return str(number) if number.bit_length() <= 4 * SHOWN else f"<a number of {number.bit_length()} bits>"


def _shorten(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
