"""A user's own file, read with a mapping of columns. Rows are counted from 0, lines from 1.

Where it may lie is in `user_paths`, what forms it may have in `user_rows`, what its values may be in `user_values`.
"""

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from curation.core.errors import CurationError
from curation.core.messages import first_names
from curation.core.params import Strict
from curation.core.ranges import FilePath
from curation.core.study import Study
from curation.core.text import clip, one_line
from curation.tables.json_values import Fault
from curation.tables.user_messages import count_lists, parse_answer, parse_list
from curation.tables.user_paths import find_path_fault, require_file
from curation.tables.user_rows import UserRows, read_rows
from curation.tables.user_values import (
    COMPLETION,
    COMPLETIONS,
    PROMPT,
    ColumnType,
    UnconvertibleError,
    convert_arrow,
    convert_values,
)

MOST_READ = 2**25  # bytes that are read to look whether a file can be
MOST_NAMED, MOST_SHOWN = 20, 40  # columns in a message, and characters of a column's name


class MappedColumn(NamedTuple):
    """One column to read: the place in params that names it, the file's name for it, and what it may hold."""

    place: str
    name: str
    type: ColumnType

    def __str__(self) -> str:
        return f"column {self.name!r} ({self.place})"


class UserFileParams(Strict):
    """Settings of what is read from a user's file, at `path`. `COLUMNS_UNDER` is where they name its columns."""

    COLUMNS_UNDER: ClassVar[str] = "columns."

    path: FilePath

    def map_columns(self) -> tuple[Mapping[str, str | None], Mapping[str, ColumnType]]:
        """The file's names for our columns, null where it has none, and what they may hold."""
        raise NotImplementedError

    def mistakes(self, study: Study) -> Iterator[str]:
        """A path that is no file, or that DVC would not see change."""
        if fault := find_path_fault(self.path):
            yield f"path: {self.path} {fault}"

    def check_rows(self, rows: pl.DataFrame) -> None:
        """Nothing. Raises CurationError if the file's rows, as `read_columns` gives them, are not what they should."""

    def unmet(self, study: Study) -> Iterator[str]:
        """The file, where it is not there or does not hold what it should."""
        yield from find_read_fault(self.path, *self.map_columns(), self.COLUMNS_UNDER, self.check_rows)


def read_columns(
    path: str, columns: Mapping[str, str | None], types: Mapping[str, ColumnType], under: str = "columns."
) -> pl.DataFrame:
    """The columns of `path` under our names, those mapped to null left out, as the types' Polars types; NaN is null.
    `under` is where params name them.

    Raises CurationError naming the file, and the column, row or line, where it cannot be read, has no rows, lacks a
    column, or holds another type than in `types` or a null that it does not allow.
    """
    frame, parsed = _read(path, columns, types, under)
    for column, count in parsed.items():
        print(
            one_line(f"{path}: {column}: {count} texts are the JSON of message lists, and read as these"),
            file=sys.stderr,
        )
    return frame


def _read(
    path: str, columns: Mapping[str, str | None], types: Mapping[str, ColumnType], under: str
) -> tuple[pl.DataFrame, dict[MappedColumn, int]]:
    """What `read_columns` gives, and how many texts of each column of prompts are the JSON of message lists."""
    file = require_file(path)
    mapped = {
        ours: MappedColumn(f"{under}{ours}", theirs, types[ours])
        for ours, theirs in columns.items()
        if theirs is not None
    }
    try:
        rows = read_rows(file, {column.name for column in mapped.values()})
        frame = pl.DataFrame([_convert(rows, column).alias(ours) for ours, column in mapped.items()])
    except Fault as fault:
        raise CurationError(one_line(f"{path}: {fault}")) from None
    except OSError as error:
        raise CurationError(one_line(f"{path}: cannot be read: {error.strerror or error}")) from None
    if frame.is_empty():
        raise CurationError(f"{path}: has no rows")
    parsers = {PROMPT: parse_list, COMPLETION: parse_answer, COMPLETIONS: parse_answer}
    texts = {column: parsers[column.type.values] for column in mapped.values() if column.type.values in parsers}
    parsed = {column: _count_lists(rows.columns[column.name], parse) for column, parse in texts.items()}
    return frame, {column: count for column, count in parsed.items() if count}


def _count_lists(values: list[Any] | pa.ChunkedArray, parse: Callable[[str], list[Any] | None]) -> int:
    return count_lists(values.to_pylist() if isinstance(values, pa.ChunkedArray) else values, parse)


def find_read_fault(
    path: str,
    columns: Mapping[str, str | None],
    types: Mapping[str, ColumnType],
    under: str,
    check_rows: Callable[[pl.DataFrame], None],
) -> Iterator[str]:
    """What `read_columns` refuses, or `check_rows` of what it gives, as `path: …`. Of a file of more than MOST_READ
    bytes only the columns are looked at, and those only in Parquet, whose footer names them."""
    file = Path(path)
    try:
        if not file.is_file() or file.stat().st_size <= MOST_READ:
            check_rows(_read(path, columns, types, under)[0])
        elif file.suffix == ".parquet":
            names = pq.read_schema(file).names
            for ours, theirs in columns.items():
                if theirs is not None and theirs not in names:
                    column = MappedColumn(f"{under}{ours}", theirs, types[ours])
                    raise CurationError(f"{path}: no {column}; it has {_list_names(names)}")
    except (CurationError, pa.ArrowException, OSError) as error:
        yield one_line(f"path: {error}")


def _convert(rows: UserRows, column: MappedColumn) -> pl.Series:
    """The column's values as its type. Raises Fault if they are of another, or null where they may not be."""
    values = rows.columns.get(column.name)
    if values is None:
        if not rows.names:
            raise Fault("has no rows")
        raise Fault(f"no {column}; it has {_list_names(rows.names)}")
    try:
        if isinstance(values, pa.ChunkedArray):
            series = convert_arrow(values, column.type)
        else:
            series = convert_values(values, column.type)
    except UnconvertibleError as error:
        raise Fault(f"{rows.place(error.row)}: {column} {error}") from None
    except ValueError as error:
        raise Fault(f"{column} {error}") from None
    if series.null_count() and not column.type.nullable:
        raise Fault(f"{column} is null in {series.null_count()} row(s), the first is row {series.is_null().arg_max()}")
    return series


def _list_names(names: Iterable[str]) -> str:
    return first_names((clip(name, MOST_SHOWN) for name in names), MOST_NAMED)
