"""params.yaml: read, typed, checked whole, all errors at once.

A section is typed beside the code it configures, as the class `Params` of the module that SECTIONS names. Where a
section maps names to entries, each entry is typed by the module that COLLECTIONS names, or by that of its kind.
"""

import importlib
import re
import sys
from collections.abc import Iterable
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, RootModel, ValidationError

from curation.core import checked
from curation.core.errors import Errors
from curation.core.kinds import KIND_FOLDERS, kind, kinds
from curation.core.messages import did_you_mean, format_validation_errors, show_value
from curation.core.outdated import refuse_outdated
from curation.core.parsed import parse_yaml, read_bytes
from curation.core.plain import plain
from curation.core.references import Parts, entries, find_dangling
from curation.core.run_cache import find_passed_over
from curation.core.study import Entries, Study
from curation.core.text import one_line

SECTIONS = {
    "ledger": "curation.calls.ledger",
    "budget": "curation.calls.budget",
    "execution": "curation.calls.execution",
    "decontaminate": "curation.prompts.decontaminate",
    "pair": "curation.pairs.pair",
    "delta": "curation.pairs.delta",
    "calibrate": "curation.reliability.calibrate",
    "reliability": "curation.reliability.reliability",
    "student": "curation.models.student",
    "renderings": "curation.traces.renderings",
    "evaluate": "curation.training.evaluate",
    "grid": "curation.experiment.grid",
    "audit": "curation.tables.checks",
    "models": "curation.training.given",
    "compare": "curation.experiment.compare",
    "licenses": "curation.exchange.release.licences",
}
COLLECTIONS = {
    "selections": "curation.selection.rules",
    "controls": "curation.experiment.controls",
    "generator_pairs": "curation.experiment.generator_pairs",
    "contrasts": "curation.experiment.declarations",
}
ALL_SECTIONS = [*KIND_FOLDERS, *COLLECTIONS, *SECTIONS]
MAY_BE_LEFT_OUT = ("models", "results", "licenses")  # each stands for an empty mapping then
BASELINE = "baseline"  # the run of the student as it is
NAME = re.compile(r"[a-z][a-z0-9_-]{0,99}")  # files are called so


def find_name_fault(name: Any) -> str | None:
    """Why a key of params.yaml can be no name; None if it can."""
    if isinstance(name, str) and NAME.fullmatch(name):
        return None
    if isinstance(name, str) and len(name) > 100:
        return f"shorten it from {len(name)} to 100 characters"
    return "a name is lower-case letters, digits, '-' and '_', and starts with a letter"


