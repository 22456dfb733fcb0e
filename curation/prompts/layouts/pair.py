"""A chosen and a rejected response in each row."""

from collections.abc import Mapping
from typing import Any, Literal

from curation.core.params import Column, Strict
from curation.prompts.layouts._kind import Comparison, Given, LayoutParams, Listed, read_model

SIDES = ("chosen", "rejected")


class SideColumns(Strict):
    """The columns of a rating of both sides."""

    chosen: str
    rejected: str


class Params(LayoutParams):
    """A layout of kind pair: `chosen` and `rejected` are texts, messages, or conversations whose last turn is the
    answer and whose common beginning is the prompt. Who wrote them and how they were rated may be left out."""

    kind: Literal["pair"]
    chosen: str
    rejected: str
    chosen_model: str | None = None
    rejected_model: str | None = None
    ratings: dict[Column, SideColumns] | None = None

    @property
    def sides(self) -> dict[str, str]:
        """The two answers."""
        return {"chosen": self.chosen, "rejected": self.rejected}

    @property
    def columns(self) -> dict[str, str]:
        """All that a row is read by."""
        models = {"chosen_model": self.chosen_model, "rejected_model": self.rejected_model}
        rated = {
            f"ratings.{name}.{side}": getattr(of, side) for name, of in (self.ratings or {}).items() for side in SIDES
        }
        return self.sides | {place: column for place, column in models.items() if column is not None} | rated

    @property
    def rating_names(self) -> list[str]:
        """What both sides are rated on."""
        return list(self.ratings or {})


def read(settings: Params, row: Mapping[str, Any]) -> Listed:
    """Both sides, the chosen one the better."""
    responses = [
        Given(
            row[side],
            read_model(row, f"{side}_model"),
            {name: row[f"ratings.{name}.{side}"] for name in settings.rating_names},
        )
        for side in SIDES
    ]
    return Listed(responses, [Comparison(0, 1, "chosen")])
