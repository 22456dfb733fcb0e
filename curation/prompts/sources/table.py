"""Prompts from a user's own Parquet or JSONL file."""

from typing import Annotated, Any, Literal

import polars as pl
from pydantic import AfterValidator, Field

from curation.core.errors import CurationError
from curation.core.inner_kinds import read_verifier, write_verifier
from curation.core.kinds import kinds
from curation.core.params import Strict
from curation.core.ranges import FilePath
from curation.prompts.sources._rows import prompt_frame
from curation.tables.user_files import TEXT, ColumnType, read_columns

COLUMN_TYPES = {
    "prompt": ColumnType(TEXT),
    "answer": ColumnType(TEXT, nullable=True),
    "task": ColumnType(TEXT, nullable=True),
}


class SeveralAnswers(Strict):
    """A column that holds several accepted answers in one text, with `separator` between them."""

    column: str
    separator: Annotated[str, Field(min_length=1)]


class Columns(Strict):
    """The file's names for our columns; null where it has none. Where `answer` holds a list, each of its texts is an
    accepted answer."""

    prompt: str
    answer: str | SeveralAnswers | None
    task: str | None


def _check_verifier(raw: Any) -> Any:
    settings = None if raw is None else read_verifier(raw)
    if settings is not None and settings.kind in kinds("sources"):
        raise ValueError(
            f"{settings.kind!r} is the verifier of a source of that kind; its prompts alone have the entries"
        )
    return settings


class Params(Strict):
    """A source of kind table. `verifier` is a file of curation/judging/answers, by its name or a mapping with its
    settings, or null: answers are not checked. `instruction` ends every prompt, unless null."""

    kind: Literal["table"]
    path: FilePath
    split: Literal["train", "in_domain", "out_of_domain"]
    columns: Columns
    verifier: Annotated[Any, AfterValidator(_check_verifier)]
    instruction: str | None


def prompts(settings: Params, existing_texts: set[str]) -> pl.DataFrame:
    """The file's distinct prompts, in the order of their first rows, also those that are in `existing_texts`.

    Raises CurationError if a prompt has two answers in two rows.
    """
    answer = settings.columns.answer
    columns = {
        **settings.columns.model_dump(),
        "answer": answer.column if isinstance(answer, SeveralAnswers) else answer,
    }
    frame = read_columns(settings.path, columns, COLUMN_TYPES).with_row_index("row")
    missing = [pl.lit(None, pl.String).alias(name) for name in ("answer", "task") if name not in frame.columns]
    frame = frame.with_columns(missing).with_columns(_list_answers(answer))
    _refuse_two_answers(settings, frame)
    ending = f"\n{settings.instruction}" if settings.instruction else ""
    distinct = frame.unique("prompt", keep="first", maintain_order=True).with_columns(pl.col("prompt") + ending)
    verifier = None if settings.verifier is None else write_verifier(settings.verifier)
    return prompt_frame(
        (task or "", text, answers or [], verifier, None)
        for text, answers, task in distinct.select("prompt", "answers", "task").rows()
    )


def _list_answers(column: str | SeveralAnswers | None) -> pl.Expr:
    """`answers`: the accepted answers of a row, each once."""
    answer = pl.col("answer")
    if not isinstance(column, SeveralAnswers):
        return pl.concat_list(answer).list.drop_nulls().alias("answers")
    parts = answer.str.split(column.separator).list.eval(pl.element().str.strip_chars())
    return parts.list.eval(pl.element().filter(pl.element() != "")).list.unique(maintain_order=True).alias("answers")


def _refuse_two_answers(settings: Params, frame: pl.DataFrame) -> None:
    """Raises CurationError if a prompt has two answers in two rows."""
    answers = frame.unique(["prompt", "answer"], keep="first").sort("row")
    twice = answers.filter(pl.col("answer").len().over("prompt") > 1)
    if twice.is_empty():
        return
    first_prompt = twice.filter(pl.col("prompt") == twice["prompt"][0])
    (row, answer), (other_row, other_answer) = first_prompt.head(2).select("row", "answer").rows()
    raise CurationError(
        f"{settings.path}: {twice['prompt'].n_unique()} prompt(s) have two answers, the first {answer!r} at row {row} "
        f"and {other_answer!r} at row {other_row}; keep one, or accept both: give them as a list in one row"
    )
