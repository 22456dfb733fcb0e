"""The wide view of pairs: every column that is known of a candidate, under the name that expressions use. A column is
read when it is first asked for."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from curation.core.errors import CurationError
from curation.core.stats import stable_mean
from curation.core.study import Study
from curation.selection.column_names import CARRIED, OF_GENERATORS, OF_PROMPT, SOFT, TOKENS
from curation.selection.named_columns import ColumnReader, NamedColumns
from curation.selection.own_rows import TRACE_IDS, RowPicker, add_own_columns
from curation.tables import contracts, measurements, parquet
from curation.tables.carried import read_carried
from curation.tables.contracts import SIDES
from curation.tables.expressions.syntax import ColumnName
from curation.tables.table import Table


class ColumnReaders(NamedTuple):
    """The tables that the view's columns come from; deltas by judge and scores by scorer, their rows by pair_id as
    those of pairs; probabilities by judge."""

    pairs: ColumnReader
    deltas: Mapping[str, ColumnReader]
    generator_deltas: ColumnReader
    traces: ColumnReader
    renderings: ColumnReader
    prompts: ColumnReader
    scores: Mapping[str, ColumnReader]
    probabilities: RowPicker
    responses: ColumnReader
    listed_pairs: ColumnReader


class _OwnRows(NamedTuple):
    """All rows of preference sets, whatever ids are asked for."""

    responses: RowPicker
    listed_pairs: RowPicker


class Candidates(NamedColumns):
    """The rows of `pairs`, by pair_id, with every column of `column_names.schema` beside them.

    A row number below is a place in that order.
    """

    key = "pair_id"

    def __init__(self, readers: ColumnReaders, has_reversed_pairs: bool = True) -> None:
        """`has_reversed_pairs`: whether a pair and its reverse may both be there."""
        self.readers, self.has_reversed_pairs = readers, has_reversed_pairs
        self._columns: dict[str, pl.Series] = {}  # of `pairs`
        self._aligned: set[str] = set()  # the files whose pair ids were compared with those of `pairs`
        self._repeated: tuple[np.ndarray, np.ndarray] | None = None

    def column(self, name: str) -> pl.Series:
        """One column of `pairs`."""
        if name not in self._columns:
            self._columns[name] = self.readers.pairs([name]).to_series()
        return self._columns[name]

    def pick_value(self, column: ColumnName, row: int) -> Any:
        """What one column is of one row. Unless it is an aggregate of a prompt, it is looked up of this row alone."""
        if column[-1].startswith(tuple(f"{kind}_" for kind in OF_PROMPT)):
            return super().pick_value(column, row)
        return Candidates(self._readers_of(row))._read_column(column)[0]

    def _readers_of(self, row: int) -> ColumnReaders:
        def of_row(read: ColumnReader) -> ColumnReader:
            return lambda columns: read(columns)[[row]]

        return self.readers._replace(
            pairs=lambda columns: pl.DataFrame([self.column(name)[[row]] for name in columns]),
            deltas={judge: of_row(read) for judge, read in self.readers.deltas.items()},
            scores={scorer: of_row(read) for scorer, read in self.readers.scores.items()},
        )

    def trace_ids(self) -> tuple[np.ndarray, np.ndarray]:
        """The ids of the chosen and of the rejected traces."""
        return self.column("chosen_trace_id").to_numpy(), self.column("rejected_trace_id").to_numpy()

    def without_repeats(self, rows: np.ndarray) -> np.ndarray:
        """`rows` without those whose two texts are those of another of them: of such the one stays whose traces have
        the smallest ids. What is not among `rows` takes no pair's place."""
        if self._repeated is None:
            first = self.readers.pairs(["same_texts_as"]).to_series()
            self._repeated = np.flatnonzero(first.is_not_null().to_numpy()), first.drop_nulls().to_numpy()
        several, texts = self._repeated
        if not len(several):
            return rows
        there = np.isin(several, rows, assume_unique=True)
        among, texts = several[there], texts[there]
        chosen, rejected = self.trace_ids()
        order = np.lexsort((rejected[among], chosen[among], texts))
        repeats = np.diff(texts[order], prepend=-1) == 0
        return rows[~np.isin(rows, among[order[repeats]], assume_unique=True)]

    def _read_column(self, name: ColumnName) -> pl.Series:
        """The column of an expression's name."""
        if len(name) == 1:
            return self.column(name[0])
        head, column = name
        if head in SIDES:
            return self._read_of_trace(head, column)
        if head == CARRIED:
            return read_carried(self._carried, column)
        if head == "prompt":
            return self._join(["prompt_id"], self.readers.prompts(["prompt_id", column]), column)
        if head in self.readers.scores:
            return self._read_by_pair(self.readers.scores[head], f"pair_scores/{head}.parquet", [column]).to_series()
        for kind in OF_PROMPT:
            if column.startswith(f"{kind}_"):
                return self._aggregate_prompt(head, column.removeprefix(f"{kind}_"), kind)
        if column.startswith(f"{SOFT}_"):
            return self._read_probability(head, column.removeprefix(f"{SOFT}_"))
        if column.startswith(f"{OF_GENERATORS}_"):
            return self._read_generator_delta(head, column.removeprefix(f"{OF_GENERATORS}_"))
        return self.delta_columns(head, [column]).to_series()

    @cached_property
    def _carried(self) -> pl.Series:
        """What goes with each pair to subsets."""
        readers = (self.readers.responses, self.readers.listed_pairs)
        own = _OwnRows(*((lambda _, columns, read=read: read(columns)) for read in readers))
        return add_own_columns(pl.DataFrame([self.column(name) for name in ("pair_id", *TRACE_IDS)]), own)["carried"]

    def delta_columns(self, judge: str, columns: Sequence[str]) -> pl.DataFrame:
        """Columns of one judge's deltas. Raises CurationError if they are of other pairs than these."""
        return self._read_by_pair(self.readers.deltas[judge], f"deltas/{judge}.parquet", columns)

    def _read_by_pair(self, read: ColumnReader, file: str, columns: Sequence[str]) -> pl.DataFrame:
        """Columns of a table that has a row for each pair, in the same order."""
        if file in self._aligned:
            return read(columns)
        rows = read(["pair_id", *columns])
        if not rows["pair_id"].equals(self.column("pair_id")):
            raise CurationError(f"{file} is stale: its pair_ids differ from pairs.parquet; run `dvc repro`")
        self._aligned.add(file)
        return rows.select(columns)

    def _join(self, keys: Sequence[str], table: pl.DataFrame, column: str) -> pl.Series:
        """A column of a table that has a row for each value of some columns of `pairs`; null where it has none."""
        rows = pl.DataFrame([self.column(key) for key in keys])
        return rows.join(table, on=keys, how="left", maintain_order="left")[column]

    def _read_of_trace(self, side: str, column: str) -> pl.Series:
        read = self.readers.renderings if column in TOKENS else self.readers.traces
        key = f"{side}_trace_id"
        return self._join([key], read(["trace_id", column]).rename({"trace_id": key}), column)

    def _aggregate_prompt(self, judge: str, dimension: str, kind: str) -> pl.Series:
        """The mean or the standard deviation of the scores of a prompt's traces. Each trace that is in a pair counts
        once."""
        prompt, ids = self.column("prompt_id"), [self.column(f"{side}_trace_id").alias("trace_id") for side in SIDES]
        scores = self.delta_columns(judge, [f"{side}_{dimension}" for side in SIDES])
        sides = zip(ids, scores.get_columns(), strict=True)
        traces = pl.concat(pl.DataFrame([prompt, trace_id, score.alias("score")]) for trace_id, score in sides)
        rated = traces.drop_nulls("score").unique("trace_id", keep="first").sort("prompt_id", "trace_id")
        score = stable_mean(pl.col("score")) if kind == "prompt_mean" else pl.col("score").std()
        by_prompt = rated.group_by("prompt_id", maintain_order=True).agg(score.round(contracts.DECIMALS))
        return self._join(["prompt_id"], by_prompt, "score")

    def _read_probability(self, judge: str, dimension: str) -> pl.Series:
        columns = ["pair_id", "judge", "dimension", "probability"]
        rows = self.readers.probabilities(pl.Series("judge", [judge]), columns)
        return self._join(["pair_id"], rows.filter(judge=judge, dimension=dimension), "probability")

    def _read_generator_delta(self, judge: str, dimension: str) -> pl.Series:
        models = ["chosen_model", "rejected_model"]
        means = self.readers.generator_deltas([*models, "judge", "dimension", "mean"])
        return self._join(models, means.filter(judge=judge, dimension=dimension), "mean")


