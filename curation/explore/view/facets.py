"""What the list is narrowed by without an expression: a choice of each facet, with how many pairs it would leave."""

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import polars as pl

from curation.core.errors import CurationError
from curation.explore.view import bits
from curation.explore.view.pair_columns import ARM, PairColumns, spell
from curation.tables import contracts

LABELS = {  # facet, which is its name in the address: how it is called on the page
    "chosen": "chosen by", "rejected": "rejected by", "selection": "selection", "reason": "its verdict",
    "arm": "arm", "judge": "judge and dimension", "says": "it says",
}  # fmt: skip
SAYS = {"better": "chosen is better", "worse": "rejected is better", "equal": "both alike", "unscored": "nothing"}
MOST_COUNTED = 2_000_000  # pairs up to which the scores of judges that are not chosen are counted too
MOST_HELD = 200  # sets of pairs


class Option(NamedTuple):
    """One that may be chosen: how many pairs it would leave; None where that was not counted."""

    value: str
    label: str
    left: int | None


class Facets:
    """The facets of the pairs, each option a set of pairs that is made once."""

    def __init__(self, pairs: PairColumns) -> None:
        self.pairs, self.study = pairs, pairs.study
        self.set_of = lru_cache(MOST_HELD)(self._make_set)

    def options(self, facet: str, given: Mapping[str, str]) -> list[str]:
        """What may be chosen of a facet, as things are chosen now: none where its tables are not there."""
        data = contracts.DATA
        match facet:
            case "chosen" | "rejected":
                return sorted(self._values((f"{facet}_model",)))
            case "selection":
                return [name for name in self.study.selections if contracts.path("selections", name).exists()]
            case "reason" if given.get("selection"):
                asked = {given["reason"]} if given.get("reason") else set()  # of another selection, maybe
                return sorted({*self._values(("reason", given["selection"])), *asked})
            case "arm":
                return [name for name in self.study.arms if contracts.arm_path("subsets", name).exists()]
            case "judge":
                there = [name for name in self.study.dimensions if contracts.path("deltas", name, data).exists()]
                return [f"{judge}.{dimension}" for judge in there for dimension in self.study.dimensions[judge]]
            case "says" if given.get("judge"):
                return list(SAYS)
        return []

    def narrow(self, given: Mapping[str, str]) -> dict[str, np.ndarray]:
        """The set of pairs that each choice leaves. A choice that cannot be made leaves out nothing."""
        chosen = {name: value for name, value in given.items() if value in self.options(name, given)}
        return {name: self.set_of(*self._column(name, value, given)) for name, value in chosen.items()}

    def count(self, facet: str, given: Mapping[str, str], others: np.ndarray) -> list[Option]:
        """The options of a facet, counted within what all else leaves."""
        few = facet != "judge" or self.pairs.height <= MOST_COUNTED

        def count(value: str) -> int | None:
            if not few and value not in given.values():
                return None
            try:
                return bits.count(others & self.set_of(*self._column(facet, value, given, counted=True)))
            except CurationError:  # a table of other pairs, say; whoever chooses it is told
                return None

        labels = SAYS if facet == "says" else {}
        return [Option(value, labels.get(value, value), count(value)) for value in self.options(facet, given)]

    def _column(
        self, facet: str, value: str, given: Mapping[str, str], counted: bool = False
    ) -> tuple[tuple[str, ...], str]:
        """The column that an option is about, and what it wants of it."""
        match facet:
            case "chosen" | "rejected":
                return (f"{facet}_model",), value
            case "selection":
                return (("kept", value), "true") if counted else (("reason", value), "known")
            case "reason":
                return ("reason", given["selection"]), value
            case "arm":
                return (ARM, value), "true"
        judge, _, dimension = (value if facet == "judge" else given["judge"]).partition(".")
        return (judge, f"delta_{dimension}"), "known" if facet == "judge" else value

    def _values(self, column: tuple[str, ...]) -> list[str]:
        return [value for value in self._read(column).unique() if value is not None]

    def _read(self, column: tuple[str, ...]) -> pl.Series:
        return self.pairs.values({"value": spell(column)})["value"]

    def _make_set(self, column: tuple[str, ...], wanted: str) -> np.ndarray:
        values = self._read(column)
        match wanted:
            case "known":
                holds = values.is_not_null()
            case "true":
                holds = values
            case "unscored":
                holds = values.is_null()
            case "better" | "worse" | "equal" if values.dtype.is_numeric():
                holds = {"better": values > 0, "worse": values < 0, "equal": values == 0}[wanted]
            case _:
                holds = values == wanted
        return bits.pack(holds.fill_null(False).to_numpy())
