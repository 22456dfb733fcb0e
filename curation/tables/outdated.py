"""Tables of version 0.1, which called some columns and values otherwise: refused in one sentence."""

from contextlib import suppress
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from curation.core import renamed
from curation.core.errors import CurationError


def refuse_renamed(table: str, file: Path) -> None:
    """Nothing. Raises CurationError if a column of `file` has its name of version 0.1. A damaged file is told of by
    what reads its rows."""
    if table not in renamed.COLUMNS:
        return
    with suppress(pa.ArrowInvalid):
        for name in pq.read_schema(file).names:
            if new := renamed.new_column(table, name):
                raise _refusal(file, f"column {name} is now {new}")


def _refusal(origin: Path | str, what: str) -> CurationError:
    return CurationError(f"{origin}: written by version 0.1: {what}; run `dvc repro` to make it again")


def refuse_renamed_values(frame: pl.DataFrame, origin: Path | str) -> None:
    """Nothing. Raises CurationError if a value of `frame`, read from `origin`, has its name of version 0.1."""
    for name, values in renamed.VALUES.items():
        for old, new in values.items() if name in frame.columns else ():
            if frame[name].eq(old).any():
                raise _refusal(origin, f"{name} {old} is now {new}")
