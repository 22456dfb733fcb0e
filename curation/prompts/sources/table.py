"""Prompts from a user's own file."""

import sys
from collections.abc import Iterator
from string import ascii_uppercase
from typing import Annotated, Any, Literal

import polars as pl
from pydantic import AfterValidator, Field, model_validator

from curation.core.errors import CurationError
from curation.core.params import Strict
from curation.core.study import Study
from curation.core.text import say_count
from curation.prompts.sources._distinct import TWO_ANSWERS, check_verifier, distinct_prompts, refuse_two
from curation.tables import user_prompts
from curation.tables.user_files import UserFileParams
from curation.tables.user_table import UserTable
from curation.tables.user_values import ANSWERS, INDEX, KEY, TEXT, ColumnType

COLUMN_TYPES = user_prompts.COLUMN_TYPES | {
    "answer": ColumnType(ANSWERS, nullable=True),
    "task": ColumnType(TEXT, nullable=True),
    "prompt_id": ColumnType(KEY),
}


class AnswerText(Strict):
    """A column whose values are no answer as they stand: of each text what is `after` the last of this mark, as in a
    solution that ends in `#### 18`, or all where it has none; and of that several accepted answers with `separator`
    between them. Or numbers of options, of which `first` is the number of the first: they become letters."""

    column: str
    separator: Annotated[str, Field(min_length=1)] | None = None
    after: Annotated[str, Field(min_length=1)] | None = None
    first: Literal[0, 1] | None = None

    @model_validator(mode="after")
    def _says_what_to_take(self) -> "AnswerText":
        if self.separator is None and self.after is None and self.first is None:
            raise ValueError("neither separator, after nor first is given; give one, or name the column alone")
        if self.first is not None and (self.separator is not None or self.after is not None):
            raise ValueError("first: numbers have no separator and no mark; leave them out")
        return self


class Columns(Strict):
    """The file's names for our columns; null where it has none. Where `answer` holds a list, each of its texts is an
    accepted answer. `prompt` holds texts or lists of messages, `messages` conversations, of which a last turn of the
    assistant's is no part of the prompt: one of the two. `system` and `tools` stand beside either.

    `options` are what a question has to choose from: a column of lists, or a list of columns. Each ends the prompt with
    a letter and a point before it.

    `prompt_id`, ids of the file's own: rows of one id are one prompt, whatever their texts, and its id is kept as
    external_id. It, `messages`, `system`, `tools` and `options` may be left out."""

    prompt: str | None
    answer: str | AnswerText | None
    task: str | None
    prompt_id: str | None = None
    messages: str | None = None
    system: str | None = None
    tools: str | None = None
    options: str | list[str] | None = None

    @model_validator(mode="after")
    def _names_prompts(self) -> "Columns":
        if (self.prompt is None) == (self.messages is None):
            raise ValueError("one of prompt and messages names a column, the other is null")
        return self


class Params(UserFileParams):
    """A source of kind table. `verifier` is a file of curation/judging/answers, by its name or a mapping with its
    settings, or null: answers are not checked. `instruction` ends every prompt, unless null."""

    kind: Literal["table"]
    split: Literal["train", "in_domain", "out_of_domain"]
    columns: Columns
    verifier: Annotated[Any, AfterValidator(check_verifier)]
    instruction: str | None

    def mistakes(self, study: Study) -> Iterator[str]:
        """What is wrong with the path or the filter; a benchmark that nothing could be graded by."""
        yield from super().mistakes(study)
        if self.split != "train" and self.verifier is None:
            yield f"verifier: null, but answers to a benchmark (split: {self.split}) are graded; name one"
        if self.split != "train" and self.columns.answer is None:
            yield f"columns.answer: null, but answers to a benchmark (split: {self.split}) are graded; name a column"

    def map_columns(self) -> tuple[dict[str, str | None], dict[str, ColumnType]]:
        """The file's names for our columns, and what they may hold."""
        answer, columns = self.columns.answer, user_prompts.map_options(self.columns.model_dump(exclude={"answer"}))
        columns["answer"] = answer if isinstance(answer, str) else None
        if isinstance(answer, AnswerText):
            values = TEXT if answer.first is None else INDEX
            return columns | {"answer": answer.column}, COLUMN_TYPES | {"answer": ColumnType(values, nullable=True)}
        return columns, COLUMN_TYPES

    def check_rows(self, table: UserTable, rows: pl.DataFrame) -> None:
        """Nothing. Raises CurationError if a row's messages are no prompt, or a benchmark's row has no answer."""
        _read_rows(self, table, rows)


