"""What became of what went in: a bar for each part, all equally long, divided by reason."""

from collections.abc import Sequence
from math import ceil
from typing import NamedTuple

from curation.core.text import shorten
from curation.explore.report.asking import Row
from curation.explore.report.figures import BOLD, GAP, LINE, LONGEST, width_of
from curation.explore.report.flow import GOOD_ENDS

MOST_PARTS, BAR, LONGEST_SAYS = 40, 240, 70  # of a step; a bar's length; letters beside it


class Shares(NamedTuple):
    """`name` is that of its file; `title` and `text` are read out where it cannot be seen. `steps` as `count_steps`
    makes them."""

    name: str
    title: str
    text: str
    steps: Sequence[Row]


def draw_flow(steps: Sequence[Row]) -> Shares | None:
    """The figure of the steps; None where there are none."""
    said = "; ".join(f"{step['step']} {step['many']:,}" for step in steps)
    text = f"How many there are at each step, and what became of them: {said}"
    return Shares("flow", "From prompts to runs", text, steps) if steps else None


def lay_out_shares(figure: Shares) -> dict[str, object]:
    """The figure with all places worked out, for `shares.svg`."""
    shown = [part for step in figure.steps for part in step["parts"][:MOST_PARTS]]
    left = width_of(shorten(part["name"], LONGEST) for part in shown) + GAP
    says = {id(part): shorten(_say(part["reasons"]), LONGEST_SAYS) for part in shown}
    steps, top = list[Row](), 0
    for step in figure.steps:
        parts = step["parts"][:MOST_PARTS]
        title = f"{step['step']}, {step['many']:,}"
        if more := len(step["parts"]) - len(parts):
            title += f"; {more:,} more parts stand in the table alone"
        steps.append({
            "title": title, "top": top + 14,
            "parts": [
                {"y": top + 20 + LINE * at, "name": shorten(part["name"], LONGEST), "says": says[id(part)],
                 "bits": list(_divide(part, left))}
                for at, part in enumerate(parts)
            ],
        })  # fmt: skip
        top += 20 + LINE * len(parts) + 8
    return {
        "id": figure.name, "title": figure.title, "text": figure.text, "steps": steps, "names": left - GAP,
        "right": left + BAR + GAP, "height": max(top, 1),
        "width": max(left + BAR + GAP + width_of(says.values()), ceil(BOLD * width_of(one["title"] for one in steps))),
    }  # fmt: skip


def _say(reasons: Row) -> str:
    return ", ".join(f"{reason} {n:,}" for reason, n in reasons.items())


def _divide(part: Row, left: int) -> list[Row]:
    """The bits of a bar, each as long as its share; what came through is full, what did not is pale, in turns."""
    bits, start, pale = [], float(left), 0
    for reason, n in part["reasons"].items():
        long = BAR * n / part["n"] if part["n"] else 0.0
        good = reason in GOOD_ENDS
        kind = "through" if good else f"short{pale % 2}"
        bits.append({"x": round(start, 1), "long": round(long, 1), "kind": kind, "says": f"{reason} {n:,}"})
        start, pale = start + long, pale + (not good)
    return bits
