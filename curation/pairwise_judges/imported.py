"""Verdicts that exist already, of people or of another judge: a user's Parquet or JSONL file, by pair_id."""

from typing import Literal

import polars as pl

from curation.calls.ledger import Ledger
from curation.errors import CurationError
from curation.params import Strict
from curation.tables import ORDERS, PREFERENCE, VERDICTS
from curation.tabular import TEXT, WHOLE, Wanted, read_columns


class Params(Strict):
    """A pairwise judge of kind imported. `pair_id` and `verdict` (chosen, rejected or tie) name columns of `path`; `order` the one that says which
    was shown first (chosen_first or rejected_first), null where that is unknown: then all count as chosen_first."""

    kind: Literal["imported"]
    path: str
    pair_id: str
    verdict: str
    order: str | None

    @property
    def dimension_names(self) -> list[str]:
        """The one dimension its verdicts come to."""
        return [PREFERENCE]


def prefer(settings: Params, name: str, asked: pl.DataFrame, ledger: Ledger) -> pl.DataFrame:
    """A row per row of the file that is of a pair: its repeat is the order among those of one pair and order. A null verdict is `no_reference`.

    Raises CurationError if a verdict or an order is none, or no row is of a pair.
    """
    columns = {"pair_id": settings.pair_id, "verdict": settings.verdict, "order": settings.order}
    given = read_columns(settings.path, columns, {"pair_id": Wanted(WHOLE), "verdict": Wanted(TEXT, nullable=True), "order": Wanted(TEXT)})
    given = given if settings.order else given.with_columns(pl.lit(ORDERS[0]).alias("order"))
    for column, valid in (("verdict", VERDICTS), ("order", ORDERS)):
        if len(wrong := given[column].drop_nulls().filter(~given[column].drop_nulls().is_in(valid))):
            raise CurationError(f"{settings.path}: column {columns[column]!r} holds {wrong[0]!r}, not {', '.join(valid)}")
    rows = asked.select("pair_id").join(given, on="pair_id", maintain_order="left_right")
    if rows.is_empty():
        raise CurationError(f"{settings.path}: no {settings.pair_id} is of a pair; take them from `python -m curation sql`")
    status = pl.when(pl.col("verdict").is_null()).then(pl.lit("no_reference")).otherwise(pl.lit("scored")).alias("status")
    unknown = {"strength": pl.Float64, "p_tie": pl.Float64, "rationale": pl.String}
    return rows.with_columns(
        pl.int_range(pl.len()).over("pair_id", "order").cast(pl.Int32).alias("repeat"), status, *(pl.lit(None, t).alias(n) for n, t in unknown.items())
    )
