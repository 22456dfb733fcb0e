"""Traces that already exist: a user's file, of one generator or of many. A row is known by what it says, wherever in
the file it stands."""

import sys
from typing import Literal

import polars as pl

from curation.calls.call import WITHOUT_TEXT, WORD_OF, Reply
from curation.calls.ledger import Ledger
from curation.core.errors import CurationError
from curation.core.text import say_count
from curation.models.reasoning import split
from curation.tables import user_prompts
from curation.tables.contracts import TRACES, empty
from curation.tables.ids import says, trace_ids
from curation.tables.user_files import UserFileParams
from curation.tables.user_table import UserTable
from curation.tables.user_values import COMPLETIONS, PROMPT, ColumnType
from curation.traces.generators._answers import read_answers
from curation.traces.generators._columns import COLUMN_TYPES, Columns
from curation.traces.generators._matching import match
from curation.traces.generators._refusals import refuse_failed, refuse_same_id, refuse_same_sample
from curation.traces.generators._rows import GeneratorParams

SCHEMA = empty(TRACES).schema
SAID = ("reasoning", "completion", "finish_reason", "left_out_characters")


class Params(GeneratorParams, UserFileParams):
    """A generator of kind imported. `unmatched` says what becomes of rows whose prompt is no train prompt, and of
    conversations that no turn of the assistant's ends."""

    kind: Literal["imported"]
    columns: Columns
    unmatched: Literal["drop", "error"]

    def map_columns(self) -> tuple[dict[str, str | None], dict[str, ColumnType]]:
        """The file's names for our columns, and what they may hold."""
        prompt = ColumnType(PROMPT, nullable=self.columns.prompt_id is not None)
        completion = ColumnType(COMPLETIONS, nullable=self.columns.reasoning is not None)
        columns = user_prompts.map_options(self.columns.model_dump())
        return columns, COLUMN_TYPES | {"prompt": prompt, "completion": completion}

    def check_rows(self, table: UserTable, rows: pl.DataFrame) -> None:
        """Nothing. Raises CurationError if a row's messages are no prompt, or there is no answer to be had."""
        _read_rows(self, table, rows)


def _read_rows(settings: Params, table: UserTable, rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with their prompts and answers apart, those of conversations without an answer left out."""
    columns, _ = settings.map_columns()
    return read_answers(table, settings.columns, settings.unmatched, user_prompts.read_prompts(table, rows, columns))


def traces(settings: Params, name: str, prompts: pl.DataFrame, responses: pl.DataFrame, ledger: Ledger) -> pl.DataFrame:
    """The file's rows, matched to prompts by the file's own ids or by all that their prompts say. Calls no model.

    A trace_id is made of prompt, generator, reasoning, completion and sample_index; where the file numbers no samples,
    equal texts are numbered, and sample_index is the rank of the trace_id among those of its prompt and generator. So
    the order of the rows changes nothing, and no row changes another's trace_id. A finish_reason is our word for what
    the file says, as for what a server says, and a row's texts are split as a server's reply is.

    A row that ends in the call of a tool has no completion, as such a reply of a server has none. How many are of that
    kind, and how many conversations no turn of the assistant's ends and are left out, is said on stderr.

    Raises CurationError if no row matches or has an answer, if one does not and `unmatched` is error, if a row ended in
    an error or has neither text, if two rows are the same sample, or if two have one id of their own.
    """
    table = settings.open()
    given = table.read(*settings.map_columns())
    frame = _read_rows(settings, table, given)
    _tell_of_unanswered(table, name, given.height, frame)
    frame = frame.rename({"trace_id": "external_id", "prompt_id": "external_prompt_id"}, strict=False)
    rows = match(table, name, settings.unmatched, frame, prompts).drop("said")
    defaults = {
        "generator": pl.lit(name),
        "family": pl.lit(settings.family, pl.String),
        "scale_b": pl.lit(settings.scale_b, pl.Float64),
        "finish_reason": pl.lit("stop"),
        "n_tokens": pl.lit(None, pl.Int32),
        "external_id": pl.lit(None, pl.String),
        "reasoning": pl.lit(None, pl.String),
        "left_out_characters": pl.lit(None, pl.Int32),
    }
    rows = rows.with_columns(value.alias(column) for column, value in defaults.items() if column not in rows.columns)
    ending = pl.col("finish_reason")
    word = ending.str.to_lowercase().replace_strict(WORD_OF, default=ending)
    called = pl.when(pl.col("tool_calls").is_not_null()).then(pl.lit("tool_calls"))
    rows = rows.with_columns(
        called.when(pl.col("refusal").is_not_null()).then(pl.lit("refusal")).otherwise(word).alias("ending")
    )
    refuse_failed(table, settings.columns, rows)
    rows = _split(settings, table, rows.with_columns(pl.col("ending").alias("finish_reason")))
    refuse_same_id(table, settings.columns, rows)
    if "sample_index" in rows.columns:
        refuse_same_sample(table, settings.columns, rows)
        rows = rows.with_columns(trace_ids(rows, "sample_index"))
    else:
        text = ["prompt_id", "generator", "said"]
        rows = rows.sort(*text, "external_id", "family", "scale_b", "finish_reason")
        rows = rows.with_columns(pl.int_range(pl.len()).over(text).alias("repeat"))
        rows = rows.with_columns(trace_ids(rows, "repeat"))
        rank = pl.col("trace_id").rank("ordinal").over("prompt_id", "generator") - 1
        rows = rows.with_columns(rank.cast(pl.Int32).alias("sample_index"))
    return rows.select(column for column in TRACES.schema.names if column in rows.columns)


def _split(settings: Params, table: UserTable, rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with both texts apart, and in `said` who says what, in both together. Raises CurationError if one says
    nothing."""
    thought = pl.when(pl.col("reasoning") != "").then("reasoning")
    silent = rows.filter(
        thought.str.strip_chars().fill_null("").eq("") & pl.all_horizontal(pl.col("completion", "tool_calls").is_null())
    )["row"].sort()
    if len(silent):
        raise CurationError(
            f"{table.at(silent[0])}: neither {settings.columns.completion!r} nor "
            f"{settings.columns.reasoning!r} has a text, as in {say_count(len(silent), 'row')}; leave them out"
        )
    cut = rows.filter(pl.col("finish_reason").is_in(WITHOUT_TEXT), pl.col("completion").str.strip_chars() == "")
    apart = any(rows[name].count() for name in ("reasoning", "refusal", "tool_calls"))
    if settings.reasoning is not None or apart or cut.height:
        replies = (
            Reply(None if text == refusal else text, ending, reasoning=thought, refusal=refusal, tool_calls=calls)
            for thought, text, ending, refusal, calls in rows.select(*SAID[:3], "refusal", "tool_calls").iter_rows()
        )
        texts = [split(reply, settings.reasoning) for reply in replies]
        kinds = {name: SCHEMA[name] for name in SAID}
        rows = rows.with_columns(pl.DataFrame(texts, schema=kinds, orient="row"))
    return rows.with_columns(says().alias("said"))


def _tell_of_unanswered(table: UserTable, name: str, given: int, frame: pl.DataFrame) -> None:
    if (left_out := given - frame.height) > 0:
        print(
            f"{name}: {table.name}: {left_out} of {given} rows do not end in a turn of the assistant's, so there is "
            "no completion; left out",
            file=sys.stderr,
        )
    if calls := frame["tool_calls"].count():
        print(
            f"{name}: {table.name}: {calls} of {given} rows end in the call of a tool, which is no completion; they "
            "are in no pair",
            file=sys.stderr,
        )
