"""What one pass over all deltas says: means with intervals, and the pairs that are worth a look. A dimension at a time
is in memory, and numbers are added in the order of the pairs, so that sums are the same on however many cores."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import polars as pl

from curation.core.progress import progress
from curation.core.stats import Clusters, only_interval
from curation.explore.report.asking import Asked, Row

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
    clusters = Clusters(one, np.unique(pairs["prompt_id"].to_numpy(), return_inverse=True)[1])
    del pairs, one
    right = {side: _read(asked, ids, f"select pair_id, {side} from truth") for side in ("chosen", "rejected")}
    wrong_way = np.sign(right["rejected"] - right["chosen"])  # nan where nobody knows
    means, wrong, highest, lowest = [], list[Row](), _Ends(len(ids)), _Ends(len(ids))
    for judge, dimension, delta in _dimensions(asked, ids):
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
        self.value[larger], self.delta[larger], self.whose[larger] = values[larger], delta[larger], len(self.names)
        self.names.append(name)

    def name(self, at: int) -> str:
        return self.names[int(self.whose[at])]


def _dimensions(asked: Asked, ids: Reals) -> Iterator[tuple[str, str, Reals]]:
    """Each judge's dimensions, with the delta of each pair."""
    named = [(judge, name) for judge, dimensions in asked.study.dimensions.items() for name in dimensions]
    with progress("report deltas", len(named), "dimensions") as shown:
        for judge, name in named:
            question = "select pair_id, delta from deltas where judge = $judge and dimension = $dimension"
            yield judge, name, _read(asked, ids, question, judge=judge, dimension=name)
            shown.advance(note=f"{judge} {name}")


def _read(asked: Asked, ids: Reals, question: str, **params: str) -> Reals:
    """The second column of the answer at the ids, which rise; nan where there is none."""
    rows = asked.frame("deltas pairs", question, **params)
    if not rows.height:
        return np.full(len(ids), np.nan)
    rows = rows if rows["pair_id"].is_sorted() else rows.sort("pair_id")
    there, values = rows["pair_id"].to_numpy(), rows.to_series(1).cast(pl.Float64).to_numpy()
    if np.array_equal(there, ids):
        return values
    at = np.minimum(np.searchsorted(there, ids), len(there) - 1)
    return np.where(there[at] == ids, values[at], np.nan)


def _largest(values: Reals) -> Iterator[tuple[int, float]]:
    """Where the `MOST` largest values above 0 are, and what; of equal ones the first."""
    above = np.flatnonzero((values > 0) & (values < np.inf))
    if len(above) > MOST:
        last = np.partition(values[above], -MOST)[-MOST]
        above = above[values[above] >= last]
    for at in above[np.argsort(-values[above], kind="stable")][:MOST]:
        yield int(at), float(values[at])


def _first_of_each(rows: list[Row]) -> list[Row]:
    """The first row of each pair, and of these the first."""
    found: dict[int, Row] = {}
    for row in rows:
        found.setdefault(row["pair_id"], row)
    return list(found.values())[:MOST]
