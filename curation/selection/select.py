"""Selections: a verdict with one reason on every candidate pair. Each filter below says its reason in place; REASONS of
curation.selection.rules is their order."""

from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeAlias

import numpy as np
import polars as pl

from curation.core.stats import dense_rank
from curation.selection.candidates import Candidates
from curation.selection.expressions import to_floats
from curation.selection.ranking import Ranker, allocate, cap_groups
from curation.selection.rules import (
    GENERATOR_PAIRS,
    GENERATOR_SHARE,
    IDENTICAL,
    KEPT,
    OUTSIDE,
    OVER_BUDGET,
    PAIR_TOKENS,
    PER_PROMPT,
    REASONS,
    REVERSED,
    UNSCORED,
    Band,
    End,
    GeneratorShare,
    Nearest,
    Params,
    Quantiles,
)
from curation.tables.contracts import DECIMALS

UNDECIDED = 255  # in place of a reason's number
Rejections: TypeAlias = Iterator[tuple[str, np.ndarray]]  # a reason, and the row numbers that it rejects


class Selection(NamedTuple):
    """What `select` returns. Its tables and arrays have a row for each candidate, in the order of pair_id.

    `verdicts` are the rows of `selections`. `margin` is each candidate's value, nan where it has none. `ranker` says
    which candidate comes before which.
    """

    settings: Params
    pairs: Candidates
    verdicts: pl.DataFrame
    margin: np.ndarray
    ranker: Ranker

    @property
    def kept(self) -> np.ndarray:
        """The row numbers of the kept pairs, in their order."""
        return np.flatnonzero(self.verdicts["kept"].to_numpy())


def select(name: str, settings: Params, pairs: Candidates) -> Selection:
    """The verdicts of the selection `name`. The first reason that applies stands: identical (equal texts), unscored
    (no value, or no target), the name of a requirement that is not met, outside_band, reversed (its reverse ranks
    higher), per_prompt, generator_share (the budget has room for it), over_budget, kept.

    The rows are the same whatever the order of the tables and the number of threads. Raises CurationError if an
    expression fails on a value.
    """
    places = ("value", "require", "keep", "strata")
    expressions = settings.expressions.items()
    texts = {place: expression.text for place, expression in expressions if place.partition(".")[0] in places}
    values = pairs.values(texts, f"selections.{name}.")
    ids = pairs.column("pair_id")
    margin = to_floats(values["value"]) if settings.value is not None else np.full(len(ids), np.nan)
    target = to_floats(values["keep.target"]) if "keep.target" in values.columns else None
    ranker = Ranker(ids.to_numpy(), settings.seed, _key(settings, margin, target))
    ranked = _Ranked(settings, pairs, values, margin, target, ranker)

    reasons = settings.reasons
    verdict, undecided = np.full(len(ids), UNDECIDED, np.uint8), np.arange(len(ids))
    for first_reason in filter(FILTERS.get, REASONS):
        for reason, rejected in FILTERS[first_reason](ranked, undecided):
            verdict[rejected[verdict[rejected] == UNDECIDED]] = reasons.index(reason)
        undecided = undecided[verdict[undecided] == UNDECIDED]
    verdict[undecided] = reasons.index(KEPT)

    rows = pl.DataFrame({"pair_id": ids, "margin": pl.Series(margin, nan_to_null=True)}).select(
        pl.lit(name).alias("selection"), "pair_id", pl.Series("kept", verdict == reasons.index(KEPT)),
        pl.Series("reason", verdict).cat.to(pl.Enum(reasons)), "margin",
    )  # fmt: skip
    return Selection(settings, pairs, rows, margin, ranker)


class _Ranked(NamedTuple):
    """What the filters look at: `values` has a column for each expression, named by its place."""

    settings: Params
    pairs: Candidates
    values: pl.DataFrame
    margin: np.ndarray
    target: np.ndarray | None
    ranker: Ranker


Filter: TypeAlias = Callable[[_Ranked, np.ndarray], Rejections]


def _key(settings: Params, margin: np.ndarray, target: np.ndarray | None) -> np.ndarray | None:
    """What the selection ranks by, the lowest first; None where only draws decide."""
    match settings.keep:
        case Nearest(target=number):
            return np.round(np.abs(margin - (number if target is None else target)), DECIMALS)
        case End(kind="top"):
            return -margin
        case End():
            return margin
    return None


def _drop_identical(ranked: _Ranked, rows: np.ndarray) -> Rejections:
    """The two texts are equal."""
    yield IDENTICAL, rows[ranked.pairs.column("identical").to_numpy()[rows]]


def _drop_unscored(ranked: _Ranked, rows: np.ndarray) -> Rejections:
    """The pair has no value, or no target that it could be near to."""
    if ranked.settings.value is not None:
        yield UNSCORED, rows[np.isnan(ranked.margin[rows])]
    if ranked.target is not None:
        yield UNSCORED, rows[np.isnan(ranked.target[rows])]


def _drop_unmet(ranked: _Ranked, rows: np.ndarray) -> Rejections:
    """A requirement is false or unknown; its name is the reason."""
    for name in ranked.settings.require:
        met = ranked.values[f"require.{name}"].fill_null(False).to_numpy()
        yield name, rows[~met[rows]]


