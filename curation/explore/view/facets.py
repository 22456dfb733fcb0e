"""What a list is narrowed by without an expression: a choice of each facet, with how many rows it would leave."""

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import polars as pl

from curation.core.errors import CurationError
from curation.explore.lists.columns import ListedColumns, spell
from curation.explore.view import bits
from curation.explore.view.asked import Form
from curation.tables.expressions.syntax import ColumnName

MOST_COUNTED = 2_000_000  # rows of columns up to which those of a costly facet that are not chosen are counted too
MOST_VALUES = 50  # of a column that are options
MOST_HELD = 200  # sets of rows
UNKNOWN = "unscored"  # the option of the rows without a number
SIGNS = {"better": ">", "worse": "<", "equal": "="}


class Facet(NamedTuple):
    """One way to narrow a list. An option is about a `column`: of its own name, or of that chosen of the facet above.
    `rule` says which rows it leaves: those where the column has that `value`, is `known`, is `true`, or has such a
    `sign`. `options`: None are the values of the column. `counted`: another column, true of the rows that are counted;
    `words`: how options are called; `shows`: the columns that are shown once it is chosen; `rows`: how many a row of
    the list has in a table of its own, which make it costly; 0 if there is none."""

    column: Callable[[str], ColumnName]
    rule: str = "value"
    options: Callable[[], Iterable[str]] | None = None
    counted: Callable[[str], ColumnName] | None = None
    words: Mapping[str, str] = {}
    shows: Callable[[str], list[ColumnName]] = lambda _: []
    rows: int = 0


class Option(NamedTuple):
    """One that may be chosen: how many rows it would leave; None where that was not counted."""

    value: str
    label: str
    left: int | None


def condition(column: str, rule: str, value: str, kind: pl.DataType) -> str:
    """The expression that is true of the rows that an option leaves, of a column of this type."""
    match rule, value:
        case "known", _:
            return f"{column} is not null"
        case "true", _:
            return column
        case "sign", _ if value in SIGNS:
            return f"{column} {SIGNS[value]} 0"
        case "sign", _:
            return f"{column} is null"
    if kind.is_numeric() and value == UNKNOWN:
        return f"{column} is null"
    if kind.is_numeric() or kind == pl.Boolean:
        return f"{column} = {value}"
    return f"{column} = '" + value.replace("'", "''") + "'"


class Facets:
    """The facets of a list, each option a set of rows that is made once."""

    def __init__(self, form: Form, columns: ListedColumns, facets: Mapping[str, Facet]) -> None:
        self.form, self.columns, self.facets = form, columns, facets
        self.set_of = lru_cache(MOST_HELD)(self._make_set)
        self._values = lru_cache(MOST_HELD)(self._list_values)

    def options(self, name: str, given: Mapping[str, str]) -> list[str]:
        """What may be chosen of a facet, as things are chosen now: none where its tables are not there."""
        above, facet = self.form.under.get(name), self.facets[name]
        if above and given.get(above) not in self.options(above, given):
            return []
        if facet.options is not None:
            return list(facet.options())
        column = facet.column(given[above] if above else "")
        if column not in self.columns.names.all:  # as the reasons of a selection that has none of its own
            return []
        found = self._values(column)
        is_text = above is not None and self._kind(column) == pl.String
        asked = {given[name]} if is_text and given.get(name) else set()  # of another selection, maybe
        return sorted({*found, *asked}) if asked else found

    def narrow(self, given: Mapping[str, str]) -> dict[str, np.ndarray]:
        """The set of rows that each choice leaves. A choice that cannot be made leaves out nothing."""
        return {name: self.set_of(*self._rule(name, value, given)) for name, value in self._chosen(given)}

    def conditions(self, given: Mapping[str, str]) -> list[str]:
        """What each choice leaves, as expressions."""
        rules = [self._rule(name, value, given) for name, value in self._chosen(given)]
        return [condition(spell(column), rule, value, self._kind(column)) for column, rule, value in rules]

    def shown(self, given: Mapping[str, str]) -> list[str]:
        """The columns that are shown for what is chosen."""
        return [
            spell(column)
            for name, value in self._chosen(given)
            for column in self.facets[name].shows(value)
            if column in self.columns.names.all
        ]

    def count(self, name: str, given: Mapping[str, str], others: np.ndarray) -> list[Option]:
        """The options of a facet, counted within what all else leaves."""
        facet = self.facets[name]
        few = self.columns.height * facet.rows <= MOST_COUNTED

        def count(value: str) -> int | None:
            if not few and value not in given.values():
                return None
            try:
                rule = self._rule(name, value, given) if facet.counted is None else (facet.counted(value), "true", "")
                return bits.count(others & self.set_of(*rule))
            except CurationError:  # a table of other rows, say; whoever chooses it is told
                return None

        return [Option(value, facet.words.get(value, value), count(value)) for value in self.options(name, given)]

    def _chosen(self, given: Mapping[str, str]) -> list[tuple[str, str]]:
        return [(name, value) for name, value in given.items() if value in self.options(name, given)]

    def _rule(self, name: str, value: str, given: Mapping[str, str]) -> tuple[ColumnName, str, str]:
        """The column that an option is about, and what it wants of it."""
        facet, above = self.facets[name], self.form.under.get(name)
        return facet.column(given[above] if above else value), facet.rule, value

    def _kind(self, column: ColumnName) -> pl.DataType:
        return self.columns.names.all[column]

    def _read(self, column: ColumnName) -> pl.Series:
        return self.columns.values({"value": spell(column)})["value"]

    def _list_values(self, column: ColumnName) -> list[str]:
        """The values of a column, as an address says them; of numbers if they are few, and whether some are unknown."""
        values = self._read(column).unique().sort()
        known = values.drop_nulls().to_list()
        if not values.dtype.is_numeric():
            return [str(value).lower() if values.dtype == pl.Boolean else value for value in known]
        few = known if len(known) <= MOST_VALUES else []
        return [*(f"{value:.15g}" for value in few), *([UNKNOWN] if values.null_count() else [])]

    def _make_set(self, column: ColumnName, rule: str, value: str) -> np.ndarray:
        holds = pl.sql_expr(condition("value", rule, value, self._kind(column)))
        return bits.pack(self._read(column).to_frame().select(holds.fill_null(False)).to_series().to_numpy())
