"""dvc.yaml against the code: every module and query that a stage reaches is among its deps, the kernel excepted."""

import ast
import re
import shlex
from functools import cache
from pathlib import Path

import flow
import pytest
from ruamel.yaml import YAML
from world import own

from curation.commands.verify import PURE, RECORDED
from curation.core.errors import CurationError
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
from curation.core.params import read

ROOT = Path(__file__).parents[1]
COMPUTING = ("plots", "stats")  # what in core/ decides what a stage computes
KERNEL = {file for file in (ROOT / "curation/core").glob("*.py") if file.stem not in COMPUTING} | {
    ROOT / f"curation/{room}/{name}.py"
    for room, names in {
        "tables": ("contracts", "ids", "measurements", "outdated", "parquet", "table", "update_rows"),
        "models": ("faults", "gguf", "kept", "local"),
    }.items()
    for name in names
}
STAGES = YAML(typ="safe", pure=True).load(ROOT / "dvc.yaml")["stages"]


def module_files(node: ast.AST) -> list[Path]:
    """The files of ours that an import statement names."""
    names: list[str] = []
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
        names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    files = [ROOT / f"{name.replace('.', '/')}.py" for name in names if name.split(".")[0] in ("curation", "stages")]
    return [file for file in files if file.exists() and file not in KERNEL]


