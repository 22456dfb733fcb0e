"""Which rows come first: exact counts, whatever the order of the rows."""

import numpy as np
import polars as pl

AT_ONCE = 65_536  # numbers, few enough to stay in a processor's cache from one step to the next


def draws(ids: np.ndarray, seed: int) -> np.ndarray:
    """A number for each id, uniform over 64 bits and of no other id: SplitMix64 (Steele, Lea and Flood, OOPSLA 2014)
    of the id from a start that `seed` gives, so that a row's draw does not change when others come or go."""
    return _mixed(ids.astype(np.uint64) ^ _mixed(np.array([seed], np.int64).astype(np.uint64)))


def _mixed(start: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        mixed: np.ndarray = start + np.uint64(0x9E3779B97F4A7C15)
        for begin in range(0, len(mixed), AT_ONCE):
            x = mixed[begin : begin + AT_ONCE]
            for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
                x ^= x >> np.uint64(shift)
                x *= np.uint64(factor)
            x ^= x >> np.uint64(31)
    return mixed


class Order:
    """Which rows come before which: those of a lower key, and of equal keys, or where there are none, those whose id
    has the lower draw.

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
        edge = np.partition(key, count - 1)[count - 1]
        taken: np.ndarray = key < edge
        tied = np.flatnonzero(key == edge)
        need = count - int(np.count_nonzero(taken))
        taken[tied if need == len(tied) else tied[np.argsort(self.draws(rows[tied]))[:need]]] = True
        return taken

    def argsort(self, rows: np.ndarray) -> np.ndarray:
        """Where in `rows` the first one is, the second one, and so on."""
        return np.lexsort((self.draws(rows), *([] if self.key is None else [self.key[rows]])))

    def first_of_each(self, most: int | np.ndarray, group: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """A mask of the rows of each group that come first: `most`, or so many as it says for each row, which is the
        same for all rows of a group."""
        frame = self._frame(rows).with_columns(pl.Series("group", group), most=most).with_row_index("place")
        first = frame.group_by("group").agg(pl.col("place").sort_by("key", "draw").head(pl.col("most").first()))
        taken = np.zeros(len(rows), bool)
        taken[first["place"].explode().drop_nulls().to_numpy()] = True
        return taken

    def beaten(self, chosen: np.ndarray, rejected: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """A mask of the rows whose reverse, the same two ids the other way round, is among the rows and comes before
        them."""
        lost, twice = np.zeros(len(rows), bool), reversible(chosen[rows], rejected[rows])
        if not len(twice):
            return lost
        one, other = chosen[rows[twice]], rejected[rows[twice]]
        ends = pl.DataFrame({"low": np.minimum(one, other), "high": np.maximum(one, other), "place": twice})
        ranked = self._frame(rows[twice]).hstack(ends).sort("low", "high", "key", "draw")
        after = ranked.filter((pl.col("low") == pl.col("low").shift()) & (pl.col("high") == pl.col("high").shift()))
        lost[after["place"].to_numpy()] = True
        return lost

    def _frame(self, rows: np.ndarray) -> pl.DataFrame:
        draw = self.draws(rows)
        return pl.DataFrame({"key": draw if self.key is None else self.key[rows], "draw": draw})


def reversible(chosen: np.ndarray, rejected: np.ndarray) -> np.ndarray:
    """The rows whose ids have a sum that another row's have too: all that have a reverse, and hardly another, since
    ids are hashes."""
    sums = chosen + rejected
    ordered = np.sort(sums)
    again = ordered[1:][ordered[1:] == ordered[:-1]]
    return np.flatnonzero(np.isin(sums, again)) if len(again) else np.zeros(0, np.int64)


def allocated(sizes: np.ndarray, total: int, shares: str) -> np.ndarray:
    """How many of `total` each stratum gets, never more than its size, and in all as many as there are up to `total`.

    `proportional` to their sizes, by largest remainder; `equal` as far as sizes allow: what a small one cannot give is
    shared by the others. What is left over goes to the first ones.
    """
    total = min(total, int(sizes.sum()))
    if shares == "proportional":
        exact: np.ndarray = sizes * total // max(int(sizes.sum()), 1)
        most_lost = np.argsort(-(sizes * total % max(int(sizes.sum()), 1)), kind="stable")
        exact[most_lost[: total - int(exact.sum())]] += 1
        return exact
    given = np.zeros(len(sizes), np.int64)
    while given.sum() < total:
        left, short = total - int(given.sum()), np.flatnonzero(given < sizes)
        each = left // len(short)
        given[short] += np.minimum(each, (sizes - given)[short]) if each else np.arange(len(short)) < left
    return given


def capped(sizes: np.ndarray, total: int, share: float) -> tuple[np.ndarray, int]:
    """How many each group may give so that none gives more than `share` of all that are given, and how many that are:
    as many as can be, up to `total`.

    What fewer give is at most what more would give, so the largest number that holds is found going down.
    """
    most = min(total, int(sizes.sum()))
    while True:
        caps = np.minimum(sizes, int(most * share + 1e-9))
        if caps.sum() >= most:
            return caps, most
        most = int(caps.sum())
