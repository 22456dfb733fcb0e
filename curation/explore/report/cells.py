"""A grid of cells, coloured by one scale from end to end: rows by columns, each with its number."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from curation.core.text import shorten
from curation.explore.report.figures import GAP, width_of

MOST_ROWS, MOST_COLUMNS, LONGEST = 40, 30, (64, 40)  # and letters of a row's name, and of a column's
WIDE, HIGH, HEAD = 58, 22, 8  # of a cell, and above it
DARKEST = 0.4  # how opaque the furthest cell is: more, and its number could not be read


class Cell(NamedTuple):
    """`share` is from -1 to 1 and decides the colour; `says` stands in the cell, `more` is read out."""

    share: float
    says: str
    more: str


class Cells(NamedTuple):
    """`name` is that of its file; `title` and `text` are read out where it cannot be seen. `cells` by row and column;
    some may lack."""

    name: str
    title: str
    text: str
    rows: Sequence[str]
    columns: Sequence[str]
    cells: Mapping[tuple[str, str], Cell]


def lay_out_cells(figure: Cells) -> dict[str, object]:
    """The figure with all places worked out, for `cells.svg`. The furthest of all cells has the strongest colour."""
    rows, columns = figure.rows[:MOST_ROWS], figure.columns[:MOST_COLUMNS]
    names, heads = (
        {one: shorten(one, most) for one in part} for part, most in zip((rows, columns), LONGEST, strict=True)
    )
    left = width_of(names.values()) + GAP
    slope = width_of(heads.values()) * 0.71 + HEAD  # of a head that rises by 45 degrees
    furthest = max((abs(cell.share) for cell in figure.cells.values()), default=0.0) or 1.0
    placed = [
        {"x": left + WIDE * columns.index(column), "y": round(slope) + HIGH * rows.index(row), "says": cell.says,
         "more": cell.more, "kind": "above" if cell.share > 0 else "below",
         "opacity": round(DARKEST * abs(cell.share) / furthest, 3)}
        for (row, column), cell in figure.cells.items() if row in rows and column in columns
    ]  # fmt: skip
    return {
        "id": figure.name, "title": figure.title, "text": figure.text, "cells": placed, "wide": WIDE, "high": HIGH,
        "rows": [(round(slope) + HIGH * at, names[one]) for at, one in enumerate(rows)], "names": left - GAP,
        "columns": [(left + WIDE * at, heads[one]) for at, one in enumerate(columns)], "top": round(slope) - HEAD,
        "width": round(left + WIDE * len(columns) + slope), "height": round(slope) + HIGH * len(rows) + 20,
        "left_out": len(figure.rows) - len(rows) + len(figure.columns) - len(columns),
    }  # fmt: skip
