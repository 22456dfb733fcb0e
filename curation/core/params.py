"""params.yaml: read, typed, checked whole, all errors at once.

A section is typed beside the code it configures, as the class `Params` of the module that SECTIONS names. Where a
section maps names to entries, each entry is typed by the module that COLLECTIONS names, or by that of its kind.
"""

import importlib
import math
import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from curation.core import checked
from curation.core.errors import Errors
from curation.core.kinds import KIND_FOLDERS, kind, kinds
from curation.core.messages import did_you_mean, format_validation_errors, one_line, shown
from curation.core.outdated import refuse_outdated
from curation.core.parsed import content, parsed
from curation.core.references import dangling, entries
from curation.core.study import Entries, Study

SECTIONS = {
    "ledger": "curation.calls.ledger",
    "budget": "curation.calls.budget",
    "execution": "curation.calls.execution",
    "decontaminate": "curation.prompts.decontaminate",
    "pair": "curation.pairs.pair",
    "delta": "curation.pairs.delta",
    "calibrate": "curation.reliability.calibrate",
    "reliability": "curation.reliability.reliability",
    "student": "curation.models.weights",
    "tokens": "curation.traces.tokens",
    "evaluate": "curation.training.evaluate",
    "grid": "curation.experiment.grid",
    "audit": "curation.tables.checks",
    "compare": "curation.experiment.compare",
}
COLLECTIONS = {
    "selections": "curation.selection.rules",
    "controls": "curation.experiment.controls",
    "generator_pairs": "curation.experiment.generator_pairs",
}
ALL_SECTIONS = [*KIND_FOLDERS, *COLLECTIONS, *SECTIONS]
BASELINE = "baseline"  # the run of the student as it is
NAME = re.compile(r"[a-z][a-z0-9_-]*")


