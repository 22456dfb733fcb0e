"""Which of our traces a row of a user's file is about: the one with its id, the one with its number, or all that say
what it says."""

import json

import polars as pl
from pydantic import model_validator

from curation.core.errors import CurationError
from curation.core.messages import show_value
from curation.core.params import Strict
from curation.core.text import one_line
from curation.tables.prompt_identity import identities, match_identities
from curation.tables.texts import text_ids
from curation.tables.user_prompts import COLUMN_TYPES as PROMPT_TYPES
from curation.tables.user_prompts import read_prompts
from curation.tables.user_ratings import find_other_text
from curation.tables.user_table import UserTable
from curation.tables.user_values import INDEX, KEY, TEXT, ColumnType

KEYS, NUMBERS, TEXTS = ("trace_id", "prompt_id", "prompt"), ("generator", "sample_index"), ("completion", "reasoning")
OF_PROMPT = ("system", "tools")  # what a prompt says beside its turns
COLUMN_TYPES = {
    "trace_id": ColumnType(KEY),
    "prompt_id": ColumnType(KEY),
    **{name: PROMPT_TYPES[name] for name in ("prompt", *OF_PROMPT)},
    "generator": ColumnType(TEXT),
    "sample_index": ColumnType(INDEX),
    "completion": ColumnType(TEXT, nullable=True),
    "reasoning": ColumnType(TEXT, nullable=True),
}


class TraceColumns(Strict):
    """The columns that say which trace a row is about: `trace_id`, ours or the user's own; or that of its prompt,
    `prompt_id` or all that it says, `prompt` with `system` and `tools` where these stand beside it, with what tells the
    traces of a prompt apart: `generator`, and `sample_index` where that gave several, or the texts, `completion` and
    `reasoning`. Texts beside a trace_id or a sample_index are held against the trace's."""

    trace_id: str | None = None
    prompt_id: str | None = None
    prompt: str | None = None
    system: str | None = None
    tools: str | None = None
    generator: str | None = None
    sample_index: str | None = None
    completion: str | None = None
    reasoning: str | None = None

    @model_validator(mode="after")
    def _names_a_trace(self) -> "TraceColumns":
        if sum(column is not None for column in (self.trace_id, self.prompt_id, self.prompt)) != 1:
            raise ValueError("one of trace_id, prompt_id and prompt names a column, the others are left out")
        if self.prompt is None and (self.system is not None or self.tools is not None):
            raise ValueError("system and tools are what a prompt says; name the column of prompt, or leave them out")
        if self.trace_id is None and self.generator is None and self.completion is None:
            raise ValueError("a prompt has many traces; name the column of their generator, or of their completion")
        if self.trace_id is None and self.generator is None and self.sample_index is not None:
            raise ValueError("sample_index numbers the traces of a generator; name the column of that too")
        return self

    @property
    def by_text(self) -> bool:
        """Whether a row is about whatever says the same, rather than about one trace."""
        return self.trace_id is None and self.sample_index is None and self.completion is not None

    def named(self) -> dict[str, str]:
        """Our names for the columns, and the file's."""
        return {ours: theirs for ours, theirs in self.model_dump().items() if theirs is not None}


def find_traces(
    columns: TraceColumns,
    given: pl.DataFrame,
    traces: pl.DataFrame,
    prompts: pl.DataFrame,
    table: UserTable,
    unmatched: str,
) -> pl.DataFrame:
    """row and trace_id of those rows of `given` that are about a trace; it has `row` and our names of `columns`. By its
    texts a row is about every trace that says the same, else about one.

    Raises CurationError if a row is about several that it does not tell apart, or has another text than its trace,
    unless `unmatched` says that such are dropped.
    """
    keys = [name for name in NUMBERS if getattr(columns, name)]
    if columns.trace_id is not None:
        rows, keys = given.join(list_ids(traces, "trace_id", "found"), on="trace_id"), ["found", *keys]
    else:
        rows, keys = _find_prompts(columns, given, prompts, table), ["of_prompt", *keys]
    if columns.by_text:
        texts = [name for name in TEXTS if getattr(columns, name)]
        says_some = pl.any_horizontal(pl.col(texts).is_not_null())  # what says none of them says nothing alike
        rows, traces = rows.filter(says_some), traces.filter(says_some)
        rows = rows.with_columns(_text_id(rows, name) for name in texts)
        keys += [f"{name}_id" for name in texts]
    ours = traces.select(
        pl.col("trace_id").alias("found"),
        pl.col("prompt_id").alias("of_prompt"),
        *NUMBERS,
        *(_text_id(traces, name) for name in TEXTS if columns.by_text),
    )
    rows = rows.join(ours, on=keys, suffix="_ours", maintain_order="left")
    _refuse_several(columns, given, rows, table)
    if not columns.by_text:
        others = _find_other_texts(columns, given, rows, traces, table, unmatched)
        rows = rows.filter(~pl.col("row").is_in(others.implode()))
    return rows.select("row", pl.col("found").alias("trace_id"))


