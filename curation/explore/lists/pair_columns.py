"""All pairs with whatever an expression may name of each: what selections name, and beside it each selection's verdict
and margin and the arms that a pair is in."""

from functools import cached_property, lru_cache, partial

import polars as pl

from curation.core.study import Study
from curation.explore.lists.columns import ListedColumns, Names, Types, name_all, spell
from curation.explore.tables import Tables
from curation.selection import candidates, column_names
from curation.selection.column_names import OF_PROMPT, TOKENS
from curation.selection.named_columns import ColumnReader
from curation.selection.restored import list_ids
from curation.tables import contracts, measurements, parquet
from curation.tables.contracts import SIDES
from curation.tables.expressions.evaluation import ResultType
from curation.tables.expressions.syntax import ColumnName
from curation.tables.table import Table

OF_VERDICT = {"kept": pl.Boolean(), "reason": pl.String(), "margin": pl.Float64()}  # `kept.<selection>`, …
ARM = "arm"  # `arm.<arm>`: whether the arm learns from the pair


@lru_cache(maxsize=1)
def pair_names(study: Study) -> Names:
    """Every name that an expression over pairs can use in a list."""
    beside: Types = {(head, name): kind for head, kind in OF_VERDICT.items() for name in study.selections}
    beside |= {(ARM, name): pl.Boolean() for name in study.arms}
    return name_all(column_names.schema(study), beside, partial(_mistake, study))


def _mistake(study: Study, expression: str, result_type: ResultType) -> str | None:
    return column_names.mistake(expression, study, result_type)


class PairColumns(ListedColumns):
    """The pairs by pair_id."""

    key = "pair_id"

    def __init__(self, tables: Tables) -> None:
        super().__init__(tables, pair_names(tables.study))
        self.own = candidates.from_files(self.study)
        self._places: dict[tuple[str, str], pl.Series] = {}

    @cached_property
    def ids(self) -> pl.Series:
        """The ids of all pairs, ascending."""
        return self.own.column(self.key)

    def _is_of_row(self, name: ColumnName) -> bool:
        of_prompt = tuple(f"{kind}_" for kind in OF_PROMPT)
        return super()._is_of_row(name) and not name[-1].startswith(of_prompt)

    def _pick_few(self, ids: pl.Series) -> candidates.Candidates:
        return pick_candidates(self.study, ids)

    def _read(self, name: ColumnName) -> pl.Series:
        head, column = name[0], name[-1]
        if name not in self.names.own:
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
        return self._align(parquet.read(contracts.SELECTIONS, file, ["pair_id", column]), column)  # of other pairs

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
