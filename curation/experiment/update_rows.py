"""The rows by whose number an arm takes its updates, where these are not its own: those of the selection that it is a
control of, or all that it could draw."""

from collections.abc import Mapping

import polars as pl

from curation.experiment.controls import Params as Control
from curation.experiment.drawing import pool
from curation.selection.labelled import Labelled
from curation.selection.select import Selection
from curation.selection.soft_labels import p_chosen
from curation.tables.contracts import SIDES, empty
from curation.tables.update_rows import UPDATE_ROWS

IDS = [f"{side}_trace_id" for side in SIDES]


def update_rows(control: Control, selection: Selection, labelled: Labelled | None) -> pl.DataFrame | None:
    """The rows of `update_rows` of an arm, but for its name: pairs, and single traces, with their labels as they are.
    None where the arm's own examples decide."""
    if control.updates_of is None:
        return None
    candidates = selection.pairs
    rows = selection.kept if control.updates_of == "own" else pool(control, selection)
    columns = [candidates.column(name)[rows] for name in ("pair_id", *IDS)]
    pairs = pl.DataFrame([*columns, p_chosen(selection, rows)])
    singles = _one_sided(pairs)
    if labelled is not None:
        traces = labelled.kept if control.updates_of == "own" else labelled.pool
        singles = labelled.examples(traces, labelled.desirable[traces])
    label = pl.col("label")
    return pl.concat(
        [
            pairs.select(pl.lit("subsets").alias("reads"), pl.col("pair_id").alias("row_id"), *IDS, "p_chosen"),
            singles.select(
                pl.lit("unpaired").alias("reads"),
                pl.col("trace_id").alias("row_id"),
                pl.when(label).then("trace_id").alias(IDS[0]),
                pl.when(~label).then("trace_id").alias(IDS[1]),
                pl.lit(None, pl.Float64).alias("p_chosen"),
            ),
        ]
    )


def _one_sided(pairs: pl.DataFrame) -> pl.DataFrame:
    """trace_id and label of each trace that is on one side only, as `unpair` takes them."""
    sides = [pairs.select(trace_id=name, label=pl.lit(side == "chosen")) for side, name in zip(SIDES, IDS, strict=True)]
    return pl.concat(sides).unique().filter(pl.col("label").n_unique().over("trace_id") == 1)


def collect_update_rows(of_arms: Mapping[str, pl.DataFrame | None]) -> pl.DataFrame:
    """The rows of `update_rows` of all arms, by their names."""
    named = [rows.select(pl.lit(arm).alias("arm"), pl.all()) for arm, rows in of_arms.items() if rows is not None]
    return pl.concat([empty(UPDATE_ROWS), *named])
