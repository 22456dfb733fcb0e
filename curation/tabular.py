"""A user's own Parquet or JSONL file, read with a mapping of columns. Rows are counted from 0, lines from 1."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import polars as pl
import pyarrow as pa

from curation.errors import CurationError, existing

LONGEST_LINE = 2**28
KINDS: Mapping[str, pa.DataType] = {"text": pa.string(), "whole numbers": pa.int64(), "numbers": pa.float64()}
TYPES: Mapping[str, type] = {"text": str, "whole numbers": int, "numbers": float}


class Wanted(NamedTuple):
    """What one of our columns may hold: a key of KINDS, and whether it may be null."""

    kind: str
    nullable: bool = False


class Asked(NamedTuple):
    """One wanted column of a file: our name for it, the file's, and what it may hold."""

    ours: str
    theirs: str
    wanted: Wanted

    def __str__(self) -> str:
        return f"column {self.theirs!r} (columns.{self.ours})"


Read: TypeAlias = tuple[pl.DataFrame, list[str]]


def read_columns(path: str, columns: Mapping[str, str | None], wanted: Mapping[str, Wanted]) -> pl.DataFrame:
    """The columns of `path` under our names, those mapped to null left out, as strings, Int64 or Float64.

    Raises CurationError naming the file, and the column, row or line, where it is not Parquet or JSONL, has no rows,
    lacks a column, or holds a null or another type where `wanted` has none of it.
    """
    file = existing(Path(path), "correct the path in params.yaml")
    asked = [Asked(ours, theirs, wanted[ours]) for ours, theirs in columns.items() if theirs is not None]
    frame, names = _read(file, asked)
    for one in asked:
        if one.theirs not in names:
            raise CurationError(f"{file}: no {one}; it has {', '.join(names)}")
    if frame.is_empty():
        raise CurationError(f"{file}: has no rows")
    return pl.DataFrame([_checked(file, frame[one.theirs], one) for one in asked])


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
    names = list(pl.read_parquet_schema(file))
    return pl.read_parquet(file, columns=list({one.theirs: None for one in asked if one.theirs in names}), glob=False), names


def _jsonl(file: Path, asked: list[Asked]) -> Read:
    """The asked columns, and the names of the first line and of every asked column that any line has."""
    from pyarrow import json as arrow_json

    schema = pa.schema({one.theirs: KINDS[one.wanted.kind] for one in asked})
    reading = arrow_json.ReadOptions(block_size=LONGEST_LINE)
    parsing = arrow_json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore")
    try:
        table = arrow_json.read_json(file, reading, parsing)
    except pa.ArrowInvalid:
        if fault := _fault(file, asked):
            raise CurationError(f"{file}: {fault}") from None
        raise
    with file.open(encoding="utf-8") as lines:
        names = list(json.loads(next(line for line in lines if line.strip())))
    frame = pl.DataFrame(pl.from_arrow(table))
    return frame, [*names, *(name for name in frame.columns if name not in names and frame[name].null_count() < frame.height)]


def _fault(file: Path, asked: list[Asked]) -> str | None:
    """The first line that is not a JSON object or holds another type than asked, and what is wrong with it."""
    for number, line in enumerate(file.read_bytes().split(b"\n"), 1):
        try:
            row = json.loads(line) if line.strip() else {}
        except ValueError as error:
            return f"line {number}: not JSON: {error}"
        if not isinstance(row, dict):
            return f"line {number}: {str(row)[:40]!r} is not a JSON object"
        for one in asked:
            if not _fits(row.get(one.theirs), one.wanted.kind):
                return f"line {number}: {one} is {str(row[one.theirs])[:40]!r}, not {one.wanted.kind}"
    return None


def _fits(value: Any, kind: str) -> bool:
    if value is None or isinstance(value, bool):
        return value is None
    return isinstance(value, TYPES[kind]) or (kind == "numbers" and isinstance(value, int))


def _checked(file: Path, values: pl.Series, one: Asked) -> pl.Series:
    dtype, kind = values.dtype, one.wanted.kind
    right = {
        "text": dtype in (pl.String, pl.Categorical, pl.Enum, pl.Null),
        "whole numbers": dtype.is_integer() or dtype == pl.Null,
        "numbers": dtype.is_numeric() or dtype == pl.Null,
    }
    if not right[kind]:
        raise CurationError(f"{file}: {one} holds {dtype}, not {kind}")
    cast = values.cast({"text": pl.String, "whole numbers": pl.Int64, "numbers": pl.Float64}[kind]).rename(one.ours)
    cast = cast.fill_nan(None) if kind == "numbers" else cast
    if cast.null_count() and not one.wanted.nullable:
        raise CurationError(f"{file}: {one} is null in {cast.null_count()} row(s), the first is row {cast.is_null().arg_max()}")
    return cast
