"""Prompts from a user's own Parquet or JSONL file."""

from typing import Literal

import polars as pl

from curation.core.errors import CurationError
from curation.core.params import Strict
from curation.prompts.sources._rows import prompt_frame
from curation.tables.user_files import TEXT, Wanted, read_columns

WANTED = {"prompt": Wanted(TEXT), "answer": Wanted(TEXT, nullable=True), "task": Wanted(TEXT, nullable=True)}


class Columns(Strict):
    """The file's names for our columns; null where it has none."""

    prompt: str
    answer: str | None
    task: str | None


class Params(Strict):
    """A source of kind table. `verifier` checks answers: `math`, or null for none. `instruction` ends every prompt,
    unless null."""

    kind: Literal["table"]
    path: str
    split: Literal["train", "in_domain", "out_of_domain"]
    columns: Columns
    verifier: Literal["math"] | None
    instruction: str | None


def prompts(settings: Params, existing_texts: set[str]) -> pl.DataFrame:
    """The file's distinct prompts, in the order of their first rows, whether or not they are in `existing_texts`. Raises
    CurationError if one has two answers."""
    frame = read_columns(settings.path, settings.columns.model_dump(), WANTED).with_row_index("row")
    missing = [pl.lit(None, pl.String).alias(name) for name in ("answer", "task") if name not in frame.columns]
    frame = frame.with_columns(missing)
    _refuse_two_answers(settings, frame)
    ending = f"\n{settings.instruction}" if settings.instruction else ""
    distinct = frame.unique("prompt", keep="first", maintain_order=True).with_columns(pl.col("prompt") + ending)
    return prompt_frame(
        (task or "", text, answer, settings.verifier, None)
        for text, answer, task in distinct.select("prompt", "answer", "task").rows()
    )


def _refuse_two_answers(settings: Params, frame: pl.DataFrame) -> None:
    answers = frame.unique(["prompt", "answer"], keep="first").sort("row")
    twice = answers.filter(pl.col("answer").len().over("prompt") > 1)
    if twice.height:
        (row, one), (again, other) = (
            twice.filter(pl.col("prompt") == twice["prompt"][0]).head(2).select("row", "answer").rows()
        )
        count = twice["prompt"].n_unique()
        raise CurationError(
            f"{settings.path}: {count} prompt(s) have two answers, the first {one!r} at row {row} and {other!r} at row {again}; keep one"
        )
