"""Selections: a verdict with a reason on every candidate pair."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import polars as pl

from curation import ranking
from curation.candidates import Candidates, rating
from curation.rules import (
    COST,
    GENERATOR_SHARE,
    KEPT,
    OUTSIDE,
    OVER_BUDGET,
    PER_PROMPT,
    REVERSED,
    TIE,
    UNSCORED,
    Band,
    GeneratorShare,
    Nearest,
    Params,
    Quantiles,
)
from curation.stats import numbered
from curation.tables import DECIMALS

OPEN = 255  # no reason yet


def select(name: str, settings: Params, pairs: Candidates) -> pl.DataFrame:
    """The rows of `selections`. The first reason that applies stands: tie (equal texts), unscored (no value, or no target), the name of a requirement
    that is not met, outside_band, reversed (its reverse ranks higher), per_prompt, generator_share, over_budget, kept.

    The same rows whatever the order of the tables and the number of threads. Raises CurationError if an expression fails on a value.
    """
    found = pairs.values({name: asked.text for name, asked in settings.expressions.items() if name != "order"})
    ids = pairs.column("pair_id").to_numpy()
    margin = _numbers(found["value"]) if "value" in found.columns else np.full(len(ids), np.nan)
    reasons = [TIE, UNSCORED, *settings.require, OUTSIDE, REVERSED, PER_PROMPT, GENERATOR_SHARE, OVER_BUDGET, KEPT]
    verdict = np.full(len(ids), OPEN, np.uint8)

    def bar(rows: np.ndarray, reason: str) -> None:
        verdict[rows] = np.where(verdict[rows] == OPEN, reasons.index(reason), verdict[rows])

    bar(pairs.column("tie").to_numpy(), TIE)
    if settings.value is not None:
        bar(np.isnan(margin), UNSCORED)
    if "target" in found.columns:
        bar(np.isnan(_numbers(found["target"])), UNSCORED)
    for wanted in settings.require:
        bar(~found[f"require_{wanted}"].fill_null(False).to_numpy(), wanted)
    draw = ranking.draws(ids, settings.seed)
    rows = np.flatnonzero(verdict == OPEN)
    if isinstance(settings.keep, Band | Quantiles):
        inside = _inside(settings.keep, margin[rows], draw[rows])
        bar(rows[~inside], OUTSIDE)
        rows = rows[inside]
    key = _key(settings, margin, draw, found)
    chosen, rejected = (pairs.column(f"{side}_trace_id").to_numpy() for side in ("chosen", "rejected"))
    if len(ranking.reversible(chosen, rejected)):
        lost = ranking.beaten(chosen[rows], rejected[rows], key[rows], draw[rows])
        bar(rows[lost], REVERSED)
        rows = rows[~lost]
    if settings.limits.per_prompt is not None:
        first = ranking.first_of_each(pairs.column("prompt_id").to_numpy()[rows], settings.limits.per_prompt, key[rows], draw[rows])
        bar(rows[~first], PER_PROMPT)
        rows = rows[first]
    for stratum, count in _strata(settings, found, rows):
        if settings.limits.generator_share is not None:
            caps, count = _caps(settings.limits.generator_share, pairs, stratum, count)
            first = ranking.first_of_each(caps.group, caps.most, key[stratum], draw[stratum])
            bar(stratum[~first], GENERATOR_SHARE)
            stratum = stratum[first]
        kept = stratum[ranking.lowest(count, key[stratum], draw[stratum])]
        verdict[_affordable(settings, pairs, kept, key, draw)] = reasons.index(KEPT)
        bar(stratum, OVER_BUDGET)
    return pl.DataFrame({"pair_id": pairs.column("pair_id"), "margin": pl.Series(margin, nan_to_null=True)}).select(
        pl.lit(name).alias("selection"), "pair_id", pl.Series("kept", verdict == reasons.index(KEPT)),
        pl.Series("reason", verdict).cat.to(pl.Enum(reasons)), "margin",
    )  # fmt: skip


def _numbers(values: pl.Series) -> np.ndarray:
    """A value's floats, rounded as the table rounds them; nan for null and for what is not finite."""
    found = values.cast(pl.Float64).round(DECIMALS).fill_null(np.nan).to_numpy(writable=True)
    found += 0.0
    found[np.isinf(found)] = np.nan
    return found


def _inside(keep: Band | Quantiles, margin: np.ndarray, draw: np.ndarray) -> np.ndarray:
    """A mask of the rows in the band or between the quantiles."""
    if isinstance(keep, Band):
        low, high = -np.inf if keep.low is None else keep.low, np.inf if keep.high is None else keep.high
        return np.asarray((margin >= low) & (margin <= high))
    below, upto = (int(np.floor(share * len(margin) + 1e-9)) for share in (keep.low, keep.high))
    return np.asarray(ranking.lowest(upto, margin, draw) & ~ranking.lowest(below, margin, draw))


def _key(settings: Params, margin: np.ndarray, draw: np.ndarray, found: pl.DataFrame) -> np.ndarray:
    """What ranks the pairs, lowest first."""
    if isinstance(settings.keep, Nearest):
        target = _numbers(found["target"]) if "target" in found.columns else settings.keep.target
        return np.round(np.abs(margin - target), DECIMALS)
    if settings.keep.kind in ("top", "bottom"):
        return -margin if settings.keep.kind == "top" else margin
    return draw


