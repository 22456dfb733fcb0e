"""`data/report.html` and the figures in it: one file that asks for nothing, the same bytes for the same tables."""

import base64
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from curation.core.errors import write_whole
from curation.core.progress import progress
from curation.core.study import Study
from curation.explore.page import environment, render
from curation.explore.report import cost, flow, gained, measured, scorecard, subsets, words, worth
from curation.explore.report.asking import Asked, Row, asking
from curation.explore.report.cells import Cells, lay_out_cells
from curation.explore.report.curves import Curves, lay_out_curves
from curation.explore.report.figures import Figure, lay_out_intervals
from curation.explore.report.shares import Shares, draw_flow, lay_out_shares
from curation.explore.report.sweep import Swept, sweep

MOST_BYTES = 5_000_000
# letters of a text and rows of a table that are shown: the most with which the page is small enough
SHOWN = ((8000, 400), (2000, 400), (400, 400), (100, 100), (100, 20))
MOST_CARDS = 30  # that stand open
Drawn: TypeAlias = Figure | Curves | Cells | Shares
DRAWN_BY: dict[type[Drawn], tuple[str, Callable[[Any], dict[str, object]]]] = {  # the template, and what it is given
    Figure: ("intervals.svg", lay_out_intervals),
    Curves: ("curves.svg", lay_out_curves),
    Cells: ("cells.svg", lay_out_cells),
    Shares: ("shares.svg", lay_out_shares),
}


class Script(NamedTuple):
    """A script of ours, and the hash by which the page's policy lets it run, and no other."""

    text: str
    hash: str


def write_report(study: Study, folder: Path) -> None:
    """`folder`/report.html is the page, and `folder`/figures has each of its figures as a file of its own. Both are
    what the study's tables say that are there; nothing is drawn of what is not."""
    with asking(study) as asked, progress("report", 5, "parts") as shown:
        swept = sweep(asked)
        shown.advance(note="deltas")
        steps = list(flow.count_steps(asked))
        figures = list(_figures(asked, swept, steps))
        shown.advance(note="figures")
        drawn = {one.name: draw(one) for one in figures}
        values: dict[str, Any] = {"figures": drawn, "steps": steps} | _tables(asked)
        shown.advance(note="tables")
        chosen, page = list(worth.choose_pairs(asked, swept)), b""
        for letters, most in SHOWN:
            pairs = worth.describe_pairs(asked, chosen, letters)
            page = render("report.html", script=_script(), pairs=pairs, most=most, **values)
            if len(page) < MOST_BYTES:
                break
        shown.advance(note="page")
        kept = folder / "figures"
        kept.mkdir(parents=True, exist_ok=True)
        for figure in figures:
            write_whole(kept / f"{figure.name}.svg", draw(figure, alone=True).encode())
        for file in sorted(kept.glob("*.svg")):
            if file.stem not in {figure.name for figure in figures}:
                file.unlink()
        write_whole(folder / "report.html", page)
        shown.advance(note="files")


def _figures(asked: Asked, swept: Swept, steps: list[Row]) -> Iterator[Drawn]:
    drawn = (
        draw_flow(steps), measured.draw_ladder(asked), measured.draw_deltas(asked, swept),
        measured.draw_generator_deltas(asked), gained.draw_contrasts(asked, gained.list_contrasts(asked)),
        gained.draw_gains(asked), gained.draw_efficiency(asked),
    )  # fmt: skip
    yield from (one for one in drawn if one is not None)


def _tables(asked: Asked) -> dict[str, Any]:
    cards = scorecard.scorecards(asked)
    return {
        "said": list(words.say_study(asked)),
        "cards": cards,
        "open_cards": MOST_CARDS,
        "graded": [row for card in cards for row in card["measured"]],
        "aspects": scorecard.ASPECTS,
        "because": scorecard.BECAUSE,
        "by_generators": asked.ask("generator_deltas", "select * from generator_deltas where n > 0 order by all"),
        "subsets": subsets.list_subsets(asked),
        "labelled": subsets.list_labelled(asked),
        "findings": list(subsets.list_findings(asked)),
        "contrasts": gained.list_contrasts(asked),
        "gains": gained.list_gains(asked),
        "calls": cost.list_calls(asked.study),
        "work": list(cost.list_work(asked)),
    }


def draw(figure: Drawn, alone: bool = False) -> Any:
    """The figure as SVG, safe to stand in a page; `alone` with its colours, to stand in a file."""
    from markupsafe import Markup

    template, lay_out = DRAWN_BY[type(figure)]
    drawn = environment().get_template(template).render(lay_out(figure), alone=alone)
    return Markup(drawn)  # noqa: S704  # the template escapes every name in it


def _script() -> Script:
    text = environment().get_template("sort.js").render()
    return Script(text, base64.b64encode(hashlib.sha256(text.encode()).digest()).decode())
