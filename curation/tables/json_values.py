"""The values of a JSON text: one a line, several a line, or one document over many lines."""

import json
import re
from collections.abc import Iterator
from typing import Any

from curation.core.messages import show_value

MOST_IN_DOCUMENT = 2**30  # characters of a JSON text that is not one object a line


class Fault(Exception):
    """What is wrong with a file, in words."""


def read_values(lines: Iterator[tuple[int, str]]) -> Iterator[tuple[int | None, Any]]:
    """Each value of a JSON text and the line it starts on; no line for those of an array, which are the array's."""
    first = True
    for number, line in lines:
        if not line or line.isspace():
            continue
        if not first:
            yield from _parse(number, line)
            continue
        first = False
        try:
            values = list(_parse(number, line))
        except Fault as fault:
            values = list(_parse_document(number, line, lines, fault))
        if len(values) == 1 and isinstance(values[0][1], list):
            _refuse_more(lines)
            yield from ((None, value) for value in values[0][1])
        else:
            yield from values


def _parse_document(
    number: int, line: str, lines: Iterator[tuple[int, str]], fault: Fault
) -> Iterator[tuple[int, Any]]:
    """The values of a text whose first value ends on a later line. Raises the first line's own `fault` if the second is
    a whole object, as then the first should be."""
    parts, size = [line], len(line)
    for _, part in lines:
        if len(parts) == 1 and part.lstrip().startswith("{"):
            try:
                whole = list(_parse(0, part))
            except Fault:
                whole = []
            if whole and line.lstrip().startswith("{"):
                raise fault
        parts.append(part)
        size += len(part) + 1
        if size > MOST_IN_DOCUMENT:
            raise Fault(f"one JSON text of more than {MOST_IN_DOCUMENT >> 30} GiB; write one object a line")
    yield from _parse(number, "\n".join(parts))


def _refuse_more(lines: Iterator[tuple[int, str]]) -> None:
    for number, line in lines:
        if line and not line.isspace():
            raise Fault(f"line {number}: {show_value(line)} stands after the end of the array")


class _TwiceError(ValueError):
    """A key that an object has twice."""


def refuse_doubled_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object of these keys and values. Raises ValueError with the first key that stands there twice."""
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        raise _TwiceError(next(name for name in names if names.count(name) > 1))
    return made


_DECODER = json.JSONDecoder(object_pairs_hook=refuse_doubled_keys)  # reads NaN and Infinity too, as Python writes them
_SPACE = re.compile(r"[ \t\n\r]*")


def _parse(first: int, text: str) -> Iterator[tuple[int, Any]]:
    """The JSON values in `text`, which starts on line `first`, and the line each starts on."""
    start, line = 0, first
    while True:
        space = _SPACE.match(text, start)
        begin = space.end() if space else start
        line += text.count("\n", start, begin)
        if begin == len(text):
            return
        try:
            value, end = _DECODER.raw_decode(text, begin)
        except json.JSONDecodeError as error:
            place = f"line {first + text.count(chr(10), 0, error.pos)}"
            raise Fault(f"{place}: not JSON: {error.msg.removesuffix(' at')} at character {error.colno}") from None
        except _TwiceError as error:
            raise Fault(f"line {line}: has {show_value(str(error))} twice in one object; keep one") from None
        except RecursionError:
            raise Fault(f"line {line}: not JSON that can be read: nested too deep") from None
        except ValueError:
            raise Fault(f"line {line}: has a number of more digits than can be read; put it in quotes") from None
        yield line, value
        line, start = line + text.count("\n", begin, end), end
