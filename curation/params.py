"""params.yaml: read, typed, checked whole, all errors at once.

A section is typed beside the code it configures: the class `Params` of the module that SECTIONS names; where a section is a mapping of
named things, that of the module that NAMED names for each of them, or of `curation/<folder>/<kind>.py`. So the folder is the registry.
"""

import importlib
import re
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from curation.errors import CurationError, Errors
from curation.references import dangling, entries
from curation.wording import near, say

SECTIONS = {
    "ledger": "curation.calls.ledger",
    "budget": "curation.calls.budget",
    "execution": "curation.calls.execution",
    "screen": "curation.screen",
    "pair": "curation.pair",
    "delta": "curation.delta",
    "calibrate": "curation.calibrate",
    "reliability": "curation.reliability",
    "student": "curation.weights",
    "tokens": "curation.tokens",
    "evaluate": "curation.evaluate",
    "grid": "curation.grid",
    "audit": "curation.check",
    "compare": "curation.compare",
}
NAMED = {"selections": "curation.rules", "controls": "curation.controls", "generator_pairs": "curation.generator_pairs"}
FOLDERS = {
    "sources": "sources",
    "generators": "generators",
    "judges": "judges",
    "pairwise_judges": "pairwise_judges",
    "scorers": "scorers",
    "methods": "trainers",
}
BASELINE = "baseline"  # the run of the student as it is
NAME = re.compile(r"[a-z][a-z0-9_-]*")


class Strict(BaseModel):
    """Unknown keys forbidden, frozen, no coercion; DVC cannot see a Python default, so subclasses give none."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, protected_namespaces=())


Positive = Annotated[int, Field(ge=1)]
Natural = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(gt=0, le=1)]


def column(text: str) -> str:
    """`text`, if it can name a column. Raises ValueError otherwise."""
    if not NAME.fullmatch(text) or "-" in text:
        raise ValueError(f"{text!r} is not a column name: lower-case letters, digits and '_'")
    return text


Column = Annotated[str, AfterValidator(column)]


class Study:
    """Every section of one checked params file, as attributes."""

    def __init__(self, path: Path, sections: dict[str, Any]) -> None:
        self.path = path
        self.sources: dict[str, Any] = sections["sources"]
        self.generators: dict[str, Any] = sections["generators"]
        self.judges: dict[str, Any] = sections["judges"]
        self.pairwise_judges: dict[str, Any] = sections["pairwise_judges"]
        self.scorers: dict[str, Any] = sections["scorers"]
        self.selections: dict[str, Any] = sections["selections"]
        self.controls: dict[str, Any] = sections["controls"]
        self.generator_pairs: dict[str, Any] = sections["generator_pairs"]
        self.methods: dict[str, Any] = sections["methods"]
        self.ledger, self.budget, self.pair, self.delta = (sections[name] for name in ("ledger", "budget", "pair", "delta"))
        self.screen, self.calibrate, self.reliability = (sections[name] for name in ("screen", "calibrate", "reliability"))
        self.student, self.tokens, self.evaluate, self.compare = (sections[name] for name in ("student", "tokens", "evaluate", "compare"))
        self.grid, self.audit, self.execution = (sections[name] for name in ("grid", "audit", "execution"))

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
        return {name: body.dimension_names for name, body in (self.judges | self.pairwise_judges | self.delta.panels).items()}

    def named(self, section: str, name: str) -> Any:
        """The settings of `section`.`name`. Raises CurationError naming the nearest one if there is none."""
        members = getattr(self, section)
        if name not in members:
            place = "grid: " if section in ("arms", "runs") else f"{section}."
            raise CurationError(f"{self.path}: {place}{name}: no such name{near(name, members)}")
        return members[name]


def kind(section: str, name: str) -> ModuleType:
    """The module of one kind, e.g. kind("judges", "rubric"); `name` must have passed `read`."""
    return importlib.import_module(f"curation.{FOLDERS[section]}.{name}")


def kinds(section: str) -> list[str]:
    """The kinds a section knows: the files of its folder."""
    folder = Path(__file__).parent / FOLDERS[section]
    return sorted(file.stem for file in folder.glob("*.py") if not file.stem.startswith("_"))


def read(path: Path = Path("params.yaml")) -> Study:
    """The whole of `path`, typed. Raises Errors with every mistake in it, `file: where: what; what to do`."""
    raw = _load(path)
    lines: list[str] = []
    known = [*FOLDERS, *NAMED, *SECTIONS]
    lines += [f"{path}: {key}: unknown section{near(key, known)}" for key in raw if key not in known and not str(key).startswith("x-")]
    lines += [f"{path}: {key}: missing; add this section" for key in known if key not in raw]
    sections: dict[str, Any] = {}
    for name, module in SECTIONS.items():
        if name in raw:
            model = importlib.import_module(module).Params
            sections[name] = _typed(model, raw[name], f"{path}: {name}", lines)
    for name in (*FOLDERS, *NAMED):
        if name in raw:
            sections[name] = _members(name, raw[name], f"{path}: {name}", lines)
    lines += dangling(path, sections, raw, _each(sections))
    if lines:
        raise Errors(lines)
    study = Study(path, sections)
    for where, settings in _each(sections):
        lines += [f"{path}: {where}.{line}" for line in (settings.mistakes(study) if hasattr(settings, "mistakes") else ())]
    if lines:
        raise Errors(lines)
    return study


def _load(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise CurationError(f"{path}: is no file; run from the project's folder, or copy one of recipes/*.yaml to {path}")
    try:
        raw = YAML(typ="safe", pure=True).load(path)
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" line {mark.line + 1}:" if mark else ""
        raise CurationError(f"{path}:{line} not YAML: {getattr(error, 'problem', None) or error}") from None
    if not isinstance(raw, dict):
        raise CurationError(f"{path}: not a mapping of sections")
    return raw


def _members(section: str, raw: Any, where: str, lines: list[str]) -> dict[str, Any]:
    if not isinstance(raw, dict):
        lines.append(f"{where}: {raw!r} is not a mapping of names")
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
            lines.append(f"{here}.kind: {body['kind']!r} is not one of {', '.join(kinds(section))}{near(body['kind'], kinds(section))}")
        else:
            members[name] = _typed(kind(section, body["kind"]).Params, body, here, lines)
    return members


def _typed(model: type[Strict], raw: Any, where: str, lines: list[str]) -> Any:
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        lines += [say(model, problem, where) for problem in error.errors()]
        return model.model_construct(**raw) if isinstance(raw, dict) else None  # so that its names are checked too


def _each(sections: dict[str, Any]) -> list[tuple[str, Any]]:
    found = [(name, sections[name]) for name in SECTIONS if sections.get(name) is not None]
    for section in (*FOLDERS, *NAMED):
        found += [(f"{section}.{name}", body) for name, body in (sections.get(section) or {}).items() if body is not None]
    for name, panel in entries(sections, "delta.panels").items():
        found += [(f"delta.panels.{name}.members.{number}", member) for number, member in enumerate(getattr(panel, "members", []))]
    return found
