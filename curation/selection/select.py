"""Selections: a verdict with a reason on every candidate pair."""

from collections.abc import Iterator, Mapping

import numpy as np
import polars as pl

from curation.core.stats import numbered
from curation.selection import ranking
from curation.selection.candidates import Candidates, rating
from curation.selection.rules import (
    COST,
    GENERATOR_SHARE,
    IDENTICAL,
    KEPT,
    OUTSIDE,
    OVER_BUDGET,
    PER_PROMPT,
    REVERSED,
    UNSCORED,
    Band,
    GeneratorShare,
    Nearest,
    Params,
    Quantiles,
)
from curation.tables.contracts import DECIMALS

OPEN = 255  # no reason yet


def select(name: str, settings: Params, pairs: Candidates) -> pl.DataFrame:
    """The rows of `selections`. The first reason that applies stands: identical (equal texts), unscored (no value, or
    no target), the name of a requirement that is not met, outside_band, reversed (its reverse ranks higher),
    per_prompt, generator_share (the budget has room for it), over_budget, kept.

    The same rows whatever the order of the tables and the number of threads. Raises CurationError if an expression
    fails on a value.
    """
    found = _asked(settings, pairs, "value", "require", "keep", "strata", place=f"selections.{name}.")
    ids = pairs.column("pair_id").to_numpy()
    margin = _numbers(found["value"]) if "value" in found.columns else np.full(len(ids), np.nan)
    reasons = [
        IDENTICAL,
        UNSCORED,
        *settings.require,
        OUTSIDE,
        REVERSED,
        PER_PROMPT,
        GENERATOR_SHARE,
        OVER_BUDGET,
        KEPT,
    ]
    verdict = np.full(len(ids), OPEN, np.uint8)

    def bar(rows: np.ndarray, reason: str) -> None:
        verdict[rows] = np.where(verdict[rows] == OPEN, reasons.index(reason), verdict[rows])

    bar(pairs.column("identical").to_numpy(), IDENTICAL)
    if settings.value is not None:
        bar(np.isnan(margin), UNSCORED)
    if "keep.target" in found.columns:
        bar(np.isnan(_numbers(found["keep.target"])), UNSCORED)
    for wanted in settings.require:
        bar(~found[f"require.{wanted}"].fill_null(False).to_numpy(), wanted)
    rows = np.flatnonzero(verdict == OPEN)
    if isinstance(settings.keep, Band | Quantiles):
        inside = _inside(settings.keep, margin, ranking.Order(ids, settings.seed, margin), rows)
        bar(rows[~inside], OUTSIDE)
        rows = rows[inside]
    order = _order(settings, ids, margin, found)
    if pairs.both_ways:
        lost = order.beaten(*pairs.ends(), rows)
        bar(rows[lost], REVERSED)
        rows = rows[~lost]
    if settings.limits.per_prompt is not None:
        first = order.first_of_each(settings.limits.per_prompt, pairs.column("prompt_id").to_numpy()[rows], rows)
        bar(rows[~first], PER_PROMPT)
        rows = rows[first]
    for stratum, count in _strata(settings, found, rows):
        kept = stratum[order.first(count, stratum)]
        if settings.limits.generator_share is not None:
            best, kept = kept, _shared(settings.limits.generator_share, pairs, stratum, count, order)
            bar(np.setdiff1d(best if len(kept) == len(best) else stratum, kept, assume_unique=True), GENERATOR_SHARE)
        verdict[_affordable(settings, pairs, kept, order)] = reasons.index(KEPT)
        bar(stratum, OVER_BUDGET)
    return pl.DataFrame({"pair_id": pairs.column("pair_id"), "margin": pl.Series(margin, nan_to_null=True)}).select(
        pl.lit(name).alias("selection"), "pair_id", pl.Series("kept", verdict == reasons.index(KEPT)),
        pl.Series("reason", verdict).cat.to(pl.Enum(reasons)), "margin",
    )  # fmt: skip


def _asked(settings: Params, pairs: Candidates, *parts: str, place: str = "") -> pl.DataFrame:
    """The values of the expressions in these parts of a selection, by where they stand."""
    return pairs.values(
        {where: asked.text for where, asked in settings.expressions.items() if where.partition(".")[0] in parts}, place
    )


def _numbers(values: pl.Series) -> np.ndarray:
    """A value's floats, rounded as the table rounds them; nan for null and for what is not finite."""
    found = values.cast(pl.Float64).round(DECIMALS).fill_null(np.nan).to_numpy(writable=True)
    found += 0.0
    found[np.isinf(found)] = np.nan
    return found


def _inside(keep: Band | Quantiles, margin: np.ndarray, order: ranking.Order, rows: np.ndarray) -> np.ndarray:
    """A mask of the rows in the band, or between the quantiles of the order."""
    if isinstance(keep, Band):
        low, high = -np.inf if keep.low is None else keep.low, np.inf if keep.high is None else keep.high
        return np.asarray((margin[rows] >= low) & (margin[rows] <= high))
    below, upto = (int(np.floor(share * len(rows) + 1e-9)) for share in (keep.low, keep.high))
    return np.asarray(order.first(upto, rows) & ~order.first(below, rows))


def _order(settings: Params, ids: np.ndarray, margin: np.ndarray, found: pl.DataFrame) -> ranking.Order:
    """What ranks the pairs."""
    key = None
    if isinstance(settings.keep, Nearest):
        target = _numbers(found["keep.target"]) if "keep.target" in found.columns else settings.keep.target
        key = np.round(np.abs(margin - target), DECIMALS)
    elif settings.keep.kind in ("top", "bottom"):
        key = -margin if settings.keep.kind == "top" else margin
    return ranking.Order(ids, settings.seed, key)


