"""A chosen and a rejected response in each row, or several of each."""

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any, Literal

from curation.core.messages import show_value
from curation.core.params import Column, Strict
from curation.prompts.layouts._kind import Comparison, Given, LayoutParams, Listed, Unreadable, is_null, read_model

SIDES = ("chosen", "rejected")


class SideColumns(Strict):
    """The columns of a rating of both sides."""

    chosen: str
    rejected: str


class Params(LayoutParams):
    """A layout of kind pair: `chosen` and `rejected` are texts, messages, or conversations whose last turn is the
    answer and whose common beginning is the prompt; or lists of texts, of which each chosen one is better than each
    rejected one. Who wrote them and how they were rated may be left out, and stands in lists where the texts do. Both
    texts go on from that of the column `prefix`, if there is one, which begins either then."""

    kind: Literal["pair"]
    chosen: str
    rejected: str
    chosen_model: str | None = None
    rejected_model: str | None = None
    ratings: dict[Column, SideColumns] | None = None
    prefix: str | None = None

    @property
    def sides(self) -> dict[str, str]:
        """The two answers."""
        return {"chosen": self.chosen, "rejected": self.rejected}

    @property
    def columns(self) -> dict[str, str]:
        """All that a row is read by."""
        models = {"chosen_model": self.chosen_model, "rejected_model": self.rejected_model, "prefix": self.prefix}
        rated = {
            f"ratings.{name}.{side}": getattr(of, side) for name, of in (self.ratings or {}).items() for side in SIDES
        }
        return self.sides | {place: column for place, column in models.items() if column is not None} | rated

    @property
    def rating_names(self) -> list[str]:
        """What both sides are rated on."""
        return list(self.ratings or {})


def read(settings: Params, row: Mapping[str, Any]) -> Listed:
    """Both sides, each chosen one the better."""
    chosen, rejected = ([*_responses(settings, row, side)] for side in SIDES)
    pairs = product(range(len(chosen)), range(len(chosen), len(chosen) + len(rejected)))
    return Listed([*chosen, *rejected], [Comparison(*two, "chosen") for two in pairs])


def _responses(settings: Params, row: Mapping[str, Any], side: str) -> Iterator[Given]:
    """The responses of a side: one, or one for each text of a list."""
    several = _are_texts(row[side])
    said = _go_on(row[side], row.get("prefix")) if settings.prefix else row[side]
    told = {f"{side}_model": row.get(f"{side}_model")}
    told |= {place: row[place] for name in settings.rating_names if (place := f"ratings.{name}.{side}")}
    for number, text in enumerate(said if several else [said]):
        own = {place: _of_one(place, value, number, said) if several else value for place, value in told.items()}
        scores = {name: own[f"ratings.{name}.{side}"] for name in settings.rating_names}
        yield Given(text, read_model(own, f"{side}_model"), scores, side=side)


def _go_on(said: Any, before: Any) -> Any:
    """What a side says with the text that it goes on from; nothing where it says nothing."""
    if is_null(before) or is_null(said):
        return said
    if not isinstance(before, str):
        raise Unreadable("layout.prefix", f"is {show_value(before)}, not a text")
    if isinstance(said, str):
        return before + said if said.strip() else said
    if not _are_texts(said):
        raise Unreadable("layout.prefix", "stands before texts alone, and this row has messages")
    return [_go_on(text, before) for text in said]


def _are_texts(said: Any) -> bool:
    return isinstance(said, list) and bool(said) and all(isinstance(text, str) for text in said)


def _of_one(place: str, value: Any, number: int, texts: list[str]) -> Any:
    """What is told of one of the texts: of all the same, or in a list as long as theirs."""
    if not isinstance(value, list):
        return value
    if len(value) != len(texts):
        raise Unreadable(f"layout.{place}", f"is {show_value(value)}, not a list of {len(texts)}, as there are texts")
    return value[number]
