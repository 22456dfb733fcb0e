"""Figures as SVG: text that a page holds and a file of its own, in light, dark and print, with the same colours."""

from collections.abc import Iterable, Sequence
from math import ceil, floor, log10
from typing import NamedTuple

from curation.core.text import shorten

MOST_ROWS, MOST_LINES, LONGEST = 150, 250, 46  # of a panel; of a figure, with titles; letters of a name
WIDTHS = dict.fromkeys(" ijlftrI.,:;|'!()[]-", 5.0) | dict.fromkeys("mwMW@%", 12.0)  # of letters, in wide fonts
LETTER, CAPITAL, BOLD = 7.8, 9.5, 1.15  # of all others, small ones and digits, and the rest; how much wider bold is
PLOT, LINE, GAP = 320, 18, 10  # widths and a line's height, in units of the drawing
TICKS = 5
LEAST = 1e-9  # that two values of a figure differ by


class Estimate(NamedTuple):
    """A line of a figure: `name`, and its value with the ends of its interval as far as there are any. A `heading` has
    none. `says` stands beside it, `margin` is the range that would not matter."""

    name: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    says: str = ""
    primary: bool = False
    heading: bool = False
    margin: tuple[float, float] | None = None


class Panel(NamedTuple):
    """Lines that have one scale; panels of the same `unit` have the same. `null` is what would be nothing."""

    title: str
    lines: Sequence[Estimate]
    unit: str
    null: float | None = 0.0


class Figure(NamedTuple):
    """`name` is that of its file; `title` and `text` are read out where it cannot be seen."""

    name: str
    title: str
    text: str
    panels: Sequence[Panel]


def lay_out_intervals(figure: Figure) -> dict[str, object]:
    """The figure with all places worked out, for `intervals.svg`."""
    panels, top, drawn = [], 0, _choose_panels(figure.panels)
    shown = [line for panel in drawn for line in panel.lines[:MOST_ROWS] if not line.heading]
    names, numbers = (width_of(texts) + GAP for texts in (
        [shorten(line.name, LONGEST) for line in shown], [line.says for line in shown]))  # fmt: skip
    names = ceil(BOLD * names) if any(line.primary for line in shown) else names
    for panel in drawn:
        ticks = _find_ticks([one for one in drawn if one.unit == panel.unit])
        placed = _place(panel, top, ticks, names)
        panels.append(placed)
        top = int(placed["bottom"]) + 26  # type: ignore[call-overload]
    more = len(figure.panels) - len(drawn)
    top += LINE if more else 0
    titles = BOLD * width_of([panel.title for panel in drawn])
    return {
        "id": figure.name, "title": figure.title, "text": figure.text, "panels": panels,
        "width": max(names + PLOT + GAP + numbers, ceil(titles)), "height": max(top, 1),
        "names": names - GAP, "right": names + PLOT + GAP, "left_out": more,
    }  # fmt: skip


def _choose_panels(panels: Sequence[Panel]) -> Sequence[Panel]:
    """The first ones, as many as can be looked at."""
    lines = 0
    for at, panel in enumerate(panels):
        lines += min(len(panel.lines), MOST_ROWS) + 2  # its title and its axis
        if at and lines > MOST_LINES:
            return panels[:at]
    return panels


def width_of(texts: Iterable[str]) -> int:
    """How wide the widest is, about: what fonts there are is not known where a figure is drawn."""
    return ceil(max((sum(map(_width, text)) for text in texts), default=0.0))


def _width(letter: str) -> float:
    if letter > "\u2fff":  # Chinese, Japanese, Korean, and pictures
        return 13.0
    return WIDTHS.get(letter, LETTER if letter.islower() or letter.isdigit() or letter == "_" else CAPITAL)


def _find_ticks(panels: Sequence[Panel]) -> list[float]:
    lines = [line for panel in panels for line in panel.lines[:MOST_ROWS]]
    ends = [end for line in lines for end in (line.value, line.low, line.high, *(line.margin or ()))]
    known = [end for end in [*ends, *(panel.null for panel in panels)] if end is not None]
    return find_ticks(min(known, default=0), max(known, default=1))


def _place(panel: Panel, top: int, ticks: Sequence[float], left: int) -> dict[str, object]:
    lines = panel.lines[:MOST_ROWS]
    low, high = ticks[0], ticks[-1]

    def x(value: float) -> float:
        return round(left + PLOT * (value - low) / (high - low), 1)

    start = top + 22
    rows = []
    for at, line in enumerate(lines):
        placed = {
            "y": start + LINE * at + LINE / 2, "name": shorten(line.name, LONGEST), "says": line.says,
            "heading": line.heading, "kind": kind_of(line, panel.null),
            "x": None if line.value is None else x(line.value),
            "ends": None if line.low is None or line.high is None else (x(line.low), x(line.high)),
            "margin": line.margin and (x(line.margin[0]), x(line.margin[1])),
        }  # fmt: skip
        rows.append(placed)
    bottom = start + LINE * len(lines)
    return {
        "title": panel.title, "top": top + 12, "start": start, "bottom": bottom, "rows": rows,
        "null": None if panel.null is None else x(panel.null), "ticks": [(x(tick), f"{tick:g}") for tick in ticks],
        "left_out": len(panel.lines) - len(lines),
    }  # fmt: skip


def kind_of(line: Estimate, null: float | None) -> str:
    """What decides its colour: primary, above or below what would be nothing, or unclear."""
    if line.low is None or line.high is None or null is None or line.low <= null <= line.high:
        sort = "unclear"
    else:
        sort = "above" if line.low > null else "below"
    return f"{sort} primary" if line.primary else sort


def find_ticks(low: float, high: float) -> list[float]:
    """About five round numbers, the first not above `low`, the last not below `high`."""
    if high - low <= LEAST * max(1.0, abs(low), abs(high)):  # deltas of pairs in both orders add up to 1e-18
        low, high = low - 0.5, high + 0.5
    rough = (high - low) / (TICKS - 1)
    power = 10.0 ** floor(log10(rough))
    step = next(power * one for one in (1, 2, 5, 10) if power * one >= rough * 0.999)
    first, last = floor(low / step + 1e-9), ceil(high / step - 1e-9)
    return [round(step * at, 12) + 0.0 for at in range(first, last + 1)]
