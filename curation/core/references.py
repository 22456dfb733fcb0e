"""Names in params.yaml that stand for other parts of it."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

from pydantic import BaseModel

from curation.core.messages import did_you_mean

RATING = ("judges", "pairwise_judges", "delta.panels")  # the sections whose entries have deltas
NAMED_IN_EXPRESSIONS = (*RATING, "scorers")
NAME_GENERATORS = ("imported", "listed")  # kinds of generators that stand for as many as their rows name
RESERVED = ("chosen", "rejected", "prompt", "identical", "carried")  # what expressions call parts of the pair itself

Parts: TypeAlias = list[tuple[str, BaseModel]]  # what of a file has fields of its own, by where it stands


class Refers:
    """Marks a field whose value must be a name in one of some sections, `judge: Annotated[str, Refers("judges")]`."""

    def __init__(self, *sections: str) -> None:
        self.sections = sections


def find_dangling(path: Path, sections: dict[str, Any], raw: dict[str, Any], parts: Parts) -> list[str]:
    """A line about each name that points at nothing, each dimension that its judge does not rate, and each name that
    two things have.

    `sections` are typed as far as they are sound, `raw` is what the file holds.
    """
    lines = [
        *_of_generators(sections),
        *_of_preference_sets(sections),
        *_of_fields(parts, raw),
        *_of_dimensions(parts, sections),
        *_of_families(sections, raw),
        *_of_expressions(raw),
        *_of_results(raw),
    ]
    return [f"{path}: {line}" for line in lines]


def _of_generators(sections: dict[str, Any]) -> Iterator[str]:
    """Names in `pair` that are no generator. The rows of users' files name their own, so beside one all are right."""
    generators, pair = sections.get("generators") or {}, sections.get("pair")
    if any(getattr(body, "kind", "imported") in NAME_GENERATORS for body in generators.values()):
        return
    ranked = ("ladder",) if getattr(pair, "order", None) == "ladder" else ()
    for field in (*ranked, "chosen", "rejected"):
        for name in _texts(getattr(pair, field, None)):
            if name not in generators:
                yield f"pair.{field}: {name!r} is not in generators{did_you_mean(name, generators)}"


def _of_preference_sets(sections: dict[str, Any]) -> Iterator[str]:
    """Preference sets whose responses no generator, or more than one, makes traces of."""
    listed = {
        name: getattr(body, "source", None)
        for name, body in entries(sections, "generators").items()
        if getattr(body, "kind", None) == "listed"
    }
    for name, body in entries(sections, "sources").items():
        readers = [generator for generator, source in listed.items() if source == name]
        if getattr(body, "kind", None) == "pairs" and not readers:
            yield (
                f"sources.{name}: no generator reads its responses; add "
                f"generators.{name}: {{kind: listed, source: {name}, family: null, scale_b: null}}"
            )
        if len(readers) > 1:
            yield f"generators.{readers[1]}.source: {readers[0]} reads {name!r} already; one of them is enough"


def _of_fields(parts: Parts, raw: dict[str, Any]) -> Iterator[str]:
    """Names in a field that `Refers` to sections and are in none. Where one of these is missing, that is said alone."""
    for where, settings in parts:
        for field, info in type(settings).model_fields.items():
            for refers in (mark for mark in info.metadata if isinstance(mark, Refers)):
                if any(section.split(".")[0] not in raw for section in refers.sections):
                    continue
                listed = " or ".join(refers.sections)
                names = [name for section in refers.sections for name in entries(raw, section)]
                for value in _texts(getattr(settings, field, None)):
                    if value not in names:
                        yield f"{where}.{field}: {value!r} is not in {listed}{did_you_mean(value, names)}"


def _of_dimensions(parts: Parts, sections: dict[str, Any]) -> Iterator[str]:
    raters = {name: body for section in reversed(RATING) for name, body in entries(sections, section).items()}
    for where, settings in parts:
        judge, dimension = getattr(settings, "judge", None), getattr(settings, "dimension", None)
        rated = _dimensions(raters.get(str(judge)))
        if rated and isinstance(dimension, str) and dimension not in rated:
            yield f"{where}.dimension: {dimension!r} is not rated by {judge}{did_you_mean(dimension, rated)}"


def _of_families(sections: dict[str, Any], raw: dict[str, Any]) -> Iterator[str]:
    raters = [name for section in RATING for name in entries(raw, section)]
    for name in _texts(list(entries(sections, "reliability.families"))):
        if name not in raters:
            yield f"reliability.families.{name}: no judge has that name{did_you_mean(name, raters)}"


def _of_expressions(raw: dict[str, Any]) -> Iterator[str]:
    """Names that an expression could not tell from another."""
    for section in NAMED_IN_EXPRESSIONS:
        for name in entries(raw, section):
            if name in RESERVED:
                yield f"{section}.{name}: expressions reserve that name; rename it"
    for first, second in itertools.combinations(NAMED_IN_EXPRESSIONS, 2):
        for name in entries(raw, second):
            if name in entries(raw, first):
                yield f"{second}.{name}: {first} has an entry of that name; expressions go by name, so rename one"


def _of_results(raw: dict[str, Any]) -> Iterator[str]:
    """Benchmarks of another harness that are called as a source."""
    for name in entries(raw, "results"):
        if name in entries(raw, "sources"):
            yield f"results.{name}: sources has an entry of that name; benchmarks go by name, so rename one"


def _texts(values: Any) -> list[str]:
    """The names among `values`, or `values` if it is one; what else a file may hold there is another's to refuse."""
    return [value for value in (values if isinstance(values, tuple | list) else [values]) if isinstance(value, str)]


def entries(sections: dict[str, Any], name: str) -> dict[str, Any]:
    """A section that is a mapping of names, or one within another as `delta.panels`; empty where it is not sound."""
    outer, _, inner = name.partition(".")
    section = sections.get(outer)
    if inner:
        section = section.get(inner) if isinstance(section, dict) else getattr(section, inner, None)
    return section if isinstance(section, dict) else {}


def _dimensions(judge: Any) -> list[str]:
    """What a judge rates; nothing where it is not sound."""
    try:
        return list(judge.dimension_names)
    except (AttributeError, TypeError):
        return []
