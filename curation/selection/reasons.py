"""Why a candidate has its verdict, in the numbers that the selection itself ranked and counted by."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from curation.selection.filters import by_value, pair_tokens, quantile_ranks, strata
from curation.selection.named_columns import NamedColumns
from curation.selection.rules import (
    GENERATOR_SHARE,
    IDENTICAL,
    KEPT,
    OUTSIDE,
    OVER_BUDGET,
    PER_PROMPT,
    REPEATED,
    REVERSED,
    UNSCORED,
    Band,
    Nearest,
    Quantiles,
)  # fmt: skip
from curation.selection.select import Selection
from curation.tables.expressions.syntax import parse


class Why(NamedTuple):
    """A verdict, the numbers that it follows from, by their names, and all of it in words."""

    reason: str
    numbers: dict[str, Any]
    words: str


class Reasons:
    """The verdicts of a selection, explained one by one. What a reason was counted among are the rows that no reason
    before it took, as `select` has it."""

    def __init__(self, selection: Selection) -> None:
        self.selection, self.settings, self.pairs = selection, selection.settings, selection.pairs
        self.ids = self.pairs.column("pair_id").to_numpy()
        order = {reason: number for number, reason in enumerate(self.settings.reasons)}
        self.order = order
        self.number = selection.verdicts["reason"].to_physical().to_numpy()  # an Enum of the reasons, in their order
        self._strata: list[tuple[np.ndarray, int]] | None = None

    def row_of(self, pair_id: int) -> int | None:
        """The row number of a pair; None where it is no candidate."""
        row = int(np.searchsorted(self.ids, pair_id))
        return row if row < len(self.ids) and self.ids[row] == pair_id else None

    def explain(self, row: int) -> Why:
        """Why the candidate with this row number has its verdict."""
        reason = self.settings.reasons[self.number[row]]
        tell = {
            IDENTICAL: lambda _: ({}, "both sides are the same text"),
            UNSCORED: self._unscored, REPEATED: self._repeated, OUTSIDE: self._outside, REVERSED: self._reversed,
            PER_PROMPT: self._per_prompt, GENERATOR_SHARE: self._budget, OVER_BUDGET: self._budget, KEPT: self._budget,
        }.get(reason, self._requirement)  # fmt: skip
        numbers, words = tell(row)
        return Why(reason, numbers, words)

    def contradicts(self, why: Why) -> bool:
        """Whether its numbers are not those of its verdict: the selection was made by other settings, and restored."""
        alone = self.settings.limits.generator_share is None and not self.settings.has_token_budget
        said = why.numbers
        return alone and "room" in said and (why.reason == KEPT) != (said["rank"] <= said["room"])

    def _reached(self, reason: str) -> np.ndarray:
        """The rows that no reason before this one took."""
        return np.flatnonzero(self.number >= self.order[reason])

    def _margin(self, row: int) -> float | None:
        margin = float(self.selection.worth.margin[row])
        return None if np.isnan(margin) else margin

    def _requirement(self, row: int) -> tuple[dict[str, Any], str]:
        text = self.settings.require[self.settings.reasons[self.number[row]]]
        return unmet(text, self.pairs, row)

    def _unscored(self, row: int) -> tuple[dict[str, Any], str]:
        texts = self.settings.ranking_expressions
        named = {name: value for text in texts for name, value in pick_named(text, self.pairs, row).items()}
        return {"expressions": texts, "columns": named}, f"{' and '.join(texts)} gives no number{where(named)}"

    def _repeated(self, row: int) -> tuple[dict[str, Any], str]:
        texts = self.pairs.column("same_texts_as")
        alike = np.flatnonzero((texts == texts[row]).fill_null(False).to_numpy())
        left = alike[self.number[alike] > self.order[REPEATED]]
        if not len(left):  # a window that saw each two texts once gave it no number
            return {"stays": None}, "another pair has the same two texts, and without this one it gets no number"
        stays = int(self.ids[left[0]])
        return {"stays": stays}, f"pair {stays} has the same two texts, and stays"

    def _outside(self, row: int) -> tuple[dict[str, Any], str]:
        keep, margin = self.settings.keep, self._margin(row)
        if isinstance(keep, Band):
            band = f"from {_end(keep.low)} to {_end(keep.high)}"
            return {"margin": margin, "low": keep.low, "high": keep.high}, f"margin {margin:.4g}, the band is {band}"
        assert isinstance(keep, Quantiles)
        rows = self._reached(OUTSIDE)
        rank, _ = by_value(self.selection.ranked).rank(row, rows)
        below, up_to = quantile_ranks(keep, len(rows))
        numbers = {"margin": margin, "rank": rank, "of": len(rows), "first": below + 1, "last": up_to}
        return (
            numbers,
            f"margin {margin:.4g}, number {rank} of {len(rows)} from the lowest; kept are {below + 1} to {up_to}",
        )

    def _reversed(self, row: int) -> tuple[dict[str, Any], str]:
        chosen, rejected = self.pairs.trace_ids()
        reverse = int(np.flatnonzero((chosen == rejected[row]) & (rejected == chosen[row]))[0])
        margins = self._margin(row), self._margin(reverse)
        numbers = {"reverse": int(self.ids[reverse]), "margin": margins[0], "reverse_margin": margins[1]}
        how = "" if None in margins else f": margin {margins[1]:.4g}, here {margins[0]:.4g}"
        return numbers, f"pair {self.ids[reverse]}, the same traces the other way round, ranks higher{how}"

    def _per_prompt(self, row: int) -> tuple[dict[str, Any], str]:
        prompts = self.pairs.column("prompt_id").to_numpy()
        rows = self._reached(PER_PROMPT)
        rows, limit = rows[prompts[rows] == prompts[row]], self.settings.limits.per_prompt
        rank, tied = self.selection.ranker.rank(row, rows)
        numbers = {"margin": self._margin(row), "rank": rank, "of": len(rows), "limit": limit, "tied": tied}
        return numbers, f"rank {rank} of {len(rows)} of its prompt, limits.per_prompt {limit}{self._tied(tied)}"

    def _budget(self, row: int) -> tuple[dict[str, Any], str]:
        """Of one that came to the budget: its rank in its stratum, the room there, and the last that is kept."""
        rows, room = next(part for part in self._parts() if row in Sorted(part[0]))
        rank, tied = self.selection.ranker.rank(row, rows)
        kept = rows[self.number[rows] == self.order[KEPT]]
        numbers = {"rank": rank, "of": len(rows), "room": room, "kept": len(kept), "tied": tied}
        said = [f"rank {rank} of {len(rows)}{self._stratum(row, numbers)}"]
        if self.settings.has_token_budget:
            said.append(self._tokens(row, rows, numbers))
        else:
            said.append(f"budget {room}" if self.settings.budget else "no budget")
        if self.settings.limits.generator_share is not None:
            said.append(self._share(row, rows, kept, numbers))
        return numbers, ", ".join(said) + self._cut(row, kept, numbers) + self._tied(tied)

    def _parts(self) -> list[tuple[np.ndarray, int]]:
        """The strata, or all rows that came to the budget where there are none, and the room in each."""
        if self._strata is None:
            self._strata = list(strata(self.selection.ranked, self._reached(GENERATOR_SHARE)))
        return self._strata

    def _stratum(self, row: int, numbers: dict[str, Any]) -> str:
        if self.settings.strata is None:
            return ""
        by = self.settings.strata.by
        rows = self._reached(OUTSIDE) if parse(by).has_window else np.array([row])
        name = self.pairs.values({"strata.by": by}, "", rows).to_series()[int(np.searchsorted(rows, row))]
        numbers["stratum"] = name
        return f" in the stratum {name}" if name is not None else " in the stratum without a name"

    def _tokens(self, row: int, rows: np.ndarray, numbers: dict[str, Any]) -> str:
        ahead = rows[self.selection.ranker.argsort(rows)][: numbers["rank"]]
        let_in = ahead[(self.number[ahead] > self.order[GENERATOR_SHARE]) | (ahead == row)]
        spent, own = (int(pair_tokens(self.selection.ranked, some).sum()) for some in (let_in, np.array([row])))
        assert self.settings.budget is not None
        numbers |= {"tokens": own, "tokens_so_far": spent, "budget_tokens": int(self.settings.budget["tokens"])}
        return f"{own} tokens, with those before it {spent}, budget {numbers['budget_tokens']}"

    def _share(self, row: int, rows: np.ndarray, kept: np.ndarray, numbers: dict[str, Any]) -> str:
        """How many of those that the share lets in its generator wrote; these are kept, up to a budget of tokens."""
        limit = self.settings.limits.generator_share
        assert limit is not None
        models, what = self.pairs.column(f"{limit.side}_model"), "kept"
        if self.settings.has_token_budget:
            kept, what = rows[self.number[rows] > self.order[GENERATOR_SHARE]], "that the share lets in"
        name, of_kept = str(models[row]), models[kept]
        own = int((of_kept == name).sum())
        named = {"name": name, "side": limit.side, "kept": own, "of": len(kept), "at_most": limit.at_most}
        numbers["generator"] = named
        return f"{limit.side} {name} wrote {own} of the {len(kept)} {what}, generator_share {limit.at_most:g}"

    def _cut(self, row: int, kept: np.ndarray, numbers: dict[str, Any]) -> str:
        """The margin, and that of the last that is kept."""
        margin, key = self._margin(row), self.selection.ranker.key
        if margin is None:
            return ""
        numbers["margin"] = margin
        if key is None or not len(kept):
            return f"; margin {margin:.4g}" + ("" if key is None else ", none is kept")
        last = self.selection.ranker.last(kept)
        numbers["cut"] = self._margin(last)
        was = "is" if self.number[row] == self.order[KEPT] else "was"
        said = f"; margin {margin:.4g}, the cut {was} {numbers['cut']:.4g}"
        if isinstance(self.settings.keep, Nearest):
            numbers |= {"distance": float(key[row]), "cut_distance": float(key[last])}
            said += f" (distances {key[row]:.4g} and {key[last]:.4g})"
        return said

    def _tied(self, tied: int) -> str:
        if self.selection.ranker.key is None:
            return "; the order is drawn by the seed"
        return f"; {tied} have this value, and draws decide between them" if tied > 1 else ""


class Sorted:
    """Sorted row numbers, of which one asks whether they hold another."""

    def __init__(self, rows: np.ndarray) -> None:
        self.rows = rows

    def __contains__(self, row: int) -> bool:
        at = int(np.searchsorted(self.rows, row))
        return at < len(self.rows) and bool(self.rows[at] == row)


def unmet(text: str, view: NamedColumns, row: int) -> tuple[dict[str, Any], str]:
    """That a requirement is not true of one row, and what each column is that it names."""
    named = pick_named(text, view, row)
    return {"expression": text, "columns": named}, f"not true: {text}{where(named)}"


def pick_named(text: str, view: NamedColumns, row: int) -> dict[str, Any]:
    """What the columns that an expression names are of one row."""
    return {".".join(column): view.pick_value(column, row) for column in dict.fromkeys(parse(text).columns)}


def where(named: dict[str, Any]) -> str:
    """The columns and what they are, in words."""
    return f", where {', '.join(_said(named))}" if named else ""


def _said(named: dict[str, Any]) -> Iterator[str]:
    for name, value in named.items():
        shown = "unknown" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
        yield f"{name} is {shown}"


def _end(bound: float | None) -> str:
    return "any" if bound is None else f"{bound:.4g}"
