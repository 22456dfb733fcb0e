"""The rows that a list asks for: which, how many, in which order, and the way from one to the next."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import polars as pl

from curation.core.errors import CurationError
from curation.explore.lists.columns import MOST_LETTERS, ListedColumns, spell
from curation.explore.view import bits
from curation.explore.view.asked import Asked, Form
from curation.explore.view.facets import Facet, Facets, Option
from curation.explore.view.ordering import order_page
from curation.explore.view.searching import Searches
from curation.tables.expressions.evaluation import ResultType

ROWS = 50  # of a page
MOST_WHERE = 8  # sets of rows of expressions that are held


class Refused(CurationError):
    """Parts of what was asked for that cannot be: the name of each in the address, and why."""

    def __init__(self, faults: Mapping[str, str]) -> None:
        super().__init__("\n".join(f"{name}: {fault}" for name, fault in faults.items()))
        self.faults = faults


class Page(NamedTuple):
    """Some rows of a list, with their ids and values, how many there are of all, and what each facet would leave."""

    ids: list[int]
    values: pl.DataFrame
    found: int
    height: int
    facets: dict[str, list[Option]]


class Listed:
    """All rows of a list, as a study's tables are now. `default`: the columns that are shown unless one says; `texts`:
    by what is searched, as the address says it, the column that has its id."""

    def __init__(
        self, form: Form, columns: ListedColumns, facets: Mapping[str, Facet], default: tuple[str, ...],
        texts: Mapping[str, str], searches: Searches,
    ) -> None:  # fmt: skip
        self.form, self.columns, self.facets = form, columns, Facets(form, columns, facets)
        self.default, self.texts, self.searches = default, texts, searches
        self._where: dict[str, np.ndarray] = {}

    def names(self) -> list[str]:
        """What an expression can name, as it is written."""
        return [spell(name) for name in self.columns.names.all]

    def named_columns(self, asked: Asked) -> tuple[str, ...]:
        """What is shown of each row whatever else is asked for."""
        return asked.columns or self.default

    def shown(self, asked: Asked) -> list[str]:
        """What is shown of each row: of a selection that is chosen its verdict too, and what is sorted by."""
        more = [*self.facets.shown(asked.facets), *([asked.sort] if asked.sort else [])]
        return list(dict.fromkeys([*self.named_columns(asked), *more]))

    def refuse(self, asked: Asked) -> None:
        """Nothing. Raises Refused if an expression of the list is none."""
        mistake = self.columns.names.mistake
        wanted: dict[str, tuple[str, ResultType]] = {"where": (asked.where, "boolean"), "sort": (asked.sort, "any")}
        faults = {name: mistake(text, kind) for name, (text, kind) in wanted.items() if text}
        named = self.named_columns(asked)
        columns = [message for text in named if (message := mistake(text, "any"))]
        if not columns and (letters := sum(map(len, named))) > MOST_LETTERS:
            columns = [f"all of them have {letters:,} letters, of which a list takes {MOST_LETTERS:,}; ask for fewer"]
        faults |= {"column": "; ".join(columns) or None}
        faults |= {
            name: f"{value!r} is not one of {', '.join(options) or 'those there are'}"
            for name, value in asked.chosen
            if value not in (options := self.facets.options(name, asked.facets))
        }
        if found := {name: fault for name, fault in faults.items() if fault}:
            raise Refused(found)

    def page(self, asked: Asked) -> Page:
        """A page of the list. Raises Refused if it asks for what cannot be, CurationError if a table cannot be read or
        an expression fails on a value, and Searching while texts are searched."""
        self.refuse(asked)
        narrowed = self._narrow(asked)
        rows = self._rows(asked, narrowed, asked.page * ROWS, ROWS)
        facets = {name: self._count(name, asked, narrowed) for name in self.form.facets}
        return Page(
            self.columns.ids[rows].to_list(),
            self.columns.page_values(self.shown(asked), rows),
            bits.count(bits.meet(narrowed.values(), self.columns.height)),
            self.columns.height,
            {name: options for name, options in facets.items() if options},
        )

    def ids(self, asked: Asked, start: int, count: int) -> list[int]:
        """The ids of the rows at the places from `start` on. Raises as `page` does."""
        self.refuse(asked)
        rows = self._rows(asked, self._narrow(asked), start, count)
        return [int(number) for number in self.columns.ids[rows]]

    def condition(self, asked: Asked) -> str:
        """The expression that is true of the rows that are asked for, but for the text that they have."""
        parts = [f"({asked.where}\n)"] if asked.where and asked.chosen else [asked.where] if asked.where else []
        return " and ".join([*parts, *self.facets.conditions(asked.facets)])

    def _narrow(self, asked: Asked) -> dict[str, np.ndarray]:
        """The sets that the rows have to be in, by what wants it."""
        sets = self.facets.narrow(asked.facets)
        if asked.where:
            sets["where"] = self._set_where(asked.where)
        if asked.text:
            sets["text"] = self._set_text(asked.text, asked.inside)
        return sets

    def _set_where(self, where: str) -> np.ndarray:
        if where not in self._where:
            holds = self.columns.values({"where": where})["where"]
            self._where[where] = bits.pack(holds.fill_null(False).to_numpy())
            for oldest in list(self._where)[:-MOST_WHERE]:
                del self._where[oldest]
        return self._where[where]

    def _set_text(self, text: str, inside: str) -> np.ndarray:
        found = self.searches.found(text)
        holds = np.zeros(self.columns.height, dtype=bool)
        for name, column in self.texts.items():
            if inside in ("", name):
                ids, key = self.columns.values({"value": column})["value"], "_".join(column.split("_")[-2:])
                holds |= ids.is_in(found.found(key).implode()).to_numpy()
        return bits.pack(holds)

    def _rows(self, asked: Asked, sets: Mapping[str, np.ndarray], start: int, count: int) -> np.ndarray:
        rows = bits.numbers(bits.meet(sets.values(), self.columns.height), self.columns.height)
        if not asked.sort:
            return rows[::-1][start : start + count] if asked.down else rows[start : start + count]
        return order_page(self.columns.values({"sort": asked.sort})["sort"], rows, start, count, asked.down)

    def _count(self, facet: str, asked: Asked, sets: Mapping[str, np.ndarray]) -> list[Option]:
        others = [own for name, own in sets.items() if facet not in (name, self.form.under.get(name))]
        return self.facets.count(facet, asked.facets, bits.meet(others, self.columns.height))
