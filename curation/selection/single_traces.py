"""Single traces with every column that expressions name of one: what a trace is beside no other."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

import polars as pl

from curation.core.study import Study
from curation.pairs.traces import has_text, rate_traces
from curation.selection.column_names import CARRIED, TOKENS
from curation.selection.named_columns import ColumnReader, NamedColumns
from curation.tables import contracts, parquet
from curation.tables.carried import read_carried
from curation.tables.expressions.syntax import ColumnName

OWN = ("trace_id", "prompt_id", "text_id")  # of every trace of the view
RATED = ("trace_id", "dimension", "repeat", "score", "expected_score")  # what scores are made of


class TraceReaders(NamedTuple):
    """The tables that the view's columns come from; judgments by judge."""

    traces: ColumnReader
    renderings: ColumnReader
    prompts: ColumnReader
    judgments: Mapping[str, ColumnReader]
    responses: ColumnReader


class SingleTraces(NamedColumns):
    """The traces of train prompts that have a text, by trace_id, with every column of `column_names.trace_schema`
    beside them. Nothing is read before it is asked for, and once."""

    key = "trace_id"

    def __init__(self, readers: TraceReaders, empty: str, expected: bool) -> None:
        """`empty` as `pair.empty`: whether a text of blanks is one. `expected`: whether expected scores count."""
        self.readers, self.empty, self.expected = readers, empty, expected
        self._columns: dict[ColumnName, pl.Series] = {}

    @cached_property
    def rows(self) -> pl.DataFrame:
        """The columns OWN of each trace."""
        train = self.readers.prompts(["prompt_id", "split"]).filter(split="train")
        traces = self.readers.traces([*OWN, "completion_characters"]).filter(has_text(self.empty))
        return traces.select(OWN).join(train, on="prompt_id", how="semi").sort("trace_id")

    def _read_column(self, name: ColumnName) -> pl.Series:
        if name not in self._columns:
            self._columns[name] = self._read(name)
        return self._columns[name]

    def _read(self, name: ColumnName) -> pl.Series:
        head, column = name[0], name[-1]
        if name[:-1] == ("prompt",):
            return self._join("prompt_id", self.readers.prompts(["prompt_id", column]), column)
        if head == CARRIED:
            responses = self.readers.responses(["trace_id", "carried"])
            return read_carried(self._join("trace_id", responses, "carried"), column)
        if len(name) > 1:
            return self._score(head, column)
        if column in OWN:
            return self.rows[column]
        read = self.readers.renderings if column in TOKENS else self.readers.traces
        return self._join("trace_id", read(["trace_id", column]), column)

    def _join(self, key: str, table: pl.DataFrame, column: str) -> pl.Series:
        """A column of a table that has a row for each value of `key`; null where it has none."""
        return self.rows.select(key).join(table, on=key, how="left", maintain_order="left")[column]

    def _score(self, judge: str, dimension: str) -> pl.Series:
        """What a side of a pair has as `chosen_<dimension>`."""
        numbered = self.rows.select("trace_id").with_row_index("row")
        rated = rate_traces(self.readers.judgments[judge](RATED), dimension, numbered, self.expected)
        return rated[f"score_{dimension}"].round(contracts.DECIMALS)


def from_files(study: Study) -> SingleTraces:
    """The traces of the tables on disk."""

    def read_judgments(judge: str) -> ColumnReader:
        return lambda columns: parquet.read(contracts.JUDGMENTS, contracts.path("judgments", judge), columns)

    def read_traces(columns: Sequence[str]) -> pl.DataFrame:
        return parquet.read_parts(contracts.TRACES, study.generators, columns)

    readers = TraceReaders(
        read_traces,
        lambda columns: parquet.read(contracts.RENDERINGS, contracts.path("renderings"), columns),
        lambda columns: parquet.read(contracts.PROMPTS, contracts.path("prompts"), columns),
        {judge: read_judgments(judge) for judge in study.judges},
        lambda columns: parquet.read(contracts.RESPONSES, contracts.path("responses"), columns),
    )
    return SingleTraces(readers, study.pair.empty, study.delta.expected)
