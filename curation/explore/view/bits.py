"""Sets of rows as bits: a set of ten million rows is 1.25 MB, and what two have in common is counted in a
millisecond."""

from collections.abc import Iterable
from functools import reduce

import numpy as np


def pack(mask: np.ndarray) -> np.ndarray:
    """The set of the rows for which `mask` is true."""
    return np.packbits(mask)


def everything(height: int) -> np.ndarray:
    """The set of all rows."""
    return np.packbits(np.ones(height, dtype=bool))


def meet(sets: Iterable[np.ndarray], height: int) -> np.ndarray:
    """What all the sets have in common."""
    return reduce(np.bitwise_and, sets, everything(height))


def count(rows: np.ndarray) -> int:
    """How many rows a set has."""
    return int(np.bitwise_count(rows).sum())


def numbers(rows: np.ndarray, height: int) -> np.ndarray:
    """The row numbers of a set, ascending."""
    return np.flatnonzero(np.unpackbits(rows, count=height))
