"""Plots as PNG, the same bytes for the same tables, so that `dvc plots show` and `diff` need no network."""

import io
from pathlib import Path
from typing import Any

import numpy as np

from curation.core.errors import write_whole

INK, BLUE, GREY, RED = "#222222", "#3b6ea5", "#9aa4ad", "#b5432f"


def figure_of(panels: int, columns: int, width: float, height: float) -> tuple[Any, list[Any]]:
    """A figure with room for so many panels, at most `columns` beside each other, each of `width` and `height` in
    inches; and its axes, of which those that are too many are blank."""
    from matplotlib.figure import Figure

    columns = min(columns, max(panels, 1))
    rows = -(-max(panels, 1) // columns)
    figure = Figure(figsize=(width * columns, height * rows), layout="constrained")
    axes = list(np.atleast_1d(figure.subplots(rows, columns, squeeze=False)).flat)
    for unused in axes[panels:]:
        unused.set_axis_off()
    return figure, axes


def save(figure: Any, file: Path) -> None:
    """Write the figure to `file`, whole or not at all."""
    body = io.BytesIO()
    figure.savefig(body, dpi=110, format=file.suffix[1:], metadata={"Software": None})
    write_whole(file, body.getvalue())
