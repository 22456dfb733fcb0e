"""Names in params.yaml that stand for other parts of it."""

import itertools
from pathlib import Path
from typing import Any, TypeAlias

from curation.core.messages import did_you_mean

RATING = ("judges", "pairwise_judges", "delta.panels")  # where a name that has deltas may stand
TAKEN = (
    "chosen",
    "rejected",
    "prompt",
    "identical",
)  # what a judge may not be called, because expressions name its deltas by its name

Sections: TypeAlias = list[tuple[str, Any]]


class Refers:
    """Marks a field whose value must be a name in one of some sections, `judge: Annotated[str, Refers("judges")]`."""

    def __init__(self, *sections: str) -> None:
        self.sections = sections


def dangling(path: Path, sections: dict[str, Any], raw: dict[str, Any], each: Sections) -> list[str]:
    """A line about each name that points at nothing, and each that two things have: references between sections, a
    dimension that its judge does not rate.

    `each` is every part of the sections that has fields of its own, by where it stands.
    """
    lines = []
    pair, generators = sections.get("pair"), sections.get("generators") or {}
    if all(
        getattr(one, "kind", "imported") != "imported" for one in generators.values()
    ):  # an imported file's rows name their own
        for field in (
            ("ladder", "chosen", "rejected") if getattr(pair, "order", None) == "ladder" else ("chosen", "rejected")
        ):
            asked = _texts(getattr(pair, field, None))
            lines += [
                f"{path}: pair.{field}: {name!r} is not in generators{did_you_mean(name, generators)}"
                for name in asked
                if name not in generators
            ]
    rated = {name: body for section in reversed(RATING) for name, body in entries(sections, section).items()}
    for where, settings in each:
        for field, info in type(settings).model_fields.items():
            for refers in (mark for mark in info.metadata if isinstance(mark, Refers)):
                lines += [
                    f"{path}: {where}.{field}: {line}" for line in _lost(getattr(settings, field, None), refers, raw)
                ]
        known = _dimensions(rated.get(str(getattr(settings, "judge", None))))
        dimension = getattr(settings, "dimension", None)
        if known and isinstance(dimension, str) and dimension not in known:
            lines.append(
                f"{path}: {where}.dimension: {dimension!r} is not rated by {settings.judge}{did_you_mean(dimension, known)}"
            )
    families = _texts(list(entries(sections, "reliability.families")))
    judges = [name for section in RATING for name in entries(raw, section)]
    lines += [
        f"{path}: reliability.families.{name}: rates nothing{did_you_mean(name, judges)}"
        for name in families
        if name not in judges
    ]
    taken = [(section, name) for section in (*RATING, "scorers") for name in entries(raw, section) if name in TAKEN]
    lines += [f"{path}: {section}.{name}: expressions mean another thing by that; rename it" for section, name in taken]
    for one, other in itertools.combinations((*RATING, "scorers"), 2):
        lines += [
            f"{path}: {other}.{name}: {one} has that name too; expressions go by name"
            for name in entries(raw, other)
            if name in entries(raw, one)
        ]
    return lines


def _lost(values: Any, refers: Refers, raw: dict[str, Any]) -> list[str]:
    """What to say of each of `values` that is a name in none of the sections; nothing where a section is not there
    to look in."""
    if any(section.split(".")[0] not in raw for section in refers.sections):
        return []
    names = [name for section in refers.sections for name in entries(raw, section)]
    return [
        f"{value!r} is not in {' or '.join(refers.sections)}{did_you_mean(value, names)}"
        for value in _texts(values)
        if value not in names
    ]


def _texts(values: Any) -> list[str]:
    """The names among `values`, or `values` if it is one; what else a file may hold there is another's to refuse."""
    return [value for value in (values if isinstance(values, tuple | list) else [values]) if isinstance(value, str)]


def entries(sections: dict[str, Any], name: str) -> dict[str, Any]:
    """A section that is a mapping of names, or one within another as `delta.panels`; empty where it is not sound."""
    outer, _, inner = name.partition(".")
    found = sections.get(outer)
    if inner:
        found = found.get(inner) if isinstance(found, dict) else getattr(found, inner, None)
    return found if isinstance(found, dict) else {}


def _dimensions(judge: Any) -> list[str]:
    """What a judge rates; nothing where it is not sound."""
    try:
        return list(judge.dimension_names)
    except (AttributeError, TypeError):
        return []
