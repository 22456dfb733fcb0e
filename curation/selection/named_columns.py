"""Rows with the columns that expressions name."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, TypeAlias

import duckdb
import numpy as np
import polars as pl

from curation.core.errors import CurationError
from curation.tables.expressions.evaluation import evaluate, why
from curation.tables.expressions.syntax import ColumnName, parse

MOST_NAMES = 1000  # of a column of texts that repeat
ColumnReader: TypeAlias = Callable[[Sequence[str]], pl.DataFrame]  # the named columns of a table


class NamedColumns:
    """Rows in the order of their `key`, and whatever an expression may name of each. A row number is a place in that
    order."""

    key: str

    def _read_column(self, name: ColumnName) -> pl.Series:
        """The column of an expression's name; that of the key is always there."""
        raise NotImplementedError

    def values(self, expressions: Mapping[str, str], place: str = "", rows: np.ndarray | None = None) -> pl.DataFrame:
        """The values of the named expressions, one a row, or for those of `rows`, which are then all that an
        expression and its windows see. Raises CurationError naming the expression that fails on a value, after its
        `place` in params.yaml."""
        columns = {name: parse(text).columns[0] for name, text in expressions.items() if parse(text).is_column}
        values = {name: self._pick(column, rows) for name, column in columns.items()}
        if computed := {name: text for name, text in expressions.items() if name not in columns}:
            seen = self._pick_all(computed, rows)
            try:
                values |= evaluate(computed, seen).to_dict()
            except duckdb.Error:
                raise CurationError(f"params.yaml: {place}{_say_failure(computed, seen)}") from None
        return pl.DataFrame([values[name].alias(name) for name in expressions])

    def kinds(self, name: str, expression: str, place: str, rows: np.ndarray) -> tuple[pl.Series, np.ndarray]:
        """Values of the expression, and which of them each of `rows` has. Of names that repeat, as generators' do, it
        is evaluated once for each kind of row, for to make ten million texts takes seconds. Raises as `values` does."""
        kind = self._number_kinds(expression, rows)
        one = np.full(int(kind.max(initial=-1)) + 1, -1)  # some row of each kind
        one[kind] = np.arange(len(rows))
        occurs = one >= 0
        return self.values({name: expression}, place, rows[one[occurs]]).to_series(), (np.cumsum(occurs) - 1)[kind]

    def _number_kinds(self, expression: str, rows: np.ndarray) -> np.ndarray:
        """A number for each of `rows`, the same for those that differ in nothing that the expression names; each its
        own, in their order, where it sees several rows at once or names more than a few texts."""
        parsed, kind, kinds = parse(expression), np.zeros(len(rows), np.int64), 1
        if parsed.has_window:
            return np.arange(len(rows))
        for column in parsed.columns:
            if (numbered := self._number_texts(column)) is None:
                return np.arange(len(rows))
            number, count = numbered
            if (kinds := kinds * count) >= len(rows):
                return np.arange(len(rows))
            kind = kind * count + number[rows]
        return kind

    def _number_texts(self, column: ColumnName) -> tuple[np.ndarray, int] | None:
        """A number for each text of a column, null among them, and how many there are; None where they do not
        repeat."""
        if column not in self._numbered:
            texts, numbered = self._read_column(column), None
            if _repeats(texts):
                known = texts.drop_nulls().unique().sort()
                number = texts.cast(pl.Enum(known)).to_physical().cast(pl.UInt16).fill_null(len(known)).to_numpy()
                numbered = number, len(known) + 1
            self._numbered[column] = numbered
        return self._numbered[column]

    @cached_property
    def _numbered(self) -> dict[ColumnName, tuple[np.ndarray, int] | None]:
        return {}

    def values_if_any(self, expression: str, rows: np.ndarray) -> pl.Series:
        """The value of the expression for each of `rows`, null where it fails on one; where it has a window, for all
        if it fails on any."""
        parsed = parse(expression)
        if parsed.is_column:
            return self._pick(parsed.columns[0], rows)
        text = expression if parsed.has_window else f"try({expression}\n)"
        try:
            return evaluate({"value": text}, self._pick_all({"value": expression}, rows))["value"]
        except duckdb.Error:
            return pl.repeat(None, len(rows), dtype=pl.Float64, eager=True)

    def _pick_all(self, expressions: Mapping[str, str], rows: np.ndarray | None) -> pl.DataFrame:
        """The columns that the expressions name."""
        needed = dict.fromkeys(column for text in expressions.values() for column in parse(text).columns)
        height = (self.key,)  # so that an expression of constants has rows too
        return pl.DataFrame({".".join(column): self._pick(column, rows) for column in {height: None} | needed})

    def pick_value(self, column: ColumnName, row: int) -> Any:
        """What one column is of one row."""
        return self._pick(column, np.array([row]))[0]

    def _pick(self, column: ColumnName, rows: np.ndarray | None) -> pl.Series:
        values = self._read_column(column)
        return values if rows is None or len(rows) == len(values) else values[rows]


def _repeats(values: pl.Series) -> bool:
    """Whether it is a column of few texts."""
    return values.dtype == pl.String and values.to_frame().select(pl.all().approx_n_unique()).item() <= MOST_NAMES


def _say_failure(expressions: Mapping[str, str], rows: pl.DataFrame) -> str:
    """The first of the expressions that fails on a value, and what DuckDB says of it."""
    for name, text in expressions.items():
        try:
            evaluate({name: text}, rows)
        except duckdb.Error as error:
            return f"{name}: {text!r}: {why(error)}"
    return ", ".join(expressions.values())
