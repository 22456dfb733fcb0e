"""Traces that already exist: a user's Parquet or JSONL file, of one generator or of many."""

import sys
from typing import Literal

import polars as pl

from curation.calls.ledger import Ledger
from curation.core.errors import CurationError
from curation.core.params import Strict
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
    """A generator of kind imported. `unmatched` says what to do with rows whose prompt is no train prompt."""

    kind: Literal["imported"]
    path: str
    columns: Columns
    unmatched: Literal["drop", "error"]


def traces(settings: Params, name: str, prompts: pl.DataFrame, ledger: Ledger) -> pl.DataFrame:
    """The file's rows, matched to prompts by the text of the last message. Calls no model.

    Where the file numbers no samples, the rows of one prompt and generator are numbered in the file's order.
    Raises CurationError if nothing matches, a row does not and `unmatched` is error, or two rows are the same sample.
    """
    frame = read_columns(settings.path, settings.columns.model_dump(), COLUMN_TYPES).with_row_index("row")
    kept = _matched(settings, name, frame, prompts)
    otherwise = {
        "generator": pl.lit(name),
        "family": pl.lit(settings.family, pl.String),
        "scale_b": pl.lit(settings.scale_b, pl.Float64),
        "finish_reason": pl.lit("stop"),
        "n_tokens": pl.lit(None, pl.Int32),
    }
    kept = kept.with_columns(value.alias(column) for column, value in otherwise.items() if column not in kept.columns)
    slot = ["prompt_id", "generator", "sample_index"]
    if "sample_index" not in kept.columns:
        kept = kept.with_columns(pl.int_range(pl.len()).over(slot[:2]).alias("sample_index"))
    _refuse_same_sample(settings, kept, slot)
    return kept.cast({"sample_index": pl.Int32}).select(
        column for column in TRACES.schema.names if column not in DERIVED
    )


def _matched(settings: Params, name: str, frame: pl.DataFrame, prompts: pl.DataFrame) -> pl.DataFrame:
    """The rows whose prompt is among `prompts`, with its prompt_id."""
    texts = prompts.select("prompt_id", pl.col("prompt").list.last().struct.field("content").alias("prompt"))
    matched = frame.join(texts, on="prompt", how="left", maintain_order="left")
    lost = matched.filter(pl.col("prompt_id").is_null())["row"]
    if len(lost) == matched.height or (len(lost) and settings.unmatched == "error"):
        way_out = (
            ""
            if len(lost) == matched.height
            else ", or set unmatched: drop, as rows of prompts that decontaminate drops need"
        )
        raise CurationError(f"{settings.path}: {len(lost)} of {matched.height} rows have a prompt that is no train prompt, the first is row {lost[0]}; "
                            f"check the sources' prompt column and instruction{way_out}")  # fmt: skip
    if len(lost):
        print(
            f"{name}: {len(lost)} of {matched.height} rows of {settings.path} have a prompt that is no train prompt; dropped",
            file=sys.stderr,
        )
    return matched.filter(pl.col("prompt_id").is_not_null())


def _refuse_same_sample(settings: Params, kept: pl.DataFrame, slot: list[str]) -> None:
    if not kept.select(slot).is_duplicated().any():
        return
    first = kept.filter(pl.struct(slot).is_duplicated()).sort(*slot, "row").head(2)
    same = f"rows {first['row'][0]} and {first['row'][1]} are both sample {first['sample_index'][0]} of {first['generator'][0]!r} for one prompt"
    raise CurationError(f"{settings.path}: {same}; number the samples, or set columns.sample_index: null")
