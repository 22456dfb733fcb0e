"""Several responses in one row: a list of structs, a struct of lists, or lists side by side."""

from collections.abc import Iterator, Mapping
from typing import Any

from curation.core.messages import show_value
from curation.prompts.layouts._kind import LayoutParams, Unreadable
from curation.tables.user_fields import take
from curation.tables.user_messages import are_messages
from curation.tables.user_tools import parse_json


class ListParams(LayoutParams):
    """Settings of a layout whose rows list responses. `each` is the column whose list has a struct for each response,
    and the others are paths within one. Without `each` they are columns, which hold lists side by side, or one response
    a row."""

    text: str
    each: str | None = None
    model: str | None = None

    @property
    def of_response(self) -> dict[str, str]:
        """What names a column or a field of a response, by its place in the settings."""
        return {"text": self.text} | ({"model": self.model} if self.model is not None else {})

    @property
    def columns(self) -> dict[str, str]:
        """The list, or all columns where there is none."""
        return self.of_response if self.each is None else {"each": self.each}

    @property
    def fields(self) -> dict[str, str]:
        """What is within each response of the list."""
        return {} if self.each is None else self.of_response

    @property
    def sides(self) -> dict[str, str]:
        """The text of a response."""
        return {"text": self.text}


def each_response(settings: ListParams, row: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The values of each response of a row by their places: of the fields where there is a column `each`, else of the
    columns. One response where the column of texts holds no list of them."""
    if "each" not in settings.columns:
        yield from _side_by_side(row, settings.columns)
        return
    items = _read_json(row["each"])
    if isinstance(items, Mapping):  # as the library `datasets` hands on a list of structs
        yield from _side_by_side({place: take(items, path) for place, path in settings.fields.items()}, settings.fields)
        return
    if items is None:
        return
    fields = list(settings.fields.items())
    if not isinstance(items, list):
        raise Unreadable("layout.each", f"is {show_value(items)}, not a list of responses")
    for number, item in enumerate(items, 1):
        if item is not None and not isinstance(item, Mapping):
            raise Unreadable("layout.each", f"has the response {number} {show_value(item)}, which has no fields")
        yield {place: take(item, path) for place, path in fields}


def _side_by_side(values: Mapping[str, Any], places: Mapping[str, str]) -> Iterator[Mapping[str, Any]]:
    """The values of each response where every place holds a list of them, one for each response."""
    texts = _read_json(values["text"])
    if not isinstance(texts, list) or are_messages(texts):
        yield values
        return
    lists = {place: _read_json(values[place]) for place in places}
    for place, listed in lists.items():
        if listed is not None and not (isinstance(listed, list) and len(listed) == len(texts)):
            raise Unreadable(
                f"layout.{place}", f"is {show_value(listed)}, not a list of {len(texts)}, as there are responses"
            )
    for number in range(len(texts)):
        yield {place: listed[number] if listed is not None else None for place, listed in lists.items()}


def _read_json(value: Any) -> Any:
    """The value, or the list or the object whose JSON it is."""
    if not isinstance(value, str) or value.lstrip()[:1] not in ("[", "{"):
        return value
    try:
        return parse_json(value)
    except (ValueError, RecursionError):
        return value
