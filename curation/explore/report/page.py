"""`data/report.html` and the figures in it: one file that asks for nothing, the same bytes for the same tables."""

import base64
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from curation.core.errors import write_whole
from curation.core.progress import progress
from curation.core.study import Study
from curation.explore.page import environment, render
from curation.explore.report import cost, flow, gained, measured, scorecard, subsets, words, worth
from curation.explore.report.asking import Asked, asking
from curation.explore.report.curves import Curves, lay_out_curves
from curation.explore.report.figures import Figure, lay_out
from curation.explore.report.sweep import Swept, sweep

MOST_BYTES = 5_000_000
LETTERS = (8000, 2000, 400, 100)  # of a text that are shown: the most with which the page is small enough
MOST_ROWS = 400  # of a table


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
        figures = list(_figures(asked, swept))
        shown.advance(note="figures")
        values: dict[str, Any] = {"figures": {one.name: draw(one) for one in figures}} | _tables(asked)
        shown.advance(note="tables")
        chosen, page = list(worth.choose_pairs(asked, swept)), b""
        for letters in LETTERS:
            page = render("report.html", script=_script(), pairs=worth.describe_pairs(asked, chosen, letters), **values)
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


def _figures(asked: Asked, swept: Swept) -> Iterator[Figure | Curves]:
    contrasts = gained.draw_contrasts(asked, gained.list_contrasts(asked))
    drawn = (measured.draw_ladder(asked), measured.draw_deltas(asked, swept), contrasts, gained.draw_efficiency(asked))
    yield from (one for one in drawn if one is not None)


def _tables(asked: Asked) -> dict[str, Any]:
    return {
        "said": list(words.say_study(asked)),
        "steps": list(flow.count_steps(asked)),
        "cards": scorecard.scorecards(asked),
        "by_generators": asked.ask("generator_deltas", "select * from generator_deltas where n > 0 order by all"),
        "subsets": subsets.list_subsets(asked),
        "findings": list(subsets.list_findings(asked)),
        "contrasts": gained.list_contrasts(asked),
        "gains": gained.list_gains(asked),
        "calls": cost.list_calls(asked.study),
        "work": list(cost.list_work(asked)),
        "most": MOST_ROWS,
    }


def draw(figure: Figure | Curves, alone: bool = False) -> Any:
    """The figure as SVG, safe to stand in a page."""
    from markupsafe import Markup

    curves = isinstance(figure, Curves)
    places = lay_out_curves(figure) if isinstance(figure, Curves) else lay_out(figure)
    drawn = environment().get_template("curves.svg" if curves else "intervals.svg").render(places, alone=alone)
    return Markup(drawn)  # noqa: S704  # the template escapes every name in it


def _script() -> Script:
    text = environment().get_template("sort.js").render()
    return Script(text, base64.b64encode(hashlib.sha256(text.encode()).digest()).decode())
