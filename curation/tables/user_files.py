"""A user's own Parquet or JSONL file, read with a mapping of columns. Rows are counted from 0, lines from 1."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import polars as pl
import pyarrow as pa

from curation.core.errors import CurationError, require_existing

LONGEST_LINE = 2**26  # bytes
MOST_SHOWN = 40  # characters of a value in a message


class ValueType(NamedTuple):
    """What a column may hold, in words, in Arrow, in Polars and in Python."""

    words: str
    arrow: pa.DataType
    polars: pl.DataType
    python: tuple[type, ...]


TEXT = ValueType("text", pa.string(), pl.String(), (str,))
WHOLE = ValueType("whole numbers", pa.int64(), pl.Int64(), (int,))
# Whole numbers, or text of digits: what holds numbers as doubles rounds 63-bit ids.
ID = ValueType("ids", pa.int64(), pl.Int64(), (int, str))
REAL = ValueType("numbers", pa.float64(), pl.Float64(), (int, float))


class ColumnType(NamedTuple):
    """What one of our columns may hold, and whether it may be null."""

    values: ValueType
    nullable: bool = False


class MappedColumn(NamedTuple):
    """One column to read: the place in params that names it, the file's name for it, and what it may hold."""

    place: str
    name: str
    type: ColumnType

    def __str__(self) -> str:
        return f"column {self.name!r} ({self.place})"


def read_columns(
    path: str, columns: Mapping[str, str | None], types: Mapping[str, ColumnType], under: str = "columns."
) -> pl.DataFrame:
    """The columns of `path` under our names, those mapped to null left out, as strings, Int64 or Float64. `under` is
    where params name them.

    Raises CurationError naming the file, and the column, row or line, where it is not Parquet or JSONL, has no rows,
    lacks a column, or holds another type than in `types` or a null that it does not allow.
    """
    file = require_existing(Path(path), "put it there, or correct the path in params.yaml")
    mapped = {
        ours: MappedColumn(f"{under}{ours}", theirs, types[ours])
        for ours, theirs in columns.items()
        if theirs is not None
    }
    frame, names = _read(file, list(mapped.values()))
    for column in mapped.values():
        if column.name not in names:
            raise CurationError(f"{file}: no {column}; it has {', '.join(names)}")
    if frame.is_empty():
        raise CurationError(f"{file}: has no rows")
    return pl.DataFrame([_checked(file, frame[column.name], column).alias(ours) for ours, column in mapped.items()])


def refuse_unmatched(path: str, column: str, ids: pl.Series, ours: pl.Series, unmatched: str, what: str) -> None:
    """Nothing, or a line on stderr, if the ids of `path` that are not among `ours` may be dropped. Raises
    CurationError, naming the first, if not."""
    lost = ids.filter(~ids.is_in(ours.implode()))
    if not len(lost):
        return
    count = f"{path}: {len(lost)} of {len(ids)} rows are of no {what}"
    if unmatched == "error" or len(lost) == len(ids):
        way_out = "" if len(lost) == len(ids) else ", or set unmatched: drop"
        raise CurationError(
            f"{count}, the first has {column} {lost[0]}; take ids from `curation sql --csv` and keep them text: "
            f"what reads them as doubles rounds them{way_out}"
        )
    print(f"{count}; dropped", file=sys.stderr)


def _read(file: Path, columns: list[MappedColumn]) -> tuple[pl.DataFrame, list[str]]:
    """Those of the columns that the file has, and the names of all that it has."""
    try:
        if file.suffix == ".parquet":
            return _parquet(file, columns)
        if file.suffix in (".jsonl", ".ndjson"):
            return _jsonl(file, columns)
    except (pl.exceptions.PolarsError, pa.ArrowInvalid, OSError) as error:
        raise CurationError(f"{file}: cannot be read as {file.suffix[1:]}: {str(error).splitlines()[0]}") from None
    raise CurationError(f"{file}: not a .parquet or .jsonl file")


