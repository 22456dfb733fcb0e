"""A user's own Parquet or JSONL file, read with a mapping of columns. Rows are counted from 0, lines from 1."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, TypeAlias

import polars as pl
import pyarrow as pa

from curation.core.errors import CurationError, existing

LONGEST_LINE = 2**26  # bytes


class Kind(NamedTuple):
    """What a column may hold, in words, in Arrow, in Polars and in Python."""

    words: str
    arrow: pa.DataType
    polars: pl.DataType
    python: tuple[type, ...]


TEXT = Kind("text", pa.string(), pl.String(), (str,))
WHOLE = Kind("whole numbers", pa.int64(), pl.Int64(), (int,))
ID = Kind(
    "ids", pa.int64(), pl.Int64(), (int, str)
)  # whole numbers, or text of digits: what holds numbers as doubles rounds ours
REAL = Kind("numbers", pa.float64(), pl.Float64(), (int, float))


class Wanted(NamedTuple):
    """What one of our columns may hold, and whether it may be null."""

    kind: Kind
    nullable: bool = False


class Asked(NamedTuple):
    """One wanted column of a file: the place in params that names it, the file's name, and what it may hold."""

    ours: str
    theirs: str
    wanted: Wanted

    def __str__(self) -> str:
        return f"column {self.theirs!r} ({self.ours})"


Read: TypeAlias = tuple[pl.DataFrame, list[str]]


def read_columns(
    path: str, columns: Mapping[str, str | None], wanted: Mapping[str, Wanted], under: str = "columns."
) -> pl.DataFrame:
    """The columns of `path` under our names, those mapped to null left out, as strings, Int64 or Float64. `under` is
    where params name them.

    Raises CurationError naming the file, and the column, row or line, where it is not Parquet or JSONL, has no rows,
    lacks a column, or holds another type than `wanted` or a null that it does not allow.
    """
    file = existing(Path(path), "put it there, or correct the path in params.yaml")
    names_of = {f"{under}{ours}": ours for ours in columns}
    asked = [
        Asked(place, str(columns[ours]), wanted[ours]) for place, ours in names_of.items() if columns[ours] is not None
    ]
    frame, names = _read(file, asked)
    for one in asked:
        if one.theirs not in names:
            raise CurationError(f"{file}: no {one}; it has {', '.join(names)}")
    if frame.is_empty():
        raise CurationError(f"{file}: has no rows")
    return pl.DataFrame([_checked(file, frame[one.theirs], one).alias(names_of[one.ours]) for one in asked])


def refuse_unmatched(path: str, theirs: str, ids: pl.Series, known: pl.Series, unmatched: str, what: str) -> None:
    """Nothing, or a line on stderr, if the ids of `path` that are not `known` may be dropped. Raises CurationError,
    naming the first, if not."""
    lost = ids.filter(~ids.is_in(known.implode()))
    if len(lost) and (unmatched == "error" or len(lost) == len(ids)):
        way_out = "" if len(lost) == len(ids) else ", or set unmatched: drop"
        raise CurationError(f"{path}: {len(lost)} of {len(ids)} rows are of no {what}, the first has {theirs} {lost[0]}; take ids from `curation sql "
                            f"--csv` and keep them text: what reads them as doubles rounds them{way_out}")  # fmt: skip
    if len(lost):
        print(f"{path}: {len(lost)} of {len(ids)} rows are of no {what}; dropped", file=sys.stderr)


def _read(file: Path, asked: list[Asked]) -> Read:
    try:
        if file.suffix == ".parquet":
            return _parquet(file, asked)
        if file.suffix in (".jsonl", ".ndjson"):
            return _jsonl(file, asked)
    except (pl.exceptions.PolarsError, pa.ArrowInvalid, OSError) as error:
        raise CurationError(f"{file}: cannot be read as {file.suffix[1:]}: {str(error).splitlines()[0]}") from None
    raise CurationError(f"{file}: not a .parquet or .jsonl file")


