"""An answer's text as a value. The whole text is read, or none of it.

First the forms that have a notation of their own (dates, times, ratios, options, numbers in a base), then lists,
relations, sets and formulas, and at last words.
"""

import re
from functools import lru_cache

from curation.judging.answers.reading.bounds import between
from curation.judging.answers.reading.dots import DOTS, dots
from curation.judging.answers.reading.forms import in_base_value, special_form
from curation.judging.answers.reading.labels import label
from curation.judging.answers.reading.matrices import matrix
from curation.judging.answers.reading.notation import clean
from curation.judging.answers.reading.numbers import parse_number
from curation.judging.answers.reading.plain import plain, point
from curation.judging.answers.reading.quantities import (
    braced_text,
    quantity,
    spelt,
    unit_words,
    words_only,
)
from curation.judging.answers.reading.sets import all_but, half
from curation.judging.answers.reading.stream import Stream
from curation.judging.answers.reading.tokens import tokens
from curation.judging.answers.reading.values import (
    Colon,
    Items,
    LimitError,
    Matrix,
    Name,
    Number,
    Relation,
    Union,
    UnreadableError,
    Value,
)

LONGEST = 3_000  # characters of a text that is read; a plain number may have more digits
PLAIN = re.compile(r"\s*-?[0-9]+(?:\.[0-9]+)?\s*")
RELATIONS = {
    "=": "=", "==": "=", ":=": "=", "<": "<", ">": ">", "<=": "≤", ">=": "≥", r"\le": "≤", r"\ge": "≥", r"\ne": "≠",
    "!=": "≠", r"\in": "∈", r"\approx": "≈", r"\equiv": "≡", r"\rightarrow": "→", r"\subset": "⊂", r"\perp": "⊥",
    r"\parallel": "∥",
}  # fmt: skip
BOUNDS = ("<", ">", "<=", ">=", r"\le", r"\ge")  # `> 14` bounds what it does not name
SET_SIGNS = {r"\cup": "∪", r"\cap": "∩", r"\setminus": "\\"}
SEPARATORS = (",", ";", r"\and", r"\or")
CLOSINGS = {"(": (")", "]"), "[": ("]", ")"), r"\{": (r"\}",), "{": ("}",), r"\langle": (r"\rangle",)}
ENDS = (*SEPARATORS, *RELATIONS, *SET_SIGNS, ")", "]", r"\}", r"\rangle", "&", "\\\\", r"\end")


@lru_cache(maxsize=1024)
def read(text: str) -> Value:
    """What `text` says. Raises UnreadableError or LimitError."""
    if PLAIN.fullmatch(text):
        return Number(parse_number(text.strip().lstrip("-")) * (-1 if "-" in text else 1))
    if len(text) > LONGEST:
        raise LimitError(f"more than {LONGEST} characters")
    cleaned = clean(text)
    if not cleaned:
        raise UnreadableError("nothing")
    if (value := special_form(cleaned)) is not None:
        return value
    if (reals := all_but(cleaned, read)) is not None:
        return reals
    try:
        return _tree(cleaned)
    except UnreadableError:
        if (words := words_only(cleaned)) is not None:
            return words
        raise
    except RecursionError:
        raise LimitError("too deeply nested") from None


def try_reading(text: str) -> Value | None:
    """What `text` says; None if it cannot be read."""
    try:
        return read(text)
    except (UnreadableError, LimitError):
        return None


def _tree(cleaned: str) -> Value:
    stream = Stream(tokens(cleaned))
    value = _items(stream, "")
    if stream.peek() is not None:
        raise UnreadableError(f"{stream.take().text!r}")
    return value


def _items(stream: Stream, closing: str) -> Value:
    """One value, or several with separators between them, up to `closing` or to the end."""
    found, signs = [dots(stream) or _relation(stream)], list[str]()
    while sign := stream.accept(*SEPARATORS):
        signs.append(stream.accept(r"\and", r"\or") or sign)  # `2, 3, and 4`
        found.append(dots(stream) or _relation(stream))
    if found == [DOTS]:
        raise UnreadableError("nothing but dots")
    if (joined := between(found) if r"\or" not in signs else _points(found, signs)) is not None:
        return Items("", (joined,), "") if closing else joined
    return found[0] if len(found) == 1 and not closing else Items("", tuple(found), "")


def _points(found: list[Value], signs: list[str]) -> Value | None:
    """`x = 0, y = 0 or x = 1, y = 2` as the list of two points; None of anything else."""
    rows: list[list[Value]] = [[found[0]]]
    for sign, value in zip(signs, found[1:], strict=True):
        rows += [[]] if sign == r"\or" else []
        rows[-1].append(value)
    lists = [plain(Items("", tuple(row), "")) for row in rows]
    points = [point(one.items) for one in lists if isinstance(one, Items)]
    kept = tuple(one for one in points if one is not None)
    return Items("", kept, "") if len(kept) == len(rows) else None


