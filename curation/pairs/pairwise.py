"""Sample-level deltas of pairwise judges: strengths of traces, fitted to verdicts."""

import numpy as np
import polars as pl

from curation.core.stats import stable_sum
from curation.pairs import davidson
from curation.pairs.delta import Params
from curation.pairs.noise import add_within_noise
from curation.pairs.sides import join_sides
from curation.tables.contracts import ORDERS
from curation.tables.db import query

OUTCOMES = ("low_better", "high_better", "tie")  # of two traces by id; sql/verdicts.sql makes them add up to 1


def pairwise_deltas(
    settings: Params, pairs: pl.DataFrame, preferences: pl.DataFrame, dimensions: list[str]
) -> pl.DataFrame:
    """One pairwise judge's rows of `deltas`, by pair_id: chosen and rejected are the probabilities that each is better
    (what they lack to 1 is a tie's), by strengths fitted to all verdicts on a prompt's traces, those of each of
    `dimensions` on their own; n the verdicts on the pair itself, sd the standard deviation of those in one order, null
    without repeats; bias half of what the mean verdict for chosen falls by where the other is shown first.

    A pair without a verdict of its own has no delta.
    """
    tables = {"pairs": pairs.drop("chosen_model", "rejected_model"), "preferences": preferences.drop("rationale")}
    verdicts = query("verdicts", tables, expected=settings.expected)
    ends = pairs.select("pair_id", "chosen_trace_id", "rejected_trace_id").sort("pair_id")
    columns = [_fit_dimension(settings, ends, verdicts.filter(dimension=name), name) for name in dimensions]
    wide = pl.concat([ends.select("pair_id"), *columns], how="horizontal")
    return add_within_noise(settings.noise, pairs, wide, dimensions)


def _fit_dimension(settings: Params, ends: pl.DataFrame, verdicts: pl.DataFrame, dimension: str) -> pl.DataFrame:
    """The columns of one dimension but for within_noise, a row for each of the pairs' `ends`."""
    strengths, tie = _fit_strengths(verdicts, settings.prior)
    own = _spread_within_orders(verdicts)
    rows = join_sides(ends.join(own, on="pair_id", how="left", maintain_order="left"), strengths)
    difference = (rows["chosen_strength"] - rows["rejected_strength"]).fill_null(0.0).to_numpy()
    chance = davidson.chances(difference, tie)
    rows = rows.with_columns(pl.Series("chosen", chance[:, 0]), pl.Series("rejected", chance[:, 1]))
    judged = pl.col("n").is_not_null()
    columns = {
        "chosen": pl.when(judged).then("chosen"),
        "rejected": pl.when(judged).then("rejected"),
        "delta": pl.when(judged).then(pl.col("chosen") - pl.col("rejected")),
        "n": pl.col("n").fill_null(0),
        "sd": pl.col("sd"),
        "bias": pl.col("bias"),
    }
    return rows.select(column.alias(f"{name}_{dimension}") for name, column in columns.items())


def _spread_within_orders(verdicts: pl.DataFrame) -> pl.DataFrame:
    """pair_id, n, sd and bias. What two orders differ by is no noise, so that sd is pooled over them: it is the root of
    the mean of their variances, weighted by how often each was asked again."""
    value = pl.col("value").sort_by("repeat")
    orders = verdicts.group_by("pair_id", "order").agg(
        pl.len().alias("n"), value.mean().alias("mean"), ((pl.len() - 1) * value.var().fill_null(0.0)).alias("squares")
    )
    again = pl.col("n").cast(pl.Float64).sum() - pl.len()
    first, second = (pl.col("mean").filter(pl.col("order") == order).first() for order in ORDERS)
    return orders.group_by("pair_id").agg(
        pl.col("n").sum().cast(pl.Int32),
        pl.when(again > 0).then((pl.col("squares").sort_by("order").sum() / again).sqrt()).alias("sd"),
        ((first - second) / 2).alias("bias"),
    )


def _fit_strengths(verdicts: pl.DataFrame, prior: float) -> tuple[pl.DataFrame, float]:
    """trace_id and strength, the log strength of each trace with a verdict, and the tie parameter. The same two texts
    shown in the same order are one call, and count once."""
    calls = verdicts.unique(["low", "high", "shown_first", "repeat"], keep="first", maintain_order=True)
    sums = calls.group_by("low", "high", maintain_order=True).agg(stable_sum(pl.col(OUTCOMES)))
    ids = pl.concat([sums["low"], sums["high"]]).unique().sort()
    strength, tie = np.zeros(len(ids)), 0.0
    if sums.height:
        low, high = (ids.search_sorted(sums[end]).to_numpy() for end in ("low", "high"))
        strength, tie = davidson.fit_strengths(low, high, sums.select(OUTCOMES).to_numpy(), prior)
    return pl.DataFrame({"trace_id": ids, "strength": strength}), tie