def _read_rows(settings: Params, table: UserTable, rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with their prompts, and in `answers` what is accepted."""
    columns, _ = settings.map_columns()
    answer = settings.columns.answer
    frame = user_prompts.read_prompts(table, rows, columns).rename({"prompt_id": "external_id"}, strict=False)
    optional = ("answer", "task", "external_id")
    missing = [pl.lit(None, pl.String).alias(name) for name in optional if name not in frame.columns]
    frame = frame.with_columns(missing).with_columns(_list_answers(answer))
    said = pl.col("answers").list.eval(pl.element().filter(pl.element().str.strip_chars() != "")).list.len()
    without = frame.filter(said.fill_null(0) == 0)
    lost = without.filter(pl.col("answer").is_not_null())
    if isinstance(answer, AnswerText) and answer.first is not None and lost.height:
        row, number = lost.row(0, named=True)["row"], lost["answer"][0]
        raise CurationError(f"{table.at(row)}: column {answer.column!r} is {number}, the number of no option")
    if settings.split != "train" and without.height:
        where = "" if columns["answer"] is None else f"column {columns['answer']!r} has "
        raise CurationError(
            f"{table.at(without['row'][0])}: {where}no answer, as "
            f"{say_count(without.height, 'row')} of this benchmark, so nothing could be graded by it; fill it in, or "
            "leave such rows out by `where`"
        )
    return frame


def prompts(settings: Params, existing_texts: set[str]) -> pl.DataFrame:
    """The file's distinct prompts, in the order of their first rows, also those that are in `existing_texts`. A prompt
    has the least of its tasks, so that the order of the rows changes none; and of its messages, which may differ in
    what `identity` leaves out.

    Raises CurationError if a prompt has two answers in two rows, or two ids, or a benchmark's none.
    """
    table = settings.open()
    frame = _read_rows(settings, table, table.read(*settings.map_columns()))
    if settings.columns.prompt_id:
        frame = _unite_texts(table, frame)
        refuse_two(table, frame, "external_id", "ids", "keep one")
    refuse_two(table, frame, "answer", "answers", TWO_ANSWERS)
    return distinct_prompts(table, frame, settings.verifier, settings.instruction)


def _list_answers(column: str | AnswerText | None) -> pl.Expr:
    """`answers`: the accepted answers of a row, each once."""
    answer = pl.col("answer")
    if not isinstance(column, AnswerText):
        return pl.concat_list(answer).list.drop_nulls().list.unique(maintain_order=True).alias("answers")
    if column.first is not None:
        letters = dict(enumerate(ascii_uppercase, column.first))
        letter = answer.replace_strict(letters, default=None, return_dtype=pl.String)
        return pl.concat_list(letter).list.drop_nulls().alias("answers")
    if column.after is not None:
        answer = answer.str.split(column.after).list.last()
    parts = (answer.str.split(column.separator) if column.separator else pl.concat_list(answer)).list.eval(
        pl.element().str.strip_chars()
    )
    return parts.list.eval(pl.element().filter(pl.element() != "")).list.unique(maintain_order=True).alias("answers")


def _unite_texts(table: UserTable, frame: pl.DataFrame) -> pl.DataFrame:
    """The rows, those of one id with one text: that of most of them, or the first in order of those that are as
    frequent. How many ids have several is said on stderr."""
    texts = frame.group_by("external_id", "said").agg(pl.len(), pl.col("turns", "tools").min())
    texts = texts.sort("len", "said", descending=[True, False])
    of_ids = texts.unique("external_id", keep="first", maintain_order=True)
    if several := texts.height - of_ids.height:
        ids = texts.filter(pl.col("external_id").is_duplicated())["external_id"].n_unique()
        print(
            f"{table.name}: {ids} prompt_ids have more than one text, {several} texts in all gave way to a more "
            "frequent one",
            file=sys.stderr,
        )
    return frame.drop("said", "turns", "tools").join(
        of_ids.drop("len"), on="external_id", how="left", maintain_order="left"
    )
