"""Keeps `budget` pairs at random: the control of every other selection. Without a budget it keeps all pairs."""

from typing import Literal

import polars as pl

from curation.selections._margin import Ranked


class Params(Ranked):
    """A selection of kind random: the first pairs in the order of a hash of `seed` and pair id."""

    kind: Literal["random"]


def margins(settings: Params, pairs: pl.DataFrame, deltas: dict[str, pl.DataFrame], generator_deltas: pl.DataFrame) -> pl.DataFrame:
    """Every pair has margin 0, so that only the hash ranks."""
    return pairs.select("pair_id", pl.lit(0.0).alias("margin"), *(pl.lit(None, pl.Float64).alias(n) for n in ("chosen_rating", "rejected_rating")))
