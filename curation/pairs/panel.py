"""Panels: several judges' ratings of a trace as one, by a declared rule."""

from collections.abc import Mapping
from typing import Annotated, Literal, Self

import polars as pl
from pydantic import Field, model_validator

from curation.core.params import Column, Strict
from curation.core.references import Refers


class Member(Strict):
    """One dimension of one judge, and what it counts for."""

    judge: Annotated[str, Refers("judges", "pairwise_judges")]
    dimension: str
    weight: Annotated[float, Field(gt=0)]


class Panel(Strict):
    """Its members' ratings as one `dimension`. `mean` and `mean_z` are weighted, `median_z` is not; z takes each
    member's mean from its ratings and divides by their standard deviation, for members on different scales."""

    dimension: Column
    rule: Literal["mean", "mean_z", "median_z"]
    members: Annotated[list[Member], Field(min_length=2)]

    @model_validator(mode="after")
    def _weighed(self) -> Self:
        if self.rule == "median_z" and len({member.weight for member in self.members}) > 1:
            raise ValueError("median_z does not weigh; give all members one weight")
        named = [f"{member.judge} {member.dimension}" for member in self.members]
        if twice := [name for name in named if named.count(name) > 1]:
            raise ValueError(f"{twice[0]} is a member twice; give it a weight instead")
        return self

    @property
    def dimension_names(self) -> list[str]:
        """The one dimension it rates."""
        return [self.dimension]


def combine(panel: Panel, pairs: pl.DataFrame, deltas: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """The panel's rows of `deltas`, but for the mark: chosen, rejected and delta by its rule, null where a member
    has none; n the members; spread the standard deviation of their deltas, which is their disagreement."""
    sides = [_sides(panel, member, pairs, deltas) for member in panel.members]
    wide = pl.concat(
        [side.select(pl.all().name.suffix(f"_{number}")) for number, side in enumerate(sides)], how="horizontal"
    )
    count, weights = len(sides), [member.weight for member in panel.members]
    known = ~pl.any_horizontal(pl.col(f"delta_{number}").is_null() for number in range(count))
    rated = {
        side: _together(panel.rule, [pl.col(f"{side}_{number}") for number in range(count)], weights)
        for side in ("chosen", "rejected")
    }
    ratings = pl.concat_list(f"delta_{number}" for number in range(count))
    d = panel.dimension
    return pairs.select("pair_id").sort("pair_id").hstack(wide.select(
        pl.when(known).then(rated["chosen"]).alias(f"chosen_{d}"),
        pl.when(known).then(rated["rejected"]).alias(f"rejected_{d}"),
        pl.when(known).then(rated["chosen"] - rated["rejected"]).alias(f"delta_{d}"),
        pl.when(known).then(count).otherwise(0).cast(pl.Int32).alias(f"n_{d}"),
        pl.when(known).then(ratings.list.std()).alias(f"sd_{d}"),
    ))  # fmt: skip


def _sides(panel: Panel, member: Member, pairs: pl.DataFrame, deltas: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """chosen, rejected and delta of one member, standardised where the rule asks for it: over the traces in `pairs`,
    each counted once."""
    given = (
        deltas[member.judge]
        .sort("pair_id")
        .select(pl.col(f"{side}_{member.dimension}").alias(side) for side in ("chosen", "rejected"))
    )
    if panel.rule != "mean":
        ordered = pairs.sort("pair_id")
        each = pl.concat(
            [
                pl.DataFrame({"trace": ordered[f"{side}_trace_id"], "rating": given[side]})
                for side in ("chosen", "rejected")
            ]
        )
        ratings = each.drop_nulls().unique("trace", keep="first").sort("trace")["rating"].to_numpy()
        centre, scale = (ratings.mean(), ratings.std(ddof=1)) if len(ratings) > 1 else (0.0, 1.0)
        given = given.select((pl.all() - centre) / (scale if scale > 0 else 1.0))
    return given.with_columns((pl.col("chosen") - pl.col("rejected")).alias("delta"))


def _together(rule: str, ratings: list[pl.Expr], weights: list[float]) -> pl.Expr:
    if rule == "median_z":
        return pl.concat_list(ratings).list.median()
    weighed = [rating * (weight / sum(weights)) for rating, weight in zip(ratings, weights, strict=True)]
    return pl.sum_horizontal(weighed)