class Strict(BaseModel):
    """Unknown keys forbidden, frozen, no coercion, numbers finite; DVC cannot see a Python default, so subclasses
    give none but null, which is what a key that is left out says."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, protected_namespaces=())


def column(text: str) -> str:
    """`text`, if it can name a column. Raises ValueError otherwise."""
    if not NAME.fullmatch(text) or "-" in text:
        raise ValueError(f"{text!r} is not a column name: lower-case letters, digits and '_'")
    return text


Column = Annotated[str, AfterValidator(column)]


Plain = Annotated[Any, AfterValidator(plain)]  # what another library is passed as it is


def read(path: Path = Path("params.yaml")) -> Study:
    """The whole of `path`, typed. Raises Errors with every mistake in it, `file: place: mistake; way out`, or Outdated
    if it is a file of an earlier version.

    A file that has passed is not checked again before it, our source, Python or an installed package changes. Where
    duckdb is not installed, which the check asks about expressions, stderr says that there was none: each section is
    checked as it is read.
    """
    body = read_bytes(path)
    raw, fingerprint = _parse(path, body), checked.fingerprint(body)
    study = _study(path, raw)
    if not checked.has_passed(fingerprint):
        refuse_outdated(path, body, raw)
        if find_spec("duckdb") is None:
            way_out = "`curation params` checks it where that is installed"
            print(f"warning: {path}: is not checked as a whole, for want of duckdb; {way_out}", file=sys.stderr)
            return study
        _check(study, raw)
        checked.remember(fingerprint)
    return study


def _parse(path: Path, body: bytes) -> dict[str, Any]:
    return parse_yaml(body, lambda what: _errors([f"{path}:{what}"]))


def _study(path: Path, raw: dict[str, Any]) -> Study:
    """`raw` as a study of which nothing is typed yet."""

    def typed(name: str) -> Any:
        lines: list[str] = []
        section = _section(name, raw.get(name, {}) if name in MAY_BE_LEFT_OUT else raw[name], f"{path}: {name}", lines)
        if lines:
            raise _errors(lines)
        return section

    return Study(path, raw, typed)


def _check(study: Study, raw: dict[str, Any]) -> None:
    """Raises Errors with every mistake in `raw`; else all sections of `study` are typed."""
    path, lines = study.path, list[str]()
    for key in raw:
        if key not in ALL_SECTIONS and not str(key).startswith("x-"):
            lines.append(f"{path}: {key}: unknown section{did_you_mean(key, ALL_SECTIONS)}")
    raw = {name: {} for name in MAY_BE_LEFT_OUT} | raw
    lines += [f"{path}: {name}: missing; add this section" for name in ALL_SECTIONS if name not in raw]
    order = [name for name in (*SECTIONS, *KIND_FOLDERS, *COLLECTIONS) if name in raw]
    sections = {name: _section(name, raw[name], f"{path}: {name}", lines) for name in order}
    lines += [f"{path}: {mistake}" for mistake in find_passed_over({name: raw[name] for name in order})]
    parts = list_parts(sections)
    dangling = find_dangling(path, sections, raw, parts)
    if not (lines := lines + dangling):
        vars(study).update(sections)
    else:
        study = _as_far_as_sound(path, raw, sections, lines, dangling)
    unsound = tuple(lines)
    for place, settings in parts:
        if hasattr(settings, "mistakes") and not _is_told_of(f"{path}: {place}", unsound):
            with suppress(*([Exception] if unsound else [])):  # that it cannot be asked is no mistake of its own
                for line in settings.mistakes(study):
                    lines.append(f"{path}: {place}.{line}")
    if lines:
        raise _errors(lines)


def _as_far_as_sound(
    path: Path, raw: dict[str, Any], sections: dict[str, Any], lines: list[str], dangling: list[str]
) -> Study:
    """A study of what can be asked what the settings say of each other, where some are not sound. It lacks the sections
    with a fault, since what they would say is not what was meant. A section of entries has those with a fault, too,
    which lack the key with it; but not where one is not there at all, or names what there is not."""

    def refuse(name: str) -> Any:
        raise Errors([f"{path}: {name}: is not sound"])

    study = Study(path, raw, refuse)
    for name, section in sections.items():
        has_all = name not in SECTIONS and isinstance(raw[name], dict) and section.keys() == raw[name].keys()
        if not _is_told_of(f"{path}: {name}", dangling if has_all else lines):
            vars(study)[name] = section
    return study


def _is_told_of(place: str, lines: Iterable[str]) -> bool:
    return any(line.startswith((f"{place}.", f"{place}:")) for line in lines)


def _errors(lines: list[str]) -> Errors:
    return Errors([one_line(line) for line in lines])


def _section(name: str, raw: Any, place: str, lines: list[str]) -> Any:
    """A section, typed: what is wrong with it is added to `lines`."""
    if name in SECTIONS:
        return _validate(_params_of(SECTIONS[name]), raw, place, lines)
    if isinstance(raw, dict):
        return _entries(name, raw, place, lines)
    lines.append(f"{place}: {show_value(raw)} is not a mapping of names")
    return {}


def _entries(section: str, raw: dict[Any, Any], place: str, lines: list[str]) -> Entries[Any]:
    """The entries of a section by name, each typed."""
    typed: dict[str, Any] = {}
    for name, body in raw.items():
        entry = f"{place}.{name}"
        if fault := find_name_fault(name):
            lines.append(f"{entry}: {fault}")
        elif section in COLLECTIONS:
            typed[name] = _validate(_params_of(COLLECTIONS[section]), body, entry, lines)
        elif not isinstance(body, dict) or "kind" not in body:
            lines.append(f"{entry}.kind: missing; one of {', '.join(kinds(section))}")
        elif body["kind"] not in kinds(section):
            nearest = did_you_mean(body["kind"], kinds(section), ())
            lines.append(f"{entry}.kind: {show_value(body['kind'])} is not one of {', '.join(kinds(section))}{nearest}")
        else:
            typed[name] = _validate(kind(section, body["kind"]).Params, body, entry, lines)
    return Entries(f"{place}.", typed)


def _params_of(module: str) -> type[Strict]:
    model: type[Strict] = importlib.import_module(module).Params
    return model


def _validate(model: type[Strict], raw: Any, place: str, lines: list[str]) -> Any:
    """`raw` as a `model`. Where it is not sound, what is, so that its names are checked too."""
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        lines += format_validation_errors(model, error.errors(), place)
        if not isinstance(raw, dict) or issubclass(model, RootModel):
            return None
        wrong = {problem["loc"][0] for problem in error.errors() if len(problem["loc"]) == 1}
        return model.model_construct(**{key: raw[key] for key in raw.keys() - wrong if key in model.model_fields})


def list_parts(sections: dict[str, Any]) -> Parts:
    """Whatever has fields of its own: sections, entries of sections, members of panels, arms that the grid names."""
    parts = [(name, sections.get(name)) for name in SECTIONS]
    for section in (*KIND_FOLDERS, *COLLECTIONS):
        parts += [(f"{section}.{name}", body) for name, body in (sections.get(section) or {}).items()]
    for name, panel in entries(sections, "delta.panels").items():
        members = enumerate(getattr(panel, "members", []))
        parts += [(f"delta.panels.{name}.members.{number}", member) for number, member in members]
    wanted = enumerate(getattr(sections.get("grid"), "arms", None) or [])
    parts += [(f"grid.arms.{number}", entry) for number, entry in wanted if isinstance(entry, BaseModel)]
    return [(place, settings) for place, settings in parts if settings is not None]
