"""The settings of a selection's unpaired examples: which single traces are taken, and under which label."""

from collections.abc import Callable, Iterator
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import AfterValidator, Field, model_validator

from curation.core.params import Column, Strict
from curation.core.study import Study
from curation.selection import column_names

UNLABELLED, BOTH_LABELS, REPEATED, OVER_BUDGET, KEPT = "unlabelled", "both_labels", "repeated", "over_budget", "kept"
REASONS = (UNLABELLED, BOTH_LABELS, REPEATED, OVER_BUDGET, KEPT)  # in their order, after a selection's own requirements

Amount: TypeAlias = Annotated[float, Field(ge=0, le=1e12, description="a whole number, or a share up to 1")]


def one_of(units: str) -> Callable[[dict[str, float]], dict[str, float]]:
    """The check of a budget that is in one of some units."""

    def check(budget: dict[str, float]) -> dict[str, float]:
        if len(budget) != 1:
            raise ValueError(f"give one of {units}")
        ((unit, amount),) = budget.items()
        if unit == "share" and not 0 < amount <= 1:
            raise ValueError(f"share {amount:g} is not above 0 and up to 1")
        if unit != "share" and (amount < 0 or amount != int(amount)):
            raise ValueError(f"{unit} {amount:g} is not a whole number from 0")
        return budget

    return check


Budget: TypeAlias = Annotated[dict[Literal["traces", "share"], Amount], AfterValidator(one_of("traces and share"))]


class Unpaired(Strict):
    """The unpaired examples of a selection: single traces with a label, in a pair or not.

    `label` is an SQL expression over the columns of a trace: true is desirable, false undesirable, and null is left
    out. A trace is taken only if each expression of `require` is true. `budget` is a number of `traces`, or a `share`
    of those that nothing else drops, in the order of draws by the selection's seed; null takes all.
    """

    label: str
    require: dict[Column, str] | None = None
    budget: Budget | None = None

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        if reserved := [name for name in self.require or {} if name in REASONS]:
            raise ValueError(f"require.{reserved[0]}: that is a reason already; give it another name")
        return self

    @property
    def reasons(self) -> list[str]:
        """Every reason that a trace may have, in the order in which they apply."""
        return [*(self.require or {}), *REASONS]

    def with_budget(self, traces: int) -> Self:
        """The same with a budget of so many traces."""
        return self.model_copy(update={"budget": {"traces": float(traces)}})

    def mistakes(self, study: Study) -> Iterator[str]:
        """What is wrong with the expressions, given the columns of the study's traces: `label: …`."""
        for judge in study.judges:
            if (judge,) in column_names.trace_schema(study):
                yield f"label: {judge!r} is a judge and a column of traces; rename judges.{judge}"
        expressions = {"label": self.label} | {f"require.{name}": text for name, text in (self.require or {}).items()}
        for place, text in expressions.items():
            if message := column_names.trace_mistake(text, study, "boolean"):
                yield f"{place}: {message}"