def short(settings: Params, verdicts: pl.DataFrame) -> str | None:
    """That fewer pairs are kept than the budget has room for, or none, and what became of the candidates; None where
    it is not so."""
    found = int(verdicts["kept"].sum())
    wanted = int(settings.budget["pairs"]) if settings.budget is not None and "pairs" in settings.budget else 1
    if found >= wanted:
        return None
    counted = verdicts.group_by("reason").len().sort("len", "reason", descending=[True, False]).rows()
    reasons = ", ".join(f"{count} {reason}" for reason, count in counted) or "there is no candidate"
    return f"keeps {f'{found} of the {wanted} pairs of its budget' if found else 'no pair'}: {reasons}"


def standing(settings: Params, pairs: Candidates) -> ranking.Order:
    """What ranks all pairs for the selection; the key of one without a value is nan."""
    found = _asked(settings, pairs, "value", "keep")
    margin = _numbers(found["value"]) if settings.value is not None else np.zeros(0)
    return _order(settings, pairs.column("pair_id").to_numpy(), margin, found)


def _strata(settings: Params, found: pl.DataFrame, rows: np.ndarray) -> Iterator[tuple[np.ndarray, int]]:
    """The rows of each stratum, in the order of its value's text, and how many of them the budget has room for."""
    total = len(rows)
    if settings.budget is not None and not settings.tokens:
        ((unit, amount),) = settings.budget.items()
        total = int(amount) if unit == "pairs" else int(np.floor(amount * len(rows) + 1e-9))
    if settings.strata is None:
        yield rows, total
        return
    stratum = numbered(found["strata.by"][rows].cast(pl.String).fill_null(""))
    sizes = np.bincount(stratum)
    for number, count in enumerate(ranking.allocated(sizes, total, settings.strata.shares)):
        yield rows[stratum == number], int(count)


def _shared(share: GeneratorShare, pairs: Candidates, rows: np.ndarray, total: int, order: ranking.Order) -> np.ndarray:
    """The first of the rows, as many up to `total` as can be without more from any generator than its share of them."""
    group = numbered(pairs.column(f"{share.side}_model")[rows])
    caps, given = ranking.capped(np.bincount(group), total, share.at_most)
    most = rows[order.first_of_each(caps[group], group, rows)]
    found: np.ndarray = most[order.first(given, most)]
    return found


def _affordable(settings: Params, pairs: Candidates, rows: np.ndarray, order: ranking.Order) -> np.ndarray:
    """The first of the rows, up to the one that would go beyond a budget of tokens; all without one."""
    if not settings.tokens or settings.budget is None:
        return rows
    cost = pairs.values(COST)["cost"].fill_null(0).to_numpy()
    ordered: np.ndarray = rows[order.argsort(rows)]
    return ordered[np.cumsum(cost[ordered]) <= settings.budget["tokens"]]


def curriculum_positions(settings: Params, pairs: Candidates, rows: np.ndarray) -> pl.Series:
    """Where each of the rows comes in the order to learn in, null where the selection gives none; rows without a
    value come last."""
    if settings.order is None:
        return pl.Series("curriculum_position", [None], dtype=pl.Int32).new_from_index(0, len(rows))
    value = _numbers(_asked(settings, pairs, "order")["order.by"])
    order = ranking.Order(
        pairs.column("pair_id").to_numpy(), settings.seed, value if settings.order.first == "lowest" else -value
    )
    position = np.empty(len(rows), np.int32)
    position[order.argsort(rows)] = np.arange(len(rows), dtype=np.int32)
    return pl.Series("curriculum_position", position)


def taken(
    settings: Params, rows: np.ndarray, swapped: np.ndarray, pairs: Candidates, dimensions: Mapping[str, list[str]]
) -> pl.DataFrame:
    """The pairs of these row numbers as `subset.written` takes them, chosen and rejected the other way round where
    they are swapped; with ratings where the margin is of one judge's dimension."""
    ids = [pairs.column(name)[rows] for name in ("pair_id", "prompt_id", "chosen_trace_id", "rejected_trace_id")]
    margin = (
        _numbers(_asked(settings, pairs, "value")["value"][rows])
        if settings.value is not None
        else np.full(len(rows), np.nan)
    )
    rated, unknown = rating(settings.value, dimensions), pl.repeat(None, len(rows), dtype=pl.Float64, eager=True)
    ratings = [
        (pairs.rated(rated[0], [f"{side}_{rated[1]}"]).to_series()[rows] if rated else unknown).alias(f"{side}_rating")
        for side in ("chosen", "rejected")
    ]
    found = pl.DataFrame(
        [
            *ids,
            pl.Series("margin", margin, nan_to_null=True),
            *ratings,
            curriculum_positions(settings, pairs, rows),
            pl.Series("swapped", swapped),
        ]
    )
    turned = [
        pl.when("swapped").then(f"{other}_{what}").otherwise(f"{side}_{what}").alias(f"{side}_{what}")
        for side, other in (("chosen", "rejected"), ("rejected", "chosen")) for what in ("trace_id", "rating")
    ]  # fmt: skip
    return found.with_columns(
        *turned, pl.when("swapped").then(-pl.col("margin")).otherwise("margin").alias("margin")
    ).drop("swapped")


def kept(
    settings: Params, verdicts: pl.DataFrame, pairs: Candidates, dimensions: Mapping[str, list[str]]
) -> pl.DataFrame:
    """`taken` of the pairs that the verdicts keep."""
    rows = np.flatnonzero(verdicts["kept"].to_numpy())
    return taken(settings, rows, np.zeros(len(rows), bool), pairs, dimensions)
