"""Prompts from a user's own Parquet or JSONL file."""

from typing import Annotated, Literal

import polars as pl
from pydantic import AfterValidator

from curation.core.errors import CurationError
from curation.core.kinds import kinds, verifiers
from curation.core.messages import did_you_mean
from curation.core.params import Strict
from curation.core.ranges import FilePath
from curation.prompts.sources._rows import prompt_frame
from curation.tables.user_files import TEXT, ColumnType, read_columns

COLUMN_TYPES = {
    "prompt": ColumnType(TEXT),
    "answer": ColumnType(TEXT, nullable=True),
    "task": ColumnType(TEXT, nullable=True),
}


class Columns(Strict):
    """The file's names for our columns; null where it has none."""

    prompt: str
    answer: str | None
    task: str | None


def _check_verifier(name: str) -> str:
    usable = [kind for kind in verifiers() if kind not in kinds("sources")]  # a source's own needs its own entries
    if name not in usable:
        raise ValueError(f"{name!r} is not one of {', '.join(map(repr, usable))}{did_you_mean(name, usable, ())}")
    return name


class Params(Strict):
    """A source of kind table. `verifier` is a file of curation/judging/answers, or null: answers are not checked.
    `instruction` ends every prompt, unless null."""

    kind: Literal["table"]
    path: FilePath
    split: Literal["train", "in_domain", "out_of_domain"]
    columns: Columns
    verifier: Annotated[str, AfterValidator(_check_verifier)] | None
    instruction: str | None


def prompts(settings: Params, existing_texts: set[str]) -> pl.DataFrame:
    """The file's distinct prompts, in the order of their first rows, also those that are in `existing_texts`.

    Raises CurationError if a prompt has two answers.
    """
    frame = read_columns(settings.path, settings.columns.model_dump(), COLUMN_TYPES).with_row_index("row")
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
    """Raises CurationError if a prompt has two answers."""
    answers = frame.unique(["prompt", "answer"], keep="first").sort("row")
    twice = answers.filter(pl.col("answer").len().over("prompt") > 1)
    if twice.is_empty():
        return
    first_prompt = twice.filter(pl.col("prompt") == twice["prompt"][0])
    (row, answer), (other_row, other_answer) = first_prompt.head(2).select("row", "answer").rows()
    raise CurationError(
        f"{settings.path}: {twice['prompt'].n_unique()} prompt(s) have two answers, the first {answer!r} at row {row} "
        f"and {other_answer!r} at row {other_row}; keep one"
    )
