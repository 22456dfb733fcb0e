"""Prompts from a user's own Parquet or JSONL file."""

from typing import Literal

import polars as pl

from curation.errors import CurationError
from curation.params import Strict
from curation.sources._rows import prompt_frame
from curation.tabular import read_columns


class Columns(Strict):
    """The file's names for our columns; null where it has none."""

    prompt: str
    answer: str | None
    task: str | None


class Params(Strict):
    """A source of kind table. `verifier` checks answers: `math`, or null for none."""

    kind: Literal["table"]
    path: str
    split: Literal["train", "in_domain", "out_of_domain"]
    columns: Columns
    verifier: Literal["math"] | None
    instruction: str | None


def prompts(settings: Params, taken: set[str]) -> pl.DataFrame:
    """The file's distinct prompts, in the order of their first rows.

    Raises CurationError if a prompt is in `taken`, which holds the texts of the sources above this one, or has two answers.
    """
    columns = settings.columns.model_dump()
    frame = read_columns(settings.path, columns, tuple(name for name, theirs in columns.items() if theirs)).with_row_index("row")
    for name in ("answer", "task"):
        if name not in frame.columns:
            frame = frame.with_columns(pl.lit(None, pl.String).alias(name))
    answers = frame.group_by("prompt").agg(pl.col("row").first(), pl.col("answer").n_unique().alias("answers"))
    if (twice := answers.filter(pl.col("answers") > 1).sort("row")).height:
        raise CurationError(f"{settings.path}: {twice.height} prompt(s) have two answers, the first is at row {twice['row'][0]}")
    distinct = frame.unique("prompt", keep="first", maintain_order=True)
    ending = f"\n{settings.instruction}" if settings.instruction else ""
    distinct = distinct.with_columns(pl.col("prompt") + ending)
    if (again := distinct.filter(pl.col("prompt").is_in(list(taken)))).height:
        raise CurationError(
            f"{settings.path}: {again.height} prompt(s) are already in another source, the first is at row {again['row'][0]}; remove them from one"
        )
    return prompt_frame((task or "", text, answer, settings.verifier, None) for text, answer, task in distinct.select("prompt", "answer", "task").rows())
