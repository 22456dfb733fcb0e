"""Selections: a verdict with one reason on every candidate pair."""

from typing import NamedTuple

import numpy as np
import polars as pl

from curation.core.errors import CurationError
from curation.core.stats import dense_rank
from curation.selection.candidates import Candidates
from curation.selection.filters import FILTERS, Ranked, divide_budget
from curation.selection.ranking import Ranker
from curation.selection.rules import (
    GENERATOR_PAIRS,
    GENERATOR_SHARE,
    IDENTICAL,
    KEPT,
    OVER_BUDGET,
    REPEATED,
    UNSCORED,
    End,
    Nearest,
    Params,
)
from curation.selection.verdicts import UNDECIDED, Verdicts, reject_unmet
from curation.tables.contracts import DECIMALS
from curation.tables.expressions.evaluation import to_floats
from curation.tables.expressions.syntax import parse


class Worth(NamedTuple):
    """What expressions say of each candidate, nan where they say nothing: `margin`, its value; `target`, what it is to
    be near to, None where that is no expression; `position`, its place in the curriculum, None where there is none.
    """

    margin: np.ndarray
    target: np.ndarray | None
    position: np.ndarray | None


class Selection(NamedTuple):
    """What `select` returns. Its tables and arrays have a row for each candidate, in the order of pair_id.

    `verdicts` are the rows of `selections`. `worth.margin` is each candidate's value, nan where it has none. `ranker`
    says which candidate comes before which. `stratum` is the number of the stratum of each that the budget came to, in
    the order of their names; empty where there are none. `notes` say of which candidates an expression says nothing.
    """

    settings: Params
    pairs: Candidates
    verdicts: pl.DataFrame
    worth: Worth
    ranker: Ranker
    stratum: np.ndarray
    notes: list[str]

    @property
    def ranked(self) -> Ranked:
        """What the filters looked at."""
        return Ranked(self.settings, self.pairs, self.worth.margin, self.stratum, self.ranker)

    @property
    def kept(self) -> np.ndarray:
        """The row numbers of the kept pairs, in their order."""
        return np.flatnonzero(self.verdicts["kept"].to_numpy())


def select(name: str, settings: Params, pairs: Candidates) -> Selection:
    """The verdicts of the selection `name`. The first reason that applies stands: identical (the same text twice), the
    name of a requirement that is not met, unscored (no value, or no target), repeated (another pair of the same two
    texts), outside_band, reversed (its reverse ranks higher), per_prompt, generator_share (the budget has room for
    it), over_budget, kept.

    An expression sees the candidates that are left when its turn comes. The rows are the same whatever the order of
    the tables and the number of threads. Raises CurationError if an expression fails on a value.
    """
    place, ids = f"selections.{name}.", pairs.column("pair_id")
    verdicts, notes = Verdicts(settings.reasons, len(ids)), list[str]()
    verdicts.give(IDENTICAL, np.flatnonzero(pairs.column("identical").to_numpy()))
    for requirement, rejected in reject_unmet(settings.require, pairs, place, verdicts):
        verdicts.give(requirement, rejected)

    worth = find_worth(settings, pairs, place, verdicts, notes)
    ranker = Ranker(ids.to_numpy(), settings.seed, key_of(settings, worth))
    stratum = number_strata(settings, pairs, place, verdicts.left, notes)
    ranked = Ranked(settings, pairs, worth.margin, stratum, ranker)
    for reason, reject in FILTERS.items():
        verdicts.give(reason, verdicts.left[reject(ranked, verdicts.left)])
    try:
        division = divide_budget(ranked, verdicts.left)
    except CurationError as error:
        raise CurationError(f"params.yaml: {place}{error}") from None
    verdicts.give(GENERATOR_SHARE, division.over_share)
    verdicts.give(OVER_BUDGET, division.over_budget)
    if worth.position is not None and (last := int(np.isnan(worth.position[verdicts.left]).sum())):
        notes.append(f"order.by is no finite number for {last} of the pairs that it keeps: they come last")
    verdicts.give(KEPT, verdicts.left)
    return Selection(settings, pairs, _rows(name, ids, verdicts, worth.margin), worth, ranker, stratum, notes)


def find_worth(settings: Params, pairs: Candidates, place: str, verdicts: Verdicts, notes: list[str]) -> Worth:
    """What the expressions say of the candidates that are left and, for controls, of those that a requirement rejects.
    Of the former those have their verdict then that have no value, or repeat another."""
    worth = _evaluate(settings, pairs, place, verdicts.left, notes)
    verdicts.give(UNSCORED, find_unscored(settings, worth, verdicts.left))
    unique = pairs.without_repeats(verdicts.left)
    if len(unique) < len(verdicts.left):
        verdicts.give(REPEATED, np.setdiff1d(verdicts.left, unique, assume_unique=True))
        if any(parse(text).has_window for text in _worth_texts(settings).values()):
            worth = _evaluate(settings, pairs, place, verdicts.left, [])  # no window sees a pair twice
            verdicts.give(UNSCORED, find_unscored(settings, worth, verdicts.left))
    return _fill(settings, pairs, worth, verdicts)


