"""Lines of a YAML file rewritten where they stand, found by the nodes that it is composed of."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode


class Replacement(NamedTuple):
    """Text of the file from `start` up to `end` and the new text, and what is said of it."""

    start: int
    end: int
    new: str
    message: str


def rewrite(path: Path, text: str, replacements: list[Replacement]) -> list[tuple[str, str]]:
    """For each line that changes: what is said of it, and the line as it is to be."""
    rewritten, start = list[tuple[str, str]](), 0
    for number, line in enumerate(text.split("\n"), 1):
        on_line = [replacement for replacement in replacements if start <= replacement.start <= start + len(line)]
        new = line
        for replacement in {one[:3]: one for one in reversed(on_line)}.values():
            new = new[: replacement.start - start] + replacement.new + new[replacement.end - start :]
        if on_line:
            messages = ", ".join(dict.fromkeys(replacement.message for replacement in on_line))
            rewritten.append((f"{path}: line {number}: {messages}; write:", new.rstrip("\r")))
        start += len(line) + 1
    return rewritten


def replace_word(start: int, end: int, old: str, new: str) -> Replacement:
    """`new` in the place of the word `old`."""
    return Replacement(start, end, new, f"{old} is now {new}")


def nodes_at(node: Node, place: list[str]) -> Iterator[Node]:
    """The nodes at `place`, where `*` is any name or number."""
    if not place:
        yield node
    elif isinstance(node, SequenceNode):
        for part in node.value if place[0] == "*" else ():
            yield from nodes_at(part, place[1:])
    else:
        for key, value in entries_of(node):
            if place[0] in ("*", key.value):
                yield from nodes_at(value, place[1:])


def entries_of(node: Node) -> Iterator[tuple[Node, Node]]:
    """The keys that are text, and their values, of a mapping and of those that it takes up with `<<`."""
    for key, value in node.value if isinstance(node, MappingNode) else ():
        if key.value == "<<":
            for merged in value.value if isinstance(value, SequenceNode) else [value]:
                yield from entries_of(merged)
        elif isinstance(key, ScalarNode):
            yield key, value
