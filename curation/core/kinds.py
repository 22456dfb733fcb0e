"""The kinds of a section are the files of its folder: add a file, and params.yaml may name it.

What a kind must offer is the Protocol in its folder's `_kind.py`; tests/test_types.py holds every kind to it.
Extractions, verifiers of answers and layouts are found the same way, though no section of params.yaml is theirs: they
are named within a judge or a source (curation/core/inner_kinds.py).
"""

from __future__ import annotations

import importlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast, overload

from curation.core.errors import CurationError
from curation.core.messages import did_you_mean

if TYPE_CHECKING:
    from curation.exchange.results._kind import MeasuredKind
    from curation.judging.answers._kind import Verifier
    from curation.judging.extractions._kind import Extraction
    from curation.judging.judges._kind import JudgeKind
    from curation.judging.pairwise_judges._kind import PairwiseJudgeKind
    from curation.prompts.layouts._kind import Layout
    from curation.prompts.sources._kind import SourceKind
    from curation.traces.generators._kind import GeneratorKind
    from curation.training.scorers._kind import ScorerKind
    from curation.training.trainers._kind import MethodKind

KIND_FOLDERS = {
    "sources": "prompts/sources",
    "generators": "traces/generators",
    "judges": "judging/judges",
    "pairwise_judges": "judging/pairwise_judges",
    "scorers": "training/scorers",
    "methods": "training/trainers",
    "results": "exchange/results",
}
VERIFIER_FOLDER = "judging/answers"  # a file for each verifier that prompts may name
EXTRACTION_FOLDER = "judging/extractions"  # a file for each way to find an answer that a judge may name
LAYOUT_FOLDER = "prompts/layouts"  # a file for each layout of a preference set that a source may name
FORMAT_FOLDER = "exchange/formats"  # a file for each form that `curation export` writes


@overload
def kind(section: Literal["sources"], name: str) -> SourceKind[Any]: ...
@overload
def kind(section: Literal["generators"], name: str) -> GeneratorKind[Any]: ...
@overload
def kind(section: Literal["judges"], name: str) -> JudgeKind[Any]: ...
@overload
def kind(section: Literal["pairwise_judges"], name: str) -> PairwiseJudgeKind[Any]: ...
@overload
def kind(section: Literal["scorers"], name: str) -> ScorerKind[Any]: ...
@overload
def kind(section: Literal["methods"], name: str) -> MethodKind[Any]: ...
@overload
def kind(section: Literal["results"], name: str) -> MeasuredKind[Any]: ...
@overload
def kind(section: str, name: str) -> Any: ...
def kind(section: str, name: str) -> Any:
    """The module of one kind, e.g. kind("judges", "rubric"); `name` must be one of `kinds`."""
    return _load(KIND_FOLDERS[section], name)


def kinds(section: str) -> list[str]:
    """The kinds a section knows, sorted."""
    return _modules(KIND_FOLDERS[section])


def verifiers() -> list[str]:
    """The verifiers of answers, sorted."""
    return _modules(VERIFIER_FOLDER)


@cache
def verifier_kind(name: str) -> Verifier[Any]:
    """The module of one verifier. Raises CurationError if there is none of that name."""
    if name not in verifiers():
        known = ", ".join(verifiers())
        raise CurationError(f"verifier: {name!r} is not one of {known}{did_you_mean(name, verifiers(), ())}")
    return cast("Verifier[Any]", _load(VERIFIER_FOLDER, name))


def extractions() -> list[str]:
    """The extractions of answers, sorted."""
    return _modules(EXTRACTION_FOLDER)


def extraction_kind(name: str) -> Extraction[Any]:
    """The module of one extraction; `name` must be one of `extractions`."""
    return cast("Extraction[Any]", _load(EXTRACTION_FOLDER, name))


def layouts() -> list[str]:
    """The layouts of preference sets, sorted."""
    return _modules(LAYOUT_FOLDER)


def layout_kind(name: str) -> Layout[Any]:
    """The module of one layout; `name` must be one of `layouts`."""
    return cast("Layout[Any]", _load(LAYOUT_FOLDER, name))


def formats() -> list[str]:
    """The forms that are exported, sorted."""
    return _modules(FORMAT_FOLDER)


def _load(folder: str, name: str) -> Any:
    """The module of that name in a folder of `curation`."""
    return importlib.import_module(f"curation.{folder.replace('/', '.')}.{name}")


def _modules(folder: str) -> list[str]:
    """The names of the modules in a folder of `curation`."""
    files = (Path(__file__).parents[1] / folder).glob("*.py")
    return sorted(file.stem for file in files if not file.stem.startswith("_"))
