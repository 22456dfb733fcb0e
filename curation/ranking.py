"""Which rows come first: exact counts, whatever the order of the rows. Arrays of one length; a smaller key comes first, equal keys by `draws`."""

import numpy as np
import polars as pl

AT_ONCE = 65_536  # numbers, few enough to stay in a processor's cache from one step to the next


def draws(ids: np.ndarray, seed: int) -> np.ndarray:
    """A number for each id, uniform over 64 bits and of no other id: SplitMix64 (Steele, Lea and Flood, OOPSLA 2014) of the id from a start that
    `seed` gives, so that a row's draw does not change when others come or go."""
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


def lowest(count: int, *keys: np.ndarray) -> np.ndarray:
    """A mask of the `count` rows that come first by `keys` in turn, of which the last has no value twice; of all rows if there are no more."""
    key, rest = keys[0], keys[1:]
    if count >= len(key):
        return np.ones(len(key), bool)
    if count <= 0:
        return np.zeros(len(key), bool)
    edge = np.partition(key, count - 1)[count - 1]
    taken: np.ndarray = key < edge
    tied = np.flatnonzero(key == edge)
    need = count - int(np.count_nonzero(taken))
    taken[tied[lowest(need, *(other[tied] for other in rest))] if rest else tied[:need]] = True
    return taken


def first_of_each(group: np.ndarray, most: int | np.ndarray, key: np.ndarray, draw: np.ndarray) -> np.ndarray:
    """A mask of the rows of each group that come first: `most`, or so many as it says for each row, which is the same for all rows of a group."""
    rows = pl.DataFrame({"group": group, "key": key, "draw": draw, "most": most}).with_row_index("row")
    first = rows.group_by("group").agg(pl.col("row").sort_by("key", "draw").head(pl.col("most").first()))
    taken = np.zeros(len(group), bool)
    taken[first["row"].explode().drop_nulls().to_numpy()] = True
    return taken


def reversible(chosen: np.ndarray, rejected: np.ndarray) -> np.ndarray:
    """The rows whose ids have a sum that another row's have too: all that have a reverse, and hardly another, since ids are hashes."""
    sums = chosen + rejected
    ordered = np.sort(sums)
    again = ordered[1:][ordered[1:] == ordered[:-1]]
    return np.flatnonzero(np.isin(sums, again)) if len(again) else np.zeros(0, np.int64)


def beaten(chosen: np.ndarray, rejected: np.ndarray, key: np.ndarray, draw: np.ndarray) -> np.ndarray:
    """A mask of the rows whose reverse, the same two ids the other way round, is there and comes before them."""
    lost, twice = np.zeros(len(chosen), bool), reversible(chosen, rejected)
    if not len(twice):
        return lost
    chosen, rejected = chosen[twice], rejected[twice]
    low, high = np.minimum(chosen, rejected), np.maximum(chosen, rejected)
    rows = pl.DataFrame({"low": low, "high": high, "key": key[twice], "draw": draw[twice], "row": twice}).sort("low", "high", "key", "draw")
    after = rows.filter((pl.col("low") == pl.col("low").shift()) & (pl.col("high") == pl.col("high").shift()))
    lost[after["row"].to_numpy()] = True
    return lost


def allocated(sizes: np.ndarray, total: int, shares: str) -> np.ndarray:
    """How many of `total` each stratum gets, never more than its size, and in all as many as there are up to `total`.

    `proportional` to their sizes, by largest remainder; `equal` as far as sizes allow: what a small one cannot give is shared by the others. What is
    left over goes to the first ones.
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
    """How many each group may give so that none gives more than `share` of all that are given, and how many that are: as many as can be, up to `total`.

    What fewer give is at most what more would give, so the largest number that holds is found going down.
    """
    most = min(total, int(sizes.sum()))
    while True:
        caps = np.minimum(sizes, int(most * share + 1e-9))
        if caps.sum() >= most:
            return caps, most
        most = int(caps.sum())
