"""Sample-level deltas of pairwise judges: strengths of traces, fitted to verdicts."""

import numpy as np
import polars as pl

from curation.pairs import davidson
from curation.pairs.delta import Params
from curation.pairs.noise import add_within_noise
from curation.pairs.sides import join_sides
from curation.tables.contracts import PREFERENCE
from curation.tables.db import query

OUTCOMES = ("low_better", "high_better", "tie")  # of two traces by id; sql/verdicts.sql makes them add up to 1


def pairwise_deltas(settings: Params, pairs: pl.DataFrame, preferences: pl.DataFrame) -> pl.DataFrame:
    """One pairwise judge's rows of `deltas`: chosen and rejected are the probabilities that each is better (what they
    lack to 1 is a tie's), by strengths fitted to all verdicts on a prompt's traces; n the verdicts on the pair
    itself and sd their standard deviation.

    A pair without a verdict of its own has no delta.
    """
    tables = {"pairs": pairs.drop("chosen_model", "rejected_model"), "preferences": preferences.drop("rationale")}
    verdicts = query("verdicts", tables, expected=settings.expected)
    strengths, tie = _fit_strengths(verdicts, settings.prior)
    own = verdicts.group_by("pair_id").agg(
        pl.len().cast(pl.Int32).alias("n"), pl.col("value").sort_by("order", "repeat").std().alias("sd")
    )
    rows = pairs.select("pair_id", "chosen_trace_id", "rejected_trace_id").sort("pair_id")
    rows = join_sides(rows.join(own, on="pair_id", how="left", maintain_order="left"), strengths)
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
    }
    named = (column.alias(f"{name}_{PREFERENCE}") for name, column in columns.items())
    return add_within_noise(settings.noise, pairs, rows.select("pair_id", *named), [PREFERENCE])


def _fit_strengths(verdicts: pl.DataFrame, prior: float) -> tuple[pl.DataFrame, float]:
    """trace_id and strength, the log strength of each trace with a verdict, and the tie parameter. The same two texts
    shown in the same order are one call, and count once."""
    calls = verdicts.unique(["low", "high", "shown_first", "repeat"], keep="first", maintain_order=True)
    sums = calls.group_by("low", "high", maintain_order=True).agg(pl.col(OUTCOMES).sum())
    ids = pl.concat([sums["low"], sums["high"]]).unique().sort()
    strength, tie = np.zeros(len(ids)), 0.0
    if sums.height:
        low, high = (ids.search_sorted(sums[end]).to_numpy() for end in ("low", "high"))
        strength, tie = davidson.fit_strengths(low, high, sums.select(OUTCOMES).to_numpy(), prior)
    return pl.DataFrame({"trace_id": ids, "strength": strength}), tie
