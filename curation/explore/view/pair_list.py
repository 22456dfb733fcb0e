"""The pairs that a list asks for: which, how many, in which order, and the way from one to the next."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import polars as pl

from curation.core.errors import CurationError
from curation.explore.view import bits
from curation.explore.view.asked import FACETS, OF_FACET, Asked
from curation.explore.view.facets import Facets, Option
from curation.explore.view.opened import Opened
from curation.explore.view.ordering import order_page
from curation.explore.view.pair_columns import PairColumns, mistake, schema, spell
from curation.explore.view.searching import Searches
from curation.tables import contracts
from curation.tables.expressions.evaluation import ResultType

ROWS = 50  # of a page
MOST_JUDGED = 4  # deltas among the columns that are shown where none are named
MOST_WHERE = 8  # sets of pairs of expressions that are held


class Refused(CurationError):
    """Parts of what was asked for that cannot be: the name of each in the address, and why."""

    def __init__(self, faults: Mapping[str, str]) -> None:
        super().__init__("\n".join(f"{name}: {fault}" for name, fault in faults.items()))
        self.faults = faults


class Page(NamedTuple):
    """Some rows of a list, with their ids and values, how many there are of all pairs, and what each facet would
    leave."""

    ids: list[int]
    values: pl.DataFrame
    found: int
    height: int
    facets: dict[str, list[Option]]


class PairList:
    """The pairs of a study, as its tables are now."""

    def __init__(self, opened: Opened) -> None:
        self.study = opened.study()
        self.pairs = PairColumns(opened.tables())
        self.facets = Facets(self.pairs)
        self.searches = Searches(opened.tables())
        self._where: dict[str, np.ndarray] = {}

    def names(self) -> list[str]:
        """What an expression can name, as it is written."""
        return [spell(name) for name in schema(self.study)]

    def default_columns(self) -> tuple[str, ...]:
        """What is shown of each pair unless one says."""
        judged = [
            spell((judge, f"delta_{dimension}"))
            for judge, dimensions in self.study.dimensions.items()
            for dimension in dimensions[:1]
            if contracts.path("deltas", judge).exists()
        ]
        return ("chosen_model", "rejected_model", *judged[:MOST_JUDGED], "chosen.characters", "rejected.characters")

    def named_columns(self, asked: Asked) -> tuple[str, ...]:
        """What is shown of each pair whatever else is asked for."""
        return asked.columns or self.default_columns()

    def columns(self, asked: Asked) -> list[str]:
        """What is shown of each pair; of a selection that is chosen its verdict too."""
        shown = list(self.named_columns(asked))
        if selection := asked.facets.get("selection"):
            shown += [spell((head, selection)) for head in ("reason", "margin")]
        return list(dict.fromkeys([*shown, *([asked.sort] if asked.sort else [])]))

    def refuse(self, asked: Asked) -> None:
        """Nothing. Raises Refused if an expression of the list is none."""
        wanted: dict[str, tuple[str, ResultType]] = {"where": (asked.where, "boolean"), "sort": (asked.sort, "any")}
        faults = {name: mistake(text, self.study, kind) for name, (text, kind) in wanted.items() if text}
        columns = [message for text in self.named_columns(asked) if (message := mistake(text, self.study, "any"))]
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
        facets = {name: self._count(name, asked, narrowed) for name in FACETS}
        return Page(
            self.pairs.ids[rows].to_list(),
            self.pairs.page_values(self.columns(asked), rows),
            bits.count(bits.meet(narrowed.values(), self.pairs.height)),
            self.pairs.height,
            {name: options for name, options in facets.items() if options},
        )

    def ids(self, asked: Asked, start: int, count: int) -> list[int]:
        """The ids of the pairs at the places from `start` on. Raises as `page` does."""
        self.refuse(asked)
        rows = self._rows(asked, self._narrow(asked), start, count)
        return [int(number) for number in self.pairs.ids[rows]]

    def _narrow(self, asked: Asked) -> dict[str, np.ndarray]:
        """The sets that the pairs have to be in, by what wants it."""
        sets = self.facets.narrow(asked.facets)
        if asked.where:
            sets["where"] = self._set_where(asked.where)
        if asked.text:
            sets["text"] = self.searches.found(asked.text).pairs(self.pairs, asked.inside)
        return sets

    def _set_where(self, where: str) -> np.ndarray:
        if where not in self._where:
            holds = self.pairs.values({"where": where})["where"]
            self._where[where] = bits.pack(holds.fill_null(False).to_numpy())
            for oldest in list(self._where)[:-MOST_WHERE]:
                del self._where[oldest]
        return self._where[where]

    def _rows(self, asked: Asked, sets: Mapping[str, np.ndarray], start: int, count: int) -> np.ndarray:
        rows = bits.numbers(bits.meet(sets.values(), self.pairs.height), self.pairs.height)
        if not asked.sort:
            return rows[::-1][start : start + count] if asked.down else rows[start : start + count]
        return order_page(self.pairs.values({"sort": asked.sort})["sort"], rows, start, count, asked.down)

    def _count(self, facet: str, asked: Asked, sets: Mapping[str, np.ndarray]) -> list[Option]:
        others = [own for name, own in sets.items() if facet not in (name, OF_FACET.get(name))]
        return self.facets.count(facet, asked.facets, bits.meet(others, self.pairs.height))
