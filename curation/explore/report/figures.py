"""Figures as SVG: text that a page holds and a file of its own, in light, dark and print, with the same colours."""

from collections.abc import Sequence
from math import ceil, floor, log10
from typing import NamedTuple

from curation.core.text import shorten

MOST_ROWS, LONGEST = 150, 46  # of a panel; letters of a name
NAMES, PLOT, NUMBERS, LINE = 300, 320, 280, 18  # widths and a line's height, in units of the drawing
TICKS = 5


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


def lay_out(figure: Figure) -> dict[str, object]:
    """The figure with all places worked out, for `intervals.svg`."""
    panels, top = [], 0
    for panel in figure.panels:
        placed = _place(panel, top, _find_ticks([one for one in figure.panels if one.unit == panel.unit]))
        panels.append(placed)
        top = int(placed["bottom"]) + 26  # type: ignore[call-overload]
    return {
        "id": figure.name, "title": figure.title, "text": figure.text, "panels": panels,
        "width": NAMES + PLOT + NUMBERS, "height": max(top, 1), "names": NAMES - 10, "right": NAMES + PLOT + 10,
    }  # fmt: skip


def _find_ticks(panels: Sequence[Panel]) -> list[float]:
    lines = [line for panel in panels for line in panel.lines[:MOST_ROWS]]
    ends = [end for line in lines for end in (line.value, line.low, line.high, *(line.margin or ()))]
    known = [end for end in [*ends, *(panel.null for panel in panels)] if end is not None]
    return find_ticks(min(known, default=0), max(known, default=1))


def _place(panel: Panel, top: int, ticks: Sequence[float]) -> dict[str, object]:
    lines = panel.lines[:MOST_ROWS]
    low, high = ticks[0], ticks[-1]

    def x(value: float) -> float:
        return round(NAMES + PLOT * (value - low) / (high - low), 1)

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
    if high <= low:
        low, high = low - 0.5, high + 0.5
    rough = (high - low) / (TICKS - 1)
    power = 10.0 ** floor(log10(rough))
    step = next(power * one for one in (1, 2, 5, 10) if power * one >= rough * 0.999)
    first, last = floor(low / step + 1e-9), ceil(high / step - 1e-9)
    return [round(step * at, 12) + 0.0 for at in range(first, last + 1)]