def _rows(name: str, ids: pl.Series, verdicts: Verdicts, margin: np.ndarray) -> pl.DataFrame:
    """The rows of `selections`."""
    kept = pl.Series("kept", verdicts.numbers == verdicts.reasons.index(KEPT))
    reason = pl.Series("reason", verdicts.numbers).cat.to(pl.Enum(verdicts.reasons))
    rows = pl.DataFrame({"pair_id": ids, "margin": pl.Series(margin, nan_to_null=True)})
    return rows.select(pl.lit(name).alias("selection"), "pair_id", kept, reason, "margin")


def _worth_texts(settings: Params) -> dict[str, str]:
    """The expressions of `Worth`, by their places."""
    places = ("value", "keep.target", "order.by")
    return {place: settings.expressions[place].text for place in places if place in settings.expressions}


def _evaluate(settings: Params, pairs: Candidates, place: str, rows: np.ndarray, notes: list[str]) -> Worth:
    """What the expressions say of the rows, which are all that they see. A note is added about values that are not
    finite."""
    values = pairs.values(_worth_texts(settings), place, rows)
    for column in values:
        not_finite = int((~column.cast(pl.Float64).is_finite()).sum())
        if not_finite and column.name != "order.by":
            notes.append(f"{column.name} is NaN or infinite for {not_finite} of {len(rows)} candidates: unscored")
    return _worth(settings, values, rows, len(pairs.column("pair_id")))


def _worth(settings: Params, values: pl.DataFrame, rows: np.ndarray, count: int) -> Worth:
    """What `values`, a row for each of `rows`, say of `count` candidates."""

    def spread(name: str) -> np.ndarray | None:
        whole = np.full(count, np.nan)
        if name not in values.columns:
            return whole if name == "value" else None
        whole[rows] = to_floats(values[name])
        return whole

    margin, target, position = (spread(name) for name in ("value", "keep.target", "order.by"))
    assert margin is not None
    if position is not None and settings.order is not None and settings.order.first == "highest":
        position = -position
    return Worth(margin, target, position)


def find_unscored(settings: Params, worth: Worth, rows: np.ndarray) -> np.ndarray:
    """The rows that have no value, or no target that they could be near to."""
    unknown = np.zeros(len(rows), bool)
    if settings.value is not None:
        unknown |= np.isnan(worth.margin[rows])
    if worth.target is not None:
        unknown |= np.isnan(worth.target[rows])
    return rows[unknown]


def key_of(settings: Params, worth: Worth) -> np.ndarray | None:
    """What the selection ranks by, the lowest first; None where only draws decide."""
    match settings.keep:
        case Nearest(target=number):
            return np.round(np.abs(worth.margin - (number if worth.target is None else worth.target)), DECIMALS)
        case End(kind="top"):
            return -worth.margin
        case End():
            return worth.margin
    return None


def number_strata(settings: Params, pairs: Candidates, place: str, rows: np.ndarray, notes: list[str]) -> np.ndarray:
    """The number of each row's stratum, in the order of their names. Rows without a name are a stratum of their own,
    the first, and a note says so."""
    stratum = np.zeros(len(pairs.column("pair_id")) if settings.strata else 0, np.int64)
    if settings.strata is not None:
        names, kind = pairs.kinds("strata.by", settings.strata.by, place, rows)
        if unknown := int(names.is_null().to_numpy()[kind].sum()):
            notes.append(f"strata.by is null for {unknown} of {len(rows)} candidates: a stratum of their own")
        stratum[rows] = dense_rank(("=" + names.cast(pl.String)).fill_null(""))[kind]
    return stratum


def _fill(settings: Params, pairs: Candidates, worth: Worth, verdicts: Verdicts) -> Worth:
    """`worth`, and what the expressions say of the pairs that are identical or that a requirement rejects, where they
    do not fail: controls are drawn from the latter. Those that generator_pairs rejects stay without."""
    reasons = [IDENTICAL, *(name for name in settings.require if name != GENERATOR_PAIRS)]
    rejected = np.isin(verdicts.numbers, [verdicts.reasons.index(name) for name in reasons])
    if not rejected.any():
        return worth
    values = {}
    for place, text in _worth_texts(settings).items():
        seen = rejected | (verdicts.numbers == UNDECIDED) if parse(text).has_window else rejected
        values[place] = pairs.values_if_any(text, np.flatnonzero(seen)).filter(pl.Series(rejected[seen]))
    others = _worth(settings, pl.DataFrame(values), np.flatnonzero(rejected), len(rejected))

    def fill(own: np.ndarray | None, other: np.ndarray | None) -> np.ndarray | None:
        return None if own is None or other is None else np.where(rejected, other, own)

    margin = np.where(rejected, others.margin, worth.margin)
    return Worth(margin, *map(fill, worth[1:], others[1:]))


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