class Strict(BaseModel):
    """Unknown keys forbidden, frozen, no coercion, numbers finite; DVC cannot see a Python default, so subclasses
    give none."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, protected_namespaces=())


Positive = Annotated[int, Field(ge=1)]
Natural = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(gt=0, le=1)]


def column(text: str) -> str:
    """`text`, if it can name a column. Raises ValueError otherwise."""
    if not NAME.fullmatch(text) or "-" in text:
        raise ValueError(f"{text!r} is not a column name: lower-case letters, digits and '_'")
    return text


Column = Annotated[str, AfterValidator(column)]


def plain(value: Any) -> Any:
    """`value`, if it is made of text, finite numbers, true, false, null, lists and mappings by text. Raises
    ValueError otherwise."""
    match value:
        case dict():
            if odd := [key for key in value if not isinstance(key, str)]:
                raise ValueError(f"{shown(odd[0])} is no text, which a key must be; put it in quotes")
            return {key: plain(inner) for key, inner in value.items()}
        case list():
            return [plain(inner) for inner in value]
        case float() if not math.isfinite(value):
            raise ValueError(f"{value} is not a finite number")
        case None | str() | int() | float():
            return value
        case _:
            raise ValueError(f"{shown(value)} is neither text nor a number; put it in quotes if it is text")


Plain = Annotated[Any, AfterValidator(plain)]  # what another library is passed as it is


def read(path: Path = Path("params.yaml")) -> Study:
    """The whole of `path`, typed. Raises Errors with every mistake in it, `file: where: what; what to do`.

    A file that has passed is not checked again before it, our source, Python or an installed package changes.
    """
    held = content(path)
    raw, marked = _parsed(path, held), checked.mark(held)
    study = _study(path, raw)
    if not checked.passed(marked):
        refuse_outdated(path, held, raw)
        _check(study, raw)
        checked.remember(marked)
    return study


def _study(path: Path, raw: dict[str, Any]) -> Study:
    """`raw` as a study of which nothing is typed yet."""

    def typed(name: str) -> Any:
        lines: list[str] = []
        section = _section(name, raw[name], f"{path}: {name}", lines)
        if lines:
            raise _refused(lines)
        return section

    return Study(path, raw, typed)


def _check(study: Study, raw: dict[str, Any]) -> None:
    """Raises Errors with every mistake in `raw`; else all sections of `study` are typed."""
    path, lines = study.path, list[str]()
    lines += [
        f"{path}: {key}: unknown section{did_you_mean(key, ALL_SECTIONS)}"
        for key in raw
        if key not in ALL_SECTIONS and not str(key).startswith("x-")
    ]
    lines += [f"{path}: {key}: missing; add this section" for key in ALL_SECTIONS if key not in raw]
    sections = {
        name: _section(name, raw[name], f"{path}: {name}", lines)
        for name in (*SECTIONS, *KIND_FOLDERS, *COLLECTIONS)
        if name in raw
    }
    lines += dangling(path, sections, raw, _each(sections))
    if lines:
        raise _refused(lines)
    vars(study).update(sections)
    for where, settings in _each(sections):
        lines += [
            f"{path}: {where}.{line}" for line in (settings.mistakes(study) if hasattr(settings, "mistakes") else ())
        ]
    if lines:
        raise _refused(lines)


def _parsed(path: Path, held: bytes) -> dict[str, Any]:
    return parsed(held, lambda said: _refused([f"{path}:{said}"]))


def _refused(lines: list[str]) -> Errors:
    return Errors([one_line(line) for line in lines])


def _section(name: str, raw: Any, where: str, lines: list[str]) -> Any:
    """A section, typed: what is wrong with it is added to `lines`."""
    return (
        _typed(importlib.import_module(SECTIONS[name]).Params, raw, where, lines)
        if name in SECTIONS
        else _members(name, raw, where, lines)
    )


def _members(section: str, raw: Any, where: str, lines: list[str]) -> dict[str, Any]:
    if not isinstance(raw, dict):
        lines.append(f"{where}: {shown(raw)} is not a mapping of names")
        return {}
    members: dict[str, Any] = {}
    for name, body in raw.items():
        here = f"{where}.{name}"
        if not isinstance(name, str) or not NAME.fullmatch(name):
            lines.append(f"{here}: a name is lower-case letters, digits, '-' and '_', and starts with a letter")
        elif section in COLLECTIONS:
            members[name] = _typed(importlib.import_module(COLLECTIONS[section]).Params, body, here, lines)
        elif not isinstance(body, dict) or "kind" not in body:
            lines.append(f"{here}.kind: missing; one of {', '.join(kinds(section))}")
        elif body["kind"] not in kinds(section):
            lines.append(
                f"{here}.kind: {shown(body['kind'])} is not one of {', '.join(kinds(section))}{did_you_mean(body['kind'], kinds(section), ())}"
            )
        else:
            members[name] = _typed(kind(section, body["kind"]).Params, body, here, lines)
    return Entries(f"{where}.", members)


def _typed(model: type[Strict], raw: Any, where: str, lines: list[str]) -> Any:
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        lines += format_validation_errors(model, error.errors(), where)
        if not isinstance(raw, dict):
            return None
        wrong = {problem["loc"][0] for problem in error.errors() if len(problem["loc"]) == 1}
        return model.model_construct(
            **{key: raw[key] for key in raw.keys() - wrong if key in model.model_fields}
        )  # so that its names are checked too


def _each(sections: dict[str, Any]) -> list[tuple[str, Any]]:
    found = [(name, sections[name]) for name in SECTIONS if sections.get(name) is not None]
    for section in (*KIND_FOLDERS, *COLLECTIONS):
        found += [
            (f"{section}.{name}", body) for name, body in (sections.get(section) or {}).items() if body is not None
        ]
    for name, panel in entries(sections, "delta.panels").items():
        found += [
            (f"delta.panels.{name}.members.{number}", member)
            for number, member in enumerate(getattr(panel, "members", []))
        ]
    return found
