"""The JSON object that a structured reply gives: what its model settled on, never what it drafted on the way."""

import json
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

from curation.calls.foreign import read_json, whole_number
from curation.core.delimiters import CLOSING, OPENING

OPENS, CLOSES = (re.compile(pattern, re.IGNORECASE) for pattern in (OPENING, CLOSING))
MOST_BRACES = 1000  # of a reply in words; each may be where its object begins
DECODER = json.JSONDecoder(parse_int=whole_number)
BLANKS = re.compile(r"[ \t\n\r]*")


def json_in(text: str, mode: str) -> str:
    """The part of a reply that should be its JSON, "" where there is none: what follows the thinking. Where the schema
    came in words alone, it is the object that ends the reply, fenced or not; one that words follow is a draft, for they
    may take it back."""
    text = text.strip()
    if mode == "prompt":
        return _last_object(text)
    closing = None if text.startswith("{") else CLOSES.search(text)
    return text[closing.end() :].strip() if closing else text


def _last_object(text: str) -> str:
    text = text.removesuffix("```").rstrip()
    for brace in islice(re.finditer("{", text), MOST_BRACES) if text.endswith("}") else ():
        try:
            _, end = DECODER.raw_decode(text, brace.start())
        except (ValueError, RecursionError):
            continue
        if end == len(text):
            return "" if _is_thinking(text[: brace.start()]) else text[brace.start() :]
    return ""


def _is_thinking(text: str) -> bool:
    """Whether what follows `text` is still thought."""
    opened, closed = (max((tag.start() for tag in tags.finditer(text)), default=-1) for tags in (OPENS, CLOSES))
    return opened > closed


def read_object(text: str) -> dict[str, Any] | None:
    """The JSON object that `text` is, or None. A name that it gives two values has none."""
    try:
        if not isinstance(read_json(text), dict):
            return None
    except ValueError:
        return None
    body: dict[str, Any] = {}
    for name, value, _, _ in members(text):
        body[name] = value if body.get(name, value) == value else None
    return body


def members(text: str) -> Iterator[tuple[str, Any, int, int]]:
    """Each name of the JSON object `text`, its value, and where the value begins and ends."""
    at = _after_blanks(text, text.index("{") + 1)
    while text[at] != "}":
        name, at = DECODER.raw_decode(text, at)
        begin = _after_blanks(text, text.index(":", at) + 1)
        value, end = DECODER.raw_decode(text, begin)
        yield name, value, begin, end
        at = _after_blanks(text, end)
        at = _after_blanks(text, at + 1) if text[at] == "," else at


def _after_blanks(text: str, at: int) -> int:
    return BLANKS.match(text, at).end()  # type: ignore[union-attr]  # it matches everywhere
