"""Panels: several judges' ratings of a trace as one, by a declared rule."""

from collections.abc import Mapping
from typing import Annotated, Literal, Self

import polars as pl
from pydantic import Field, model_validator

from curation.core.params import Column, Strict
from curation.core.ranges import Factor
from curation.core.references import Refers
from curation.pairs.noise import add_within_noise
from curation.tables.contracts import SIDES


class Member(Strict):
    """One dimension of one judge, and what it counts for."""

    judge: Annotated[str, Refers("judges", "pairwise_judges")]
    dimension: str
    weight: Factor


class Panel(Strict):
    """Its members' ratings as one `dimension`. `mean` and `mean_z` are weighted, `median_z` is not; z takes each
    member's mean from its ratings and divides by their standard deviation, for members on different scales."""

    dimension: Column
    rule: Literal["mean", "mean_z", "median_z"]
    members: Annotated[list[Member], Field(min_length=2)]

    @model_validator(mode="after")
    def _check_members(self) -> Self:
        if self.rule == "median_z" and len({member.weight for member in self.members}) > 1:
            raise ValueError("median_z does not weigh; give all members one weight")
        names = [f"{member.judge} {member.dimension}" for member in self.members]
        if twice := [name for name in names if names.count(name) > 1]:
            raise ValueError(f"{twice[0]} is a member twice; give it a weight instead")
        return self

    @property
    def dimension_names(self) -> list[str]:
        """The one dimension it rates."""
        return [self.dimension]


def panel_deltas(panel: Panel, pairs: pl.DataFrame, deltas: Mapping[str, pl.DataFrame], noise: float) -> pl.DataFrame:
    """The panel's rows of `deltas`, from those of its members' judges: chosen, rejected and delta by its rule, null
    where a member has none; n the members; sd the standard deviation of their deltas, which is their disagreement;
    within_noise by `noise` times that."""
    members = [_rate(panel, member, pairs, deltas) for member in panel.members]
    wide = pl.concat(
        [ratings.select(pl.all().name.suffix(f"_{number}")) for number, ratings in enumerate(members)],
        how="horizontal",
    )
    count = len(members)
    chosen, rejected = (_combine(panel, [pl.col(f"{side}_{number}") for number in range(count)]) for side in SIDES)
    deltas_of_members = [pl.col(f"delta_{number}") for number in range(count)]
    complete = ~pl.any_horizontal(delta.is_null() for delta in deltas_of_members)
    columns = {
        "chosen": pl.when(complete).then(chosen),
        "rejected": pl.when(complete).then(rejected),
        "delta": pl.when(complete).then(chosen - rejected),
        "n": pl.when(complete).then(count).otherwise(0).cast(pl.Int32),
        "sd": pl.when(complete).then(pl.concat_list(deltas_of_members).list.std()),
    }
    rated = wide.select(column.alias(f"{name}_{panel.dimension}") for name, column in columns.items())
    rows = pairs.select("pair_id").sort("pair_id").hstack(rated)
    return add_within_noise(noise, pairs, rows, panel.dimension_names)


def _rate(panel: Panel, member: Member, pairs: pl.DataFrame, deltas: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """chosen, rejected and delta of one member, by pair_id, standardised where the rule asks for it: over the traces
    in `pairs`, each counted once."""
    rows = deltas[member.judge].sort("pair_id")
    ratings = rows.select(pl.col(f"{side}_{member.dimension}").alias(side) for side in SIDES)
    if panel.rule != "mean":
        ordered = pairs.sort("pair_id")
        by_side = [pl.DataFrame({"trace": ordered[f"{side}_trace_id"], "rating": ratings[side]}) for side in SIDES]
        by_trace = pl.concat(by_side).drop_nulls().unique("trace", keep="first").sort("trace")["rating"].to_numpy()
        centre, scale = (by_trace.mean(), by_trace.std(ddof=1)) if len(by_trace) > 1 else (0.0, 1.0)
        ratings = ratings.select((pl.all() - centre) / (scale if scale > 0 else 1.0))
    return ratings.with_columns((pl.col("chosen") - pl.col("rejected")).alias("delta"))


def _combine(panel: Panel, ratings: list[pl.Expr]) -> pl.Expr:
    """The members' ratings of one side as the panel's."""
    if panel.rule == "median_z":
        return pl.concat_list(ratings).list.median()
    weights = [member.weight for member in panel.members]
    weighted = [rating * (weight / sum(weights)) for rating, weight in zip(ratings, weights, strict=True)]
    return pl.sum_horizontal(weighted)
