"""Rated responses: several in a row, or one in each."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import model_validator

from curation.core.messages import did_you_mean
from curation.core.params import Column
from curation.prompts.layouts._kind import Given, Listed, Ordering, read_model
from curation.prompts.layouts._lists import ListParams, each_response


class Params(ListParams):
    """A layout of kind responses, with what each is rated on.

    `order_by` names the rating by which responses to one prompt are pairs, the higher one chosen, equal ones a tie.
    Without it the file lists no pairs.
    """

    kind: Literal["responses"]
    ratings: dict[Column, str] | None = None
    rationales: dict[Column, str] | None = None
    order_by: str | None = None

    @model_validator(mode="after")
    def _names_ratings(self) -> "Params":
        for place, names in {"rationales": self.rationales or {}, "order_by": [self.order_by or ""]}.items():
            if unknown := [name for name in names if name and name not in self.rating_names]:
                raise ValueError(f"{place}: {unknown[0]!r} is no rating{did_you_mean(unknown[0], self.rating_names)}")
        return self

    @property
    def of_response(self) -> dict[str, str]:
        """Its ratings and the reasons for them too."""
        told = {f"ratings.{name}": path for name, path in (self.ratings or {}).items()}
        told |= {f"rationales.{name}": path for name, path in (self.rationales or {}).items()}
        return super().of_response | told

    @property
    def rating_names(self) -> list[str]:
        """What a response is rated on."""
        return list(self.ratings or {})

    @property
    def ordering(self) -> Ordering | None:
        """By the rating that is named."""
        return None if self.order_by is None else Ordering(self.order_by, ties=True)

    @property
    def lists_pairs(self) -> bool:
        """Whether a rating is named."""
        return self.order_by is not None


def read(settings: Params, row: Mapping[str, Any]) -> Listed:
    """The responses, with their ratings."""
    ratings, rationales = (
        [(name, f"{what}.{name}") for name in getattr(settings, what) or {}] for what in ("ratings", "rationales")
    )
    return Listed(
        [
            Given(
                response["text"],
                read_model(response, "model"),
                {name: response[place] for name, place in ratings},
                {name: response[place] for name, place in rationales},
            )
            for response in each_response(settings, row)
        ]
    )