def _drop_outside_band(ranked: _Ranked, rows: np.ndarray) -> Rejections:
    """The value is not within the band, or not between the quantiles of the rows."""
    keep, margin = ranked.settings.keep, ranked.margin
    if isinstance(keep, Band):
        low, high = -np.inf if keep.low is None else keep.low, np.inf if keep.high is None else keep.high
        yield OUTSIDE, rows[(margin[rows] < low) | (margin[rows] > high)]
    if isinstance(keep, Quantiles):
        by_value = Ranker(ranked.ranker.ids, ranked.settings.seed, margin)
        below, up_to = (int(np.floor(share * len(rows) + 1e-9)) for share in (keep.low, keep.high))
        yield OUTSIDE, rows[by_value.first(below, rows) | ~by_value.first(up_to, rows)]


def _drop_reversed(ranked: _Ranked, rows: np.ndarray) -> Rejections:
    """The pair of the same traces the other way round ranks higher."""
    if ranked.pairs.has_reversed_pairs:
        yield REVERSED, rows[ranked.ranker.outranked_by_reverse(*ranked.pairs.trace_ids(), rows)]


def _limit_per_prompt(ranked: _Ranked, rows: np.ndarray) -> Rejections:
    """The prompt has as many pairs that rank higher as it may have."""
    if (limit := ranked.settings.limits.per_prompt) is not None:
        prompt = ranked.pairs.column("prompt_id").to_numpy()[rows]
        yield PER_PROMPT, rows[~ranked.ranker.first_of_each(limit, prompt, rows)]


def _divide_budget(ranked: _Ranked, rows: np.ndarray) -> Rejections:
    """generator_share: the budget has room for the pair, but its generator has its share. over_budget: it has none.

    Both come of one division of the budget among the same rows, so one filter says both.
    """
    for stratum, room in _strata(ranked, rows):
        kept = ranked.ranker.first(room, stratum)
        if (limit := ranked.settings.limits.generator_share) is not None:
            best, kept = kept, _limit_share(ranked, limit, room, stratum)
            in_reach = best if kept.sum() == best.sum() else np.ones(len(stratum), bool)
            yield GENERATOR_SHARE, stratum[in_reach & ~kept]
        if ranked.settings.has_token_budget:
            kept[np.flatnonzero(kept)] = _limit_tokens(ranked, stratum[kept])
        yield OVER_BUDGET, stratum[~kept]


# by the reason that each says, or says first; where they stand here decides nothing
FILTERS: dict[str, Filter] = {
    IDENTICAL: _drop_identical,
    UNSCORED: _drop_unscored,
    GENERATOR_PAIRS: _drop_unmet,
    OUTSIDE: _drop_outside_band,
    REVERSED: _drop_reversed,
    PER_PROMPT: _limit_per_prompt,
    GENERATOR_SHARE: _divide_budget,
}


def _strata(ranked: _Ranked, rows: np.ndarray) -> Iterator[tuple[np.ndarray, int]]:
    """The rows of each stratum, in the order of its value as text, and how many of them the budget has room for."""
    budget, strata = ranked.settings.budget, ranked.settings.strata
    total = len(rows)
    if budget is not None and not ranked.settings.has_token_budget:
        ((unit, amount),) = budget.items()
        total = int(amount) if unit == "pairs" else int(np.floor(amount * len(rows) + 1e-9))
    if strata is None:
        yield rows, total
        return
    stratum = dense_rank(ranked.values["strata.by"][rows].cast(pl.String).fill_null(""))
    for number, room in enumerate(allocate(np.bincount(stratum), total, strata.shares)):
        yield rows[stratum == number], int(room)


def _limit_share(ranked: _Ranked, limit: GeneratorShare, room: int, rows: np.ndarray) -> np.ndarray:
    """A mask of the rows that come first, as many up to `room` as there can be without any generator having more than
    its share of them."""
    generator = dense_rank(ranked.pairs.column(f"{limit.side}_model")[rows])
    caps, given = cap_groups(np.bincount(generator), room, limit.at_most)
    within = ranked.ranker.first_of_each(caps[generator], generator, rows)
    within[np.flatnonzero(within)] = ranked.ranker.first(given, rows[within])
    return within


def _limit_tokens(ranked: _Ranked, rows: np.ndarray) -> np.ndarray:
    """A mask of the rows that come first, up to the one that would exceed the budget of tokens."""
    assert ranked.settings.budget is not None
    tokens = ranked.pairs.values({"tokens": PAIR_TOKENS})["tokens"].fill_null(0).to_numpy()
    order = ranked.ranker.argsort(rows)
    affordable = np.zeros(len(rows), bool)
    affordable[order] = np.cumsum(tokens[rows[order]]) <= ranked.settings.budget["tokens"]
    return affordable


def shortfall_message(selection: Selection) -> str | None:
    """That fewer pairs are kept than the budget has room for, or none, and the count of each reason; None where the
    selection is whole."""
    budget = selection.settings.budget
    kept, room = len(selection.kept), int(budget["pairs"]) if budget is not None and "pairs" in budget else 1
    if kept >= room:
        return None
    by_reason = selection.verdicts.group_by("reason").len().sort("len", "reason", descending=[True, False]).rows()
    reasons = ", ".join(f"{count} {reason}" for reason, count in by_reason) or "there is no candidate"
    return f"keeps {f'{kept} of the {room} pairs of its budget' if kept else 'no pair'}: {reasons}"
