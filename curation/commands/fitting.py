"""How a table fits a terminal: its cells are wrapped; where it has too many columns, each cell is a line of its own.
How lines of text do that begin with what they are of."""

import re
import shutil
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from unicodedata import combining, east_asian_width

WHERE_THERE_IS_NONE = 200  # columns of what is no terminal, as a pipe
LONGEST_WORD = 20  # that is kept whole, as a 64-bit id is
WIDEST = 100  # columns of a line of text, however wide the terminal is
BETWEEN = len(" ┆ ")
# what a line may end after: a space, `_`, `/`, and within a name a hyphen and a point
WORD = re.compile(r".+?(?:\s+|[_/]|(?<=\w)-(?=[^\W\d])|(?<=[^\W\d])\.(?=[^\W\d])|$)")


SPACES = re.compile(r".+?(?:\s+|$)")  # what a line of text may end after


def find_width() -> int:
    """The columns of the terminal, or what COLUMNS says."""
    return shutil.get_terminal_size((WHERE_THERE_IS_NONE, 24)).columns


def fit(cells: Sequence[Sequence[str]], width: int) -> list[list[str]] | None:
    """The cells of a table, the names of its columns first, each wrapped as far as it takes for the table to fit: names
    before what they are of, then what is widest. None where its words do not fit."""
    columns = list(zip(*cells, strict=True))
    widths = [max(map(count_columns, column)) for column in columns]
    least = [max(min(_longest_word(cell), LONGEST_WORD) for cell in column) for column in columns]
    bodies = [max(least[place], *map(count_columns, column[1:]), 0) for place, column in enumerate(columns)]
    room = width - BETWEEN * len(columns) - 1
    if sum(least) > room:
        return None
    for floors in (bodies, least):
        while sum(widths) > room and (over := [place for place, floor in enumerate(floors) if widths[place] > floor]):
            widths[max(over, key=widths.__getitem__)] -= 1
    return [["\n".join(wrap(cell, most)) for cell, most in zip(row, widths, strict=True)] for row in cells]


def list_cells(names: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> Iterator[str]:
    """The lines of a table that has no room: of each row a rule, and each column's name beside its cell."""
    margin = max(map(count_columns, names), default=0)
    room = max(width - margin - 2, LONGEST_WORD)
    for number, row in enumerate(rows, 1):
        yield f"─ {number} ".ljust(min(margin + 2 + room, width), "─")
        for name, cell in zip(names, row, strict=True):
            first, *others = wrap(cell, room)
            yield f"{name}{' ' * (margin - count_columns(name))}  {first}".rstrip()
            yield from (f"{' ' * (margin + 2)}{line}" for line in others)


def list_lines(lines: Sequence[tuple[str, str]], width: int) -> Iterator[str]:
    """Lines of text that are no wider, what each is of in a column of its own, of half the width at most."""
    margin = min(max((count_columns(name) for name, _ in lines), default=0), width // 2)
    for name, text in lines:
        for start, rest in zip_longest(wrap(name, margin), wrap(text, width - margin - 2, SPACES), fillvalue=""):
            yield f"{start}{' ' * (margin - count_columns(start))}  {rest}".rstrip()


def wrap(text: str, width: int, words: re.Pattern[str] = WORD) -> list[str]:
    """`text` as lines that are no wider; words are parted where one alone is wider."""
    if count_columns(text) <= width:
        return [text]
    lines, line = list[str](), ""
    for word in words.findall(text):
        if line and count_columns(f"{line}{word}".rstrip()) > width:
            lines.append(line.rstrip())
            line = ""
        for letter in word:
            if count_columns(f"{line}{letter}".rstrip()) > width:
                lines.append(line)
                line = ""
            line += letter
    return [*lines, line.rstrip()]


def count_columns(text: str) -> int:
    """Of a terminal: two for a wide letter, none for a mark on another."""
    if text.isascii():
        return len(text)
    return sum(2 if east_asian_width(letter) in "WF" else 0 if combining(letter) else 1 for letter in text)


def _longest_word(text: str) -> int:
    return max((count_columns(word.rstrip()) for word in WORD.findall(text)), default=0)
