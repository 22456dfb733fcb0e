"""Curves of a value by a number, a panel each beside the others, all on the same scales: no legend, and colours mean
what they mean in every figure."""

from collections.abc import Sequence
from math import log10
from typing import NamedTuple

from curation.core.text import shorten
from curation.explore.report.figures import Estimate, find_ticks, kind_of

ACROSS, MOST_PANELS = 3, 30
WIDE, HIGH, LEFT, TOP, GAP = 220, 140, 46, 40, 44  # of a panel's plot, what stands left of and above it, and below


class Curve(NamedTuple):
    """A panel: `points` by their `numbers`, which are above 0 and rise; `under` stands below its title."""

    title: str
    under: str
    numbers: Sequence[float]
    points: Sequence[Estimate]


class Curves(NamedTuple):
    """`name` is that of its file; `title` and `text` are read out where it cannot be seen. `across` and `up` say what
    the axes are; numbers go by their logarithm."""

    name: str
    title: str
    text: str
    across: str
    up: str
    panels: Sequence[Curve]


def lay_out_curves(figure: Curves) -> dict[str, object]:
    """The figure with all places worked out, for `curves.svg`."""
    shown = figure.panels[:MOST_PANELS]
    numbers = sorted({number for panel in shown for number in panel.numbers})
    first, last = log10(numbers[0]), log10(numbers[-1])
    ends = [end for panel in shown for one in panel.points for end in (one.value, one.low, one.high) if end is not None]
    ticks = find_ticks(min(*ends, 0.0), max(*ends, 0.0))

    def x(number: float) -> float:
        return round(12 + (WIDE - 24) * (0.5 if last <= first else (log10(number) - first) / (last - first)), 1)

    def y(value: float) -> float:
        return round(HIGH - HIGH * (value - ticks[0]) / (ticks[-1] - ticks[0]), 1)

    panels = []
    for at, panel in enumerate(shown):
        points = [
            {"x": x(number), "y": y(one.value), "kind": kind_of(one, 0.0), "says": one.says,
             "ends": None if one.low is None or one.high is None else (y(one.low), y(one.high))}
            for number, one in zip(panel.numbers, panel.points, strict=True) if one.value is not None
        ]  # fmt: skip
        panels.append({
            "left": LEFT + (at % ACROSS) * (WIDE + LEFT), "top": TOP + (at // ACROSS) * (HIGH + TOP + GAP),
            "title": shorten(panel.title, 36), "under": shorten(panel.under, 36), "points": points,
            "line": " ".join(f"{point['x']},{point['y']}" for point in points),
        })  # fmt: skip
    labelled = [numbers[0], numbers[-1]] if len(numbers) > 4 else numbers
    return {
        "id": figure.name, "title": figure.title, "text": figure.text, "across": figure.across, "up": figure.up,
        "panels": panels, "wide": WIDE, "high": HIGH, "null": y(0.0), "left_out": len(figure.panels) - len(shown),
        "ticks": [(y(tick), f"{tick:g}") for tick in ticks], "numbers": [(x(one), f"{one:g}") for one in labelled],
        "width": LEFT + min(len(shown), ACROSS) * (WIDE + LEFT),
        "height": -(-len(shown) // ACROSS) * (HIGH + TOP + GAP),
    }  # fmt: skip
