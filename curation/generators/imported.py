"""Traces that already exist: a user's Parquet or JSONL file, of one generator or of many."""

from typing import Literal

import polars as pl

from curation.errors import CurationError
from curation.generators._rows import Described
from curation.ledger import Ledger
from curation.params import Strict
from curation.tables import TRACES
from curation.tabular import read_columns


class Columns(Strict):
    """The file's names for our columns; null where it has none. Without `generator` every row is this generator's."""

    prompt: str
    completion: str
    generator: str | None
    sample_index: str | None
    family: str | None
    scale_b: str | None
    finish_reason: str | None


class Params(Described):
    """A generator of kind imported. `unmatched` says what to do with rows whose prompt no source has."""

    kind: Literal["imported"]
    path: str
    columns: Columns
    unmatched: Literal["drop", "error"]


def traces(settings: Params, name: str, prompts: pl.DataFrame, ledger: Ledger) -> pl.DataFrame:
    """The file's rows, matched to prompts by the text of the last message. Calls no model.

    Where the file numbers no samples, the rows of one prompt and generator are numbered in the file's order.
    Raises CurationError if nothing matches, or a row does not and `unmatched` is error.
    """
    frame = read_columns(settings.path, settings.columns.model_dump(), ("prompt", "completion")).with_row_index("row")
    texts = prompts.select("prompt_id", pl.col("prompt").list.last().struct.field("content").alias("prompt"))
    matched = frame.join(texts, on="prompt", how="left", maintain_order="left")
    lost = matched.filter(pl.col("prompt_id").is_null())["row"]
    if len(lost) == matched.height or (len(lost) and settings.unmatched == "error"):
        raise CurationError(f"{settings.path}: {len(lost)} of {matched.height} rows have a prompt that no train source has, the first is row {lost[0] if len(lost) else 0}; "
                            "check the sources' prompt column and instruction, or set unmatched: drop")  # fmt: skip
    kept = matched.filter(pl.col("prompt_id").is_not_null())
    own = kept.columns

    def column(theirs: str, otherwise: pl.Expr, dtype: pl.DataType | type[pl.DataType]) -> pl.Expr:
        return (pl.col(theirs) if theirs in own else otherwise).cast(dtype).alias(theirs)

    kept = kept.with_columns(column("generator", pl.lit(name), pl.String))
    turn = pl.int_range(pl.len()).over("prompt_id", "generator")
    return kept.with_columns(
        column("sample_index", turn, pl.Int32),
        column("family", pl.lit(settings.family), pl.String),
        column("scale_b", pl.lit(settings.scale_b), pl.Float64),
        column("finish_reason", pl.lit("stop"), pl.String),
        pl.lit(None, pl.Int32).alias("n_tokens"),
    ).select(n for n in TRACES.schema.names if n != "trace_id")
