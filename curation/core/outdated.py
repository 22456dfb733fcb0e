"""A params file of version 0.1: what it calls by an old name, and the lines to write instead."""

import importlib
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ruamel.yaml.nodes import MappingNode, Node, ScalarNode

from curation.core import renamed
from curation.core.errors import Outdated
from curation.core.outdated_primary import has_old_primary, of_primary
from curation.core.parsed import compose
from curation.core.rewriting import Replacement, entries_of, nodes_at, replace_word, rewrite

EXPRESSIONS = (  # where SQL expressions stand; `*` is any name or number
    "selections.*.value",
    "selections.*.require.*",
    "selections.*.keep.target",
    "selections.*.strata.by",
    "selections.*.order.by",
    "controls.*.match.*",
    "generator_pairs.*.where",
)
PARSER = "curation.tables.expressions.syntax"  # imported by name, since the core is below it
PLACEHOLDER = "name_of_0_1_"  # in no column's name

_COLUMNS = {old: new for table in ("pairs", "deltas", "pair_scores") for old, new in renamed.COLUMNS[table].items()}
_OLD_COLUMN = re.compile(
    "|".join(rf"(?<!\w){old}" + (r"(?=\w)" if old.endswith("_") else r"(?!\w)") for old in _COLUMNS)
)
_OLD_KEYS = [
    *renamed.SECTIONS,
    *(
        f"{section}.{key}"
        for old in (renamed.KEYS, renamed.REPLACED, renamed.MOVED)
        for section, keys in old.items()
        for key in keys
    ),
    *renamed.INNER,
    f"judges.*.{renamed.PATTERNS}",
    *(f"selections.*.require.{reason}" for reason in renamed.REASONS.values()),
]
_ESCAPE = re.compile(r"\\(?:x..|u.{4}|U.{8}|.)", re.DOTALL)  # of YAML's text in double quotes
_HEAD = re.compile(r"(?:[&!]\S*\s+)*(?:[|>].*)?")  # what of a YAML value is none of its text


def refuse_outdated(path: Path, body: bytes, raw: dict[str, Any]) -> None:
    """Nothing, if the file has no name of version 0.1. Raises Outdated with every line that has one, rewritten.

    `raw` is what `body`, the file's bytes, was read as.
    """
    if not (_is_old(raw) or has_old_primary(raw)):  # which is quicker to see than to compose the file
        return
    text = body.decode("utf-8-sig")
    root, scorers = compose(text), raw.get("scorers")
    is_old_column = _column_test(scorers if isinstance(scorers, dict) else {})
    replacements = {*_of_keys(root), *_of_moved_keys(root, text), *_of_requirements(root), *_of_patterns(root, text)}
    for place in EXPRESSIONS:
        for node in nodes_at(root, place.split(".")):
            replacements.update(_of_expression(node, text, is_old_column))
    if replacements or has_old_primary(raw):
        replacements.update((*_of_new_keys(root), *of_primary(root, text)))
        raise Outdated(rewrite(path, text, sorted(replacements)))


def _is_old(raw: dict[str, Any]) -> bool:
    """Whether a key is one of version 0.1, or a word of an expression may be."""
    keys = (True for place in _OLD_KEYS for _ in _values(raw, place.split(".")))
    expressions = (str(value) for place in EXPRESSIONS for value in _values(raw, place.split(".")))
    return any(keys) or any(map(_OLD_COLUMN.search, expressions))


def _values(raw: Any, place: list[str]) -> Iterator[Any]:
    """What stands at `place`, where `*` is any name or number."""
    if not place:
        yield raw
    elif isinstance(raw, list):
        for part in raw if place[0] == "*" else ():
            yield from _values(part, place[1:])
    elif isinstance(raw, dict):
        for key in raw if place[0] == "*" else raw.keys() & {place[0]}:
            yield from _values(raw[key], place[1:])


