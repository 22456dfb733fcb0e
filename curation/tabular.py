"""A user's own Parquet or JSONL file, read with a mapping of columns."""

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from curation.errors import CurationError, existing


def read_columns(path: str, columns: Mapping[str, str | None], texts: tuple[str, ...]) -> pl.DataFrame:
    """The columns of `path` under our names, those mapped to null left out. Columns in `texts` are strings without a null.

    Raises CurationError naming the file, and the column or the row, where it is not Parquet or JSONL, lacks a column,
    or holds something else than text where text is needed.
    """
    file = existing(Path(path), "correct the path in params.yaml")
    frame = _read(file)
    wanted = {ours: theirs for ours, theirs in columns.items() if theirs is not None}
    for ours, theirs in wanted.items():
        if theirs not in frame.columns:
            raise CurationError(f"{file}: no column {theirs!r} (columns.{ours}); it has {', '.join(frame.columns)}")
    frame = frame.select(pl.col(theirs).alias(ours) for ours, theirs in wanted.items())
    for name in texts:
        _check_text(file, frame, name, wanted[name])
    return frame


def _read(file: Path) -> pl.DataFrame:
    try:
        if file.suffix == ".parquet":
            return pl.read_parquet(file)
        if file.suffix in (".jsonl", ".ndjson"):
            return pl.read_ndjson(file, infer_schema_length=None)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise CurationError(f"{file}: cannot be read as {file.suffix[1:]}: {str(error).splitlines()[0]}{_bad_line(file)}") from None
    raise CurationError(f"{file}: not a .parquet or .jsonl file")


def _bad_line(file: Path) -> str:
    """Where a JSONL file is broken."""
    import json

    if file.suffix == ".parquet":
        return ""
    for number, line in enumerate(file.read_text(errors="replace").splitlines(), 1):
        try:
            json.loads(line)
        except json.JSONDecodeError as error:
            return f"; line {number}: {error.msg}"
    return ""


def _check_text(file: Path, frame: pl.DataFrame, ours: str, theirs: str) -> None:
    if frame.schema[ours] != pl.String:
        raise CurationError(f"{file}: column {theirs!r} (columns.{ours}) holds {frame.schema[ours]}, not text")
    nulls = frame.with_row_index("row").filter(pl.col(ours).is_null())["row"]
    if len(nulls):
        raise CurationError(f"{file}: column {theirs!r} (columns.{ours}) is null in {len(nulls)} row(s), the first is row {nulls[0]}")
