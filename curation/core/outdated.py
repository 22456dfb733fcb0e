"""A params file of version 0.1: what it calls by an old name, and the lines to write instead."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from curation.core import renamed
from curation.core.errors import Outdated

WITH_EXPRESSIONS = ("selections", "controls", "generator_pairs")


class Replacement(NamedTuple):
    """Old text on one line of the file, from column `start` up to `end`, both from 0, and the new text."""

    line: int
    start: int
    end: int
    old: str
    new: str


def refuse_outdated(path: Path, body: bytes, raw: dict[str, Any]) -> None:
    """Nothing, if the file has no name of version 0.1. Raises Outdated with every line that has one, rewritten.

    `raw` is what `body`, the file's bytes, was read as.
    """
    rules = _rules(raw)
    if not _has_old_name(raw, rules):
        return
    text = body.decode("utf-8-sig")
    root = YAML(typ="safe", pure=True).compose(text)
    lines, by_line = text.splitlines(), dict[int, list[Replacement]]()
    for replacement in sorted(set(_replacements(root, rules, lines)), reverse=True):  # the last of a line first
        by_line.setdefault(replacement.line, []).append(replacement)
    rewritten = []
    for number, replacements in sorted(by_line.items()):
        line = lines[number]
        for _, start, end, _, new in replacements:
            line = line[:start] + new + line[end:]
        changes = dict.fromkeys(f"{old} is now {new}" for *_, old, new in reversed(replacements))
        rewritten.append((f"{path}: line {number + 1}: {', '.join(changes)}; write:", line))
    raise Outdated(rewritten)


def _rules(raw: dict[str, Any]) -> list[tuple[re.Pattern[str], str, str]]:
    """For names in expressions: what matches one, its old name and its new one. A match's first group stays as it
    is."""
    scorers = raw.get("scorers")
    named = "|".join(re.escape(str(name)) for name in scorers) if isinstance(scorers, dict) and scorers else "(?!)"
    rules = [(rf"(?<![\w.'])()({old})(?![\w.'(])", old, new) for old, new in renamed.COLUMNS["pairs"].items()]
    rules += [(rf'([\w"]\.)({old})(?=\w)', old, new) for old, new in renamed.COLUMNS["deltas"].items()]
    rules += [
        (rf'((?<![\w.-])(?:{named})\\?"?\.)({old})\b', old, new) for old, new in renamed.COLUMNS["pair_scores"].items()
    ]
    return [(re.compile(pattern), old, new) for pattern, old, new in rules]


def _has_old_name(raw: dict[str, Any], rules: list[tuple[re.Pattern[str], str, str]]) -> bool:
    """Whether there is anything to rewrite, which is quicker to see in what was read than in the text."""
    return (
        any(section in raw for section in renamed.SECTIONS)
        or any(
            isinstance(raw.get(name), dict) and raw[name].keys() & keys.keys() for name, keys in renamed.KEYS.items()
        )
        or any(
            pattern.search(text)
            for section in WITH_EXPRESSIONS
            for text in _texts(raw.get(section))
            for pattern, *_ in rules
        )
    )


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _texts(part)


def _replacements(root: Node, rules: list[tuple[re.Pattern[str], str, str]], lines: list[str]) -> Iterator[Replacement]:
    for key, value in _entries(root):
        if key.value in renamed.SECTIONS:
            yield _of_key(key, renamed.SECTIONS[key.value])
        for inner, _ in _entries(value) if key.value in renamed.KEYS else ():
            if inner.value in renamed.KEYS[key.value]:
                yield _of_key(inner, renamed.KEYS[key.value][inner.value])
        for scalar in _scalars(value) if key.value in WITH_EXPRESSIONS else ():
            yield from _of_expression(scalar, rules, lines)


def _entries(node: Node) -> Iterator[tuple[Node, Node]]:
    """The keys and values of a mapping, and of those that it takes up with `<<`."""
    for key, value in node.value if isinstance(node, MappingNode) else ():
        if key.value == "<<":
            for merged in value.value if isinstance(value, SequenceNode) else [value]:
                yield from _entries(merged)
        else:
            yield key, value


def _scalars(node: Node) -> Iterator[ScalarNode]:
    if isinstance(node, ScalarNode):
        yield node
    parts = node.value if isinstance(node, SequenceNode) else [value for _, value in _entries(node)]
    for part in parts:
        yield from _scalars(part)


def _of_key(key: Node, new: str) -> Replacement:
    return Replacement(key.start_mark.line, key.start_mark.column, key.end_mark.column, key.value, new)


def _of_expression(
    scalar: ScalarNode, rules: list[tuple[re.Pattern[str], str, str]], lines: list[str]
) -> Iterator[Replacement]:
    """The old names of one expression, which may go over several lines."""
    first, last = scalar.start_mark, scalar.end_mark
    quote = scalar.style in ("'", '"')  # YAML's own quotes are no part of the expression
    for number in range(first.line, min(last.line + 1, len(lines))):
        start = first.column + quote if number == first.line else 0
        end = last.column - quote if number == last.line else len(lines[number])
        for pattern, old, new in rules:
            for match in pattern.finditer(lines[number][start:end]):
                yield Replacement(number, start + match.start(2), start + match.end(2), old, new)
