"""What mypy says of a study's settings and of the kinds: an attribute that is none, a section of the wrong type, a kind
that lacks what its Protocol asks for.

Kinds of fault: a `Study` whose attributes are Any again; an annotation that is not the class that the section is read
as; a kind that no Protocol looks at.
"""

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from curation.core.kinds import (
    EXTRACTION_FOLDER,
    KIND_FOLDERS,
    LAYOUT_FOLDER,
    VERIFIER_FOLDER,
    extractions,
    kinds,
    layouts,
    verifiers,
)
from curation.core.params import ALL_SECTIONS, COLLECTIONS, SECTIONS, read
from curation.core.study import Study

pytestmark = pytest.mark.slow  # mypy reads all of ours first
ROOT = Path(__file__).parents[1]
READ = "from curation.core.kinds import kind\nfrom curation.core.params import read\nstudy = read()\n"
PROTOCOLS = {
    "sources": "Source",
    "generators": "Generator",
    "judges": "Judge",
    "pairwise_judges": "PairwiseJudge",
    "scorers": "Scorer",
    "methods": "Method",
    "results": "Measured",
}
ENGINES = sorted(file.stem for file in (ROOT / "curation/models/engines").glob("[!_]*.py"))
REVEALED = {
    "study.grid.seeds": "list[int]",
    "study.selections": "dict[str, curation.selection.rules.Params]",
    "study.selections['top'].seed": "int",
    "study.judges['rubric'].dimension_names": "list[str]",
    "study.runs['r'].seed": "int",
    "study.runs['r'].arm.draw": "int | None",
    "study.arms['a'].selection": "str",
    "study.sources['s'].instruction": "str | None",
    "study.dimensions": "dict[str, list[str]]",
    "kind('judges', 'rubric').judge": "DataFrame",
    "kind('methods', 'dpo').train": "dict[str, float]",
}
REFUSED = {
    "study.calibrat": '"Study" has no attribute "calibrat"; maybe "calibrate"?',
    "study.grid.girds": '"Params" has no attribute "girds"',
    "study.judges['rubric'].dimensions_names": '"Judge" has no attribute "dimensions_names"; maybe "dimension_names"?',
    "study.runs['r'].draw": '"Run" has no attribute "draw"',
    "kind('judges', 'rubric').score": '"JudgeKind[Any]" has no attribute "score"',
}
# A judge that a user might write, and what each of its faults is.
JUDGE = """
import polars as pl
from typing import Literal
from curation.calls.ledger import Ledger
from curation.core.params import Strict

class Params(Strict):
    kind: Literal["mine"]

    @property
    def dimension_names(self) -> list[str]:
        return ["length"]

def judge(settings: Params, name: str, traces: pl.DataFrame, prompts: pl.DataFrame, ledger: Ledger) -> pl.DataFrame:
    return traces
"""
FAULTS = {
    "sound": ("", ""),
    "no_dimensions": ("dimension_names", "names"),
    "another_order": ("name: str, traces: pl.DataFrame", "traces: pl.DataFrame, name: str"),
    "gives_a_list": ("-> pl.DataFrame:\n    return traces", "-> list[int]:\n    return []"),
    "another_verb": ("def judge", "def rate"),
    "no_kind": ('kind: Literal["mine"]', "sort: str"),
}


def cache_of(name: str) -> str:
    """The folder of a cache of mypy's own, which begins with what `make check` has read."""
    read, own = (ROOT / ".mypy_cache" / part / "{}.{}".format(*sys.version_info) for part in ("", name))
    if read.exists() and not own.exists():
        shutil.copytree(read, own)
    return str(own.parent)


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What mypy says of each file, which one run of it reads all; `held` is every kind there is against its
    Protocol."""
    folder = tmp_path_factory.mktemp("typed")
    files = {
        "revealed": READ + "".join(f"reveal_type({text})\n" for text in REVEALED),
        "refused": READ + "".join(f"{text}\n" for text in REFUSED),
        "held": "".join(map(held_to_its_protocol, KIND_FOLDERS))
        + "".join(map(held_engine, ENGINES))
        + held_inner(EXTRACTION_FOLDER, "Extraction", extractions())
        + held_inner(LAYOUT_FOLDER, "Layout", layouts())
        + held_inner(VERIFIER_FOLDER, "Verifier", verifiers()),
        **{name: JUDGE.replace(old, new) if old else JUDGE for name, (old, new) in FAULTS.items()},
    }
    files["judges"] = "from curation.judging.judges._kind import JudgeKind\n" + "".join(
        f"import {name}\n_{name}: JudgeKind[{name}.Params] = {name}\n" for name in FAULTS
    )
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file", "pyproject.toml", "--cache-dir", cache_of("tests")]
        + [str(folder / f"{name}.py") for name in files],
        cwd=ROOT,
        env={"MYPYPATH": f"{ROOT}:{folder}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    lines: dict[str, list[str]] = {name: [] for name in files}
    for line in done.stdout.splitlines():
        found = re.match(r".*?(\w+)\.py:(\d+): (?:error|note): (.*)", line)
        if found and found[1] in files:
            lines[found[1]].append(f"{found[2]}: {found[3]}")
    return lines


def held_to_its_protocol(section: str) -> str:
    """An assignment of each kind's module to the Protocol of its folder."""
    folder, protocol = "curation." + KIND_FOLDERS[section].replace("/", "."), PROTOCOLS[section]
    return f"from {folder}._kind import {protocol}Kind\n" + "".join(
        f"import {folder}.{one}\n_{section}_{one}: {protocol}Kind[{folder}.{one}.Params] = {folder}.{one}\n"
        for one in kinds(section)
    )


