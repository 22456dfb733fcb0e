"""Verdicts that exist already, of people or of another judge: a user's Parquet or JSONL file, by pair_id."""

from typing import Literal

import polars as pl

from curation.calls.ledger import Ledger
from curation.core.errors import CurationError
from curation.core.params import Strict
from curation.core.ranges import FilePath
from curation.tables.contracts import ORDERS, PREFERENCE, UNKNOWN, VERDICTS
from curation.tables.user_files import ID, TEXT, ColumnType, read_columns, refuse_unmatched


class Params(Strict):
    """A pairwise judge of kind imported. `pair_id` and `verdict` (chosen, rejected or tie) name columns of `path`, as
    does `order` (chosen_first or rejected_first: which side was shown first), null where that is unknown. `unmatched`
    says what becomes of rows of unknown pairs."""

    kind: Literal["imported"]
    path: FilePath
    pair_id: str
    verdict: str
    order: str | None
    unmatched: Literal["error", "drop"]

    @property
    def dimension_names(self) -> list[str]:
        """The one dimension its verdicts come to."""
        return [PREFERENCE]


def prefer(settings: Params, name: str, pairs: pl.DataFrame, ledger: Ledger) -> pl.DataFrame:
    """One row per row of the file that is about a pair of unequal texts; rows of one pair and order are numbered as
    repeats. A null verdict is `no_reference`.

    Raises CurationError if a verdict or an order is not valid, and on rows of unknown pairs, if those are not to be
    dropped or there are no others.
    """
    columns = {"pair_id": settings.pair_id, "verdict": settings.verdict, "order": settings.order}
    types = {"pair_id": ColumnType(ID), "verdict": ColumnType(TEXT, nullable=True), "order": ColumnType(TEXT)}
    given = read_columns(settings.path, columns, types, under=f"pairwise_judges.{name}.")
    given = given if settings.order else given.with_columns(pl.lit(UNKNOWN).alias("order"))
    for column, valid in (("verdict", VERDICTS), ("order", (*ORDERS, UNKNOWN))):
        wrong = given.with_row_index("row").filter(~pl.col(column).is_in(valid))
        if wrong.height:
            raise CurationError(
                f"{settings.path}: column {columns[column]!r} holds {wrong[column][0]!r} in row {wrong['row'][0]}, "
                f"not {', '.join(valid)}"
            )
    refuse_unmatched(
        settings.path, settings.pair_id, given["pair_id"], pairs["pair_id"], settings.unmatched, "pair of unequal texts"
    )
    rows = pairs.select("pair_id").join(given, on="pair_id", maintain_order="left_right")
    status = (
        pl.when(pl.col("verdict").is_null()).then(pl.lit("no_reference")).otherwise(pl.lit("scored")).alias("status")
    )
    absent = {"strength": pl.Float64, "p_tie": pl.Float64, "rationale": pl.String}
    return rows.with_columns(
        pl.int_range(pl.len()).over("pair_id", "order").cast(pl.Int32).alias("repeat"),
        status,
        *(pl.lit(None, dtype).alias(column) for column, dtype in absent.items()),
    )