def _of_keys(root: Node) -> Iterator[Replacement]:
    for key, value in entries_of(root):
        if key.value in renamed.SECTIONS:
            yield _of_key(key, renamed.SECTIONS[key.value])
        for inner, _ in entries_of(value) if key.value in renamed.KEYS else ():
            if inner.value in renamed.KEYS[key.value]:
                yield _of_key(inner, renamed.KEYS[key.value][inner.value])
        for inner, old in entries_of(value) if key.value in renamed.REPLACED else ():
            if inner.value in renamed.REPLACED[key.value]:
                name, new = renamed.REPLACED[key.value][inner.value]
                message = f"{key.value}.{inner.value} is now {key.value}.{name}"
                yield Replacement(inner.start_mark.index, old.end_mark.index, f"{name}: {new}", message)
    for place, new in renamed.INNER.items():
        *above, old_name = place.split(".")
        for node in nodes_at(root, above):
            yield from (_of_key(key, new) for key, _ in entries_of(node) if key.value == old_name)


def _of_key(key: Node, new: str) -> Replacement:
    return replace_word(key.start_mark.index, key.end_mark.index, key.value, new)


def _of_new_keys(root: Node) -> Iterator[Replacement]:
    """The keys that a section lacks, before its first one."""
    for section, added in renamed.ADDED.items():
        for name, value in added.items():
            yield from _of_added_key(root, section, name, value, f"{section}.{name} is new")


def _of_added_key(root: Node, section: str, name: str, value: str, message: str) -> Iterator[Replacement]:
    for node in nodes_at(root, [section]):
        names = {key.value for key, _ in entries_of(node)}
        if names and name not in names:
            first = node.value[0][0].start_mark
            gap = ", " if isinstance(node, MappingNode) and node.flow_style else "\n" + " " * first.column
            yield Replacement(first.index, first.index, f"{name}: {value}{gap}", message)


def _of_moved_keys(root: Node, text: str) -> Iterator[Replacement]:
    """The keys that stand in another section now: each made a comment, or taken out of the braces that it is in, and
    written there unless it is null."""
    for section, moved in renamed.MOVED.items():
        for node in nodes_at(root, [section]):
            entries = node.value if isinstance(node, MappingNode) else []
            for number, (key, value) in enumerate(entries):
                if key.value not in moved:
                    continue
                message = f"{section}.{key.value} is now {moved[key.value]}.{key.value}"
                start = key.start_mark.index
                if isinstance(node, MappingNode) and node.flow_style:
                    end = entries[number + 1][0].start_mark if number + 1 < len(entries) else value.end_mark
                    yield Replacement(start, end.index, "", message)
                else:
                    yield from (Replacement(at, at, "# ", message) for at in _starts(text, start, value.end_mark.index))
                if isinstance(value, ScalarNode) and not str(value.tag).endswith(":null"):
                    yield from _of_added_key(root, moved[key.value], key.value, json.dumps(value.value), message)


def _starts(text: str, start: int, end: int) -> Iterator[int]:
    """Where the text of each line begins from `start` up to `end`; of the first alone where `end` is before it, as that
    of what an alias stands for."""
    yield start
    for line in re.finditer(r"\n[ \t]*(?=\S)", text[start : max(end, start)].rstrip()):
        yield start + line.end()


def _of_patterns(root: Node, text: str) -> Iterator[Replacement]:
    """The patterns of answer judges: each becomes an extraction of kind regex, which finds what it found."""
    for judge in nodes_at(root, ["judges", "*"]):
        keys = {key.value: (key, value) for key, value in entries_of(judge)}
        if renamed.PATTERNS not in keys or "kind" not in keys or keys["kind"][1].value != "answer":
            continue
        key, patterns = keys[renamed.PATTERNS]
        yield _of_key(key, renamed.EXTRACT)
        for pattern in nodes_at(patterns, ["*"]):
            if isinstance(pattern, ScalarNode) and pattern.start_mark.line == pattern.end_mark.line:
                start, end = pattern.start_mark.index, pattern.end_mark.index
                quoted = text[start:end] if pattern.style in ("'", '"') else json.dumps(pattern.value)
                new = f"{{kind: regex, pattern: {quoted}, match: last}}"
                yield Replacement(start, end, new, "a pattern is now one of the kinds in docs/answers.md")


