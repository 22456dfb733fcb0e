"""The shelf: published selections, each an entry of `selections` in params.yaml with placeholders for a study's own
names and numbers."""

import re
import sys
from collections.abc import Mapping
from functools import cache
from io import StringIO
from pathlib import Path
from string import Template
from textwrap import wrap
from typing import Any, TypeAlias

from ruamel.yaml import YAML

from curation.core.errors import CurationError
from curation.core.messages import did_you_mean
from curation.core.params import Strict

FILE = Path(__file__).with_suffix(".yaml")
DEFAULTS = "x-selection"  # in FILE as in params.yaml: the settings of a selection that changes none
ALIASES = ("judge", "scorer")  # placeholders that stand before a dot in SQL
REPEATED = re.compile(r"\{(.+?)( \S+ |, )\.\.\.\}")
WIDTH = 100  # of what is printed
Value: TypeAlias = str | int | float | list[str]


class Entry(Strict):
    """One entry of shelf.yaml: a paper's rule in words, what of the paper was read, how ours differs, and the selection
    with its placeholders' defaults."""

    paper: str
    title: str
    property: str
    keeps: str
    formula: str
    source: str
    needs: str
    differs: str
    placeholders: dict[str, Value]
    selection: dict[str, Any]


@cache
def _file() -> dict[str, Any]:
    raw: dict[str, Any] = YAML(typ="safe", pure=True).load(FILE)
    return raw


@cache
def entries() -> dict[str, Entry]:
    """All entries by name, in the order of shelf.yaml."""
    return {name: Entry.model_validate(body) for name, body in _file().items() if name != DEFAULTS}


def table() -> list[dict[str, str]]:
    """A row for each entry: its paper, its property, what it keeps and what it needs."""
    return [
        {"name": name, **{field: getattr(entry, field) for field in ("paper", "property", "keeps", "needs")}}
        for name, entry in entries().items()
    ]


def selection(name: str, given: Mapping[str, str]) -> dict[str, Any]:
    """The whole selection `name`, its placeholders filled with what is `given`, and the others with their defaults.

    A list is given with commas. Raises CurationError on an unknown entry or placeholder, naming those there are.
    """
    if name not in entries():
        raise CurationError(f"shelf {name}: no such entry{did_you_mean(name, entries())}")
    entry = entries()[name]
    for placeholder in given:
        if placeholder not in entry.placeholders:
            raise CurationError(
                f"shelf {name}: --{placeholder}: no such placeholder; there are --{', --'.join(entry.placeholders)}"
            )
    values = entry.placeholders | {
        placeholder: _convert(text, entry.placeholders[placeholder]) for placeholder, text in given.items()
    }
    filled: dict[str, Any] = _fill(entry.selection, values)
    return filled


def to_yaml(name: str, given: Mapping[str, str]) -> str:
    """The selection as lines to paste under `selections:`; settings that x-selection has already are left out. Raises
    as `selection` does."""
    body = {key: value for key, value in selection(name, given).items() if value != _file()[DEFAULTS][key]}
    entry = entries()[name]
    comment = wrap(f"{entry.title} ({entry.paper}): {entry.formula}", WIDTH - len("  # "))
    settings = [line for key, value in body.items() for line in _lines(key, value, indent=4)]
    return "\n".join([*(f"  # {line}" for line in comment), f"  {name}:", "    <<: *selection", *settings])


def _convert(text: str, default: Value) -> Value:
    """`text` as a value of the default's type. A text in place of a number stays a text, which the check of params.yaml
    refuses."""
    if isinstance(default, list):
        return text.split(",")
    if isinstance(default, str):
        return text
    try:
        number = float(text)
    except ValueError:
        return text
    return int(number) if number.is_integer() else number


def _fill(part: Any, values: Mapping[str, Value]) -> Any:
    """`part` with values in place of placeholders. A placeholder that is all of a text is replaced by its value with
    its type."""
    if isinstance(part, dict):
        return {key: _fill(inner, values) for key, inner in part.items()}
    if not isinstance(part, str):
        return part
    if part.startswith("$") and part[1:] in values:
        return values[part[1:]]
    lists = {name: value for name, value in values.items() if isinstance(value, list)}
    texts = {name: f'"{value}"' if name in ALIASES and "-" in str(value) else value for name, value in values.items()}
    return Template(REPEATED.sub(lambda repeated: _repeat(repeated, lists), part)).substitute(
        texts, n=max(map(len, lists.values()), default=0)
    )


def _repeat(repeated: re.Match[str], lists: Mapping[str, list[str]]) -> str:
    """`{x + ...}` written out: x for each value of the one list that x names, with + between."""
    term, separator = repeated[1], repeated[2]
    ((name, values),) = ((name, values) for name, values in lists.items() if f"${name}" in term)
    return separator.join(Template(term).safe_substitute({name: value}) for value in values)


def _lines(key: str, value: Any, indent: int) -> list[str]:
    """`key: value` in YAML on one line, on more where it is too long for that."""
    margin = " " * indent
    line = f"{margin}{key}: {_yaml(value)}"
    if len(line) <= WIDTH:
        return [line]
    if isinstance(value, dict):
        return [f"{margin}{key}:", *(part for name, inner in value.items() for part in _lines(name, inner, indent + 2))]
    parts = wrap(value, WIDTH - indent - 2, break_long_words=False, break_on_hyphens=False)
    return [f"{margin}{key}: >-", *(f"{margin}  {part}" for part in parts)]


def _yaml(value: Any) -> str:
    """A scalar, or a mapping in braces, on one line."""
    yaml, out = YAML(typ="safe", pure=True), StringIO()
    yaml.default_flow_style = True
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.width = sys.maxsize
    yaml.dump(value, out)
    return str(out.getvalue()).splitlines()[0]
