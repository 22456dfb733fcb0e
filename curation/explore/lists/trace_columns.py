"""All traces with whatever an expression may name of each: what selections name of single traces, and beside it under
which label each selection takes it, and why it does or does not."""

from collections.abc import Sequence
from functools import cached_property, lru_cache, partial

import polars as pl

from curation.core.study import Study
from curation.explore.lists.columns import ListedColumns, Names, Types, name_all, spell
from curation.explore.tables import Tables
from curation.selection import column_names
from curation.selection.column_names import TOKENS
from curation.selection.labelled import label_traces
from curation.selection.named_columns import ColumnReader
from curation.selection.single_traces import OWN, SingleTraces, TraceReaders, from_files
from curation.tables import contracts, parquet
from curation.tables.expressions.evaluation import ResultType
from curation.tables.expressions.syntax import ColumnName
from curation.tables.table import Table

LABEL, REASON = (
    "label",
    "reason",
)  # `label.<selection>`, and of one that says which traces it takes `reason.<selection>`


@lru_cache(maxsize=1)
def trace_names(study: Study) -> Names:
    """Every name that an expression over traces can use in a list."""
    beside: Types = {(LABEL, name): pl.Boolean() for name in study.selections}
    beside |= {(REASON, name): pl.String() for name, one in study.selections.items() if one.unpaired is not None}
    return name_all(column_names.trace_schema(study), beside, partial(_mistake, study))


def _mistake(study: Study, expression: str, result_type: ResultType) -> str | None:
    return column_names.trace_mistake(expression, study, result_type)


class AllTraces(SingleTraces):
    """Those of other prompts and without a text too. Nothing that was read is held."""

    @cached_property
    def rows(self) -> pl.DataFrame:
        """The columns OWN of each trace."""
        return self.readers.traces(OWN).sort("trace_id")

    def _read_column(self, name: ColumnName) -> pl.Series:
        return self._read(name)


class TraceColumns(ListedColumns):
    """The traces by trace_id."""

    key = "trace_id"

    def __init__(self, tables: Tables) -> None:
        super().__init__(tables, trace_names(tables.study))
        files = from_files(self.study).readers
        self.own = self._view(files._replace(traces=self._read_traces))

    @cached_property
    def ids(self) -> pl.Series:
        """The ids of all traces, ascending."""
        return self.own.rows[self.key]

    def _view(self, readers: TraceReaders) -> AllTraces:
        return AllTraces(readers, self.study.pair.empty, self.study.delta.expected)

    def _read_traces(self, columns: Sequence[str]) -> pl.DataFrame:
        """Those of the generators that have some by now."""
        files = self.tables.files("traces") or [contracts.path("traces")]  # of which `read` says that it is not there
        return pl.concat([parquet.read(contracts.TRACES, file, columns).select(columns) for file in files])

    def _pick_few(self, ids: pl.Series) -> AllTraces:
        def by(table: Table, files: list[str | None], keys: pl.Series) -> ColumnReader:
            paths = [contracts.path(table.name, part) for part in files]
            return lambda columns: parquet.pick(table, paths, keys, columns).select(columns)

        traces = self.tables.files("traces")
        prompts = parquet.pick(contracts.TRACES, traces, ids, ["trace_id", "prompt_id"])["prompt_id"].unique()
        return self._view(TraceReaders(
            lambda columns: parquet.pick(contracts.TRACES, traces, ids, columns).select(columns),
            by(contracts.RENDERINGS, [None], ids),
            by(contracts.PROMPTS, [None], prompts),
            {judge: by(contracts.JUDGMENTS, [judge], ids) for judge in self.study.judges},
            by(contracts.RESPONSES, [None], ids),
        ))  # fmt: skip

    def _read(self, name: ColumnName) -> pl.Series:
        if len(name) == 1 and name[0] not in TOKENS:
            return self._align(self._read_traces([self.key, name[0]]), name[0]) if name[0] != self.key else self.ids
        if name in self.names.own:
            return self.own.values({"value": spell(name)})["value"]
        head, selection = name
        if head == LABEL:
            examples = parquet.read(contracts.UNPAIRED, contracts.path("unpaired", selection), [self.key, LABEL])
            return self._align(examples, LABEL)
        labelled = label_traces(selection, self.study.selections[selection], self.tables.single_traces)
        assert labelled is not None
        reasons = pl.Series(REASON, labelled.verdicts.reasons, pl.String).gather(labelled.verdicts.numbers)
        return self._align(pl.DataFrame([labelled.traces.rows[self.key], reasons]), REASON)
