"""Keeps no pair: the selection of a baseline that is not trained."""

from typing import Literal

import polars as pl

from curation.params import Strict


class Params(Strict):
    """A selection of kind nothing."""

    kind: Literal["nothing"]


def margins(settings: Params, pairs: pl.DataFrame, deltas: dict[str, pl.DataFrame], generator_deltas: pl.DataFrame) -> pl.DataFrame:
    """No pair has a margin."""
    return pairs.select("pair_id", *(pl.lit(None, pl.Float64).alias(name) for name in ("margin", "chosen_rating", "rejected_rating")))
