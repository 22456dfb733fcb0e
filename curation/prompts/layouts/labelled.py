"""One response a row, with a label: good or bad."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from curation.core.messages import show_value
from curation.core.params import Column, Strict
from curation.prompts.layouts._kind import Given, LayoutParams, Listed, Ordering, Unreadable, is_null, read_model

Words = Annotated[list[str], Field(min_length=1)]
KNOWN = {"true": 1.0, "false": 0.0, "1": 1.0, "0": 0.0, "1.0": 1.0, "0.0": 0.0}


class Labels(Strict):
    """What the column of labels says of a good response and of a bad one."""

    good: Words
    bad: Words


class Params(LayoutParams):
    """A layout of kind labelled: `completion` as the sides of kind pair, and the column `label`: true or false, 1 or 0,
    or what `words` says. The label is the rating `rating`, 1 or 0; pairs are a good and a bad response to one
    prompt."""

    kind: Literal["labelled"]
    completion: str
    label: str
    rating: Column
    words: Labels | None = None
    model: str | None = None

    @property
    def sides(self) -> dict[str, str]:
        """The answer."""
        return {"completion": self.completion}

    @property
    def columns(self) -> dict[str, str]:
        """All that a row is read by."""
        named = {"completion": self.completion, "label": self.label, "model": self.model}
        return {place: column for place, column in named.items() if column is not None}

    @property
    def rating_names(self) -> list[str]:
        """The label."""
        return [self.rating]

    @property
    def ordering(self) -> Ordering:
        """A good response before a bad one."""
        return Ordering(self.rating, ties=False)


def read(settings: Params, row: Mapping[str, Any]) -> Listed:
    """The response, and its label as a rating."""
    return Listed(
        [Given(row["completion"], read_model(row, "model"), {settings.rating: _label(settings, row["label"])})]
    )


def _label(settings: Params, value: Any) -> float | None:
    if is_null(value):
        return None
    known = KNOWN
    if settings.words is not None:
        known = dict.fromkeys(settings.words.good, 1.0) | dict.fromkeys(settings.words.bad, 0.0)
    spelt = str(value).strip()
    label = known.get(spelt, known.get(spelt.lower()))
    if label is None:
        raise Unreadable(
            "layout.label", f"is {show_value(value)}, neither good nor bad; say in layout.words which of both it is"
        )
    return label
