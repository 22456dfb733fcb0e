"""What one pass over all deltas says: means with intervals, and the pairs that are worth a look. A dimension at a time
is in memory, and numbers are added in the order of the pairs, so that sums are the same on however many cores."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import polars as pl

from curation.core.progress import progress
from curation.core.stats import Clusters, dense_rank, only_interval
from curation.core.study import Study
from curation.explore.report.asking import Asked, Row
from curation.tables import contracts, parquet

MOST = 2  # pairs of each sort
Reals = np.ndarray


class Swept(NamedTuple):
    """Of pairs of two texts. `means`: of each judge's dimension the mean delta `value`, `ci_low` and `ci_high`,
    clustered by prompt and null with fewer than two, and `n`. `against_truth`: the pairs whose delta is furthest on the
    wrong side, in standard deviations of that dimension's, with `judge`, `dimension`, `delta`, `chosen` and `rejected`,
    how right each side is. `against_each_other`: the pairs that one judge puts furthest above 0 and another below, with
    `high_of`, `high`, `low_of` and `low`."""

    means: list[Row]
    against_truth: list[Row]
    against_each_other: list[Row]


def sweep(asked: Asked) -> Swept:
    """All of it; nothing where there are no deltas."""
    pairs = asked.frame("deltas pairs", "select pair_id, prompt_id from pairs where not identical")
    if not pairs.height:
        return Swept([], [], [])
    pairs = pairs if pairs["pair_id"].is_sorted() else pairs.sort("pair_id")
    ids, truth = pairs["pair_id"].to_numpy(), asked.study.reliability.truth
    one = pl.DataFrame({"all": np.zeros(len(ids), np.int8)})
    clusters = Clusters(one, dense_rank(pairs["prompt_id"]))
    del pairs, one
    at_pairs = _Aligner(ids)
    right = {
        side: at_pairs.align(asked.frame("pairs", f"select pair_id, {side} from truth"))
        for side in ("chosen", "rejected")
    }
    wrong_way = np.sign(right["rejected"] - right["chosen"])  # nan where nobody knows
    means, wrong, highest, lowest = [], list[Row](), _Ends(len(ids)), _Ends(len(ids))
    for judge, dimension, delta in _dimensions(asked.study, at_pairs):
        found = clusters.means(pl.Series(delta, nan_to_null=True))
        if not (n := int(np.count_nonzero(~np.isnan(delta)))):
            continue
        ends = only_interval(found)
        means.append({
            "judge": judge, "dimension": dimension, "value": found["mean"].item(), "n": n,
            "ci_low": ends and ends.low, "ci_high": ends and ends.high,
        })  # fmt: skip
        spread = float(np.nanstd(delta))
        if judge == truth or not spread > 0:
            continue
        z = delta / spread
        wrong += [
            {"pair_id": int(ids[at]), "judge": judge, "dimension": dimension, "delta": float(delta[at]), "z": value,
             **{side: float(rights[at]) for side, rights in right.items()}}
            for at, value in _largest(z * wrong_way)
        ]  # fmt: skip
        highest.see(z, delta, f"{judge}.{dimension}")
        lowest.see(-z, delta, f"{judge}.{dimension}")
    wrong.sort(key=lambda row: (-row["z"], row["pair_id"], row["judge"], row["dimension"]))
    others = [
        {"pair_id": int(ids[at]), "high_of": highest.name(at), "high": float(highest.delta[at]),
         "low_of": lowest.name(at), "low": float(lowest.delta[at])}
        for at, _ in _largest(np.minimum(highest.value, lowest.value))
    ]  # fmt: skip
    return Swept(means, _first_of_each(wrong), others)


class _Ends:
    """Of each pair the largest value seen so far, the delta that it was made of, and whose."""

    def __init__(self, pairs: int) -> None:
        self.value, self.delta = np.full(pairs, -np.inf), np.full(pairs, np.nan)
        self.whose, self.names = np.zeros(pairs, np.int16), list[str]()

    def see(self, values: Reals, delta: Reals, name: str) -> None:
        larger = values > self.value  # never so of nan
        for own, seen in ((self.value, values), (self.delta, delta), (self.whose, len(self.names))):
            np.copyto(own, seen, where=larger, casting="same_kind")
        self.names.append(name)

    def name(self, at: int) -> str:
        return self.names[int(self.whose[at])]


class _Aligner:
    """Puts values beside some pairs, whose ids rise. Tables have mostly the same pairs as each other, so the places of
    these in the last one are kept."""

    def __init__(self, ids: Reals) -> None:
        self.ids, self.there, self.place = ids, ids, np.arange(len(ids))

    def align(self, rows: pl.DataFrame) -> Reals:
        """The second column of `rows`, whose first is pair_id, at the ids; nan where there is none."""
        if not rows.height:
            return np.full(len(self.ids), np.nan)
        rows = rows if rows["pair_id"].is_sorted() else rows.sort("pair_id")
        there, values = rows["pair_id"].to_numpy(), rows.to_series(1).cast(pl.Float64).to_numpy()
        if not np.array_equal(there, self.there):
            self.there, self.place = there, np.minimum(np.searchsorted(there, self.ids), len(there) - 1)
            self.place[there[self.place] != self.ids] = len(there)
        return np.append(values, np.nan)[self.place]


def _dimensions(study: Study, at_pairs: _Aligner) -> Iterator[tuple[str, str, Reals]]:
    """Each judge's dimensions, with the delta of each pair. They are read of its own table: the view `deltas` is all of
    them, and to ask it once for each of hundreds takes minutes."""
    there = {
        judge: file
        for judge in study.dimensions
        if (file := contracts.path("deltas", judge, study.path.parent / contracts.DATA)).exists()
    }
    with progress("report deltas", sum(len(study.dimensions[judge]) for judge in there), "dimensions") as shown:
        for judge, file in there.items():
            for name in study.dimensions[judge]:
                column = f"delta_{name}"
                rows = parquet.read(contracts.judge_deltas(study, judge), file, ["pair_id", column])
                yield judge, name, at_pairs.align(rows.select("pair_id", column))
                shown.advance(note=f"{judge} {name}")


def _largest(values: Reals) -> Iterator[tuple[int, float]]:
    """Where the `MOST` largest values above 0 are, and what; of equal ones the first."""
    left = np.where(values < np.inf, values, 0)  # 0 of nan too
    for _ in range(min(MOST, len(left))):
        at = int(np.argmax(left))
        if left[at] > 0:
            yield at, float(values[at])
        left[at] = 0


def _first_of_each(rows: list[Row]) -> list[Row]:
    """The first row of each pair, and of these the first."""
    found: dict[int, Row] = {}
    for row in rows:
        found.setdefault(row["pair_id"], row)
    return list(found.values())[:MOST]
