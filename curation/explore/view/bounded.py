"""Texts of a page, as much of them as is drawn in a second: where they are more the longest are cut, and say so."""

from collections.abc import Iterable, Iterator
from typing import Any

MOST_SHOWN = 500_000  # letters of a page
LEAST = 200  # letters that every text has, or all of its own: names, kinds and statuses are none to cut


class Cut(str):
    """The beginning of a text of which `rest` letters are left out."""

    __slots__ = ("rest",)
    rest: int

    def __new__(cls, text: str, rest: int) -> "Cut":
        made = super().__new__(cls, text)
        made.rest = rest
        return made


def cut_texts(values: dict[str, Any], most: int = MOST_SHOWN, least: int = LEAST) -> tuple[dict[str, Any], int | None]:
    """The values of a page with at most so many letters in all of the texts in them, in mappings, lists and tuples: the
    longest are cut to one length, which is `least` where more are too many. That length; None where nothing had to be
    cut."""
    length = _find_length((len(text) for text in _texts(values)), most, least)
    return (values, None) if length is None else (_cut(values, length), length)


def _find_length(lengths: Iterable[int], most: int, least: int) -> int | None:
    """The length to which texts are cut so that all of them have `most` letters, but no less than `least`; None where
    none is longer."""
    left, ordered = most, sorted(lengths)
    for place, length in enumerate(ordered):
        share = left // (len(ordered) - place)
        if length > share:
            return max(share, least) if ordered[-1] > least else None
        left -= length
    return None


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list | tuple):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _texts(part)


def _cut(value: Any, length: int) -> Any:
    if isinstance(value, str):
        return Cut(value[:length], len(value) - length) if len(value) > length else value
    if isinstance(value, dict):
        return {name: _cut(part, length) for name, part in value.items()}
    if isinstance(value, list | tuple):
        parts = [_cut(part, length) for part in value]
        named = getattr(value, "_make", type(value))
        return named(parts)
    return value
