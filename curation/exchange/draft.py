"""A params.yaml as it is being made: its sections, and the comments that stand above their keys."""

import re
from dataclasses import dataclass, field
from io import StringIO
from typing import Any, TypeAlias

from curation.core.text import UNSEEN, one_line

Place: TypeAlias = tuple[str, ...]
WIDTH, MOST_LINES = 110, 4  # of a comment
MISREAD = re.compile(rf"{UNSEEN.pattern}|\?|\A:")
FLOW = 76  # characters of a mapping or a list that stands on one line


@dataclass
class Draft:
    """Sections by name, what a comment says of a place in them, what the user is told besides, and whether
    all rows of all files were looked at."""

    params: dict[str, Any] = field(default_factory=dict)
    comments: dict[Place, list[str]] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    whole: bool = True

    def add(self, section: str, name: str, settings: dict[str, Any], *comments: str) -> str:
        """An entry of a section, under `name` or that name and a number where it is taken. Returns its name."""
        entries, free, number = self.params.setdefault(section, {}), name, 1
        while free in entries:
            number += 1
            free = f"{name}-{number}"
        entries[free] = settings
        self.note((section, free), *comments)
        return free

    def note(self, place: Place, *comments: str) -> None:
        """Comments above the key at a place."""
        self.comments.setdefault(place, []).extend(filter(None, comments))


def write(draft: Draft, head: str) -> str:
    """The YAML of a draft, `head` its first comment. Whatever a name or a comment holds, it is read back as it was."""
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.width, yaml.allow_unicode = 4096, True
    yaml.default_flow_style = False
    yaml.representer.add_representer(
        type(None), lambda made, _: made.represent_scalar("tag:yaml.org,2002:null", "null")
    )
    body = _commented(draft.params, (), draft)
    body.yaml_set_start_comment("\n".join(_wrap(head)) + "\n")
    stream = StringIO()
    yaml.dump(body, stream)
    return stream.getvalue()


def _commented(value: Any, place: Place, draft: Draft) -> Any:
    """`value` as ruamel.yaml writes it: small mappings and lists of plain values on one line, comments above keys, and
    a blank line above each section."""
    from ruamel.yaml.comments import CommentedMap, CommentedSeq

    if isinstance(value, dict):
        made = CommentedMap((_quote(key), _commented(inner, (*place, key), draft)) for key, inner in value.items())
        indent = 2 * len(place)
        for number, key in enumerate(made):
            lines = [line for said in draft.comments.get((*place, key), []) for line in _wrap(said, indent)]
            blank = "\n" if number and not place else ""
            if lines or blank:
                made.yaml_set_comment_before_after_key(key, blank + "\n".join(lines) or "\n", indent=indent)
        inner_comments = any(one[: len(place)] == place and len(one) > len(place) for one in draft.comments)
        if place and value and _fits(value) and not inner_comments:
            made.fa.set_flow_style()
        return made
    if isinstance(value, list):
        listed = CommentedSeq(_commented(inner, (*place, ""), draft) for inner in value)
        if _fits(value):
            listed.fa.set_flow_style()
        return listed
    return _quote(value)


def _quote(value: Any) -> Any:
    """A text in quotes and escaped, if it has a character that shows nothing, some of which end a line of YAML, or a
    question mark or a colon, after which the library reads a key."""
    from ruamel.yaml.scalarstring import DoubleQuotedScalarString

    return DoubleQuotedScalarString(value) if isinstance(value, str) and MISREAD.search(value) else value


def _fits(value: Any) -> bool:
    """Whether a value is short, and of plain values or the like of itself alone."""
    inner = value.values() if isinstance(value, dict) else value
    plain = all(not isinstance(one, dict | list) or len(one) == 0 or _fits(one) for one in inner)
    texts = [one for one in inner if isinstance(one, str)]
    return plain and len(repr(value)) <= FLOW and not any("\n" in one for one in texts)


def _wrap(text: str, indent: int = 0) -> list[str]:
    """A comment in lines; what it quotes of data is neutralized and on one line."""
    lines, line = list[str](), ""
    for word in one_line(text).split(" "):
        if line and len(line) + len(word) + indent > WIDTH:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    lines.append(line)
    return lines if len(lines) <= MOST_LINES else [*lines[: MOST_LINES - 1], "…"]
