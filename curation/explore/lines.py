"""Texts, numbers and named values as a reader wants them on a line."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from curation.core.text import one_line, say_count
from curation.explore.tables import Row
from curation.selection import rules, unpaired

LINES = 12  # of a text that are shown unless all of it is wanted
LETTERS = 2000  # and of its letters


def say_number(value: float | None) -> str:
    """A number as a reader wants it: four digits of a fraction; a dash for none."""
    if value is None:
        return "–"
    return str(value) if isinstance(value, int) else f"{value:.4g}" if abs(value) < 10_000 else f"{value:.0f}"


def say_short(value: float) -> str:
    """A number at a glance: two digits of a fraction, as many more as one below 0.1 needs to have one that counts."""
    return f"{value:.2f}".rstrip("0").rstrip(".") if abs(value) >= 0.095 or value == 0 else f"{value:.1g}"


def say_verdict(reason: str | None) -> str:
    """The verdict of a selection; a name of the user's own, which may be the selection's too, is a requirement's."""
    if reason is None:
        return "unknown"
    return reason if reason in (*rules.REASONS, *unpaired.REASONS) else f"does not meet {reason}"


def barred(text: str | None, full: bool) -> Iterator[str]:
    """A text behind a bar: its first lines, and a word how much more there is."""
    if text is None:
        return
    whole = "\n".join(text.splitlines()).rstrip("\n")  # each line's end is one letter, however it is written
    shown = text if full else "\n".join(text[:LETTERS].splitlines()[:LINES])
    yield from (f"  │ {line}" for line in shown.splitlines() or [""])
    if len(shown) < len(whole):
        lines = whole.count("\n") - shown.count("\n")
        more = say_count(lines, "more line") if lines else say_count(len(whole) - len(shown), "more letter")
        yield f"  … {more}; --full shows all"


def say_role(message: Mapping[str, Any]) -> str:
    """Whose message it is, and of a tool's result which call it is of."""
    of_call = message.get("tool_call_id")
    return str(message["role"]) + (f", of {of_call}" if of_call else "")


def say_call(call: Mapping[str, Any]) -> str:
    """The call of a tool: its name, its arguments, and what its result is found by."""
    function = call.get("function") or call
    arguments = function.get("arguments")
    said = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    return f"{function.get('name')}({said})" + (f" as {call['id']}" if call.get("id") else "")


def write_messages(messages: Iterable[Mapping[str, Any]], full: bool) -> Iterator[str]:
    """Each message under its role, with its reasoning, its text and the calls of tools that it makes."""
    for message in messages:
        content, calls = message.get("content"), message.get("tool_calls") or []
        yield f"  {one_line(say_role(message))}:"
        yield from barred(message.get("reasoning_content"), full)
        if content or not calls:
            yield from barred(content if isinstance(content, str | None) else json.dumps(content), full)
        yield from (f"  calls {one_line(say_call(call))}" for call in calls)


def because(text: str | None) -> Iterator[str]:
    """A judge's reason, on a line; none where it gave none."""
    if text is not None:
        yield f"      because: {one_line(text)}"


def say_facts(named: Mapping[str, Any]) -> str:
    """Names and values on a line, without those that are null or empty."""
    return ", ".join(f"{name} {say_value(value)}" for name, value in named.items() if value not in (None, ""))


def say_value(value: Any) -> str:
    """A value on a line: yes or no, a number as `say_number` has it, a text; nothing where there is none."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return say_number(value) if isinstance(value, int | float) else one_line(str(value))


def flatten(named: Mapping[str, Any], place: str = "") -> dict[str, Any]:
    """The names and values of a mapping, and those of mappings in it by their place, as `keep.kind`."""
    flat: dict[str, Any] = {}
    for name, value in named.items():
        flat |= flatten(value, f"{place}{name}.") if isinstance(value, Mapping) else {f"{place}{name}": value}
    return flat


def say_score(row: Row) -> str:
    """A row's score, and the expected one where there is one; its status where there is none."""
    if row["score"] is None:
        return str(row["status"])
    expected = row.get("expected_score")
    return say_number(row["score"]) + ("" if expected is None else f" (expected {say_number(expected)})")
