"""A page of rows in the order of a column, of ten million without sorting them all."""

import numpy as np
import polars as pl


def order_page(values: pl.Series, rows: np.ndarray, start: int, count: int, down: bool) -> np.ndarray:
    """Those of `rows` (row numbers, ascending) that come at the places from `start` on, at most `count`, when all of
    them are in the order of their values, and equal ones in that of `rows`; those without a value come last."""
    keys, known = sort_keys(values)
    if down:
        keys = ~keys if keys.dtype.kind in "iu" else -keys  # the least whole number has no opposite
    sorts, unknown = rows[known[rows]], rows[~known[rows]]
    end = min(start + count, len(sorts))
    first = _middle(sorts, keys[sorts], start, end) if start < end else rows[:0]
    after = max(start - len(sorts), 0)
    return np.concatenate([first, unknown[after : after + count - len(first)]])


def sort_keys(values: pl.Series) -> tuple[np.ndarray, np.ndarray]:
    """Numbers in the order of the values, and which of the values are known: neither null nor NaN. Exact for every
    sort that an expression gives but for whole numbers beyond 2^53 beside nulls."""
    if values.dtype == pl.String:
        values = values.cast(pl.Enum(values.unique().drop_nulls().sort())).to_physical()
    if not values.dtype.is_integer():
        values = values.cast(pl.Float64)
    known = values.is_not_null() & (values.is_not_nan() if values.dtype.is_float() else True)
    filled = values.fill_null(0)
    wide = filled.cast(pl.Int64) if filled.dtype.is_integer() and filled.dtype != pl.UInt64 else filled
    return wide.to_numpy(), known.to_numpy()


def _middle(rows: np.ndarray, keys: np.ndarray, start: int, end: int) -> np.ndarray:
    """The rows at the places from `start` to `end` of a stable sort by `keys`."""
    low, high = np.partition(keys, (start, end - 1))[[start, end - 1]]
    near = np.flatnonzero((keys >= low) & (keys <= high))
    before = int(np.count_nonzero(keys < low))
    order = np.argsort(keys[near], kind="stable")
    picked: np.ndarray = rows[near[order[start - before : end - before]]]
    return picked