def held_inner(folder: str, protocol: str, names: list[str]) -> str:
    """An assignment of each kind's module, of those that stand within another's settings, to their Protocol."""
    package = "curation." + folder.replace("/", ".")
    return f"from {package}._kind import {protocol}\n" + "".join(
        f"import {package}.{name}\n_{protocol}_{name}: {protocol}[{package}.{name}.Params] = {package}.{name}\n"
        for name in names
    )


def held_engine(name: str) -> str:
    """A function that is sound if an engine's settings are what the Protocol says."""
    module = f"curation.models.engines.{name}"
    return (
        f"from curation.models.engines._kind import EngineParams\nimport {module}\n"
        f"def _{name}(settings: {module}.Params) -> EngineParams:\n    return settings\n"
    )


def test_a_study_says_what_its_parts_are(said: dict[str, list[str]]) -> None:
    revealed = [line.split('Revealed type is "')[1].rstrip('"') for line in said["revealed"]]
    plain = [text.replace("builtins.", "").replace("polars.dataframe.frame.", "") for text in revealed]
    assert len(plain) == len(REVEALED)
    for text, wanted in zip(plain, REVEALED.values(), strict=True):
        assert text == wanted or text.endswith(f"-> {wanted}")


def test_what_a_study_has_not_is_refused(said: dict[str, list[str]]) -> None:
    lines = [line.split(": ", 1)[1].removesuffix("  [attr-defined]") for line in said["refused"]]
    assert lines == list(REFUSED.values())


def test_every_kind_is_what_its_protocol_says(said: dict[str, list[str]]) -> None:
    assert len(ENGINES) == 3 and all(len(kinds(section)) > 1 for section in KIND_FOLDERS)
    assert said["held"] == []


@pytest.mark.parametrize("fault", FAULTS)
def test_a_judge_that_is_none_is_refused(said: dict[str, list[str]], fault: str) -> None:
    line = 3 + 2 * list(FAULTS).index(fault)
    assert any(text.startswith(f"{line}: ") for text in said["judges"]) == (fault != "sound")


def test_an_annotation_is_the_class_that_is_read() -> None:
    annotations = Study.__annotations__
    assert sorted(annotations) == sorted(ALL_SECTIONS)
    assert {name: annotations[name] for name in SECTIONS} == {name: f"{at}.Params" for name, at in SECTIONS.items()}
    assert {name: annotations[name] for name in COLLECTIONS} == {
        name: f"dict[str, {at}.Params]" for name, at in COLLECTIONS.items()
    }
    assert {name: annotations[name] for name in KIND_FOLDERS} == {
        name: f"dict[str, {protocol}]" for name, protocol in PROTOCOLS.items()
    }


def test_the_annotations_are_imported_for_mypy_alone() -> None:
    tree = ast.parse((ROOT / "curation/core/study.py").read_text())
    at_run_time = [node.module for node in tree.body if isinstance(node, ast.ImportFrom)]
    ours = [module for module in at_run_time if module and module.startswith("curation.")]
    assert ours and all(module.startswith("curation.core.") for module in ours), "a section's module at run time"


def test_a_name_that_is_not_there_has_the_nearest_one() -> None:
    from curation.core.errors import CurationError

    study = read(ROOT / "params.yaml")
    for ask, message in (
        (lambda: study.judges["rubic"], "judges.rubic: no such name; did you mean 'rubric'?"),
        (lambda: study.runs["dpo-top"], "grid: dpo-top: no such name; known: "),
        (lambda: study.arms["all-any-own-itself"], "grid: all-any-own-itself: no such name; "),
    ):
        with pytest.raises(CurationError, match=re.escape(message)):
            ask()
    assert study.judges.get("rubic") is None
