"""Columns of a version's tables as this version of the toolkit calls them, and rows of two tables matched by key."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np
import polars as pl

from curation.core import renamed
from curation.core.errors import CurationError
from curation.explore.changes.version import Version

Rows: TypeAlias = np.ndarray | slice  # row numbers, or all rows
ALL, NONE = slice(None), np.zeros(0, np.int64)
Columns: TypeAlias = dict[str, pl.DataType | type[pl.DataType]]


def read(version: Version, name: str, columns: Columns) -> pl.DataFrame:
    """These columns of a file of the version, in its order. One that it does not have, since it was written earlier,
    is null; of version 0.1 the old names are read. Without the file there are no rows. Raises CurationError where it is
    no Parquet."""
    return _collect(version, name, columns, pl.lit(True))


def pick(version: Version, names: Iterable[str], key: str, ids: pl.Series, columns: Columns) -> pl.DataFrame:
    """These columns of the rows of some files that have one of the ids; of the other rows no more than the key is read.
    Raises CurationError as `read` does."""
    wanted = pl.col(key).is_in(ids.implode())
    parts = [_collect(version, name, columns, wanted) for name in names] if len(ids) else []
    return pl.concat(parts) if parts else pl.DataFrame(schema=columns)


def _collect(version: Version, name: str, columns: Columns, wanted: pl.Expr) -> pl.DataFrame:
    file = version.files.get(name)
    if file is None or file.path is None:
        return pl.DataFrame(schema=columns)
    try:
        theirs = name_columns(name, file.path)
        known = (
            (pl.col(theirs[column]) if column in theirs else pl.lit(None)).cast(kind).alias(column)
            for column, kind in columns.items()
        )
        rows = pl.scan_parquet(file.path, glob=False).select(known).filter(wanted).collect()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise CurationError(f"{version.name}: {name}: cannot be read: {str(error).splitlines()[0]}") from None
    return rows.with_columns(pl.col("reason").cast(pl.String).replace(renamed.REASONS)) if "reason" in columns else rows


def name_columns(name: str, file: Path) -> dict[str, str]:
    """The columns of a file: what they are called now, and in the file."""
    table = name.split("/")[1].removesuffix(".parquet")
    return {renamed.new_column(table, column) or column: column for column in pl.read_parquet_schema(file)}


def differs(before: Version, after: Version, name: str) -> bool:
    """Whether the file is in both versions, on this machine, and not known to be the same."""
    files = [version.files.get(name) for version in (before, after)]
    if any(file is None or file.path is None for file in files):
        return False
    return files[0] != files[1] and (files[0].md5 is None or files[0].md5 != files[1].md5)  # type: ignore[union-attr]


class Match(NamedTuple):
    """Which rows of a table are also in a later one: `before` and `after` are the numbers of the rows of shared keys,
    in the order of the key; `left` and `entered` of the others."""

    before: Rows
    after: Rows
    left: np.ndarray
    entered: np.ndarray


def match_keys(before: pl.Series, after: pl.Series) -> Match:
    """The rows of two tables by one whole number that is unique in each."""
    old, new = before.to_numpy(), after.to_numpy()
    if np.array_equal(old, new):
        return Match(ALL, ALL, NONE, NONE)
    if not (_ascends(old) and _ascends(new)):
        return match_rows(before.to_frame("key"), after.to_frame("key"), ["key"])
    place = np.searchsorted(new, old)
    found = np.zeros(len(old), bool)
    found[place < len(new)] = new[place[place < len(new)]] == old[place < len(new)]
    taken = np.zeros(len(new), bool)
    taken[place[found]] = True
    return Match(np.flatnonzero(found), np.flatnonzero(taken), np.flatnonzero(~found), np.flatnonzero(~taken))


def match_rows(before: pl.DataFrame, after: pl.DataFrame, key: Sequence[str]) -> Match:
    """The rows of two tables by a key of several columns."""
    if before.height == after.height and all(before[name].equals(after[name]) for name in key):
        return Match(ALL, ALL, NONE, NONE)
    old, new = before.select(key).with_row_index("before"), after.select(key).with_row_index("after")
    shared = old.join(new, on=key, how="inner", nulls_equal=True).sort("before")
    left, entered = np.ones(before.height, bool), np.ones(after.height, bool)
    pair = shared["before"].to_numpy().astype(np.int64), shared["after"].to_numpy().astype(np.int64)
    left[pair[0]], entered[pair[1]] = False, False
    return Match(*pair, np.flatnonzero(left), np.flatnonzero(entered))


def take(column: pl.Series, rows: Rows) -> pl.Series:
    """The values of a column in these rows."""
    return column if isinstance(rows, slice) else column.gather(rows)


def gather(frame: pl.DataFrame, rows: Rows) -> pl.DataFrame:
    """These rows of a table."""
    return frame if isinstance(rows, slice) else frame[rows]


def _ascends(key: np.ndarray) -> bool:
    return bool((key[1:] > key[:-1]).all())


def concat_parts(version: Version, table: str, columns: Columns, names: Iterable[str]) -> pl.DataFrame:
    """These columns of all parts of a table."""
    parts = [read(version, f"data/{table}/{name}.parquet", columns) for name in names]
    return pl.concat(parts) if parts else pl.DataFrame(schema=columns)
