"""Which rows come first: exact counts, whatever the order of the rows."""

import numpy as np
import polars as pl

ROWS_PER_BLOCK = 65_536  # few enough for a block to stay in a processor's cache from one step to the next


def draws(ids: np.ndarray, seed: int) -> np.ndarray:
    """A number for each id, uniform over 64 bits, and no two the same: SplitMix64 (Steele, Lea and Flood, OOPSLA 2014)
    of the id from a start that `seed` gives. A row's draw does not change when other rows come or go."""
    return _mix(ids.astype(np.uint64) ^ _mix(np.array([seed], np.int64).astype(np.uint64)))


def _mix(state: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        mixed: np.ndarray = state + np.uint64(0x9E3779B97F4A7C15)
        for start in range(0, len(mixed), ROWS_PER_BLOCK):
            x = mixed[start : start + ROWS_PER_BLOCK]
            for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
                x ^= x >> np.uint64(shift)
                x *= np.uint64(factor)
            x ^= x >> np.uint64(31)
    return mixed


class Ranker:
    """Ranks rows: a lower key comes first. Equal keys, or all rows where there is no key, are ordered by the draws of
    their ids, the lowest first.

    Rows are numbers of `ids` and `key`; nan comes last. A draw takes time and memory, so only those are made that
    decide.
    """

    def __init__(self, ids: np.ndarray, seed: int, key: np.ndarray | None = None) -> None:
        self.ids, self.seed, self.key = ids, seed, key

    def draws(self, rows: np.ndarray) -> np.ndarray:
        """The draws of some rows."""
        return draws(self.ids[rows], self.seed)

    def first(self, count: int, rows: np.ndarray) -> np.ndarray:
        """A mask of the `count` rows that come first; of all rows if there are no more."""
        if count >= len(rows) or count <= 0:
            return np.full(len(rows), count > 0)
        key = self.draws(rows) if self.key is None else self.key[rows]
        last_key = np.partition(key, count - 1)[count - 1]
        first: np.ndarray = key < last_key
        tied = np.flatnonzero(key == last_key)
        missing = count - int(np.count_nonzero(first))
        first[tied if missing == len(tied) else tied[np.argsort(self.draws(rows[tied]))[:missing]]] = True
        return first

    def rank(self, row: int, rows: np.ndarray) -> tuple[int, int]:
        """The place of `row` among `rows`, of which it is one, from 1; and how many of them have its key, itself
        included, so that draws decide between them. Without a key that is 1."""
        tied, before = rows, 0
        if self.key is not None:  # compared first and picked then: a truth takes an eighth of a key's memory
            before = int(np.count_nonzero((self.key < self.key[row])[rows]))
            tied = rows[(self.key == self.key[row])[rows]]
        ahead = int(np.count_nonzero(self.draws(tied) < self.draws(np.array([row])))) if len(tied) > 1 else 0
        return 1 + before + ahead, 1 if self.key is None else len(tied)

    def last(self, rows: np.ndarray) -> int:
        """The one of the rows that comes last; there is one."""
        if self.key is not None:
            key = self.key[rows]
            rows = rows[key == np.max(key)]
        return int(rows[np.argmax(self.draws(rows))])

    def argsort(self, rows: np.ndarray) -> np.ndarray:
        """Where in `rows` the first one is, the second one, and so on."""
        return np.lexsort((self.draws(rows), *([] if self.key is None else [self.key[rows]])))

    def first_of_each(self, count: int | np.ndarray, group: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """A mask of the `count` rows of each group that come first. An array has a count for each row, the same for
        all rows of a group."""
        frame = self._frame(rows).with_columns(pl.Series("group", group), count=count).with_row_index("index")
        by_group = frame.group_by("group").agg(pl.col("index").sort_by("key", "draw").head(pl.col("count").first()))
        first = np.zeros(len(rows), bool)
        first[by_group["index"].explode().drop_nulls().to_numpy()] = True
        return first

    def outranked_by_reverse(self, chosen: np.ndarray, rejected: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """A mask of the rows whose reverse, the pair of the same two traces the other way round, is among the rows and
        comes before them. `chosen` and `rejected` are the trace ids of all rows."""
        outranked, repeated = np.zeros(len(rows), bool), _with_equal_sums(chosen[rows], rejected[rows])
        if not len(repeated):
            return outranked
        left, right = chosen[rows[repeated]], rejected[rows[repeated]]
        traces = pl.DataFrame({"low": np.minimum(left, right), "high": np.maximum(left, right), "index": repeated})
        ranked = self._frame(rows[repeated]).hstack(traces).sort("low", "high", "key", "draw")
        same_traces = (pl.col("low") == pl.col("low").shift()) & (pl.col("high") == pl.col("high").shift())
        outranked[ranked.filter(same_traces)["index"].to_numpy()] = True
        return outranked

    def _frame(self, rows: np.ndarray) -> pl.DataFrame:
        draw = self.draws(rows)
        return pl.DataFrame({"key": draw if self.key is None else self.key[rows], "draw": draw})


def _with_equal_sums(chosen: np.ndarray, rejected: np.ndarray) -> np.ndarray:
    """The rows whose two ids add up to what another row's do: all that have a reverse, and hardly any other, since ids
    are hashes. One sort of the sums is cheaper than a join of both columns."""
    sums = chosen + rejected
    ordered = np.sort(sums)
    repeated = ordered[1:][ordered[1:] == ordered[:-1]]
    return np.flatnonzero(np.isin(sums, repeated)) if len(repeated) else np.zeros(0, np.int64)


def allocate(sizes: np.ndarray, total: int, shares: str) -> np.ndarray:
    """How many of `total` each stratum gets: never more than its size, and in all as many as there are up to `total`.

    `proportional` is to their sizes, by largest remainder. `equal` is as far as sizes allow: what a small stratum
    cannot give is shared by the others. What is left over goes to the first ones.
    """
    total = min(total, int(sizes.sum()))
    if shares == "proportional":
        exact: np.ndarray = sizes * total // max(int(sizes.sum()), 1)
        by_remainder = np.argsort(-(sizes * total % max(int(sizes.sum()), 1)), kind="stable")
        exact[by_remainder[: total - int(exact.sum())]] += 1
        return exact
    given = np.zeros(len(sizes), np.int64)
    while given.sum() < total:
        left, open_strata = total - int(given.sum()), np.flatnonzero(given < sizes)
        each = left // len(open_strata)
        given[open_strata] += (
            np.minimum(each, (sizes - given)[open_strata]) if each else np.arange(len(open_strata)) < left
        )
    return given


def cap_groups(sizes: np.ndarray, total: int, share: float) -> tuple[np.ndarray, int]:
    """How many rows each group may give so that none gives more than `share` of all that are given, and how many are
    given: as many as can be, up to `total`.

    A smaller number given has smaller caps, so the largest number that its caps allow is reached from above.
    """
    given = min(total, int(sizes.sum()))
    while True:
        caps = np.minimum(sizes, int(given * share + 1e-9))
        if caps.sum() >= given:
            return caps, given
        given = int(caps.sum())
