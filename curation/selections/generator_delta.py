"""Ranks pairs by the generator-level delta: the mean delta between the two generators that wrote them."""

from typing import Annotated, Literal

import polars as pl

from curation.params import RATING, Refers
from curation.selections._margin import Directed, judged


class Params(Directed):
    """A selection of kind generator_delta; `judge` and `dimension` say on what the generators are compared."""

    kind: Literal["generator_delta"]
    judge: Annotated[str, Refers(*RATING)]
    dimension: str


def margins(settings: Params, pairs: pl.DataFrame, deltas: dict[str, pl.DataFrame], generator_deltas: pl.DataFrame) -> pl.DataFrame:
    """A pair's margin is the mean delta of its two generators; its ratings are its own."""
    means = generator_deltas.filter((pl.col("judge") == settings.judge) & (pl.col("dimension") == settings.dimension))
    means = means.select("chosen_model", "rejected_model", pl.col("mean").alias("margin"))
    ratings = judged(deltas[settings.judge], settings.dimension).drop("margin")
    return (
        pairs.join(means, on=["chosen_model", "rejected_model"], how="left")
        .join(ratings, on="pair_id", how="left")
        .select("pair_id", "margin", "chosen_rating", "rejected_rating")
    )
