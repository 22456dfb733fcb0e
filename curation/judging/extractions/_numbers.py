r"""The first or the last number of a text, as a reader would name it.

Separators of thousands go (`1,234`, `1 234`, `1{,}234`), as do signs of money; a minus is written `-`. A minus after an
operand is a difference: `5-2=3` ends in 3. An operation that nobody carried out is not its last operand: `10-8`,
`2^{10}`, `3,14` or `12:30` is taken whole and as it stands, for a verifier to evaluate or to refuse. Digits of a name
(`x2`, `H2O`), an index or an exponent of a letter are no number, and the label in `part 2` is one only where there is
no other.
"""

import re
import unicodedata
from collections.abc import Iterator
from typing import Literal, NamedTuple, TypeAlias

GROUP = r"(?:,|\s?\{\s?,\s?\}\s?|,?\\[!,]\s?|['’_]|[ \u00a0\u2009\u202f])"  # between groups of three digits, all alike
WHOLE = rf"(?:(?<![\d.])\d{{1,3}}(?P<group>{GROUP})\d{{3}}(?:(?P=group)\d{{3}})*(?!\d)|\d+)"
FRACTION = r"\\[dt]?frac(?:\{-?\d+\}\{\d+\}|\d\d)"
ATOM = re.compile(
    r"(?P<raw>"  # what stays as it stands: mixed numbers, fractions of LaTeX, roots
    rf"\d+\s?{FRACTION}|\d+ \d+/\d+|{FRACTION}|\\sqrt\{{[^{{}}]*\}}|√\d+|\d*[½⅓⅔¼¾⅛⅜⅝⅞])"
    rf"|(?P<plain>(?:{WHOLE}(?:\.\d+)?|(?<![\w.])\.\d+)(?:[eE][+-]?\d+(?!\w))?(?:/\d+(?:\.\d+)?)?)"
    r"(?P<tail>\s?\\?%|\s?(?:\\pi(?![a-zA-Z])|π|\\sqrt\{[^{}]*\}|√\d+|[²³⁴⁵⁶⁷⁸⁹]))?"
)
JOIN = re.compile(  # what between two numbers makes one expression of them
    r"[ \t)}$]*(?:[-−–+*×x·⋅÷/^]|\*\*|\\(?:times|cdot|div|pm)(?![a-zA-Z]))[ \t({$]*[-−–]?[ \t({$]*|[,:_.]|_\{"
)
MONEY = r"(?:(?:\\?\$|[€£¥₹])\s?)?"
SIGN = re.compile(rf"(?:(?<![\w)\]}}!%°]){MONEY}(?P<touching>[-−–])|[=≈(\[{{:]\s{{1,3}}(?P<apart>[-−–])\s?){MONEY}$")
OF_A_NAME = re.compile(r"(?:^|[^\\a-zA-Z])[^\W\d_]+$|[_^]\{?$")  # what before digits says that they are no number
LABELLED = re.compile(r"(?i)\b(?:part|step|question|problem|example|equation|section|figure|table)s?\s+[(#]?$")
CODE = re.compile(r"(?<![^\W\d_])(?:[A-Z]{3}|Rs)$")  # of money
SEEN = 40  # characters before a number that say what it is
PAIRS = {")": "(", "}": "{"}


Role: TypeAlias = Literal["number", "label", "name"]


class Number(NamedTuple):
    """Where a number or an expression of numbers stands in its line, how it is written, and what it is there."""

    start: int
    end: int
    text: str
    role: Role


def find_number(text: str, match: Literal["first", "last"]) -> str | None:
    """The first or the last number of a text; None if it has none."""
    lines = text.splitlines()
    label = None
    for line in lines if match == "first" else reversed(lines):
        numbers = list(find_numbers(line))
        for number in numbers if match == "first" else reversed(numbers):
            if number.role == "number":
                return number.text
            if number.role == "label":
                label = label or number.text
    return label


def find_numbers(line: str) -> Iterator[Number]:
    """The numbers of a line, in order, those that are joined by operators as one."""
    first: Number | None = None
    end = 0
    for atom in ATOM.finditer(line):
        if first is not None and JOIN.fullmatch(line, end, atom.start()):
            end = atom.end()
            continue
        if first is not None:
            yield _join(line, first, end)
        first, end = _read(line, atom), atom.end()
    if first is not None:
        yield _join(line, first, end)


def _read(line: str, atom: re.Match[str]) -> Number:
    """One number, with the sign before it."""
    shown = max(0, atom.start() - SEEN)
    before = line[shown : atom.start()]
    role: Role = "number"
    if OF_A_NAME.search(before) and not CODE.search(before):
        role = "name"
    elif LABELLED.search(before):
        role = "label"
    sign = SIGN.search(before)
    if sign is None:
        return Number(atom.start(), atom.end(), _write(atom), role)
    start = shown + max(sign.start("touching"), sign.start("apart"))
    return Number(start, atom.end(), f"-{_write(atom)}", role)


def _write(atom: re.Match[str]) -> str:
    """An unsigned number without separators; as it stands where it is more than digits."""
    if atom["raw"] is not None:
        return atom["raw"]
    plain = atom["plain"].replace(atom["group"], "") if atom["group"] else atom["plain"]
    return "".join(str(unicodedata.digit(sign)) if sign.isdigit() else sign for sign in plain) + (atom["tail"] or "")


def _join(line: str, first: Number, end: int) -> Number:
    """The expression from `first` to `end`, with the brackets that it needs on either side; `first` itself, if it ends
    there."""
    if end == first.end:
        return first
    start = first.start
    for close, opening in PAIRS.items():
        missing = line.count(opening, start, end) - line.count(close, start, end)
        while missing > 0 and line[end : end + 1] == close:
            end, missing = end + 1, missing - 1
        while missing < 0 and start > 0 and line[start - 1] == opening:
            start, missing = start - 1, missing + 1
    return Number(start, end, line[start:end], "name" if first.role == "name" else "number")