def _of_requirements(root: Node) -> Iterator[Replacement]:
    """Requirements whose name is a reason of every selection since version 0.1: each has another name to write."""
    for required in nodes_at(root, ["selections", "*", "require"]):
        names = {key.value for key, _ in entries_of(required)}
        for key, _ in entries_of(required):
            if key.value in renamed.REASONS.values():
                new = next(name for name in _other_names(key.value) if name not in names)
                message = f"require.{key.value}: that is a reason already, so take another name, such as {new}"
                yield Replacement(key.start_mark.index, key.end_mark.index, new, message)


def _other_names(name: str) -> Iterator[str]:
    while True:
        name += "_required"
        yield name


def _column_test(scorers: dict[Any, Any]) -> Callable[[tuple[str, ...]], bool]:
    """Whether a column, as in ("rubric", "spread_logic"), is one of version 0.1 that has another name now."""

    def is_old(column: tuple[str, ...]) -> bool:
        if len(column) == 1:
            return renamed.new_column("pairs", column[0]) is not None
        tables = ("deltas", "pair_scores") if column[0] in scorers else ("deltas",)
        return len(column) == 2 and any(renamed.new_column(table, column[1]) for table in tables)

    return is_old


def _of_expression(node: Node, text: str, is_old: Callable[[tuple[str, ...]], bool]) -> Iterator[Replacement]:
    """The old columns of one expression. A word of its text is looked for in the file by its number among equal
    ones, as no form of YAML adds, drops or moves a word; where an escape stands for a part of it, and the text is on
    one line, all of it is written anew."""
    if not isinstance(node, ScalarNode):
        return
    words, start, end = list(_OLD_COLUMN.finditer(node.value)), node.start_mark.index, node.end_mark.index
    old = [word for word in words if any(map(is_old, _columns_at(node.value, word)))]
    in_file = list(_OLD_COLUMN.finditer(_blank(text[start:end], node.style)))
    if len(words) == len(in_file):
        for word, there in zip(words, in_file, strict=True):
            if word in old:
                yield replace_word(start + there.start(), start + there.end(), word[0], _COLUMNS[word[0]])
    elif "\n" not in text[start:end]:
        new = node.value
        for word in reversed(old):
            new = new[: word.start()] + _COLUMNS[word[0]] + new[word.end() :]
        for name in dict.fromkeys(word[0] for word in old):
            yield Replacement(start, end, json.dumps(new), f"{name} is now {_COLUMNS[name]}")


def _columns_at(expression: str, word: re.Match[str]) -> Iterator[tuple[str, ...]]:
    """The columns whose own name `word` is a part of: those that another word in its place would rename. A text, a
    comment and the name of a judge are none."""
    try:
        parsed = importlib.import_module(PARSER).parse(
            expression[: word.start()] + PLACEHOLDER + expression[word.end() :]
        )
    except (ValueError, RecursionError):  # no expression: what that is called now is not the question
        return
    for *head, name in parsed.columns:
        if PLACEHOLDER in name:
            yield (*head, name.replace(PLACEHOLDER, word[0]))


def _blank(raw: str, style: str | None) -> str:
    """A YAML value as it stands in the file, with blanks where it is not text: anchor, tag, the head of a block,
    escapes."""
    head = _HEAD.match(raw)
    blank = raw if head is None else " " * head.end() + raw[head.end() :]
    return _ESCAPE.sub(lambda escape: " " * len(escape[0]), blank) if style == '"' else blank
