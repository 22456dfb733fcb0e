"""The contract of the examples by whose number an arm takes its updates, and their place. They lie among the arms, and
no question reads them."""

from pathlib import Path

import polars as pl

from curation.tables.contracts import ARMS, DATA, SIDES
from curation.tables.table import ID, REAL, TEXT, Table, schema

# Of arms whose examples are not their own: pairs, and single traces on the side of their label.
UPDATE_ROWS = Table(
    "update_rows", "arm and pair or single trace", ("arm", "reads", "row_id"),
    schema(arm=TEXT, reads=TEXT, row_id=ID, chosen_trace_id=(ID,), rejected_trace_id=(ID,), p_chosen=(REAL,)),
    {"reads is one of subsets, unpaired": pl.col("reads").is_in(("subsets", "unpaired")),
     "a pair has two sides, a single trace one":
        pl.sum_horizontal(pl.col(f"{side}_trace_id").is_not_null() for side in SIDES)
        == pl.when(pl.col("reads") == "subsets").then(2).otherwise(1)},
)  # fmt: skip


def update_rows_path(data: Path = DATA) -> Path:
    """Where `update_rows` lies, which is of all arms."""
    return data / ARMS / "update_rows.parquet"
