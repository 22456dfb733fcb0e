"""The plot of the declared contrasts, a forest: a line each, with its 95 % interval."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import polars as pl

from curation.core.plots import BLUE, GREY, INK, RED, save
from curation.core.study import Study
from curation.core.text import neutralize, shorten
from curation.experiment.contrast_rows import Joint, LeastSquares, Row, expand_all
from curation.experiment.contrast_table import OTHERS
from curation.experiment.estimate import PROMPTS
from curation.experiment.margins import WITHIN

GAINS = "share of right answers"
SLOPES = "share of right answers, for one more of what the arms differ in"
DELTAS = "delta, for one more of what the generators differ in"
LONGEST, MOST_INCHES = 64, 400.0  # letters of a name; of a figure's height, which a file can hold
BAND = "#e3e8ee"

Line: TypeAlias = tuple[str, dict[str, Any] | None]  # what it is called, and its row of `contrasts`; None of a heading


def forest(contrasts: pl.DataFrame, slopes: Collection[str], file: Path) -> None:
    """A panel for each unit: differences, `slopes`, and trends of deltas. In each the primary contrast first, in red,
    then families in their order, `others` last, with 0 as a line, margins as a band, and the numbers beside."""
    from matplotlib.figure import Figure

    of_deltas = (pl.col("scope") == PROMPTS) & (pl.col("runs") == 0)
    is_slope = pl.col("contrast").is_in(list(slopes))
    unit = pl.when(of_deltas).then(pl.lit(DELTAS)).when(is_slope).then(pl.lit(SLOPES)).otherwise(pl.lit(GAINS))
    rows = contrasts.with_columns(unit.alias("unit"))
    panels = [(title, list(_lines(part))) for title in (GAINS, SLOPES, DELTAS) if len(part := rows.filter(unit=title))]
    heights = [0.7 + 0.2 * len(lines) for _, lines in panels] or [1.0]
    size = (9.0, min(sum(heights), MOST_INCHES))
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0]
    for axis, (title, lines) in zip(axes, panels, strict=False):
        _draw(axis, lines)
        axis.set_title(f"{title}, 95 %", fontsize=8, loc="left")
    if not panels:
        axes[0].set_axis_off()
    save(figure, file)


def find_slopes(study: Study) -> set[str]:
    """The names of the contrasts that are slopes, or coefficients, of runs: each in a unit of its own."""

    def is_slope(row: object) -> bool:
        return isinstance(row, Row) and isinstance(row.weighing, LeastSquares)

    rows = expand_all(study)
    return {row.name for row in rows if is_slope(row) or (isinstance(row, Joint) and is_slope(row.members[0]))}


def _lines(rows: pl.DataFrame) -> Iterator[Line]:
    """Of each family a line with its name, and the benchmark where all have one; then its members, by what they differ
    in."""
    rows = rows.sort(pl.col("family") == OTHERS, maintain_order=True)
    for (family,), members in rows.group_by("family", maintain_order=True):
        shared = members["benchmark"][0] if members["benchmark"].n_unique() == 1 and members.height > 1 else ""
        yield _about(str(family), shared), None
        for row in members.iter_rows(named=True):
            name = row["contrast"].removeprefix(f"{family}.")
            yield _about(name, "" if row["benchmark"] in (shared, name) else row["benchmark"]), row


def _about(name: str, benchmark: str) -> str:
    return f"{name} ({benchmark})" if benchmark else name


def _draw(axis: Any, lines: Sequence[Line]) -> None:
    beside = axis.get_yaxis_transform()
    for y, (_, row) in enumerate(lines):
        if row is None:
            continue
        if row["estimate"] is None:
            axis.text(1.01, y, "no result", transform=beside, fontsize=6, va="center", color=GREY)
            continue
        value, ends, color = row["estimate"], (row["ci_low"], row["ci_high"]), RED if row["primary"] else BLUE
        _draw_margin(axis, y, row["margin"])
        reach = None if ends[0] is None else [[value - ends[0]], [ends[1] - value]]
        axis.errorbar([value], [y], xerr=reach, fmt="o", color=color, markersize=4, capsize=2)
        axis.text(1.01, y, _numbers(row), transform=beside, fontsize=6, va="center", color=INK)
    axis.axvline(0, color=GREY, linewidth=1, linestyle=":")
    names = [neutralize(shorten(name, LONGEST)) for name, _ in lines]
    axis.set_yticks(range(len(lines)), names, fontsize=6, parse_math=False)
    for label, (_, row) in zip(axis.get_yticklabels(), lines, strict=True):
        label.set_fontweight("bold" if row is None else "normal")
    axis.set_ylim(len(lines) - 0.5, -0.5)
    axis.tick_params(axis="y", length=0)
    axis.tick_params(axis="x", labelsize=6)


def _numbers(row: Mapping[str, Any]) -> str:
    """What stands beside a contrast: its estimate, interval, and verdict, corrected p, or that it has none."""
    interval = "" if row["ci_low"] is None else f"  {row['ci_low']:.3f} to {row['ci_high']:.3f}"
    said = row["verdict"] or (row["scope"] if row["p_holm"] is None else f"p_holm {row['p_holm']:.2g}")
    return f"{row['estimate']:+.3f}{interval}  {said}"


def _draw_margin(axis: Any, y: int, margin: str | None) -> None:
    """The ends of what would not matter, and a band between where it has two."""
    if margin is None:
        return
    words, size = margin.rsplit(" ", 1)
    ends = [-float(size), float(size)] if words == WITHIN else [float(size)]
    axis.fill_between([ends[0], ends[-1]], y - 0.4, y + 0.4, color=BAND, linewidth=0, zorder=0)
    axis.vlines(ends, y - 0.4, y + 0.4, color=GREY, linewidth=1)
