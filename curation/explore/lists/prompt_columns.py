"""All prompts, those that decontamination dropped too, with what an expression may name of each."""

from collections.abc import Sequence
from functools import cached_property, lru_cache

import polars as pl

from curation.core.study import Study
from curation.explore.lists.columns import ListedColumns, Names
from curation.explore.tables import Tables
from curation.tables import contracts, parquet
from curation.tables.expressions.evaluation import ResultType, fault
from curation.tables.expressions.syntax import ColumnName

OWN = ("prompt_id", "source", "task", "split", "answer", "verifier", "entry", "external_id")  # of the table
OF_DECONTAMINATION = ("kept", "reason", "against", "overlap")
COUNTED = ("traces", "pairs")  # rows of these tables that are of the prompt
SAID = pl.col("prompt").list.eval(pl.element().struct["content"]).list.join("\n")
TEXT = pl.coalesce("messages", SAID)  # as `curation why` reads it
OF_USER = pl.when(pl.element().struct["role"] == "user").then(pl.element().struct["content"])
USER = pl.col("prompt").list.eval(OF_USER).list.drop_nulls().list.join("\n")  # what tells prompts of one system apart
OF_DROPPED: dict[str, tuple[list[str], pl.Expr]] = {  # by column: what decontamination has of a prompt that it dropped
    "source": (["source"], pl.col("source")),
    "split": ([], pl.lit("train")),
    "text": (["prompt"], SAID),
    "user": (["prompt"], USER),
}
MADE = {"text": (["prompt", "messages"], TEXT), "user": (["prompt"], USER)}  # of a prompt that was kept


@lru_cache(maxsize=1)
def prompt_names(study: Study) -> Names:
    """Every name that an expression over prompts can use."""
    prompts, dropped = contracts.empty(contracts.PROMPTS).schema, contracts.empty(contracts.DECONTAMINATION).schema
    types: dict[ColumnName, pl.DataType] = {(name,): prompts[name] for name in OWN}
    types |= {(name,): pl.String() for name in MADE} | {(name,): dropped[name] for name in OF_DECONTAMINATION}
    types |= {(name,): pl.Int64() for name in COUNTED}

    def mistake(expression: str, result_type: ResultType) -> str | None:
        return fault(expression, types, result_type)

    return Names(types, {}, mistake)


class PromptColumns(ListedColumns):
    """The prompts by prompt_id: all, or those of `some` ids."""

    key = "prompt_id"

    def __init__(self, tables: Tables, some: pl.Series | None = None) -> None:
        super().__init__(tables, prompt_names(tables.study))
        self.some = some

    @cached_property
    def ids(self) -> pl.Series:
        """The ids of all prompts, ascending."""
        return self._rows("source")[self.key].sort()

    def _is_of_row(self, name: ColumnName) -> bool:
        return name[0] not in COUNTED

    def _pick_few(self, ids: pl.Series) -> "PromptColumns":
        return PromptColumns(self.tables, ids)

    def _read(self, name: ColumnName) -> pl.Series:
        (column,) = name
        if column == self.key:
            return self.ids
        if column in OF_DECONTAMINATION:
            return self._align(self._read_table("decontamination", [self.key, column]), column)
        if column in COUNTED:
            counted = self._read_table(column, [self.key]).group_by(self.key).len(column)
            return self._align(counted, column).fill_null(0).cast(pl.Int64)
        return self._align(self._rows(column), column)

    def _rows(self, column: str) -> pl.DataFrame:
        """A column of the prompts, and of those dropped as far as it is known."""
        needed, value = MADE.get(column, ([column], pl.col(column)))
        rows = self._read_table("prompts", [self.key, *needed]).select(self.key, value.alias(column))
        needed, value = OF_DROPPED.get(column, ([], pl.lit(None, rows.schema[column])))
        dropped = self._read_table("decontamination", [self.key, "kept", *needed]).filter(~pl.col("kept"))
        return pl.concat([rows, dropped.join(rows, on=self.key, how="anti").select(self.key, value.alias(column))])

    def _read_table(self, table: str, columns: Sequence[str]) -> pl.DataFrame:
        """Columns of its rows; none where the table is not there."""
        contract, files = contracts.TABLES[table], self.tables.files(table)
        if not files:
            return contracts.empty(contract).select(columns)
        if self.some is not None:
            return parquet.pick(contract, files, self.some, columns).select(columns)
        return pl.concat([parquet.read(contract, file, columns).select(columns) for file in files])
