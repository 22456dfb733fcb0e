"""Which side of a pair is right, by the judge that is taken for the truth."""

import polars as pl

VERDICT_VALUES = {"chosen": 1.0, "rejected": -1.0, "tie": 0.0}


def verdict_value() -> pl.Expr:
    """A verdict as a number: 1 for chosen, -1 for rejected, 0 for a tie, null where there is none."""
    return pl.col("verdict").replace_strict(VERDICT_VALUES, default=None, return_dtype=pl.Float64)


def label_pairs(deltas: pl.DataFrame, dimension: str, preferences: pl.DataFrame | None) -> pl.DataFrame:
    """pair_id and label: 1 where chosen is right, -1 where rejected is, 0 where neither is more so, null where that is
    unknown.

    Of a pairwise judge it is what most of its own verdicts on the pair say, since a fitted delta also says what other
    pairs make likely; of all others the sign of their delta.
    """
    if preferences is not None:
        return (
            preferences.filter(dimension=dimension)
            .group_by("pair_id")
            .agg(verdict_value().mean().round(9).sign().alias("label"))
        )
    return deltas.select("pair_id", pl.col(f"delta_{dimension}").round(9).sign().alias("label"))
