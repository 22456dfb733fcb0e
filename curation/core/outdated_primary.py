"""A primary contrast as it was declared before `contrasts` were: the lines to write instead."""

from collections.abc import Iterator
from typing import Any

from ruamel.yaml.nodes import MappingNode, Node

from curation.core.rewriting import Replacement, entries_of

ARMS = ("method", "selection", "generator_pairs", "budget")
MESSAGE = "a primary contrast is one of `contrasts` now"
NONE = "contrasts: {}\n\n"


def has_old_primary(raw: dict[str, Any]) -> bool:
    """Whether `compare.primary` is a contrast, and no name of one."""
    compare = raw.get("compare")
    return "contrasts" not in raw and isinstance(compare, dict) and isinstance(compare.get("primary"), dict)


def of_primary(root: Node, text: str) -> Iterator[Replacement]:
    """The section `contrasts` before `compare`, and there the name of the primary one; nothing in a file that has that
    section."""
    sections = {key.value: (key, value) for key, value in entries_of(root)}
    if "contrasts" in sections or "compare" not in sections:
        return
    start = sections["compare"][0].start_mark.index
    for key, value in entries_of(sections["compare"][1]):
        if key.value == "primary" and isinstance(value, MappingNode):
            told = {part.value: one.value for part, one in entries_of(value)}
            name = told.get("selection", "primary")
            yield Replacement(start, start, _section(name, told), MESSAGE)
            yield from _of_value(text, key, value, name)
            return
    yield Replacement(start, start, NONE, "contrasts is new")


def _section(name: str, told: dict[str, str]) -> str:
    plus = ", ".join(f"{part}: {told[part]}" for part in ARMS if part in told)
    lines = [f"plus: {{{plus}}}", f"minus: {{control: {told.get('control')}}}", f"benchmark: {told.get('benchmark')}"]
    return "\n    ".join([f"contrasts:\n  {name}:", *lines]) + "\n\n"


def _of_value(text: str, key: Node, value: MappingNode, name: str) -> Iterator[Replacement]:
    """The mapping taken out, line by line, and the name in the place of its beginning."""
    start, end = value.start_mark.index, value.end_mark.index
    if not value.flow_style:  # its lines stand below the key
        yield Replacement(key.end_mark.index + 1, key.end_mark.index + 1, f" {name}", MESSAGE)
    stop = start + len(text[start:end].rstrip())
    while start < stop:
        line_end = text.find("\n", start, stop)
        line_end = stop if line_end < 0 else line_end
        new = name if value.flow_style and start == value.start_mark.index else "" if value.flow_style else "# "
        yield Replacement(start, line_end if value.flow_style else start, new, MESSAGE)
        start = line_end + 1
