"""What the values of a column are, by looking at them: texts, numbers, messages, lists of these."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

from curation.tables.user_messages import are_messages, parse_list

SAID = {"content", "value", "tool_calls", "function_call", "reasoning_content", "thinking"}  # of a message
SEEN = 500  # values that say what a column holds

# `samples` are lists of what has a text each, as choices of a server; `structs` lists of other objects
Kind: TypeAlias = Literal[
    "empty", "text", "number", "truth", "messages", "message", "texts", "numbers", "samples", "structs", "other"
]


def kind_of(seen: Sequence[Any]) -> Kind:
    """What values are that are not null."""
    if not seen:
        return "empty"
    if all(isinstance(value, bool) for value in seen):
        return "truth"
    if all(as_number(value) is not None for value in seen):
        return "number"
    if converse(list(seen)):
        return "message"
    lists = [value for value in seen if isinstance(value, list)]
    if not lists:
        texts = [value for value in seen if isinstance(value, str)]
        if not texts or not all(isinstance(value, str) or as_number(value) is not None for value in seen):
            return "other"
        return "messages" if all(map(_holds_list, texts)) else "text"  # also where some are numbers
    if any(converse(value) for value in lists) and len(lists) + sum(isinstance(one, str) for one in seen) == len(seen):
        return "messages"
    return _kind_of_lists(lists) if len(lists) == len(seen) else "other"


def _kind_of_lists(lists: Sequence[list[Any]]) -> Kind:
    inner = [value for one in lists for value in one if value is not None]
    if inner and all(isinstance(value, list) and value and isinstance(value[0], str) for value in inner):
        inner = [text for value in inner for text in value]  # samples of several requests, as lm-eval has them
    if not inner:
        return "other"
    if all(isinstance(value, str) for value in inner):
        return "texts"
    if all(as_number(value) is not None for value in inner):
        return "numbers"
    if all(isinstance(value, Mapping) for value in inner):
        return "samples" if all(map(_is_sample, inner)) else "structs"
    return "samples" if all(converse(value) for value in inner) else "other"


def _is_sample(value: Mapping[str, Any]) -> bool:
    said = value.get("message", value.get("text"))
    return isinstance(said, str) or (isinstance(said, Mapping) and converse([said]))


def _holds_list(text: str) -> bool:
    try:
        return parse_list(text) is not None
    except ValueError:
        return False


def as_number(value: Any) -> float | None:
    """A number, or the text of one; None for anything else, a truth too."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if number == number and abs(number) != float("inf") else None


def spell(value: Any) -> str:
    """A value as a text: truths in lower case, whole numbers without a point."""
    if isinstance(value, bool):
        return str(value).lower()
    number = None if isinstance(value, str) else as_number(value)
    return str(int(number)) if number is not None and number == int(number) else str(value).strip()


def converse(value: Any) -> bool:
    """Whether a list is one of messages, which have a content; nodes of a tree have roles too."""
    return are_messages(value) and any(not SAID.isdisjoint(message) for message in value)
