"""Python values, compared as values: what a program prints or returns. Nothing is run."""

import ast
import json
import re
from collections.abc import Hashable
from typing import Any, Literal

from curation.core.params import Strict
from curation.judging.answers._kind import Verdict

LONGEST = 200_000  # characters
DEEPEST = 100  # brackets within brackets
LONG_NUMBER = re.compile(r"(?<![\w.])[1-9]\d{4000,}(?![\w.])")  # longer ones Python does not read in decimal
STRING = re.compile(r"'''.*?'''|\"\"\".*?\"\"\"|'(?:\\.|[^'\\\n])*'|\"(?:\\.|[^\"\\\n])*\"", re.DOTALL)
STOPPED = re.compile(r"[\])}'\"]\.\Z")  # the full stop of a sentence that ends in a value
FENCE = re.compile(r"\A\s*(?:```(?:python|py|json)?\s*\n(.*?)\n?\s*```|`([^`]*)`)\s*\Z", re.DOTALL)


class Params(Strict):
    """A verifier of kind literal. `integers: like_floats` takes 1 and 1.0 for the same value, as Python does; `apart`
    does not."""

    kind: Literal["literal"]
    integers: Literal["like_floats", "apart"]


PLAIN = Params(kind="literal", integers="like_floats")


class Deep(Exception):
    """A text is longer, or nested deeper, than what is read."""


def verify(settings: Params, answer: str, reference: str, task: str, entry: str | None) -> Verdict:
    """Whether the two are the same Python value: 1, 0, or None where a side is too long or too deep.

    Types count: a list is no tuple, "1" no 1, True no 1. What is no literal is a string without quotation marks.
    """
    try:
        (left, answered), (right, wanted) = _read(answer), _read(reference)
        same = _key(left, settings) == _key(right, settings)
    except (Deep, RecursionError, MemoryError) as error:
        return Verdict(None, answer, reference, f"a side cannot be read: {error or type(error).__name__}")
    if same:
        return Verdict(1.0, answered, wanted, "the values are equal")
    kinds = type(left).__name__, type(right).__name__
    why = "the values differ" if kinds[0] == kinds[1] else f"the answer is of type {kinds[0]}, the reference {kinds[1]}"
    return Verdict(0.0, answered, wanted, why)


def _read(text: str) -> tuple[Any, str]:
    """The value of a literal and how it was read: as Python writes it, else as JSON does, else as bare words. Raises
    Deep."""
    if match := FENCE.match(text):
        text = match[1] if match[1] is not None else match[2]
    text = text.strip()
    if len(text) > LONGEST or _depth(text) > DEEPEST:
        raise Deep(f"more than {LONGEST} characters, or {DEEPEST} brackets within brackets")
    for written in (text, text[:-1]) if STOPPED.search(text) else (text,):
        for reader, name in ((_parse_python, ""), (_parse_json, " (JSON)")):
            try:
                value = reader(written)
            except (ValueError, SyntaxError, TypeError):
                continue
            return value, f"{type(value).__name__} {_shorten(written)}{name}"
    return text, f"str {_shorten(text)} (no quotation marks)"


def _depth(text: str) -> int:
    """Brackets within brackets, and signs in a row, outside strings."""
    bare = STRING.sub("''", text)
    signs = max((len(match[0]) for match in re.finditer(r"(?:[-+~]\s*){2,}|(?:not\s+){2,}", bare)), default=0)
    depth = deepest = 0
    for sign in bare:
        depth += (sign in "([{") - (sign in ")]}")
        deepest = max(deepest, depth)
    return max(deepest, signs)


def _parse_python(text: str) -> Any:
    """The value of a Python literal. Raises ValueError or SyntaxError if it is none."""
    if not text.isascii() and "\0" in text:
        raise ValueError("a null")
    return _value(ast.parse(_readable(text), mode="eval").body)


def _readable(text: str) -> str:
    """`text` with its longest whole numbers, outside strings, in hexadecimal: those Python reads at any length."""
    if len(text) <= 4000:
        return text
    parts, end = [], 0
    for match in STRING.finditer(text):
        parts += [LONG_NUMBER.sub(_hexadecimal, text[end : match.start()]), match[0]]
        end = match.end()
    return "".join([*parts, LONG_NUMBER.sub(_hexadecimal, text[end:])])


def _hexadecimal(match: re.Match[str]) -> str:
    from curation.judging.answers.reading.numbers import whole_number

    return hex(whole_number(match[0]))


def _value(node: ast.expr) -> Any:
    match node:
        case ast.Constant(value) if value is not Ellipsis:
            return value
        case ast.List(items):
            return [_value(item) for item in items]
        case ast.Tuple(items):
            return tuple(_value(item) for item in items)
        case ast.Set(items):
            return {_Hashed(_value(item)) for item in items}
        case ast.Dict(keys, values) if None not in keys:
            return {_Hashed(_value(key)): _value(value) for key, value in zip(keys, values, strict=True) if key}
        case ast.Call(ast.Name(("set" | "frozenset") as name), arguments, []) if len(arguments) <= 1:
            inner = _value(arguments[0]) if arguments else ()
            members = {item if isinstance(item, _Hashed) else _Hashed(item) for item in inner}
            return members if name == "set" else frozenset(members)
        case ast.UnaryOp(ast.USub() | ast.UAdd() as sign, operand):
            value = _value(operand)
            if isinstance(value, bool) or not isinstance(value, int | float | complex):
                raise ValueError("a sign before no number")
            return -value if isinstance(sign, ast.USub) else value
        case ast.BinOp(left, ast.Add() | ast.Sub() as sign, ast.Constant(complex() as imaginary)):
            real = _value(left)
            if isinstance(real, bool) or not isinstance(real, int | float):
                raise ValueError("no complex number")
            return real + imaginary if isinstance(sign, ast.Add) else real - imaginary
    raise ValueError("no literal")


def _parse_json(text: str) -> Any:
    """The value of a JSON text, its objects with the keys that `_value` gives. Raises ValueError."""
    return json.loads(
        text, object_pairs_hook=lambda pairs: {_Hashed(key): value for key, value in pairs}, parse_constant=_refuse
    )


def _refuse(name: str) -> None:
    raise ValueError(name)


class _Hashed:
    """A member of a set or a key of a dictionary: any value, told apart from others with its type."""

    def __init__(self, value: Any) -> None:
        self.value = value
        self.key = _key(value, PLAIN)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Hashed) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)


def _key(value: Any, settings: Params) -> Hashable:
    """What two values have in common exactly if they are the same value of the same type."""
    match value:
        case _Hashed():
            return _key(value.value, settings)
        case list() | tuple():
            return type(value).__name__, tuple(_key(item, settings) for item in value)
        case set() | frozenset():
            return type(value).__name__, frozenset(_key(item, settings) for item in value)
        case dict():
            return "dict", frozenset((_key(key, settings), _key(item, settings)) for key, item in value.items())
        case bool() | str() | bytes() | None:
            return type(value).__name__, value
        case _:
            return "number" if settings.integers == "like_floats" else type(value).__name__, value


def _shorten(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:60]}…"
