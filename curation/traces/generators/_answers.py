"""What each row of a user's file answers: a text and its reasoning, one of several samples, or the turn that ends a
conversation."""

import json
from typing import Literal

import polars as pl

from curation.core.errors import CurationError
from curation.tables.user_messages import ENDED, read_answer
from curation.tables.user_table import UserTable
from curation.tables.user_values import COMPLETION
from curation.traces.generators._columns import Columns
from curation.traces.generators._refusals import refuse_columns_of_one, refuse_only_calls, refuse_unanswered


def read_answers(
    table: UserTable, columns: Columns, unmatched: Literal["drop", "error"], frame: pl.DataFrame
) -> pl.DataFrame:
    """The rows with one completion each and their reasoning, as texts, those of conversations without an answer left
    out. Raises CurationError where those may not be, or there is no answer to be had."""
    if columns.messages:
        refuse_unanswered(table, columns, frame, unmatched)
        frame = frame.filter(pl.col("last_turn").is_not_null())
    else:
        frame = _list_samples(table, columns, frame)
    frame = _take_answers(table, columns, frame)
    refuse_only_calls(table, columns, frame)
    return frame


def _take_answers(table: UserTable, columns: Columns, frame: pl.DataFrame) -> pl.DataFrame:
    """The rows with completion and reasoning as texts, from the columns that hold them or from the turn that ends a
    conversation. Raises CurationError where the reasoning of a turn is not that beside it."""
    answers = _list_last_turns(frame) if columns.messages else frame["completion"]
    own, beside = answers.struct.field("reasoning_content"), pl.lit(None, pl.String)
    if "reasoning" in frame.columns:
        beside = pl.col("reasoning")
        said = frame.select("row", own.alias("own"), beside).filter(
            pl.all_horizontal(pl.col("own", "reasoning").str.strip_chars() != ""),
            pl.col("own").str.strip_chars() != pl.col("reasoning").str.strip_chars(),
        )
        if said.height:
            turns = columns.messages or columns.completion
            raise CurationError(
                f"{table.at(said['row'][0])}: column {columns.reasoning!r} has another reasoning "
                f"than the message in {turns!r}; map one of the two"
            )
    thought = pl.when(pl.lit(own).str.strip_chars() != "").then(pl.lit(own))
    return frame.with_columns(
        answers.struct.field("content").alias("completion"),
        answers.struct.field("refusal"),
        answers.struct.field("tool_calls"),
        pl.coalesce(thought, beside, pl.lit(own)).alias("reasoning"),
    )


def _list_samples(table: UserTable, columns: Columns, frame: pl.DataFrame) -> pl.DataFrame:
    """The rows with one completion each. Where one has several, they are numbered from 0 in each. A sample that says
    why it ended has that as its finish_reason. Raises CurationError where a column may be of one sample alone."""
    counts = frame["completion"].list.len()
    if several := bool((counts > 1).any()):
        refuse_columns_of_one(table, columns, frame.filter(counts > 1)["row"])
        frame = frame.with_columns(pl.int_ranges(counts, dtype=pl.Int32).alias("sample_index"))
    frame = frame.explode("completion", *(["sample_index"] if several else []))
    ended = frame["completion"].struct.field(ENDED)
    if ended.count():
        beside = frame["finish_reason"] if "finish_reason" in frame.columns else pl.lit("stop")
        frame = frame.with_columns(pl.coalesce(ended, beside).alias("finish_reason"))
    return frame


def _list_last_turns(frame: pl.DataFrame) -> pl.Series:
    """The last turn of each conversation, as a column of completions has it."""
    return pl.Series("completion", [read_answer(json.loads(turn)) for turn in frame["last_turn"]], COMPLETION.polars)
