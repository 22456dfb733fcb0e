"""params.yaml: read, typed, checked whole, all errors at once.

A section is typed beside the code it configures: the class `Params` of the module that SECTIONS names; where a section
is a mapping of named things, that of the module that NAMED names for each of them, or of `curation/<folder>/<kind>.py`.
So the folder is the registry.
"""

import importlib
import math
import re
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from curation.core import checked
from curation.core.errors import CurationError, Errors
from curation.core.messages import did_you_mean, format_validation_errors, one_line, shown
from curation.core.parsed import content, parsed
from curation.core.references import dangling, entries

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
NAMED = {
    "selections": "curation.selection.rules",
    "controls": "curation.experiment.controls",
    "generator_pairs": "curation.experiment.generator_pairs",
}
FOLDERS = {
    "sources": "prompts/sources",
    "generators": "traces/generators",
    "judges": "judging/judges",
    "pairwise_judges": "judging/pairwise_judges",
    "scorers": "training/scorers",
    "methods": "training/trainers",
}
KNOWN = [*FOLDERS, *NAMED, *SECTIONS]
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


class Study:
    """Every section of one checked params file, as attributes. One is typed when it is first asked for, so that a
    stage imports what it uses."""

    sources: dict[str, Any]
    generators: dict[str, Any]
    judges: dict[str, Any]
    pairwise_judges: dict[str, Any]
    scorers: dict[str, Any]
    selections: dict[str, Any]
    controls: dict[str, Any]
    generator_pairs: dict[str, Any]
    methods: dict[str, Any]
    ledger: Any
    budget: Any
    execution: Any
    decontaminate: Any
    pair: Any
    delta: Any
    calibrate: Any
    reliability: Any
    student: Any
    tokens: Any
    evaluate: Any
    grid: Any
    audit: Any
    compare: Any

    def __init__(self, path: Path, raw: dict[str, Any]) -> None:
        self.path, self._raw = path, raw

    def __getattr__(self, section: str) -> Any:
        """What Python asks for an attribute that is not there yet."""
        if section not in KNOWN:
            raise AttributeError(f"a study has no section {section!r}")
        lines: list[str] = []
        found = _section(section, self._raw[section], f"{self.path}: {section}", lines)
        if lines:
            raise _refused(lines)
        setattr(self, section, found)
        return found

    @property
    def arms(self) -> dict[str, Any]:
        """Every arm of the grid by its name, a `grid.Arm`."""
        return {arm.name: arm for arm in self.grid.arms()}

    @property
    def runs(self) -> dict[str, Any]:
        """Every run of the grid by its name, a `grid.Run`; the baseline is not one of them."""
        return {run.name: run for run in self.grid.runs()}

    @property
    def dimensions(self) -> dict[str, list[str]]:
        """What each judge, pairwise judge and panel rates."""
        return {
            name: body.dimension_names
            for name, body in (self.judges | self.pairwise_judges | self.delta.panels).items()
        }

    def names(self, section: str) -> list[str]:
        """The names in `section`, which is not typed for that."""
        return list(self._raw[section] if section in KNOWN else getattr(self, section))

    def named(self, section: str, name: str) -> Any:
        """The settings of `section`.`name`. Raises CurationError naming the nearest one if there is none."""
        members = getattr(self, section)
        if name not in members:
            place = "grid: " if section in ("arms", "runs") else f"{section}."
            raise CurationError(f"{self.path}: {place}{name}: no such name{did_you_mean(name, members)}")
        return members[name]


def kind(section: str, name: str) -> ModuleType:
    """The module of one kind, e.g. kind("judges", "rubric"); `name` must have passed `read`."""
    return importlib.import_module(f"curation.{FOLDERS[section].replace('/', '.')}.{name}")


def kinds(section: str) -> list[str]:
    """The kinds a section knows: the files of its folder."""
    folder = Path(__file__).parents[1] / FOLDERS[section]
    return sorted(file.stem for file in folder.glob("*.py") if not file.stem.startswith("_"))


def read(path: Path = Path("params.yaml")) -> Study:
    """The whole of `path`, typed. Raises Errors with every mistake in it, `file: where: what; what to do`.

    A file that has passed is not checked again before it, our source, Python or an installed package changes.
    """
    held = content(path)
    raw, marked = _parsed(path, held), checked.mark(held)
    study = Study(path, raw)
    if not checked.passed(marked):
        _check(study, raw)
        checked.remember(marked)
    return study


def _check(study: Study, raw: dict[str, Any]) -> None:
    """Raises Errors with every mistake in `raw`; else all sections of `study` are typed."""
    path, lines = study.path, list[str]()
    lines += [
        f"{path}: {key}: unknown section{did_you_mean(key, KNOWN)}"
        for key in raw
        if key not in KNOWN and not str(key).startswith("x-")
    ]
    lines += [f"{path}: {key}: missing; add this section" for key in KNOWN if key not in raw]
    sections = {
        name: _section(name, raw[name], f"{path}: {name}", lines)
        for name in (*SECTIONS, *FOLDERS, *NAMED)
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
    members = {}
    for name, body in raw.items():
        here = f"{where}.{name}"
        if not isinstance(name, str) or not NAME.fullmatch(name):
            lines.append(f"{here}: a name is lower-case letters, digits, '-' and '_', and starts with a letter")
        elif section in NAMED:
            members[name] = _typed(importlib.import_module(NAMED[section]).Params, body, here, lines)
        elif not isinstance(body, dict) or "kind" not in body:
            lines.append(f"{here}.kind: missing; one of {', '.join(kinds(section))}")
        elif body["kind"] not in kinds(section):
            lines.append(
                f"{here}.kind: {shown(body['kind'])} is not one of {', '.join(kinds(section))}{did_you_mean(body['kind'], kinds(section), ())}"
            )
        else:
            members[name] = _typed(kind(section, body["kind"]).Params, body, here, lines)
    return members


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
    for section in (*FOLDERS, *NAMED):
        found += [
            (f"{section}.{name}", body) for name, body in (sections.get(section) or {}).items() if body is not None
        ]
    for name, panel in entries(sections, "delta.panels").items():
        found += [
            (f"delta.panels.{name}.members.{number}", member)
            for number, member in enumerate(getattr(panel, "members", []))
        ]
    return found
