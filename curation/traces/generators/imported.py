"""Traces that already exist: a user's Parquet or JSONL file, of one generator or of many."""

import sys
from typing import Literal

import polars as pl

from curation.calls.ledger import Ledger
from curation.core.errors import CurationError
from curation.core.params import Strict
from curation.core.ranges import FilePath
from curation.tables.contracts import DERIVED, TRACES
from curation.tables.user_files import REAL, TEXT, WHOLE, ColumnType, read_columns
from curation.traces.generators._rows import GeneratorParams

COLUMN_TYPES = {
    "prompt": ColumnType(TEXT),
    "completion": ColumnType(TEXT),
    "generator": ColumnType(TEXT),
    "sample_index": ColumnType(WHOLE),
    "family": ColumnType(TEXT, nullable=True),
    "scale_b": ColumnType(REAL, nullable=True),
    "finish_reason": ColumnType(TEXT),
}


class Columns(Strict):
    """The file's names for our columns; null where it has none. Without `generator` every row is this generator's."""

    prompt: str
    completion: str
    generator: str | None
    sample_index: str | None
    family: str | None
    scale_b: str | None
    finish_reason: str | None


class Params(GeneratorParams):
    """A generator of kind imported. `unmatched` says what becomes of rows whose prompt is no train prompt."""

    kind: Literal["imported"]
    path: FilePath
    columns: Columns
    unmatched: Literal["drop", "error"]


def traces(settings: Params, name: str, prompts: pl.DataFrame, ledger: Ledger) -> pl.DataFrame:
    """The file's rows, matched to prompts by the text of the last message. Calls no model.

    Where the file numbers no samples, the rows of one prompt and generator are numbered in the file's order. Raises
    CurationError if no row matches, if one does not and `unmatched` is error, or if two rows are the same sample.
    """
    frame = read_columns(settings.path, settings.columns.model_dump(), COLUMN_TYPES).with_row_index("row")
    rows = _match(settings, name, frame, prompts)
    defaults = {
        "generator": pl.lit(name),
        "family": pl.lit(settings.family, pl.String),
        "scale_b": pl.lit(settings.scale_b, pl.Float64),
        "finish_reason": pl.lit("stop"),
        "n_tokens": pl.lit(None, pl.Int32),
    }
    rows = rows.with_columns(value.alias(column) for column, value in defaults.items() if column not in rows.columns)
    slot = ["prompt_id", "generator", "sample_index"]
    if "sample_index" not in rows.columns:
        rows = rows.with_columns(pl.int_range(pl.len()).over(slot[:2]).alias("sample_index"))
    _refuse_same_sample(settings, rows, slot)
    return rows.cast({"sample_index": pl.Int32}).select(
        column for column in TRACES.schema.names if column not in DERIVED
    )


def _match(settings: Params, name: str, frame: pl.DataFrame, prompts: pl.DataFrame) -> pl.DataFrame:
    """The rows whose prompt is among `prompts`, with its prompt_id. Raises as `traces` does."""
    texts = prompts.select("prompt_id", pl.col("prompt").list.last().struct.field("content").alias("prompt"))
    matched = frame.join(texts, on="prompt", how="left", maintain_order="left")
    lost = matched.filter(pl.col("prompt_id").is_null())["row"]
    problem = f"{len(lost)} of {matched.height} rows have a prompt that is no train prompt"
    if len(lost) == matched.height or (len(lost) and settings.unmatched == "error"):
        drop = ", or set unmatched: drop, as rows of prompts that decontaminate drops need"
        raise CurationError(
            f"{settings.path}: {problem}, the first is row {lost[0]}; check the sources' prompt column and instruction"
            f"{drop if len(lost) < matched.height else ''}"
        )
    if len(lost):
        print(f"{name}: {settings.path}: {problem}; dropped", file=sys.stderr)
    return matched.filter(pl.col("prompt_id").is_not_null())


def _refuse_same_sample(settings: Params, rows: pl.DataFrame, slot: list[str]) -> None:
    """Raises CurationError if two rows are the same sample."""
    if not rows.select(slot).is_duplicated().any():
        return
    first = rows.filter(pl.struct(slot).is_duplicated()).sort(*slot, "row").head(2)
    raise CurationError(
        f"{settings.path}: rows {first['row'][0]} and {first['row'][1]} are both sample {first['sample_index'][0]} of "
        f"{first['generator'][0]!r} for one prompt; number the samples, or set columns.sample_index: null"
    )
