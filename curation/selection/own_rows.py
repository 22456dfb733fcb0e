"""What of a user's own rows travels with kept pairs: ids, and the columns that the sources of preference sets name."""

from collections.abc import Callable
from typing import Protocol, TypeAlias

import polars as pl

from curation.pairs.sides import join_sides
from curation.tables.carried import OF_ROW, say_alike
from curation.tables.contracts import SIDES
from curation.tables.ids import content_ids

TRACE_IDS = [f"{side}_trace_id" for side in SIDES]
RowPicker: TypeAlias = Callable[[pl.Series, list[str]], pl.DataFrame]  # some columns of the rows that have these ids


class OwnRows(Protocol):
    """The user's own rows of preference sets, by trace_id and by chosen_trace_id."""

    @property
    def responses(self) -> RowPicker: ...
    @property
    def listed_pairs(self) -> RowPicker: ...


def add_own_columns(pairs: pl.DataFrame, texts: OwnRows) -> pl.DataFrame:
    """`pairs` with external_id and carried: of the row that lists a pair, as it is or, if none does, the other way
    round; of the one with the least listed_id where there are several. Of a pair that no row lists they are what its
    two responses have in common, each column for itself."""
    listed = find_rows(pairs, texts).group_by("pair_id", maintain_order=True).first()
    ids = pl.concat([pairs[column] for column in TRACE_IDS]).unique()
    sides = join_sides(pairs.select("pair_id", *TRACE_IDS), texts.responses(ids, ["trace_id", *OF_ROW]))
    same_row = pl.when(pl.col("chosen_external_id") == pl.col("rejected_external_id")).then("chosen_external_id")
    alike = say_alike(sides, ("chosen_carried", "rejected_carried")).alias("carried")
    both = sides.select("pair_id", same_row.alias("external_id"), alike)
    found = both.join(listed, on="pair_id", how="left", maintain_order="left", suffix="_row")
    of_row = pl.col("listed_id").is_not_null()
    return pairs.hstack(found.select(
        pl.when(of_row).then(f"{name}_row").otherwise(name).alias(name) for name in OF_ROW
    ))  # fmt: skip


def find_rows(pairs: pl.DataFrame, texts: OwnRows) -> pl.DataFrame:
    """The rows of `listed_pairs` that list one of `pairs` as it is or, where none does, the other way round, with its
    pair_id; by pair_id and listed_id."""
    ids = pl.concat([pairs[column] for column in TRACE_IDS]).unique()
    listed = texts.listed_pairs(ids, ["listed_id", *TRACE_IDS, *OF_ROW])
    either = pl.concat([
        listed.with_columns(content_ids(listed.select(sides)).alias("pair_id"), pl.lit(turned).alias("turned"))
        for turned, sides in ((False, TRACE_IDS), (True, TRACE_IDS[::-1]))
    ])  # fmt: skip
    rows = either.join(pairs.select("pair_id"), on="pair_id", how="semi").sort("pair_id", "turned", "listed_id")
    as_first = rows.filter(pl.col("turned") == pl.col("turned").first().over("pair_id"))
    return as_first.select("pair_id", "listed_id", *OF_ROW)


def several_rows_message(pairs: pl.DataFrame, texts: OwnRows) -> str | None:
    """How many of the pairs stand in several rows of preference sets; None where none does."""
    counts = find_rows(pairs, texts)["pair_id"].value_counts().filter(pl.col("count") > 1)["count"]
    if counts.is_empty():
        return None
    return (
        f"{len(counts)} of {pairs.height} pairs are in several rows of a preference set, {counts.sum()} in all; "
        "external_id and carried are those of the row with the least listed_id"
    )
