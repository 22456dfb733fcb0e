"""All pairs with whatever an expression may name of each: what selections name, and beside it each selection's verdict
and margin and the arms that a pair is in."""

from collections import OrderedDict
from functools import cached_property, lru_cache

import numpy as np
import polars as pl

from curation.core.study import Study
from curation.explore.tables import Tables
from curation.selection import candidates, column_names
from curation.selection.column_names import OF_PROMPT, TOKENS
from curation.selection.named_columns import ColumnReader, NamedColumns
from curation.selection.restored import list_ids
from curation.tables import contracts, measurements, parquet
from curation.tables.contracts import SIDES
from curation.tables.expressions.evaluation import ResultType, fault
from curation.tables.expressions.syntax import ColumnName, parse
from curation.tables.table import Table

OF_VERDICT = {"kept": pl.Boolean(), "reason": pl.String(), "margin": pl.Float64()}  # `kept.<selection>`, …
ARM = "arm"  # `arm.<arm>`: whether the arm learns from the pair
MOST_BYTES = 800_000_000  # of the columns that are held


@lru_cache(maxsize=1)
def schema(study: Study) -> dict[ColumnName, pl.DataType]:
    """Every name that an expression over pairs can use in the view, and its type."""
    own = column_names.schema(study)
    taken = {name[0] for name in own}
    more: dict[ColumnName, pl.DataType] = {
        (head, name): kind for head, kind in OF_VERDICT.items() for name in study.selections
    }
    more |= {(ARM, name): pl.Boolean() for name in study.arms}
    return own | {name: kind for name, kind in more.items() if name[0] not in taken}


def mistake(expression: str, study: Study, result_type: ResultType) -> str | None:
    """What is wrong with an expression over pairs, or None, as `curation params` says it of a selection's."""
    message = fault(expression, schema(study), result_type)
    if message is not None or any(name not in column_names.schema(study) for name in parse(expression).columns):
        return message
    return column_names.mistake(expression, study, result_type)


def spell(name: ColumnName) -> str:
    """A column's name as an expression writes it."""
    return ".".join(part if part.isidentifier() else '"' + part.replace('"', '""') + '"' for part in name)


