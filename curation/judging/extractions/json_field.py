"""A field of a JSON object that the completion holds, alone, in prose or in a fence."""

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any, Literal

from curation.core.params import Strict
from curation.judging.extractions._kind import Match, Take, pick, take

OBJECT = re.compile(r'\{(?=\s*["}])')  # where one may begin
COMMANDS = {"\b": "\\b", "\f": "\\f"}  # what JSON made of `\boxed` and `\frac`: nobody writes a backspace
LOST = re.compile(r"\t(?=ext|imes|heta|frac|an\b)|\r(?=ight|ho\b)|\n(?=eq\b|abla\b)")
NO_ESCAPE = re.compile(r'\\(?:(["\\/bfnrt]|u[0-9a-fA-F]{4})|)', re.DOTALL)


class Params(Strict):
    """An extraction of kind json_field: `field` of the first or the last JSON object that has it; of objects within an
    object, the outer one's comes first. Of its value the answer is `all`, or the first or the last number.

    An object that is not closed is none. LaTeX whose backslashes are not doubled is read all the same.
    """

    kind: Literal["json_field"]
    field: str
    match: Match
    take: Take


class Number(str):
    """A number as it was written."""


def extract(settings: Params, texts: Sequence[str]) -> list[str | None]:
    """The field's value in each text: text as it is, anything else as JSON; None where there is no such field, or null
    or blank text in it."""
    return [take(pick(_find_values(settings.field, text), settings.match), settings.take) for text in texts]


def _find_values(field: str, text: str) -> Iterator[str]:
    for found in find_objects(text):
        if (value := _look_up(found, field)) is not None:
            with suppress(RecursionError):  # nested hundreds deep, it is no answer
                yield _write(value)


def find_objects(text: str) -> Iterator[dict[str, Any]]:
    """The JSON objects in a text that are in no other, in order."""
    decoder = json.JSONDecoder(strict=False, parse_int=Number, parse_float=Number, parse_constant=Number)
    repaired = False
    start = OBJECT.search(text)
    while start:
        place = start.start()
        try:
            value, end = decoder.raw_decode(text, place)
        except json.JSONDecodeError as error:
            if error.msg.startswith("Invalid \\") and not repaired:
                text, repaired = text[:place] + NO_ESCAPE.sub(_double, text[place:]), True
                start = OBJECT.search(text, place)
                continue
            end = place + 1
        except RecursionError:  # nested a thousand deep: so is what follows, and each try would cost as much
            return
        else:
            yield value
        start = OBJECT.search(text, end)


def _double(escape: re.Match[str]) -> str:
    return escape[0] if escape[1] else "\\\\"


def _look_up(value: Any, field: str) -> Any:
    """What stands under `field`, in the object itself or in one within it, breadth first; None where there is none."""
    level = [value]
    while level:
        for part in level:
            if isinstance(part, dict) and part.get(field) is not None:
                return part[field]
        level = [
            inner
            for part in level
            for inner in (part.values() if isinstance(part, dict) else part)
            if isinstance(inner, (dict, list))
        ]
    return None


def _write(value: Any) -> str:
    """A value as text."""
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, str):
        text = "".join(COMMANDS.get(letter, letter) for letter in value)
        return LOST.sub(lambda blank: {"\t": "\\t", "\r": "\\r", "\n": "\\n"}[blank[0]], text)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)}: {_write_inner(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_write_inner, value)) + "]"
    return json.dumps(value)


def _write_inner(value: Any) -> str:
    text = _write(value)
    return json.dumps(text, ensure_ascii=False) if isinstance(value, str) and not isinstance(value, Number) else text
