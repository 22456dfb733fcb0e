"""What stands beside a selection: the same pairs with other labels, or other pairs drawn to be like its own."""

from collections import defaultdict, deque
from collections.abc import Iterator, Mapping
from typing import Literal

import numpy as np
import polars as pl

from curation.core.params import Strict
from curation.core.stats import numbered
from curation.core.study import Study
from curation.selection import candidates, ranking
from curation.selection.candidates import Candidates
from curation.selection.rules import Params as Selection
from curation.selection.select import standing
from curation.tables.contracts import content_id


class Params(Strict):
    """One of `controls` in params.yaml; that with `pairs: own` and `labels: as_is` is the selection itself.

    `pairs: drawn` takes as many pairs at random as the selection keeps, from all that it could rank; as many of each
    combination of the values of `match` as it keeps. `pairs: all` takes all of those, and a run on them makes as many
    updates as one on the selection. `labels` swaps chosen and rejected in no pair, in all, or in those that a coin of
    the seed says.
    """

    pairs: Literal["own", "drawn", "all"]
    match: list[str]
    labels: Literal["as_is", "reversed", "shuffled"]

    @property
    def treatment(self) -> bool:
        """Whether it is the selection itself, that the others are controls of."""
        return self.pairs == "own" and self.labels == "as_is"

    def mistakes(self, study: Study) -> Iterator[str]:
        """What is wrong with the expressions."""
        if self.match and self.pairs != "drawn":
            yield f"match: pairs are {self.pairs!r}, and not drawn to match anything; leave it empty, or draw them"
        for number, text in enumerate(self.match):
            if said := candidates.mistake(text, study, "any"):
                yield f"match.{number}: {said}"


def controlled(
    control: Params, settings: Selection, seed: int, verdicts: pl.DataFrame, pairs: Candidates
) -> tuple[np.ndarray, np.ndarray]:
    """The row numbers of the control's pairs, and a mask of those whose labels are swapped. Draws are of `seed` and the
    selection's name, so that another seed has another control, and two selections of one size have two.

    Fewer pairs than the selection keeps are drawn only where there are no others that match within its limit of pairs
    of one prompt.
    """
    rows = np.flatnonzero(verdicts["kept"].to_numpy())
    ids, seed = pairs.column("pair_id").to_numpy(), content_id(verdicts["selection"].first(), seed)
    if control.pairs != "own":
        pool = _pool(settings, verdicts, pairs)
        rows = (
            pool if control.pairs == "all" else _drawn(control, settings, rows, pool, pairs, ranking.Order(ids, seed))
        )
    coin = ranking.draws(ids[rows], seed ^ 1 << 40) >> np.uint64(63) > 0
    return rows, {"as_is": np.zeros(len(rows), bool), "reversed": np.ones(len(rows), bool), "shuffled": coin}[
        control.labels
    ]


def _pool(settings: Selection, verdicts: pl.DataFrame, pairs: Candidates) -> np.ndarray:
    """What a selection could rank; of a pair and its reverse the one that it ranks higher."""
    pool = np.flatnonzero(~verdicts["reason"].is_in(["identical", "unscored", "generator_pairs"]).to_numpy())
    return np.asarray(pool[~standing(settings, pairs).beaten(*pairs.ends(), pool)]) if pairs.both_ways else pool


def _drawn(
    control: Params, settings: Selection, kept: np.ndarray, pool: np.ndarray, pairs: Candidates, order: ranking.Order
) -> np.ndarray:
    """As many of the pool as are kept, and as many of each combination of matched values, under the selection's
    limit of pairs of one prompt."""
    values = pairs.values(
        {str(number): f"({text})::varchar" for number, text in enumerate(control.match)}, "controls: match."
    )
    texts = (
        values.select(pl.concat_str(pl.all().fill_null(""), separator="\x1f")).to_series()
        if control.match
        else pl.repeat("", len(order.ids), eager=True)
    )
    group, prompt = numbered(texts), numbered(pairs.column("prompt_id"))
    wanted = np.bincount(group[kept], minlength=int(group.max(initial=0)) + 1)
    room = np.full(int(prompt.max(initial=0)) + 1, settings.limits.per_prompt or len(order.ids))
    taken, left = [pool[:0]], pool
    while len(left := left[(wanted[group[left]] > 0) & (room[prompt[left]] > 0)]):
        few = left[order.first_of_each(wanted[group[left]], group[left], left)]
        few = few[order.first_of_each(room[prompt[few]], prompt[few], few)]
        taken.append(few)
        wanted -= np.bincount(group[few], minlength=len(wanted))
        room -= np.bincount(prompt[few], minlength=len(room))
        left = left[~np.isin(left, few)]
    rows = np.concatenate(taken)
    return np.sort(_exchanged(rows, pool[order.argsort(pool)], group, prompt, wanted, room) if wanted.any() else rows)


def _exchanged(
    rows: np.ndarray, ranked: np.ndarray, group: np.ndarray, prompt: np.ndarray, wanted: np.ndarray, room: np.ndarray
) -> np.ndarray:
    """`rows` and as many more as are wanted of each group: one takes the place of another at a full prompt, whose
    group takes one elsewhere, and so on to a prompt with room, along the shortest way (Edmonds and Karp, JACM
    1972). `ranked` are those that may be taken."""
    at = defaultdict[int, set[int]](set)
    for row in rows.tolist():
        at[prompt[row]].add(row)
    for short in np.repeat(np.arange(len(wanted)), wanted).tolist():
        way = _way(short, ranked, group, prompt, room, at)
        for coming, going in way:
            at[prompt[coming]].add(coming)
            if going is None:
                room[prompt[coming]] -= 1
            else:
                at[prompt[going]].remove(going)
    return np.array(sorted(row for rows_ in at.values() for row in rows_), np.int64)


def _way(
    short: int, ranked: np.ndarray, group: np.ndarray, prompt: np.ndarray, room: np.ndarray, at: Mapping[int, set[int]]
) -> list[tuple[int, int | None]]:
    """The rows that come, each with the one that goes from its prompt, None where there is room, for one more of the
    group `short`; none if there is no way."""
    instead: dict[
        int, tuple[int, int]
    ] = {}  # for each group reached: the row that would come, and that of this group which would go
    seen, queue = set[int](), deque([short])
    while queue:
        for row in ranked[group[ranked] == queue.popleft()].tolist():
            if row in at[prompt[row]] or prompt[row] in seen:
                continue
            if room[prompt[row]] > 0:
                return _back(row, short, group, instead)
            seen.add(prompt[row])
            for other in sorted(at[prompt[row]]):
                if group[other] != short and group[other] not in instead:
                    instead[group[other]] = row, other
                    queue.append(group[other])
    return []


def _back(
    last: int, short: int, group: np.ndarray, instead: Mapping[int, tuple[int, int]]
) -> list[tuple[int, int | None]]:
    """The way to `last`, from its end."""
    way: list[tuple[int, int | None]] = [(last, None)]
    while (reached := group[way[-1][0]]) != short:
        way.append(instead[reached])
    return way
