"""What a row of a user's file may not be, if it is to be a trace."""

import polars as pl

from curation.core.errors import CurationError
from curation.core.messages import show_value
from curation.traces.generators._columns import Columns


def refuse_failed(path: str, columns: Columns, rows: pl.DataFrame) -> None:
    """Raises CurationError if a row's finish_reason is one of an error: what it holds is no completion."""
    failed = rows.filter(ending="error").select("row", "finish_reason").sort("row")
    if failed.height:
        row, word = failed.row(0)
        raise CurationError(
            f"{path}: row {row}: {columns.finish_reason!r} is {show_value(word)}, so the reply failed, as of "
            f"{failed.height} row(s); leave them out"
        )


def refuse_same_id(path: str, columns: Columns, rows: pl.DataFrame) -> None:
    """Raises CurationError if two rows have one id of their own."""
    twice = rows.filter(pl.col("external_id").is_not_null() & pl.col("external_id").is_duplicated())
    if twice.height:
        first, other = twice.filter(external_id=twice["external_id"][0])["row"].sort().head(2)
        raise CurationError(
            f"{path}: rows {first} and {other} both have {columns.trace_id!r} "
            f"{show_value(twice['external_id'][0])}; give each row an id of its own, or set columns.trace_id: null"
        )


def refuse_same_sample(path: str, columns: Columns, rows: pl.DataFrame) -> None:
    """Raises CurationError if two rows are the same sample."""
    slot = ["prompt_id", "generator", "sample_index"]
    if not rows.select(slot).is_duplicated().any():
        return
    first = rows.filter(pl.struct(slot).is_duplicated()).sort(*slot, "row").head(2)
    raise CurationError(
        f"{path}: rows {first['row'][0]} and {first['row'][1]} are both sample {first['sample_index'][0]} of "
        f"{show_value(first['generator'][0])} for one prompt; number the samples, or set columns.sample_index: null"
    )