def _relation(stream: Stream) -> Value:
    start = stream.place
    sides, signs = [Name("what is asked") if stream.sign() in BOUNDS else _set(stream)], []
    while sign := stream.accept(*RELATIONS):
        signs.append(RELATIONS[sign])
        sides.append(_set(stream))
    if not signs:
        return sides[0]
    end = next(place for place in range(start, len(stream.tokens)) if _sign_at(stream, place) in RELATIONS)
    return Relation(tuple(sides), tuple(signs), label(stream.tokens[start:end]))


def _sign_at(stream: Stream, place: int) -> str:
    return stream.sign(place - stream.place)


def _set(stream: Stream) -> Value:
    """Values joined by one sign for sets, or one alone."""
    parts, operation = [_value(stream)], ""
    while sign := stream.accept(*SET_SIGNS):
        if operation and SET_SIGNS[sign] != operation:
            raise UnreadableError("several signs for sets")
        operation = SET_SIGNS[sign]
        parts.append(_value(stream))
    return Union(operation, tuple(parts)) if operation else parts[0]


def _value(stream: Stream) -> Value:
    """A bracketed list, a matrix, words, or a formula with its unit."""
    if (brackets := _bracketed(stream)) is not None:
        return brackets
    if stream.sign() == r"\begin":
        return matrix(stream, _relation)
    if stream.accept(r"\emptyset"):
        return Items(r"\{", (), r"\}")
    if stream.accept(r"\mathbb"):
        return half(stream, Name(f"set {braced_text(stream)}"))
    token = stream.peek()
    if token and token.kind == "word":
        return spelt(" ".join(unit_words(stream)))
    sign = stream.sign() if stream.sign() == "-" else ""
    if (token := stream.peek(len(sign))) and token.kind == "based":
        stream.place += 1 + len(sign)
        return in_base_value(-token.value if sign else token.value, int(token.text))
    return _ratio(stream) if stream.sign(1) == ":" else quantity(stream)


def _ratio(stream: Stream) -> Value:
    parts = [stream.take()]
    while stream.accept(":"):
        if dots(stream):
            return Items(":", (*(Number(part.value) for part in parts), DOTS), ":")
        parts.append(stream.take())
    if not all(part.text.isdigit() for part in parts):
        raise UnreadableError("a ratio of other than whole numbers")
    return Colon(tuple(int(part.value) for part in parts), ":".join(part.text for part in parts), "")


def _set_builder(stream: Stream) -> Value | None:
    """The condition of `{x | x > 3}`, taken with its closing bracket; None if it is no such set."""
    name, bar = stream.peek(), 1
    if stream.sign(1) == r"\in" and stream.sign(2) == r"\mathbb":
        bar = 6
    if not (name and name.kind == "name" and stream.sign(bar) in ("|", ":")):
        return None
    stream.place += bar + 1
    condition = _items(stream, "")
    stream.expect(r"\}")
    return condition


def _bracketed(stream: Stream) -> Value | None:
    """A list in brackets; None, with nothing taken, if what follows is a formula that starts with a bracket."""
    start, depth, opening = stream.place, stream.depth, stream.sign()
    if opening not in CLOSINGS:
        return None
    stream.take()
    if opening != "{" and (closing := stream.accept(*CLOSINGS[opening])):
        return Items(opening, (), closing)
    if opening == r"\{" and (conditions := _set_builder(stream)) is not None:
        return conditions
    stream.depth += 1
    if stream.depth > 20:
        raise LimitError("more than 20 lists within lists")
    try:
        inside = _items(stream, "any")
    except UnreadableError:
        inside = None
    stream.depth, stream.bars = depth, 0
    closing = stream.accept(*CLOSINGS[opening])
    match inside:
        case Items(_, ((Matrix() | Relation() | Union()) as only,), _) if (
            opening == "(" and closing == ")" and _ends_value(stream)
        ):
            return only
    is_list = isinstance(inside, Items) and (len(inside.items) > 1 or opening not in ("(", "{"))
    if not closing or not is_list or not _ends_value(stream):
        if opening in (r"\{", r"\langle"):
            raise UnreadableError("a list whose items cannot be read")
        stream.place = start
        return None
    assert isinstance(inside, Items)
    meant = {r"\langle": ("(", ")"), "{": (r"\{", r"\}")}  # `{1, 2}`: without its backslashes
    left, right = meant.get(opening, (opening, closing))
    return Items(left, inside.items, right)


def _ends_value(stream: Stream) -> bool:
    return stream.peek() is None or stream.sign() in ENDS