def _text_id(rows: pl.DataFrame, name: str) -> pl.Series:
    return text_ids(rows[name].fill_null("")).alias(f"{name}_id")


def list_ids(rows: pl.DataFrame, id: str, found: str) -> pl.DataFrame:
    """Every name of each row, the user's own and ours, as text in the column `id`, and our id as `found`."""
    own = rows.select(pl.col("external_id").alias(id), pl.col(id).alias(found)).drop_nulls()
    ours = rows.select(pl.col(id).cast(pl.String), pl.col(id).alias(found))
    return pl.concat([own, ours]).unique(maintain_order=True)


def _find_prompts(columns: TraceColumns, given: pl.DataFrame, prompts: pl.DataFrame, table: UserTable) -> pl.DataFrame:
    """The rows that are of a prompt of ours, with its id as `of_prompt`."""
    if columns.prompt_id is not None:
        return given.join(list_ids(prompts, "prompt_id", "of_prompt"), on="prompt_id", maintain_order="left")
    known = prompts.select("prompt_id", identities(prompts).alias("identity"))
    names = {name: getattr(columns, name) for name in ("prompt", *OF_PROMPT)}
    read = read_prompts(table, given, names)
    matched = match_identities(read.drop("turns", "tools", "last_turn"), known)
    return matched.drop("said").rename({"prompt_id": "of_prompt"}).drop_nulls("of_prompt")


def _refuse_several(columns: TraceColumns, given: pl.DataFrame, rows: pl.DataFrame, table: UserTable) -> None:
    """Raises CurationError if a row is about several traces, or those that say the same as it differ in what the file
    does not have."""
    apart = ["of_prompt", "reasoning_id"] if columns.by_text else ["found"]
    several = rows.filter((pl.struct(apart).n_unique() > 1).over("row"))
    if several.is_empty():
        return
    row: int = several["row"].sort()[0]
    mine = several.filter(row=row).sort("found")
    key = describe_key(columns, given.filter(row=row))
    if columns.trace_id is not None:
        generator = "" if columns.generator else ", or name the column of their generator under trace"
        raise CurationError(
            f"{table.at(row)}: {key} is the id of {mine.height} traces; give each trace an id of its own, or take "
            f"trace_id from `curation sql --csv`{generator}"
        )
    which = " and ".join(f"{by} {number}" for by, number in mine.select(NUMBERS).unique().sort(NUMBERS).head(2).rows())
    if mine["of_prompt"].n_unique() > 1:
        way_out = "give each prompt an id of its own, or name the column of prompt"
    elif columns.by_text:
        way_out = "name the column of their reasoning"
    else:
        way_out = "name the column of sample_index, or that of completion"
    raise CurationError(
        one_line(
            f"{table.at(row)}: {key} is of {mine.height} traces, as {which}, that it does not tell apart; {way_out}"
        )
    )


def _find_other_texts(
    columns: TraceColumns,
    given: pl.DataFrame,
    rows: pl.DataFrame,
    traces: pl.DataFrame,
    table: UserTable,
    unmatched: str,
) -> pl.Series:
    """The rows of which a text is not that of its trace. Raises CurationError if they are not to be dropped."""
    found = rows["row"].clear()
    for name in TEXTS:
        if column := getattr(columns, name):
            ours = traces.select(pl.col("trace_id").alias("found"), pl.col(name).fill_null("").alias("ours"))
            key = next(ours for ours in KEYS if getattr(columns, ours))
            texts = rows.select("row", "found").join(given.select("row", key, name), on="row", maintain_order="left")
            texts = texts.join(ours, on="found", maintain_order="left")
            found = found.append(find_other_text(table, column, texts.select("row", key, name, "ours"), unmatched))
    return found


def describe_key(columns: TraceColumns, given: pl.DataFrame) -> str:
    """What the first row of `given` says of the trace that it is about, in the file's words."""
    first = given.row(0, named=True)
    said = [
        f"{theirs} {show_value(json.loads(first[ours])[-1].get('content') if ours == 'prompt' else first[ours])}"
        for ours, theirs in columns.named().items()
        if ours not in OF_PROMPT and (ours not in TEXTS or columns.by_text)
    ]
    return ", ".join(said)