def _parquet(file: Path, columns: list[MappedColumn]) -> tuple[pl.DataFrame, list[str]]:
    scan = pl.scan_parquet(file, glob=False)
    names = scan.collect_schema().names()
    return scan.select(list({column.name: None for column in columns if column.name in names})).collect(), names


def _jsonl(file: Path, columns: list[MappedColumn]) -> tuple[pl.DataFrame, list[str]]:
    """The names are those of the first line, and of every column that any line has."""
    from pyarrow import json as arrow_json

    schema = pa.schema({column.name: _arrow_type(file, column) for column in columns})
    reading = arrow_json.ReadOptions(block_size=LONGEST_LINE)
    parsing = arrow_json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore")
    try:
        table = arrow_json.read_json(file, reading, parsing)
        table.validate(full=True)  # it reads bytes that are not UTF-8 as they are
    except pa.ArrowInvalid:
        if fault := _first_fault(file, columns):
            raise CurationError(f"{file}: {fault}") from None
        raise
    with file.open(encoding="utf-8") as lines:
        names = list(json.loads(next(line for line in lines if line.strip())))
    frame = pl.DataFrame(pl.from_arrow(table))
    later = [name for name in frame.columns if name not in names and frame[name].null_count() < frame.height]
    return frame, [*names, *later]


def _arrow_type(file: Path, column: MappedColumn) -> pa.DataType:
    """The type to read a column as: ids are text where the first line has them so."""
    if column.type.values is not ID:
        return column.type.values.arrow
    with file.open(encoding="utf-8", errors="replace") as lines:
        first = next((line for line in lines if line.strip()), "{}")
    try:
        row = json.loads(first)
    except ValueError:
        row = None
    return pa.string() if isinstance(row, dict) and isinstance(row.get(column.name), str) else pa.int64()


def _first_fault(file: Path, columns: list[MappedColumn]) -> str | None:
    """The first line that is not a JSON object or holds another type than it may, and what is wrong with it."""
    for number, line in enumerate(file.read_bytes().split(b"\n"), 1):
        try:
            row = json.loads(line) if line.strip() else {}
        except json.JSONDecodeError as error:
            return f"line {number}: not JSON: {error.msg} at character {error.colno}"
        except UnicodeDecodeError:
            return f"line {number}: not UTF-8"
        if not isinstance(row, dict):
            return f"line {number}: {str(row)[:MOST_SHOWN]!r} is not a JSON object"
        for column in columns:
            value, values = row.get(column.name), column.type.values
            if value is not None and (isinstance(value, bool) or not isinstance(value, values.python)):
                return f"line {number}: {column} is {str(value)[:MOST_SHOWN]!r}, not {values.words}"
    return None


def _checked(file: Path, values: pl.Series, column: MappedColumn) -> pl.Series:
    """`values` as the column's type. Raises CurationError if they are of another, or null where they may not be."""
    expected, (dtype, textual) = column.type.values, _dtype(values)
    if expected is ID and textual:
        digits = values.cast(pl.String)
        if len(wrong := digits.filter(~digits.str.contains(r"^-?\d{1,18}$|^-?\d{19}$"))):
            raise CurationError(f"{file}: {column} holds {str(wrong[0])[:MOST_SHOWN]!r}, not a whole number")
        values = digits.cast(pl.Int64)
        dtype, textual = _dtype(values)
    fits = {TEXT: textual, WHOLE: dtype.is_integer(), ID: dtype.is_integer(), REAL: dtype.is_numeric()}[expected]
    if dtype != pl.Null and not fits:
        raise CurationError(f"{file}: {column} holds {dtype}, not {expected.words}")
    cast = values.cast(expected.polars)
    if expected is REAL:
        cast = cast.fill_nan(None)
    if cast.null_count() and not column.type.nullable:
        raise CurationError(
            f"{file}: {column} is null in {cast.null_count()} row(s), the first is row {cast.is_null().arg_max()}"
        )
    return cast


def _dtype(values: pl.Series) -> tuple[pl.DataType, bool]:
    """The type of the values, and whether they are text."""
    return values.dtype, values.dtype in (pl.String, pl.Categorical, pl.Enum)
