"""Conditions that a build fails on: `overlap.top_step_coherence < 0.9`."""

import math
import operator
import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import NamedTuple

from curation.core.messages import first_names
from curation.explore.changes.diff import Figure

COMPARED = {
    "<=": operator.le, ">=": operator.ge, "==": operator.eq, "!=": operator.ne, "<": operator.lt, ">": operator.gt,
}  # fmt: skip
FORM = re.compile(r"\s*(?P<name>[^<>=!]+?)\s*(?P<sign><=|>=|==|!=|<|>)\s*(?P<number>\S+)\s*")
MOST_NAMED, NEAREST = 5, 3


class Condition(NamedTuple):
    """A figure by its name, a sign of COMPARED, and a number."""

    text: str
    name: str
    sign: str
    number: float


def parse(text: str) -> Condition:
    """The condition that a text says. Raises ValueError, with what is wrong, if it says none."""
    found = FORM.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not NAME < NUMBER, or with {', '.join(COMPARED)} between")
    try:
        number = float(found["number"])
    except ValueError:
        raise ValueError(f"{found['number']!r} is no number") from None
    if number != number:
        raise ValueError(f"{found['number']!r} is no number that a figure could be compared with")
    return Condition(text.strip(), found["name"], found["sign"], number)


def find_fault(condition: Condition, figures: Mapping[str, Figure]) -> str | None:
    """What is wrong, in a sentence: the condition is met, or its figure is not there or has no value. None if it is
    not met. `figures` are called SECTION:COLUMN.NAME; the section may be left out where one has the name."""
    name = condition.name
    found = [key for key in figures if name in (key, key.partition(":")[2])]
    if not found:
        known = list(dict.fromkeys(key.partition(":")[2] for key in figures))
        nearest = get_close_matches(name, known, NEAREST) or get_close_matches(name, known, NEAREST, cutoff=0)
        if not known:
            return f"{name} is no figure of this comparison, which has none"
        return f"{name} is no figure of this comparison; the nearest: {', '.join(nearest)}"
    if len(found) > 1:
        return f"{name} is in several sections; say which, as in {first_names(found, MOST_NAMED)}"
    value = figures[found[0]]
    if value is None or isinstance(value, str) or not math.isfinite(value):
        return f"{name} has no value here" if value is None else f"{name} is {value!r}, which is no number"
    return f"{condition.text}: it is {value:g}" if COMPARED[condition.sign](value, condition.number) else None