class PairColumns(NamedColumns):
    """The pairs by pair_id. A row number is a place in that order; columns that were read are held, within bounds."""

    key = "pair_id"

    def __init__(self, tables: Tables) -> None:
        self.tables, self.study = tables, tables.study
        self.own = candidates.from_files(self.study)
        self._held: OrderedDict[ColumnName, pl.Series] = OrderedDict()
        self._places: dict[tuple[str, str], pl.Series] = {}

    @cached_property
    def ids(self) -> pl.Series:
        """The ids of all pairs, ascending."""
        return self.own.column(self.key)

    @property
    def height(self) -> int:
        """How many pairs there are."""
        return self.ids.len()

    def page_values(self, expressions: list[str], rows: np.ndarray) -> pl.DataFrame:
        """The values of the expressions, by their own texts, for a page of rows. What looks at a row alone is
        evaluated for these only, so that of other tables no more is read."""
        ids = self.ids[rows].alias(self.key)
        whole = [text for text in expressions if self._looks_around(text)]
        alone = [text for text in expressions if text not in whole]
        values = {text: self.values({"value": text})["value"][rows] for text in whole}
        if alone:
            few = pick_candidates(self.study, ids)
            own = few.values({str(place): text for place, text in enumerate(alone)}).with_columns(few.column(self.key))
            joined = ids.to_frame().join(own, on=self.key, how="left", maintain_order="left")
            values |= {text: joined[str(place)] for place, text in enumerate(alone)}
        return pl.DataFrame([values[text].alias(text) for text in expressions])

    def _looks_around(self, expression: str) -> bool:
        """Whether its value depends on other rows, or on a table that is not by id."""
        said = parse(expression)
        own = column_names.schema(self.study)
        of_prompt = tuple(f"{kind}_" for kind in OF_PROMPT)
        return said.has_window or any(name not in own or name[-1].startswith(of_prompt) for name in said.columns)

    def _read_column(self, name: ColumnName) -> pl.Series:
        if name not in self._held:
            self._held[name] = self._read(name)
            while len(self._held) > 1 and sum(values.estimated_size() for values in self._held.values()) > MOST_BYTES:
                self._held.popitem(last=False)
        self._held.move_to_end(name)
        return self._held[name]

    def _read(self, name: ColumnName) -> pl.Series:
        head, column = name[0], name[-1]
        if name not in column_names.schema(self.study):
            return self._read_of_arm(column) if head == ARM else self._read_verdict(column, head)
        if head in SIDES and len(name) == 2:
            table = "renderings" if column in TOKENS else "traces"
            return self._gather(f"{head}_trace_id", table, "trace_id", column)
        if head == "prompt" and len(name) == 2:
            return self._gather("prompt_id", "prompts", "prompt_id", column)
        return self.own.values({"value": spell(name)})["value"]

    def _gather(self, key: str, table: str, own_key: str, column: str) -> pl.Series:
        """A column of a table that has a row for each value of `key`. Where that row is, is found once."""
        contract = contracts.TABLES[table]
        files = self.tables.files(table) or [contracts.path(table)]  # of which `read` says that it is not there
        rows = pl.concat([parquet.read(contract, file, [own_key, column]) for file in files])
        if (key, table) not in self._places:
            numbered = rows.select(pl.col(own_key).alias(key)).with_row_index("place")
            ids = self._read_column((key,)).to_frame(key)
            self._places[key, table] = ids.join(numbered, on=key, how="left", maintain_order="left")["place"]
        return rows[column].gather(self._places[key, table])

    def _read_verdict(self, selection: str, column: str) -> pl.Series:
        """`kept`, `reason` or `margin` of each pair in a selection's table; null where it has no row."""
        file = contracts.path("selections", selection)
        if list_ids(file) == list_ids(contracts.path("pairs")):
            return parquet.read(contracts.SELECTIONS, file, [column])[column]
        rows = parquet.read(contracts.SELECTIONS, file, ["pair_id", column])  # it was made of other pairs
        return self.ids.to_frame("pair_id").join(rows, on="pair_id", how="left", maintain_order="left")[column]

    def _read_of_arm(self, arm: str) -> pl.Series:
        rows = parquet.read(contracts.SUBSETS, contracts.arm_path("subsets", arm), ["pair_id"])
        return self.ids.is_in(rows["pair_id"].implode())


def pick_candidates(study: Study, ids: pl.Series) -> candidates.Candidates:
    """The candidates that have these pair ids, and of other tables only what is of them."""
    pairs = parquet.pick(contracts.PAIRS, [contracts.path("pairs")], ids, contracts.PAIRS.schema.names)
    traces = pl.concat([pairs[f"{side}_trace_id"] for side in SIDES]).unique().alias("trace_id")

    def by(table: Table, keys: pl.Series, *parts: str) -> ColumnReader:
        files = [contracts.path(table.name, part) for part in parts] or [contracts.path(table.name)]
        return lambda columns: parquet.pick(table, files, keys, columns).select(columns)

    probabilities = by(measurements.PROBABILITIES, ids)
    return candidates.Candidates(candidates.ColumnReaders(
        pairs=pairs.sort("pair_id").select,
        deltas={judge: by(contracts.judge_deltas(study, judge), ids, judge) for judge in study.dimensions},
        generator_deltas=lambda columns: parquet.read(
            measurements.GENERATOR_DELTAS, contracts.path("generator_deltas"), columns
        ).select(columns),
        traces=by(contracts.TRACES, traces, *study.generators),
        renderings=by(contracts.RENDERINGS, traces),
        prompts=by(contracts.PROMPTS, pairs["prompt_id"].unique()),
        scores={scorer: by(measurements.PAIR_SCORES, ids, scorer) for scorer in study.scorers},
        probabilities=lambda _, columns: probabilities(columns),
        responses=by(contracts.RESPONSES, traces),
        listed_pairs=by(contracts.LISTED_PAIRS, traces.alias("chosen_trace_id")),
    ))  # fmt: skip