def called_with(node: ast.AST, name: str) -> str | None:
    """The first argument of a call of `name`, if it is a text."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name and node.args:
        first = node.args[0]
        return first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else None
    return None


def for_types_only(node: ast.AST) -> bool:
    """Whether it is an `if TYPE_CHECKING`, whose imports no stage makes."""
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


@cache
def named(file: Path) -> tuple[list[Path], list[str], list[str]]:
    """What `file` names: our files that it imports, verifiers and extractions included, sections whose kinds it loads,
    queries. Read once for all stages."""
    nodes = [node for part in ast.parse(file.read_text()).body if not for_types_only(part) for node in ast.walk(part)]
    sections, queries = ([first for node in nodes if (first := called_with(node, name))] for name in ("kind", "query"))
    files = [found for node in nodes for found in module_files(node)]
    called = {node.func.id for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    if "parse_verifier" in called:
        files += [ROOT / "curation" / VERIFIER_FOLDER / f"{name}.py" for name in verifiers()]
    if "extraction_kind" in called:
        files += [ROOT / "curation" / EXTRACTION_FOLDER / f"{name}.py" for name in extractions()]
    if "layout_kind" in called:
        files += [ROOT / "curation" / LAYOUT_FOLDER / f"{name}.py" for name in layouts()]
    return files, sections, queries


def reached(file: Path, item_kind: str | None, seen: set[Path] | None = None) -> set[Path]:
    """`file`, and all it imports, loads as the kind `item_kind` (all kinds where None), or queries."""
    seen = set() if seen is None else seen
    if file in seen:
        return seen
    seen.add(file)
    imported, sections, queries = named(file)
    seen.update(ROOT / "curation/tables/sql" / f"{query}.sql" for query in queries)
    loaded = [
        ROOT / "curation" / KIND_FOLDERS[section] / f"{one}.py"
        for section in sections
        for one in ([item_kind] if item_kind else kinds(section))
    ]
    for one in (*imported, *loaded):
        reached(one, item_kind, seen)
    return seen


def script(stage: str) -> Path:
    """What the stage runs."""
    return ROOT / (STAGES[stage].get("do", STAGES[stage])["cmd"].split()[2].replace(".", "/") + ".py")


def cases() -> list[tuple[str, str | None]]:
    """Each stage, once for each kind its entries may have where it has a kind in its deps."""
    found: list[tuple[str, str | None]] = []
    for stage, body in STAGES.items():
        deps = body.get("do", body)["deps"]
        folder = next((dep.removeprefix("curation/").rsplit("/", 1)[0] for dep in deps if "${item.kind}" in dep), None)
        section = next((name for name, at in KIND_FOLDERS.items() if at == folder), None)
        found += [(stage, one) for one in kinds(section)] if section else [(stage, None)]
    return found


@pytest.mark.parametrize(("stage", "item_kind"), cases())
def test_deps_cover_what_the_stage_reaches(stage: str, item_kind: str | None) -> None:
    body = STAGES[stage].get("do", STAGES[stage])
    deps = {ROOT / dep.replace("${item.kind}", item_kind or "") for dep in body["deps"] if not dep.startswith("data/")}
    uncovered = [
        file
        for file in reached(script(stage), item_kind)
        if not any(file == dep or dep in file.parents for dep in deps)
    ]
    assert sorted(str(file.relative_to(ROOT)) for file in uncovered) == []


@pytest.mark.parametrize(("stage", "item_kind"), cases())
def test_every_code_dep_exists(stage: str, item_kind: str | None) -> None:
    body = STAGES[stage].get("do", STAGES[stage])
    named = [dep.replace("${item.kind}", item_kind or "") for dep in body["deps"] if not dep.startswith("data/")]
    assert [dep for dep in named if not (ROOT / dep).exists()] == []


def test_a_folder_of_tables_is_there_where_no_name_fills_it() -> None:
    """The kind of fault: a study without judges, or selections, of whose folder DVC says that it is not there."""
    bodies = [body.get("do", body) for body in STAGES.values()]
    outs = [out for body in bodies for kind in ("outs", "metrics") for out in body.get(kind, [])]
    whole = {out if isinstance(out, str) else next(iter(out)) for out in outs}
    folders = {dep for body in bodies for dep in body["deps"] if re.fullmatch(r"data/[\w/]+", dep)} - whole
    always = {out.rsplit("/", 1)[0] for out in whole if "$" not in out}
    filled = {"data/import", "data/traces", "data/metrics/generate"}  # there is always a source and a generator
    by_name = folders - always - filled
    assert {"data/judgments", "data/preferences", "data/pair_scores", "data/selections"} <= by_name
    assert {"data/metrics/judge", "data/metrics/prefer"} <= by_name
    for folder in sorted(by_name):
        assert (ROOT / folder / ".gitkeep").exists(), folder


def test_verify_has_every_table_that_a_pure_stage_reads() -> None:
    """The kind of fault: a new table that a stage reads, and that it is rebuilt without."""
    pure = ("pair", "delta", "calibrate", "reliability", "select", "arms", "compare")
    deps = {dep for stage in pure for dep in STAGES[stage].get("do", STAGES[stage])["deps"] if dep.startswith("data/")}
    read_by = {dep.split("/")[1] for dep in deps} - {"metrics"}
    assert len(read_by) > 10 and read_by <= {*RECORDED, *PURE}


def test_the_walk_sees_a_missing_dep() -> None:
    assert ROOT / "curation/judging/judges/rubric.py" in reached(ROOT / "stages/judge.py", "rubric")
    assert ROOT / "curation/calls/chat.py" in reached(ROOT / "stages/judge.py", "rubric")
    assert ROOT / "curation/judging/answers/math.py" in reached(ROOT / "stages/evaluate.py", None)
    assert ROOT / "curation/tables/sql/verdicts.sql" in reached(ROOT / "stages/delta.py", None)


def sections_named() -> set[str]:
    """The sections of params.yaml that dvc.yaml reads or depends on, and says nothing of where they are left out."""
    text = (ROOT / "dvc.yaml").read_text()
    left_out = {name for one in YAML(typ="safe", pure=True).load(text)["vars"] for name in one}
    params = [one for body in STAGES.values() for one in body.get("do", body).get("params", [])]
    inside = [name for name in re.findall(r"\$\{(\w+)", text) if name not in ("key", "item")]
    assert not left_out & {name.split(".")[0] for name in params}  # which DVC looks for in params.yaml alone
    return {name.split(".")[0] for name in [*params, *inside]} - left_out


def test_dvc_names_no_section_that_a_valid_file_may_lack(tmp_path: Path) -> None:
    """DVC would stop with a message of its own at a section that is not there."""
    named, whole = sections_named(), own()
    assert len(named) > 15
    for section in sorted(named):
        flow.write({name: body for name, body in whole.items() if name != section}, tmp_path / "params.yaml")
        with pytest.raises(CurationError, match=f"params.yaml: {section}: missing; add this section"):
            read(tmp_path / "params.yaml")


def test_a_name_reaches_its_stage_as_one_word() -> None:
    """DVC gives a command to a shell before any of ours can refuse the name: one that a shell would read is the
    stage's to name as a mistake, and starts no other command."""
    commands = [stage["do"]["cmd"] for stage in STAGES.values() if "foreach" in stage]
    assert len(commands) == 5
    for command in commands:
        for odd in ("best; rm -r data", "top|low", "a & b", "$(x)", "`x`", "a b", "a > b"):
            assert shlex.split(command.replace("${key}", odd))[3:] == [odd]


def test_a_file_fits_in_one_sitting() -> None:
    lengths = {str(file): len(file.read_text().splitlines()) for file in (ROOT / "curation").rglob("*.py")}
    assert {name: length for name, length in lengths.items() if length > 250} == {}


def test_a_stage_file_fits_on_a_screen() -> None:
    """A stage reads, calls and writes; what it says and computes has its place in a room."""
    lengths = {file.name: len(file.read_text().splitlines()) for file in (ROOT / "stages").glob("*.py")}
    assert {name: length for name, length in lengths.items() if length > 45} == {}
