"""Rows of a list with whatever an expression may name of each: what selections name, and what only a list can."""

from collections import OrderedDict
from collections.abc import Callable
from functools import cached_property
from typing import NamedTuple

import numpy as np
import polars as pl

from curation.explore.tables import Tables
from curation.selection.named_columns import NamedColumns
from curation.tables.expressions.evaluation import ResultType, fault
from curation.tables.expressions.syntax import ColumnName, parse

Types = dict[ColumnName, pl.DataType]
MOST_LETTERS = 10_000  # of an expression
MOST_BYTES = 800_000_000  # of the columns that are held


def spell(name: ColumnName) -> str:
    """A column's name as an expression writes it."""
    return ".".join(part if part.isidentifier() else '"' + part.replace('"', '""') + '"' for part in name)


class Names(NamedTuple):
    """What an expression over a list can name, with the types: `own`, which selections name too, with what they say is
    wrong with an expression, and what only the list has `beside` them."""

    own: Types
    beside: Types
    own_mistake: Callable[[str, ResultType], str | None]

    @property
    def all(self) -> Types:
        """Every name."""
        return self.own | self.beside

    def mistake(self, expression: str, result_type: ResultType) -> str | None:
        """What is wrong with an expression, or None, as `curation params` says it of a selection's; and one of more
        than MOST_LETTERS, for it would stand in every link of its page."""
        if len(expression) > MOST_LETTERS:
            longer = "write it into params.yaml as a selection, and choose that"
            return f"has {len(expression):,} letters, of which a list takes {MOST_LETTERS:,}; {longer}"
        try:
            heads = {name[0] for name in parse(expression).columns}
        except (ValueError, RecursionError):
            heads = set()
        if heads.isdisjoint(name[0] for name in self.beside):
            return self.own_mistake(expression, result_type)
        return fault(expression, self.all, result_type)


def name_all(own: Types, beside: Types, own_mistake: Callable[[str, ResultType], str | None]) -> Names:
    """The names of a list; of those beside its own none that begins as an own one does."""
    taken = {name[0] for name in own}
    return Names(own, {name: kind for name, kind in beside.items() if name[0] not in taken}, own_mistake)


class ListedColumns(NamedColumns):
    """The rows by their ids. A row number is a place in that order; columns that were read are held, within bounds."""

    def __init__(self, tables: Tables, names: Names) -> None:
        self.tables, self.study, self.names = tables, tables.study, names
        self._held: OrderedDict[ColumnName, pl.Series] = OrderedDict()

    @cached_property
    def ids(self) -> pl.Series:
        """The ids of all rows, ascending."""
        raise NotImplementedError

    @property
    def height(self) -> int:
        """How many rows there are."""
        return self.ids.len()

    def page_values(self, expressions: list[str], rows: np.ndarray) -> pl.DataFrame:
        """The values of the expressions, by their own texts, for a page of rows. What looks at a row alone is
        evaluated for these only, so that of other tables no more is read."""
        ids = self.ids[rows].alias(self.key)
        whole = [text for text in expressions if self._looks_around(text)]
        alone = [text for text in expressions if text not in whole]
        values = {text: self.values({"value": text})["value"][rows] for text in whole}
        if alone:
            named = {str(place): text for place, text in enumerate(alone)} | {"key": self.key}
            own = self._pick_few(ids).values(named).rename({"key": self.key})
            joined = ids.to_frame().join(own, on=self.key, how="left", maintain_order="left")
            values |= {text: joined[str(place)] for place, text in enumerate(alone)}
        return pl.DataFrame([values[text].alias(text) for text in expressions])

    def _looks_around(self, expression: str) -> bool:
        """Whether its value depends on other rows, or on a table that is not by id."""
        said = parse(expression)
        return said.has_window or not all(self._is_of_row(name) for name in said.columns)

    def _is_of_row(self, name: ColumnName) -> bool:
        return name in self.names.own

    def _pick_few(self, ids: pl.Series) -> NamedColumns:
        """The rows that have these ids, and of other tables only what is of them."""
        raise NotImplementedError

    def _read_column(self, name: ColumnName) -> pl.Series:
        if name not in self._held:
            self._held[name] = self._read(name)
            while len(self._held) > 1 and sum(values.estimated_size() for values in self._held.values()) > MOST_BYTES:
                self._held.popitem(last=False)
        self._held.move_to_end(name)
        return self._held[name]

    def _read(self, name: ColumnName) -> pl.Series:
        raise NotImplementedError

    def _align(self, rows: pl.DataFrame, column: str) -> pl.Series:
        """A column of a table with at most a row for each id; null where it has none."""
        ids, own = self.ids.to_numpy(), rows[self.key].to_numpy()
        if not len(ids):
            return rows[column].clear()
        places = np.minimum(np.searchsorted(ids, own), len(ids) - 1)
        known = np.flatnonzero(ids[places] == own)
        numbers = np.full(len(ids), len(own))  # that of the null that is put last
        numbers[places[known]] = known
        return rows[column].extend_constant(None, 1).gather(numbers)
