"""Plots of how far each judge can be believed, and of how well its confidence is calibrated."""

import textwrap
from pathlib import Path

import polars as pl

from curation.core.plots import BLUE, GREY, RED, figure_of, save

TITLE_WIDTH = 24  # characters of a panel's title that fit beside its neighbour's
NEUTRAL = {
    "first_position_rate": 0.5,
    "position_bias": 0.0,
    "verdict_accuracy": 0.5,
    "longer_preferred_rate": 0.5,
    "reversal_rate": 0.5,
    "self_preference": 0.0,
    "drift": 0.0,
    "overconfidence": 0.0,
    "calibrated_overconfidence": 0.0,
    "auroc": 0.5,
    "pairwise_accuracy": 0.5,
    **{
        f"{part}{measure}": 0.0
        for part in ("", "reasoning_", "answer_")
        for measure in ("length_correlation", "length_correlation_equally_right", "delta_at_equal_length")
    },
    "kappa": 0.0,
    "alpha": 0.0,
}


def reliability(table: pl.DataFrame, file: Path) -> None:
    """One row per judge and dimension, one panel per measure and what it is against: the value with its 95 %
    interval as far as there is one, suspect ones in red; a grey bar is what always saying "chosen" would score."""
    rows = table.drop_nulls("value").with_columns(pl.format("{}: {}", "judge", "dimension").alias("row"))
    names = rows["row"].unique().sort().to_list()
    panels = list(rows.sort("measure", "against").group_by("measure", "against", maintain_order=True))
    figure, axes = figure_of(len(panels), columns=6, width=2.1, height=0.8 + 0.17 * len(names))
    for number, (axis, ((measure, against), group)) in enumerate(zip(axes, panels, strict=False)):
        columns = ("row", "suspect", "value", "ci_low", "ci_high", "base_rate")
        for name, suspect, value, low, high, base_rate in group.select(columns).rows():
            y, errors = names.index(name), None if low is None else [[value - low], [high - value]]
            axis.errorbar([value], [y], xerr=errors, fmt="o", color=RED if suspect else BLUE, markersize=4, capsize=2)
            if base_rate is not None and measure != "auroc":
                axis.plot([base_rate], [y], "|", color=GREY, markersize=10)
        if measure in NEUTRAL:
            axis.axvline(NEUTRAL[str(measure)], color=GREY, linewidth=1, linestyle=":")
        axis.set_yticks(range(len(names)), names if number % 6 == 0 else [], fontsize=7)
        axis.grid(axis="y", color="#eeeeee", linewidth=0.6)
        axis.set_ylim(len(names) - 0.5, -0.5)
        title = textwrap.fill(str(measure).replace("_", " "), TITLE_WIDTH)
        axis.set_title(f"{title}\n{f'against {against}' if against else ''}", fontsize=7)
        axis.tick_params(axis="x", labelsize=6)
        axis.locator_params(axis="x", nbins=4)
    save(figure, file)


def calibration(curves: pl.DataFrame, file: Path) -> None:
    """One panel per judge and dimension: how often the side it finds likelier is right, by the probability it states;
    on the line it is calibrated."""
    panels = list(
        curves.sort("judge", "dimension", "estimator", "bin").group_by("judge", "dimension", maintain_order=True)
    )
    figure, axes = figure_of(len(panels), columns=4, width=2.9, height=2.7)
    for axis, ((judge, dimension), group) in zip(axes, panels, strict=False):
        axis.plot([0.5, 1], [0.5, 1], color=GREY, linewidth=1, linestyle=":")
        for (estimator,), rows in group.group_by("estimator", maintain_order=True):
            colour = RED if estimator == "judge" else BLUE
            axis.vlines(rows["confidence"], rows["ci_low"], rows["ci_high"], color=colour, linewidth=1)
            axis.plot(
                rows["confidence"],
                rows["accuracy"],
                "o-",
                color=colour,
                markersize=3,
                linewidth=1,
                label=f"{estimator} ({rows['n'].sum()} pairs)",
            )
        axis.set_title(f"{judge}: {dimension}", fontsize=8)
        axis.set_xlabel("confidence", fontsize=7)
        axis.set_ylabel("share right", fontsize=7)
        axis.set_xlim(0.48, 1.02)
        axis.set_ylim(-0.05, 1.05)
        axis.tick_params(labelsize=6)
        axis.legend(fontsize=6, loc="lower right")
    save(figure, file)
