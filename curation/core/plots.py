"""Plots as PNG, the same bytes for the same tables, so that `dvc plots show` and `diff` need no network."""

import io
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from curation.core.errors import write_whole

TITLE_WIDTH = 24  # characters of a panel's title that fit beside its neighbour's
INK, BLUE, GREY, RED = "#222222", "#3b6ea5", "#9aa4ad", "#b5432f"
NEUTRAL = {
    "first_position_rate": 0.5,
    "verdict_accuracy": 0.5,
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


class Histogram(NamedTuple):
    """41 bins: how many values are in each, their 42 ends, and the mean of the values, 0 without any."""

    counts: np.ndarray
    ends: np.ndarray
    mean: float


def histogram(values: pl.Series) -> Histogram:
    """That of `values`, of which nulls do not count, symmetrical about 0."""
    known = values.drop_nulls().to_numpy()
    counts, ends = np.histogram(known, 41, (-_largest(known), _largest(known)))
    return Histogram(counts, ends, float(known.mean()) if len(known) else 0.0)


def delta_histograms(panels: Mapping[tuple[str, str], Histogram], file: Path) -> None:
    """One histogram of deltas per judge and dimension, with zero and the mean marked."""
    figure, axes = _figure(len(panels), columns=3, width=3.6, height=2.6)
    for axis, ((judge, dimension), (counts, ends, mean)) in zip(axes, panels.items(), strict=False):
        axis.set_title(f"{judge}: {dimension}", fontsize=9)
        if counts.sum():
            axis.stairs(counts, ends, color=BLUE, fill=True)
            axis.axvline(mean, color=INK, linewidth=1)
            axis.text(
                0.03, 0.95, f"mean {mean:+.2f}\n{counts.sum()} pairs", transform=axis.transAxes, va="top", fontsize=7
            )
        axis.axvline(0, color=GREY, linewidth=1, linestyle=":")
        axis.set_xlabel("delta = chosen - rejected", fontsize=7)
        axis.set_ylabel("pairs", fontsize=7)
    _save(figure, file)


def generator_heat_map(table: pl.DataFrame, file: Path) -> None:
    """One matrix per judge and dimension: rows wrote the chosen trace, columns the rejected one, colour is the mean
    delta."""
    panels = [
        (key, group)
        for key, group in table.sort("judge", "dimension").group_by("judge", "dimension", maintain_order=True)
    ]
    models = sorted({*table["chosen_model"], *table["rejected_model"]})
    side = max(2.8, 0.24 * len(models) + 1.6)
    figure, axes = _figure(len(panels), columns=3 if len(models) < 20 else 1, width=side + 0.8, height=side)
    reaches = {judge: _largest(group["mean"].drop_nulls().to_numpy()) for (judge,), group in table.group_by("judge")}
    for axis, ((judge, dimension), group) in zip(axes, panels, strict=False):
        matrix = np.full((len(models), len(models)), np.nan)
        for chosen, rejected, mean in group.select("chosen_model", "rejected_model", "mean").rows():
            matrix[models.index(chosen), models.index(rejected)] = np.nan if mean is None else mean
        reach = reaches[str(judge)]
        image = axis.imshow(matrix, cmap="RdBu", vmin=-reach, vmax=reach)
        axis.set_title(f"{judge}: {dimension}", fontsize=9)
        axis.set_xticks(range(len(models)), models, rotation=90, fontsize=6)
        axis.set_yticks(range(len(models)), models, fontsize=6)
        axis.set_xlabel("rejected", fontsize=7)
        axis.set_ylabel("chosen", fontsize=7)
        if len(models) <= 8:
            _write_cells(axis, matrix, reach)
        figure.colorbar(image, ax=axis, shrink=0.7).ax.tick_params(labelsize=6)
    _save(figure, file)


def reliability(table: pl.DataFrame, file: Path) -> None:
    """One row per judge and dimension, one panel per measure and what it is against: the value with its 95 %
    interval, suspect ones in red."""
    rows = table.drop_nulls("value").with_columns(pl.format("{}: {}", "judge", "dimension").alias("row"))
    names = rows["row"].unique().sort().to_list()
    panels = list(rows.sort("measure", "against").group_by("measure", "against", maintain_order=True))
    figure, axes = _figure(len(panels), columns=6, width=2.1, height=0.8 + 0.17 * len(names))
    for number, (axis, ((measure, against), group)) in enumerate(zip(axes, panels, strict=False)):
        for name, suspect, value, low, high in group.select("row", "suspect", "value", "ci_low", "ci_high").rows():
            y, errors = names.index(name), [[value - low], [high - value]]
            axis.errorbar([value], [y], xerr=errors, fmt="o", color=RED if suspect else BLUE, markersize=4, capsize=2)
        if measure in NEUTRAL:
            axis.axvline(NEUTRAL[str(measure)], color=GREY, linewidth=1, linestyle=":")
        axis.set_yticks(range(len(names)), names if number % 6 == 0 else [], fontsize=7)
        axis.grid(axis="y", color="#eeeeee", linewidth=0.6)
        axis.set_ylim(len(names) - 0.5, -0.5)
        title = textwrap.fill(str(measure).replace("_", " "), TITLE_WIDTH)
        axis.set_title(f"{title}\n{f'against {against}' if against else ''}", fontsize=7)
        axis.tick_params(axis="x", labelsize=6)
        axis.locator_params(axis="x", nbins=4)
    _save(figure, file)


def calibration(curves: pl.DataFrame, file: Path) -> None:
    """One panel per judge and dimension: how often the side it finds likelier is right, by the probability it states;
    on the line it is calibrated."""
    panels = list(
        curves.sort("judge", "dimension", "estimator", "bin").group_by("judge", "dimension", maintain_order=True)
    )
    figure, axes = _figure(len(panels), columns=4, width=2.9, height=2.7)
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
    _save(figure, file)


def gains(comparisons: pl.DataFrame, file: Path) -> None:
    """One panel per benchmark, measure and what is compared with: the gain of each arm with its 95 % interval; none
    at 0; the primary contrast in red."""
    rows = comparisons.drop_nulls("gain").with_columns(
        pl.format("{} {} {} {} {}", "method", "selection", "generator_pairs", "budget", "control").alias("arm")
    )
    panels = list(
        rows.sort("measure", "benchmark", "against", "arm").group_by(
            "measure", "benchmark", "against", maintain_order=True
        )
    )
    most = max((group.height for _, group in panels), default=1)
    figure, axes = _figure(len(panels), columns=2, width=6.4, height=1.0 + 0.2 * most)
    for axis, ((measure, benchmark, against), group) in zip(axes, panels, strict=False):
        for y, (arm, gain, low, high, primary) in enumerate(
            group.select("arm", "gain", "ci_low", "ci_high", "primary").rows()
        ):
            axis.errorbar(
                [gain],
                [y],
                xerr=[[gain - low], [high - gain]],
                fmt="o",
                color=RED if primary else BLUE,
                markersize=4,
                capsize=2,
            )
            axis.text(0.01, y - 0.12, arm, transform=axis.get_yaxis_transform(), fontsize=6, va="bottom")
        axis.axvline(0, color=GREY, linewidth=1, linestyle=":")
        axis.set_yticks([])
        axis.set_ylim(group.height - 0.5, -0.9)
        axis.set_title(f"{benchmark}: {measure} over {against}", fontsize=8)
        axis.tick_params(axis="x", labelsize=7)
    _save(figure, file)


def efficiency(comparisons: pl.DataFrame, file: Path) -> None:
    """The data-efficiency curve, one panel per benchmark and measure: gain over the baseline by the pairs learnt
    from, a line for what differs in budget only, with 95 % intervals."""
    rows = comparisons.filter(pl.col("against") == "baseline").sort(
        "measure", "benchmark", "method", "selection", "generator_pairs", "control", "pairs"
    )
    panels = list(rows.group_by("measure", "benchmark", maintain_order=True))
    figure, axes = _figure(len(panels), columns=2, width=5.6, height=3.2)
    for axis, ((measure, benchmark), group) in zip(axes, panels, strict=False):
        lines = list(group.group_by("method", "selection", "generator_pairs", "control", maintain_order=True))
        for number, (name, line) in enumerate(lines):
            # apart by a hundredth, so that intervals of as many pairs are all seen
            x = line["pairs"] * (1 + 0.01 * (number - (len(lines) - 1) / 2))
            errors = [line["gain"] - line["ci_low"], line["ci_high"] - line["gain"]]
            axis.errorbar(
                x,
                line["gain"],
                yerr=errors,
                fmt="o-",
                markersize=3,
                linewidth=1,
                capsize=2,
                label=" ".join(map(str, name)),
            )
        axis.set_xscale("log")
        axis.set_xticks(sorted(set(group["pairs"])), [str(pairs) for pairs in sorted(set(group["pairs"]))])
        axis.minorticks_off()
        axis.axhline(0, color=GREY, linewidth=1, linestyle=":")
        axis.set_title(f"{benchmark}: {measure}", fontsize=9)
        axis.set_xlabel("pairs", fontsize=7)
        axis.set_ylabel("gain over the baseline", fontsize=7)
        axis.tick_params(labelsize=7)
    if panels:
        axes[0].legend(fontsize=5)
    _save(figure, file)


def _largest(values: np.ndarray) -> float:
    return float(np.abs(values).max()) or 1.0 if len(values) else 1.0


def _write_cells(axis: Any, matrix: np.ndarray, reach: float) -> None:
    for (row, column), value in np.ndenumerate(matrix):
        if np.isfinite(value):
            color = "white" if abs(value) > 0.6 * reach else INK
            axis.text(column, row, f"{value:+.2f}", ha="center", va="center", fontsize=6, color=color)


def _figure(panels: int, columns: int, width: float, height: float) -> tuple[Any, list[Any]]:
    from matplotlib.figure import Figure

    columns = min(columns, max(panels, 1))
    rows = -(-max(panels, 1) // columns)
    figure = Figure(figsize=(width * columns, height * rows), layout="constrained")
    axes = list(np.atleast_1d(figure.subplots(rows, columns, squeeze=False)).flat)
    for unused in axes[panels:]:
        unused.set_axis_off()
    return figure, axes


def _save(figure: Any, file: Path) -> None:
    body = io.BytesIO()
    figure.savefig(body, dpi=110, format=file.suffix[1:], metadata={"Software": None})
    write_whole(file, body.getvalue())
