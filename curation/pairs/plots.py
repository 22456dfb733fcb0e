"""Plots of deltas: of the pairs of each judge and dimension, and of the generators that wrote them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from curation.core.plots import BLUE, GREY, INK, figure_of, save


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
    figure, axes = figure_of(len(panels), columns=3, width=3.6, height=2.6)
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
    save(figure, file)


def generator_heat_map(table: pl.DataFrame, file: Path) -> None:
    """One matrix per judge and dimension: rows wrote the chosen trace, columns the rejected one, colour is the mean
    delta."""
    panels = [
        (key, group)
        for key, group in table.sort("judge", "dimension").group_by("judge", "dimension", maintain_order=True)
    ]
    models = sorted({*table["chosen_model"], *table["rejected_model"]})
    side = max(2.8, 0.24 * len(models) + 1.6)
    figure, axes = figure_of(len(panels), columns=3 if len(models) < 20 else 1, width=side + 0.8, height=side)
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
    save(figure, file)


def _largest(values: np.ndarray) -> float:
    return float(np.abs(values).max()) or 1.0 if len(values) else 1.0


def _write_cells(axis: Any, matrix: np.ndarray, reach: float) -> None:
    for (row, column), value in np.ndenumerate(matrix):
        if np.isfinite(value):
            color = "white" if abs(value) > 0.6 * reach else INK
            axis.text(column, row, f"{value:+.2f}", ha="center", va="center", fontsize=6, color=color)
