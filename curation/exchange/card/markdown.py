"""Markdown, and text of others made fit for it: whatever a name or a model says, it is shown and does nothing."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from curation.core.text import clip, neutralize, one_line

PLAIN = re.compile(r"[\w .,:;()/+=<>'\"-]*[\w.)\"'-]", re.ASCII)  # in a code span it stands as it is, in a cell too
ACTIVE = re.compile(r"[\\`*{}\[\]<>#|~$&!@]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|(?<=:)//|^[-+=.\d]|www")

NO_BREAK = "\u00a0"  # a space at which no line ends


def text(said: str) -> str:
    """`said` on one line, as prose: every letter that markdown or HTML would act on is written as its number."""
    return ACTIVE.sub(lambda found: "".join(f"&#{ord(letter)};" for letter in found[0]), one_line(said))


def code(said: str) -> str:
    """`said` on one line, as code; fit for a cell."""
    line = one_line(said)
    if PLAIN.fullmatch(line):
        return f"`{line}`"
    return tag(line) if line else ""


def fence(said: str, language: str = "text", most: int = 10_000) -> list[str]:
    """The lines of `said`, the first `most` letters of it, within a fence that they do not end."""
    body = neutralize(clip(said, most)).replace("\r", "")
    longest = max((len(ticks) for ticks in re.findall("`+", body)), default=0)
    ticks = "`" * max(3, longest + 1)
    return [f"{ticks}{language}", *body.rstrip("\n").split("\n"), ticks, ""]


def table(head: Sequence[str], rows: Iterable[Sequence[object]], numbers: Iterable[str] = ()) -> list[str]:
    """A table of cells that are markdown already, null an empty one; `numbers` names the columns that are set right.
    Nothing without rows."""
    right = set(numbers)
    lines = [_row("" if cell is None else cell for cell in cells) for cells in rows]
    if not lines:
        return []
    return [_row(head), _row("---:" if name in right else "---" for name in head), *lines, ""]


def filled(head: Sequence[str], rows: Sequence[Sequence[object]], numbers: Iterable[str] = ()) -> list[str]:
    """The table without the columns that no row has a value in."""
    kept = [at for at in range(len(head)) if any(row[at] not in (None, "") for row in rows)]
    return table([head[at] for at in kept], [[row[at] for at in kept] for row in rows], numbers)


def section(title: str, *parts: Iterable[str], level: int = 2) -> list[str]:
    """The parts under a heading. Nothing where they are empty."""
    body = [line for part in parts for line in part]
    return [f"{'#' * level} {title}", "", *body] if body else []


def tag(said: str) -> str:
    """`said` on one line, as code where markdown is not read: in HTML."""
    return f"<code>{text(said)}</code>"


def details(title: str, body: Sequence[str]) -> list[str]:
    """What a reader opens to see; `title` is HTML."""
    return ["<details>", f"<summary>{title}</summary>", "", *body, "</details>", ""] if body else []


def number(value: float | None, signed: bool = False) -> str | None:
    """To three decimals, `+` before one above 0 where it is `signed`; null stays."""
    if value is None:
        return None
    rounded = round(value, 3) + 0.0  # no -0.000
    return f"{rounded:+.3f}" if signed and rounded else f"{rounded:.3f}"


def interval(low: float | None, high: float | None, signed: bool = False) -> str | None:
    """`low to high`, which no line breaks; null where there is none."""
    if low is None or high is None:
        return None
    return f"{number(low, signed)} to {number(high, signed)}".replace(" ", NO_BREAK)


def with_interval(row: Mapping[str, Any] | None) -> str | None:
    """The value of a row of `reliability` and its interval, bold where it is suspect; null without a row."""
    if row is None or row["value"] is None:
        return None
    ends = interval(row["ci_low"], row["ci_high"])
    said = f"{number(row['value'])}{f' ({ends})' if ends else ''}"
    return f"**{said}**" if row["suspect"] else said


def share(part: int, whole: int) -> str:
    """`3 of 12 (25.0 %)`."""
    return f"{part:,} of {whole:,} ({part / whole:.1%})".replace("%", f"{NO_BREAK}%") if whole else "0 of 0"


def listed(names: Sequence[str], word: str = "and") -> str:
    """`a, b and c`; of none an empty text."""
    *first, last = names or [""]
    return f"{', '.join(first)} {word} {last}" if first else last


def _row(cells: Iterable[object]) -> str:
    return f"| {' | '.join(map(str, cells))} |"