def _parquet(file: Path, asked: list[Asked]) -> Read:
    """The asked columns that the file has, and the names of all it has."""
    scan = pl.scan_parquet(file, glob=False)
    names = scan.collect_schema().names()
    return scan.select(list({one.theirs: None for one in asked if one.theirs in names})).collect(), names


def _jsonl(file: Path, asked: list[Asked]) -> Read:
    """The asked columns, and the names of the first line and of every asked column that any line has."""
    from pyarrow import json as arrow_json

    schema = pa.schema({one.theirs: _arrow(file, one) for one in asked})
    reading = arrow_json.ReadOptions(block_size=LONGEST_LINE)
    parsing = arrow_json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore")
    try:
        table = arrow_json.read_json(file, reading, parsing)
        table.validate(full=True)  # it reads bytes that are not UTF-8 as they are
    except pa.ArrowInvalid:
        if fault := _fault(file, asked):
            raise CurationError(f"{file}: {fault}") from None
        raise
    with file.open(encoding="utf-8") as lines:
        names = list(json.loads(next(line for line in lines if line.strip())))
    frame = pl.DataFrame(pl.from_arrow(table))
    return frame, [
        *names,
        *(name for name in frame.columns if name not in names and frame[name].null_count() < frame.height),
    ]


def _arrow(file: Path, one: Asked) -> pa.DataType:
    """The type to read a column as: ids are text where the first line has them so."""
    if one.wanted.kind is not ID:
        return one.wanted.kind.arrow
    with file.open(encoding="utf-8", errors="replace") as lines:
        first = next((line for line in lines if line.strip()), "{}")
    try:
        row = json.loads(first)
    except ValueError:
        row = None
    return pa.string() if isinstance(row, dict) and isinstance(row.get(one.theirs), str) else pa.int64()


def _fault(file: Path, asked: list[Asked]) -> str | None:
    """The first line that is not a JSON object or holds another type than asked, and what is wrong with it."""
    for number, line in enumerate(file.read_bytes().split(b"\n"), 1):
        try:
            row = json.loads(line) if line.strip() else {}
        except json.JSONDecodeError as error:
            return f"line {number}: not JSON: {error.msg} at character {error.colno}"
        except UnicodeDecodeError:
            return f"line {number}: not UTF-8"
        if not isinstance(row, dict):
            return f"line {number}: {str(row)[:40]!r} is not a JSON object"
        for one in asked:
            value = row.get(one.theirs)
            if value is not None and (isinstance(value, bool) or not isinstance(value, one.wanted.kind.python)):
                return f"line {number}: {one} is {str(value)[:40]!r}, not {one.wanted.kind.words}"
    return None


def _checked(file: Path, values: pl.Series, one: Asked) -> pl.Series:
    dtype, kind = values.dtype, one.wanted.kind
    textual = dtype in (pl.String, pl.Categorical, pl.Enum)
    if kind is ID and textual:
        digits = values.cast(pl.String)
        if len(wrong := digits.filter(~digits.str.contains(r"^-?\d{1,18}$|^-?\d{19}$"))):
            raise CurationError(f"{file}: {one} holds {str(wrong[0])[:40]!r}, not a whole number")
        values, dtype, textual = digits.cast(pl.Int64), pl.Int64(), False
    if dtype != pl.Null and not (
        textual if kind is TEXT else dtype.is_integer() if kind in (WHOLE, ID) else dtype.is_numeric()
    ):
        raise CurationError(f"{file}: {one} holds {dtype}, not {kind.words}")
    cast = values.cast(kind.polars).alias(one.ours)
    if kind is REAL:
        cast = cast.fill_nan(None)
    if cast.null_count() and not one.wanted.nullable:
        raise CurationError(
            f"{file}: {one} is null in {cast.null_count()} row(s), the first is row {cast.is_null().arg_max()}"
        )
    return cast
