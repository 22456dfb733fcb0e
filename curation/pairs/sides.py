"""What belongs to a trace, on both sides of a pair."""

import polars as pl

from curation.tables.contracts import SIDES


def join_sides(pairs: pl.DataFrame, traces: pl.DataFrame) -> pl.DataFrame:
    """`pairs`, in their order, with every column of `traces` but trace_id twice: as chosen_<column> and as
    rejected_<column>, null where `traces` has no row of that trace. It has at most one row a trace."""
    for side in SIDES:
        ids = pairs.select(pl.col(f"{side}_trace_id").alias("trace_id"))
        columns = ids.join(traces, on="trace_id", how="left", maintain_order="left").drop("trace_id")
        pairs = pairs.hstack(columns.select(pl.all().name.prefix(f"{side}_")))
    return pairs
