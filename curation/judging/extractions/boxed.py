r"""What stands in `\boxed{…}` or `\fbox{…}`, whatever is nested in it.

Braces are matched in one pass over the text; `\{` and `\}` are signs and match nothing.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Literal

from curation.core.params import Strict
from curation.judging.extractions._kind import Match, says_something

BOX = r"\\+(?:boxed|fbox|framebox)(?![a-zA-Z])|(?<![a-zA-Z\\])boxed(?=\{)"  # the latter where a backslash was lost
TOKEN = re.compile(rf"(?P<box>{BOX})|\\.|[{{}}]", re.DOTALL)
BLANKS = " \t\n"
AROUND = f"{BLANKS}$"  # what may stand between a box's braces and its content


class Params(Strict):
    r"""An extraction of kind boxed: the first or the last box that is not empty. Of boxes in boxes it is the outer one,
    or the inner one where that is all that the outer one holds. A box that is never closed is no answer, and the last
    box before it is none either."""

    kind: Literal["boxed"]
    match: Match


def extract(settings: Params, texts: Sequence[str]) -> list[str | None]:
    """What the box of each text holds; None where there is none, only empty ones, or the last is never closed."""
    return [_find_answer(text, settings.match) if "box" in text else None for text in texts]


def _find_answer(text: str, match: Match) -> str | None:
    boxes = [content for content in find_boxes(text) if content is None or says_something(content)]
    if match == "last":
        return boxes[-1] if boxes else None
    return next((content for content in boxes if content is not None), None)


def find_boxes(text: str) -> Iterator[str | None]:
    """What the boxes of a text hold, in order, without the blanks and dollars around it. None stands for a box that is
    never closed; boxes in it count as its neighbours."""
    boxes, closing = _match_braces(text)
    end = -1
    for box, opening in boxes.items():
        if box < end:  # within the one before
            continue
        close = closing.get(opening)
        if text[opening : opening + 1] != "{":
            close, content = _read_bare(text, opening, closing)
            yield content
        elif close is None:
            yield None
        else:
            yield _unwrap(text, opening, close, boxes, closing)
        end = box if close is None else close


def _match_braces(text: str) -> tuple[dict[int, int], dict[int, int]]:
    """By the place of each box's command the place where its argument begins, and by the place of each opening brace
    that of its closing one."""
    boxes, closing, opened = dict[int, int](), dict[int, int](), list[int]()
    for token in TOKEN.finditer(text):
        if token["box"]:
            boxes[token.start()] = _skip(text, token.end(), BLANKS)
        elif token[0] == "{":
            opened.append(token.start())
        elif token[0] == "}" and opened:
            closing[opened.pop()] = token.start()
    return boxes, closing


def _unwrap(text: str, opening: int, close: int, boxes: dict[int, int], closing: dict[int, int]) -> str:
    """What stands between two braces; between those of the inner box, if that is all."""
    while True:
        start = _skip(text, opening + 1, AROUND)
        inner = boxes.get(start, -1)
        inner_close = closing.get(inner, -1)
        if inner_close < 0 or _skip(text, inner_close + 1, AROUND) < close:
            return text[opening + 1 : close].strip(AROUND)
        opening, close = inner, inner_close


def _read_bare(text: str, start: int, closing: dict[int, int]) -> tuple[int | None, str | None]:
    r"""Where the argument of `\boxed 5` or `\boxed\frac12` ends, and the argument: all up to a blank or a dollar that
    stands in no braces, without the stop after it. None and None if a brace in it is never closed."""
    end = start
    while end < len(text) and text[end] not in f"{AROUND}}}":
        if text[end] == "{":
            if end not in closing:
                return None, None
            end = closing[end]
        end += 2 if text[end] == "\\" else 1
    return end, text[start:end].rstrip(".,;:")


def _skip(text: str, place: int, letters: str) -> int:
    """The first place from `place` on that holds none of `letters`."""
    while place < len(text) and text[place] in letters:
        place += 1
    return place