def from_files(study: Study) -> Candidates:
    """The candidates of the tables on disk."""

    def reader(table: Table, part: str | None = None) -> ColumnReader:
        return lambda columns: parquet.read(table, contracts.path(table.name, part), columns).select(columns)

    readers = ColumnReaders(
        pairs=reader(contracts.PAIRS),
        deltas={judge: reader(contracts.judge_deltas(study, judge), judge) for judge in study.dimensions},
        generator_deltas=reader(measurements.GENERATOR_DELTAS),
        traces=lambda columns: parquet.read_parts(contracts.TRACES, study.generators, columns),
        renderings=reader(contracts.RENDERINGS),
        prompts=reader(contracts.PROMPTS),
        scores={scorer: reader(measurements.PAIR_SCORES, scorer) for scorer in study.scorers},
        probabilities=lambda judge, columns: parquet.pick(
            measurements.PROBABILITIES, [contracts.path("probabilities")], judge, columns
        ),
        responses=reader(contracts.RESPONSES),
        listed_pairs=reader(contracts.LISTED_PAIRS),
    )
    return Candidates(readers, study.pair.order in ("both", "listed") or study.pair.within_generator)


def from_frames(
    pairs: pl.DataFrame,
    deltas: Mapping[str, pl.DataFrame] | None = None,
    generator_deltas: pl.DataFrame | None = None,
    traces: pl.DataFrame | None = None,
    renderings: pl.DataFrame | None = None,
    prompts: pl.DataFrame | None = None,
    scores: Mapping[str, pl.DataFrame] | None = None,
    responses: pl.DataFrame | None = None,
    listed_pairs: pl.DataFrame | None = None,
    probabilities: pl.DataFrame | None = None,
) -> Candidates:
    """The candidates of tables in memory, as in a notebook: `deltas` by judge, `scores` by scorer. A table has the
    columns that its contract in `curation/tables/contracts.py` says, and its rows come in any order.

    Only `pairs` must be given. An expression that needs a table that was not given raises CurationError.
    """

    def reader(table: str, rows: pl.DataFrame | None) -> ColumnReader:
        def read(columns: Sequence[str]) -> pl.DataFrame:
            if rows is None:
                raise CurationError(f"from_frames: {columns[-1]!r} is a column of {table}; give it, {table}=…")
            return rows.select(columns)

        return read

    calibrated = reader("probabilities", probabilities)
    return Candidates(ColumnReaders(
        pairs=reader("pairs", pairs.sort("pair_id")),
        deltas={judge: reader("deltas", rows.sort("pair_id")) for judge, rows in (deltas or {}).items()},
        generator_deltas=reader("generator_deltas", generator_deltas),
        traces=reader("traces", traces),
        renderings=reader("renderings", renderings),
        prompts=reader("prompts", prompts),
        scores={scorer: reader("scores", rows.sort("pair_id")) for scorer, rows in (scores or {}).items()},
        probabilities=lambda _, columns: calibrated(columns),
        responses=reader("responses", responses),
        listed_pairs=reader("listed_pairs", listed_pairs),
    ))  # fmt: skip