def standing(settings: Params, pairs: Candidates) -> np.ndarray:
    """What ranks all pairs for the selection, lowest first, nan where a pair has no value."""
    found = pairs.values({name: asked.text for name, asked in settings.expressions.items() if name in ("value", "target")})
    ids = pairs.column("pair_id").to_numpy()
    margin = _numbers(found["value"]) if settings.value is not None else np.full(len(ids), np.nan)
    return _key(settings, margin, ranking.draws(ids, settings.seed), found)


def _strata(settings: Params, found: pl.DataFrame, rows: np.ndarray) -> Iterator[tuple[np.ndarray, int]]:
    """The rows of each stratum, in the order of its value's text, and how many of them the budget has room for."""
    total = len(rows)
    if settings.budget is not None and not settings.tokens:
        ((unit, amount),) = settings.budget.items()
        total = int(amount) if unit == "pairs" else int(np.floor(amount * len(rows) + 1e-9))
    if settings.strata is None:
        yield rows, total
        return
    stratum = numbered(found["stratum"][rows].cast(pl.String).fill_null(""))
    sizes = np.bincount(stratum)
    for number, count in enumerate(ranking.allocated(sizes, total, settings.strata.shares)):
        yield rows[stratum == number], int(count)


class Caps(NamedTuple):
    """The group of each row, and how many its group may give."""

    group: np.ndarray
    most: np.ndarray


def _caps(share: GeneratorShare, pairs: Candidates, rows: np.ndarray, total: int) -> tuple[Caps, int]:
    """How many pairs each generator may give for none to exceed its share, and how many that are in all."""
    group = numbered(pairs.column(f"{share.side}_model")[rows])
    caps, given = ranking.capped(np.bincount(group), total, share.at_most)
    return Caps(group, caps[group]), given


def _affordable(settings: Params, pairs: Candidates, rows: np.ndarray, key: np.ndarray, draw: np.ndarray) -> np.ndarray:
    """The first of the rows, up to the one that would go beyond a budget of tokens; all without one."""
    if not settings.tokens or settings.budget is None:
        return rows
    cost = pairs.values(COST)["cost"].fill_null(0).to_numpy()
    ordered = rows[np.lexsort((draw[rows], key[rows]))]
    return ordered[np.cumsum(cost[ordered]) <= settings.budget["tokens"]]


def places(settings: Params, pairs: Candidates, rows: np.ndarray) -> pl.Series:
    """Where each of the rows comes in the order to learn in, null where the selection gives none; rows without a value come last."""
    if settings.order is None:
        return pl.Series("place", [None], dtype=pl.Int32).new_from_index(0, len(rows))
    value = _numbers(pairs.values({"order": settings.order.by})["order"])[rows]
    ids = pairs.column("pair_id").to_numpy()[rows]
    order = np.lexsort((ranking.draws(ids, settings.seed), value if settings.order.first == "lowest" else -value))
    place = np.empty(len(rows), np.int32)
    place[order] = np.arange(len(rows), dtype=np.int32)
    return pl.Series("place", place)


def taken(settings: Params, rows: np.ndarray, swapped: np.ndarray, pairs: Candidates, dimensions: Mapping[str, list[str]]) -> pl.DataFrame:
    """The pairs of these row numbers as `subset.written` takes them, chosen and rejected the other way round where they are swapped; with ratings where
    the margin is of one judge's dimension."""
    ids = [pairs.column(name)[rows] for name in ("pair_id", "prompt_id", "chosen_trace_id", "rejected_trace_id")]
    margin = _numbers(pairs.values({"value": settings.value})["value"])[rows] if settings.value is not None else np.full(len(rows), np.nan)
    rated, unknown = rating(settings.value, dimensions), pl.repeat(None, len(rows), dtype=pl.Float64, eager=True)
    ratings = [
        (pairs.rated(rated[0], [f"{side}_{rated[1]}"]).to_series()[rows] if rated else unknown).alias(f"{side}_rating") for side in ("chosen", "rejected")
    ]
    found = pl.DataFrame([*ids, pl.Series("margin", margin, nan_to_null=True), *ratings, places(settings, pairs, rows), pl.Series("swapped", swapped)])
    turned = [
        pl.when("swapped").then(f"{other}_{what}").otherwise(f"{side}_{what}").alias(f"{side}_{what}")
        for side, other in (("chosen", "rejected"), ("rejected", "chosen")) for what in ("trace_id", "rating")
    ]  # fmt: skip
    return found.with_columns(*turned, pl.when("swapped").then(-pl.col("margin")).otherwise("margin").alias("margin")).drop("swapped")


def kept(settings: Params, verdicts: pl.DataFrame, pairs: Candidates, dimensions: Mapping[str, list[str]]) -> pl.DataFrame:
    """`taken` of the pairs that the verdicts keep."""
    rows = np.flatnonzero(verdicts["kept"].to_numpy())
    return taken(settings, rows, np.zeros(len(rows), bool), pairs, dimensions)
