"""The kinds of a section are the files of its folder: add a file, and params.yaml may name it.

What a kind must offer is the Protocol in its folder's `_kind.py`; tests/test_types.py holds every kind to it.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

if TYPE_CHECKING:
    from curation.judging.judges._kind import JudgeKind
    from curation.judging.pairwise_judges._kind import PairwiseJudgeKind
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
}


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
def kind(section: str, name: str) -> Any: ...
def kind(section: str, name: str) -> Any:
    """The module of one kind, e.g. kind("judges", "rubric"); `name` must be one of `kinds`."""
    return importlib.import_module(f"curation.{KIND_FOLDERS[section].replace('/', '.')}.{name}")


def kinds(section: str) -> list[str]:
    """The kinds a section knows, sorted."""
    folder = Path(__file__).parents[1] / KIND_FOLDERS[section]
    return sorted(file.stem for file in folder.glob("*.py") if not file.stem.startswith("_"))
