"""Text of a user's, a file's or a model's own, made fit to be shown: short, with nothing that a terminal acts on."""

import os
import re
from pathlib import Path

MOST_SHOWN, LONGEST_LINE = 200, 1000  # characters of a value, and of a line
UNSEEN = re.compile(  # control, format and surrogate characters but tabs, line ends, joiners and signs that show
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    r"\ufff0-\ufffb\ud800-\udfff\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]|\r(?!\n)"
)
ENDS = str.maketrans({"\n": "\\n", "\r": "\\r", "\t": "\\t"})


def shorten(text: str, most: int = MOST_SHOWN) -> str:
    """`text` of at most `most` characters: the middle of a longer one is left out."""
    return text if len(text) <= most else f"{text[: most // 2]}…{text[len(text) - (most - 1 - most // 2) :]}"


def clip(text: str, most: int = MOST_SHOWN) -> str:
    """The first characters of `text`, at most `most` with the sign that the rest is left out."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def show_around(text: str, part: str, most: int = 30) -> str:
    """`part` as it stands in `text`, with at most so many characters before and after it."""
    at = text.find(part)
    before, after = text[max(at - most, 0) : at], text[at + len(part) : at + len(part) + most]
    return f"{'…' if at > most else ''}{before}{part}{after}{'…' if len(text) > at + len(part) + most else ''}"


def neutralize(text: str) -> str:
    """`text` with every character escaped, as in `\\x1b`, that a terminal would act on or that shows nothing, but for
    tabs and line ends: terminals' commands, links, text that runs backwards. Letters and emoji stay."""
    return UNSEEN.sub(lambda found: ascii(found[0])[1:-1], text)


def one_line(text: str) -> str:
    """`text` on one line that a terminal can print, the middle of one that is too long left out."""
    return shorten(neutralize(shorten(text, LONGEST_LINE)).translate(ENDS), LONGEST_LINE)


def say_count(number: int, one: str, many: str | None = None) -> str:
    """The number before its noun, and a verb if it has one: `1 row is`, `2 rows are`. Without `many` it is `one` with
    an s."""
    return f"{number} {one if number == 1 else many or f'{one}s'}"


def to_path(text: str) -> Path:
    """The path that a text of params.yaml means: `~` is the home of a user, as in a shell; of a user that there is not
    it stays, where pathlib raises."""
    return Path(os.path.expanduser(text))  # noqa: PTH111
