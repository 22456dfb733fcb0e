"""What selection kinds share: the columns they see, and how they rank."""

from typing import Literal

import polars as pl

from curation.params import Positive, Strict


class Ranked(Strict):
    """A selection that keeps at most `budget` pairs (null: no limit), at most `per_prompt` of one prompt, highest first or last.

    Pairs with equal margins come in the order of a hash of `seed` and pair id.
    """

    budget: Positive | None
    per_prompt: Positive | None
    seed: int


class Directed(Ranked):
    """A ranked selection by a margin: which end it keeps, and the least margin it takes (null: any)."""

    keep: Literal["top", "bottom"]
    min_margin: float | None


def judged(wide: pl.DataFrame, dimension: str) -> pl.DataFrame:
    """pair_id with chosen_rating, rejected_rating and margin = the delta of one dimension."""
    return wide.select(
        "pair_id",
        pl.col(f"delta_{dimension}").alias("margin"),
        pl.col(f"chosen_{dimension}").alias("chosen_rating"),
        pl.col(f"rejected_{dimension}").alias("rejected_rating"),
    )
