"""The filters of a selection that look at ranks: each gives the rows that it rejects, for one reason."""

from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeAlias

import numpy as np
import polars as pl

from curation.core.errors import CurationError
from curation.core.stats import dense_rank
from curation.core.text import say_count
from curation.selection.candidates import Candidates
from curation.selection.ranking import Ranker, allocate, cap_groups
from curation.selection.rules import OUTSIDE, PAIR_TOKENS, PER_PROMPT, REVERSED, Band, GeneratorShare, Params, Quantiles


class Ranked(NamedTuple):
    """What the filters look at; arrays have a row for each candidate. `margin` is its value, `stratum` the number of
    its stratum in the order of their names."""

    settings: Params
    pairs: Candidates
    margin: np.ndarray
    stratum: np.ndarray
    ranker: Ranker


Filter: TypeAlias = Callable[[Ranked, np.ndarray], np.ndarray]  # a mask of the rows that it rejects


def reject_outside_band(ranked: Ranked, rows: np.ndarray) -> np.ndarray:
    """Those whose value is not within the band, or not between the quantiles of the rows."""
    keep, outside = ranked.settings.keep, np.zeros(len(rows), bool)
    if isinstance(keep, Band):
        low, high = -np.inf if keep.low is None else keep.low, np.inf if keep.high is None else keep.high
        outside |= (ranked.margin[rows] < low) | (ranked.margin[rows] > high)
    if isinstance(keep, Quantiles):
        below, up_to = quantile_ranks(keep, len(rows))
        outside |= by_value(ranked).first(below, rows) | ~by_value(ranked).first(up_to, rows)
    return outside


def quantile_ranks(keep: Quantiles, count: int) -> tuple[int, int]:
    """Of `count` rows by their value, from the lowest: how many are below the quantiles, and up to which rank they are
    within."""
    below, up_to = (int(np.floor(share * count + 1e-9)) for share in (keep.low, keep.high))
    return below, up_to


def by_value(ranked: Ranked) -> Ranker:
    """The order of the values themselves, the lowest first."""
    return Ranker(ranked.ranker.ids, ranked.settings.seed, ranked.margin)


def reject_reversed(ranked: Ranked, rows: np.ndarray) -> np.ndarray:
    """Those whose two traces rank higher the other way round."""
    if not ranked.pairs.has_reversed_pairs:
        return np.zeros(len(rows), bool)
    return ranked.ranker.outranked_by_reverse(*ranked.pairs.trace_ids(), rows)


def reject_beyond_prompt(ranked: Ranked, rows: np.ndarray) -> np.ndarray:
    """Those whose prompt has as many pairs that rank higher as it may have."""
    if (limit := ranked.settings.limits.per_prompt) is None:
        return np.zeros(len(rows), bool)
    return ~ranked.ranker.first_of_each(limit, ranked.pairs.column("prompt_id").to_numpy()[rows], rows)


FILTERS: dict[str, Filter] = {  # by the reason that each gives, in their order
    OUTSIDE: reject_outside_band,
    REVERSED: reject_reversed,
    PER_PROMPT: reject_beyond_prompt,
}


class Division(NamedTuple):
    """The budget divided among rows: those that it has no room for, though it had if generators had no share, and
    those that it has no room for anyhow."""

    over_share: np.ndarray
    over_budget: np.ndarray


def divide_budget(ranked: Ranked, rows: np.ndarray) -> Division:
    """How the budget falls to the rows, stratum by stratum. Raises CurationError if it is in tokens, and a pair that
    it comes to has no count of them."""
    over_share, over_budget = [rows[:0]], [rows[:0]]
    for stratum, room in strata(ranked, rows):
        kept = ranked.ranker.first(room, stratum)
        shared = np.zeros(len(stratum), bool)
        if (limit := ranked.settings.limits.generator_share) is not None:
            best, kept = kept, _limit_share(ranked, limit, room, stratum)
            shared = (best if kept.sum() == best.sum() else ~shared) & ~kept
        if ranked.settings.has_token_budget:
            kept[np.flatnonzero(kept)] = _limit_tokens(ranked, stratum[kept])
        over_share.append(stratum[shared])
        over_budget.append(stratum[~kept & ~shared])
    return Division(np.concatenate(over_share), np.concatenate(over_budget))


def strata(ranked: Ranked, rows: np.ndarray) -> Iterator[tuple[np.ndarray, int]]:
    """The rows of each stratum, in their order, and how many of them the budget has room for."""
    budget, by = ranked.settings.budget, ranked.settings.strata
    total = len(rows)
    if budget is not None and not ranked.settings.has_token_budget:
        ((unit, amount),) = budget.items()
        total = int(amount) if unit == "pairs" else int(np.floor(amount * len(rows) + 1e-9))
    if by is None:
        yield rows, total
        return
    stratum = ranked.stratum[rows]
    sizes = np.bincount(stratum)
    names = np.flatnonzero(sizes)
    for name, room in zip(names, allocate(sizes[names], total, by.shares), strict=True):
        yield rows[stratum == name], int(room)


def _limit_share(ranked: Ranked, limit: GeneratorShare, room: int, rows: np.ndarray) -> np.ndarray:
    """A mask of the rows that come first, as many up to `room` as there can be without any generator having more than
    its share of them."""
    generator = dense_rank(ranked.pairs.column(f"{limit.side}_model")[rows])
    caps, given = cap_groups(np.bincount(generator), room, limit.at_most)
    within = ranked.ranker.first_of_each(caps[generator], generator, rows)
    within[np.flatnonzero(within)] = ranked.ranker.first(given, rows[within])
    return within


def _limit_tokens(ranked: Ranked, rows: np.ndarray) -> np.ndarray:
    """A mask of the rows that come first, up to the one that would exceed the budget of tokens."""
    assert ranked.settings.budget is not None
    counts = pair_tokens(ranked, rows)
    if unknown := counts.null_count():
        raise CurationError(
            f"budget.tokens: {say_count(unknown, 'pair has', 'pairs have')} a side without a count; run `dvc repro "
            "renderings`"
        )
    order, tokens = ranked.ranker.argsort(rows), counts.to_numpy()
    affordable = np.zeros(len(rows), bool)
    affordable[order] = np.cumsum(tokens[order]) <= ranked.settings.budget["tokens"]
    return affordable


def pair_tokens(ranked: Ranked, rows: np.ndarray) -> pl.Series:
    """What each of the rows takes of a budget of tokens; null where a side has no count."""
    return ranked.pairs.values({"tokens": PAIR_TOKENS})["tokens"][rows]
