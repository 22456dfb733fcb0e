"""Figures of what was measured before training: the ladder of generators, and the deltas by judge and dimension."""

from collections.abc import Iterator, Sequence

import polars as pl

from curation.core.stats import clustered_means
from curation.explore.report.asking import Asked, Row
from curation.explore.report.cells import Cell, Cells
from curation.explore.report.figures import Estimate, Figure, Panel
from curation.explore.report.sweep import Swept
from curation.tables.db import questions
from curation.tables.findings import GRADED

READ_OUT = 20  # figures that a description has
OF_LARGEST = "share of the largest delta that its scale allows"


def say_interval(row: Row, value: str = "value") -> str:
    """A figure with its interval, and of how many."""
    ends = "" if row["ci_low"] is None else f" [{row['ci_low']:.3f}, {row['ci_high']:.3f}]"
    of = f", n {row['n']:,}" if row.get("n") else ""
    return f"{row[value]:.3f}{ends}{of}"


def _intervals(rows: pl.DataFrame, by: list[str]) -> Iterator[Row]:
    """The means of `value` with their intervals, clustered by prompt, and how many rows they are of."""
    counts = {row[:-1]: row[-1] for row in rows.drop_nulls("value").group_by(by).len().rows()}
    for row in clustered_means(rows, by, "value", "prompt_id").iter_rows(named=True):
        known = row["clusters"] > 1
        ends = {end: row[end] if known and row[end] == row[end] else None for end in ("ci_low", "ci_high")}
        yield {name: row[name] for name in by} | {"value": row["mean"], **ends, "n": counts[tuple(row[k] for k in by)]}


def draw_ladder(asked: Asked) -> Figure | None:
    """How right each generator's traces are, from the top of the ladder down; None where nobody says what is right."""
    study, truth = asked.study, asked.study.reliability.truth
    if truth is None or truth not in study.judges:
        return None
    name = study.dimensions[truth][0]
    found = {row["generator"]: row for row in _rate(asked, truth, name)}
    if not found:
        return None
    order = list(dict.fromkeys([*study.pair.ladder, *study.generators]))
    first = [name_ for name_ in order if name_ in found]
    lines = [
        Estimate(one, found[one]["value"], found[one]["ci_low"], found[one]["ci_high"], say_interval(found[one]))
        for one in [*first, *sorted(found.keys() - set(first))]
    ]
    said = f"Mean {name} of each generator's traces by {truth}, with the 95 % interval, by prompt"
    return Figure("ladder", "Generators", f"{said}: {_read_out(lines)}", [Panel(said, lines, truth, None)])


def _rate(asked: Asked, truth: str, dimension: str) -> Iterator[Row]:
    """How right each generator's traces are: of answers as `curation sql -q ladder` has it, else their mean score."""
    if dimension == GRADED:
        said = asked.ask("judgments traces", questions()["ladder"])
        for row in said:
            if row["judge"] == truth and row["accuracy"] is not None:
                ends = {"value": row["accuracy"], "ci_low": row["low"], "ci_high": row["high"]}
                yield {"generator": row["generator"], "n": row["n"], **ends}
        return
    rows = asked.frame("judgments traces", """
        select t.generator, t.prompt_id, j.score as value from judgments as j join traces as t using (trace_id)
        where j.judge = $judge and j.dimension = $dimension and j.score is not null
        """, judge=truth, dimension=dimension)  # fmt: skip
    if rows.height:
        yield from _intervals(rows, ["generator"])


def draw_deltas(asked: Asked, swept: Swept) -> Figure | None:
    """The mean delta of each judge and dimension over pairs of two texts, a panel for each judge: as shares of the
    largest delta that its scale allows, all on one axis; in its own unit where it has no scale."""
    most = _largest_deltas(asked)
    panels = []
    for judge in asked.study.dimensions:
        rows = [row for row in swept.means if row["judge"] == judge]
        bounded = [row for row in rows if (judge, row["dimension"]) in most]
        for unit, those in (
            (OF_LARGEST, bounded),
            (f"{judge}'s own unit", [row for row in rows if row not in bounded]),
        ):
            if those:
                lines = [_estimate(row, most.get((judge, row["dimension"]), 1.0)) for row in those]
                panels.append(Panel(f"{judge}: {unit}", lines, unit))
    text = "Mean delta of each judge's dimensions, chosen less rejected, with the 95 % interval, clustered by prompt; "
    text += "; ".join(f"{row['judge']} {row['dimension']} {row['value']:.3f}" for row in swept.means[:READ_OUT])
    return Figure("deltas", "Deltas by dimension", text, panels) if panels else None


def _estimate(row: Row, most: float) -> Estimate:
    low, high = (None if row[end] is None else row[end] / most for end in ("ci_low", "ci_high"))
    return Estimate(row["dimension"], row["value"] / most, low, high, say_interval(row))


def _largest_deltas(asked: Asked) -> dict[tuple[str, str], float]:
    """By judge and dimension, of those with a scale: a verdict is from -1 to 1, a score from end to end."""
    scores = {
        (row["judge"], row["dimension"]): row["high"] - row["low"]
        for row in asked.ask("scales", "from scales where high > low")
    }
    return scores | {
        (judge, name): 1.0 for judge in asked.study.pairwise_judges for name in asked.study.dimensions[judge]
    }


def draw_generator_deltas(asked: Asked) -> Cells | None:
    """The mean delta of each pair of generators on each dimension that has a scale; None with fewer than two pairs."""
    most = _largest_deltas(asked)
    every = asked.ask("generator_deltas", """
        select *, concat(chosen_model, ' over ', rejected_model) as row, concat(judge, '.', dimension) as column
        from generator_deltas where mean is not null order by all""")  # fmt: skip
    found = [row for row in every if (row["judge"], row["dimension"]) in most]
    columns = [f"{judge}.{name}" for judge, names in asked.study.dimensions.items() for name in names]
    cells = {
        (row["row"], row["column"]): Cell(
            row["mean"] / most[row["judge"], row["dimension"]], f"{row['mean']:+.2f}",
            f"{row['row']}, {row['column']}: {say_interval(row, 'mean')}",
        )
        for row in found
    }  # fmt: skip
    rows = list(dict.fromkeys(row["row"] for row in found))
    there = {column for _, column in cells}
    said = "; ".join(cell.more for cell in list(cells.values())[:READ_OUT])
    text = f"Mean delta of each pair of generators by judge and dimension, coloured by one scale: {said}"
    shown = [one for one in columns if one in there]
    return (
        Cells("generator_deltas", "Deltas by pair of generators", text, rows, shown, cells) if len(rows) > 1 else None
    )


def _read_out(lines: Sequence[Estimate]) -> str:
    return ", ".join(f"{line.name} {line.value:.3f}" for line in list(lines)[:READ_OUT] if line.value is not None)
