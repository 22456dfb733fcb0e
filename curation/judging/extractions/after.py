"""What stands after a marker, such as `####` or `A:`."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Literal

from pydantic import Field

from curation.core.params import Strict
from curation.judging.extractions._kind import Match, Take, says_something, strip_emphasis, take

EMPHASIS = ("**", "__", "*", "_")


class Params(Strict):
    """An extraction of kind after: what stands after the first or the last `marker` that something stands after, up to
    the end of the line or of the text. Of it the answer is `all`, or the first or the last number.

    A marker that begins with a letter is not found within a word.
    """

    kind: Literal["after"]
    marker: Annotated[str, Field(min_length=1)]
    match: Match
    until: Literal["line", "text"]
    take: Take


def extract(settings: Params, texts: Sequence[str]) -> list[str | None]:
    """What stands after the marker in each text; None where there is no marker, or nothing after it."""
    return [take(_find_answer(settings, text), settings.take) for text in texts]


def _find_answer(settings: Params, text: str) -> str | None:
    places = list(_find_markers(text, settings.marker))
    for place in places if settings.match == "first" else reversed(places):
        end = place + len(settings.marker)
        stop = text.find("\n", end) if settings.until == "line" else -1
        rest = text[end : None if stop < 0 else stop]
        answer = strip_emphasis(_close_emphasis(text[max(0, place - 2) : place], rest))
        if says_something(answer):
            return answer
    return None


def _find_markers(text: str, marker: str) -> Iterator[int]:
    """Where the marker stands, in order."""
    place = text.find(marker)
    while place >= 0:
        if not (marker[0].isalnum() and text[place - 1 : place].isalnum()):
            yield place
        place = text.find(marker, place + len(marker))


def _close_emphasis(before: str, rest: str) -> str:
    """`rest` without the mark that closes what was opened before the marker, as in `**A:** 5` or `**A: 5**`."""
    for mark in EMPHASIS:
        if before.endswith(mark):
            return rest.removeprefix(mark) if rest.startswith(mark) else rest.rstrip().removesuffix(mark)
    return rest
