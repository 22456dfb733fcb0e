"""What a command waits for before its first line: what it imports, and a check of params.yaml that has passed and is
not made again.

Kinds of fault: an import at the head of a module that only one function needs; a setting that a library reads when it
is first loaded, made after that; a memory that says sound of what nobody
checked, or that stops a command; a short-cut that says another thing than the long way; a module
shadowed by a name that its package exports.
"""

import dataclasses
import os
import pkgutil
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import curation
import stages
from curation.core import checked
from curation.core.errors import CurationError, Errors
from curation.core.params import ALL_SECTIONS, read
from curation.core.study import Study
from curation.prompts.sources import reasoning_gym

ROOT = Path(__file__).parents[1]
SOUND = ROOT / "params.yaml"
STUDIES = [SOUND, *sorted((ROOT / "recipes").glob("*.yaml"))]
HEAVY = (
    "torch", "transformers", "trl", "peft", "datasets", "accelerate", "vllm", "ray", "scipy", "sklearn", "matplotlib",
    "dvc", "pandas", "sympy", "instructor", "openai", "aiohttp", "datasketch", "reasoning_gym", "mpmath", "tqdm",
)  # fmt: skip
TABLES = ("polars", "pyarrow", "numpy", "duckdb")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where commands run, and so where checks are remembered."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def was_checked(study: Study) -> bool:
    """Whether the study came of a whole check, which types every section."""
    return all(section in vars(study) for section in ALL_SECTIONS)


def printed(code: str, *arguments: str) -> list[str]:
    """What an interpreter of its own prints."""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


@pytest.mark.slow
def test_no_module_and_no_check_imports_what_is_heavy() -> None:
    ours = [
        found.name
        for package in (curation, stages)
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    ]
    ours.remove(
        "curation.models.engines._vllm_process"
    )  # runs in an environment of its own, where vllm is all it is for
    code = (
        f"import importlib, sys\nfrom pathlib import Path\nfrom curation.core.params import ALL_SECTIONS, read\n"
        f"for name in {ours}:\n importlib.import_module(name)\n"
        f"print('import', *({{*{HEAVY}}} & sys.modules.keys()))\n"
        f"for file in sys.argv[1:]:\n read(Path(file))\nprint('check', *({{*{HEAVY}}} & sys.modules.keys()))\n"
        "for file in sys.argv[1:]:\n study = read(Path(file))\n"
        " for section in ALL_SECTIONS:\n  getattr(study, section)\n"
        f"print('remembered', *({{*{HEAVY}}} & sys.modules.keys()))"
    )
    assert printed(code, *map(str, STUDIES)) == ["import", "check", "remembered"]


@pytest.mark.slow
def test_a_remembered_check_loads_no_tables_either() -> None:
    code = "import sys\nfrom curation.__main__ import entry\nentry()\n"
    printed(code, "params", str(SOUND))
    said, loaded = printed(f"{code}print(*({{*{HEAVY + TABLES}}} & sys.modules.keys()))", "params", str(SOUND))
    counts = "3 sources, 3 generators, 3 judges, 1 pairwise judge, 0 scorers, 4 selections, 4 arms, 8 runs"
    assert said == f"{SOUND}: valid; {counts}"
    assert loaded == ""


def test_an_entry_of_the_shelf_is_printed_without_tables() -> None:
    code = "import sys\nfrom curation.__main__ import entry\nentry()\n"
    *lines, loaded = printed(f"{code}print(*({{*{HEAVY + TABLES}}} & sys.modules.keys()))", "shelf", "sample_delta")
    assert lines[2] == "  sample_delta:"
    assert loaded == ""


def test_no_package_exports_a_name_that_is_one_of_its_modules() -> None:
    """Else `import package.name` gives what is exported, and the module is out of reach by its path."""
    for package in (curation, stages):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            __import__(found.name)
            parent, _, name = found.name.rpartition(".")
            assert getattr(sys.modules[parent], name) is sys.modules[found.name]
            assert name not in getattr(sys.modules[parent], "__all__", [])


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments", [["params", str(SOUND)], ["params", "nosuch.yaml"], ["--help"]], ids=lambda arguments: arguments[-1]
)
def test_the_command_is_the_module(arguments: list[str]) -> None:
    module, name = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]["curation"].split(":")
    ways = (
        ["-m", "curation"],
        ["-c", f"import sys\nfrom {module} import {name}\nsys.exit({name}())"],
    )  # the second is what pip writes into bin
    one, other = [
        subprocess.run(
            [sys.executable, *way, *arguments],
            env={"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        for way in ways
    ]
    assert (one.returncode, one.stdout, one.stderr) == (other.returncode, other.stdout, other.stderr)
    assert one.returncode == ("nosuch.yaml" in arguments)
    assert "usage: curation [-h]" in one.stdout or arguments[0] != "--help"


@pytest.mark.parametrize("file", STUDIES, ids=lambda file: file.stem)
def test_a_remembered_study_is_the_checked_one(file: Path) -> None:
    first, again = read(file), read(file)
    assert was_checked(first) and not was_checked(again)
    assert {section: again.names(section) for section in ("judges", "selections", "arms", "runs")} == {
        section: list(getattr(first, section)) for section in ("judges", "selections", "arms", "runs")
    }
    for section in ALL_SECTIONS:
        assert getattr(again, section) == getattr(first, section)
    assert (again.dimensions, again.arms, again.runs) == (first.dimensions, first.arms, first.runs)
    with pytest.raises(AttributeError, match="no section 'nosuch'"):
        _ = again.nosuch


def test_a_stage_types_only_what_it_asks_for() -> None:
    read(SOUND)
    again = read(SOUND)
    assert again.pair.order == "ladder"
    assert set(vars(again)) & set(ALL_SECTIONS) == {"pair"}


def edit(file: Path) -> None:
    """One byte more."""
    file.write_bytes(file.read_bytes() + b"\n")


OURS: dict[str, Callable[[Path], object]] = {
    "a module": lambda source: edit(source / "selection/rules.py"),
    "a module of a folder": lambda source: edit(source / "judging/judges/rubric.py"),
    "a query": lambda source: edit(source / "tables/sql/verdicts.sql"),
    "the shelf": lambda source: edit(source / "selection/shelf.yaml"),
    "a new kind": lambda source: (source / "judging/judges/new.py").touch(),
    "a kind that is gone": lambda source: (source / "judging/judges/process.py").unlink(),
    "a module of another name": lambda source: (source / "judging/judges/process.py").rename(
        source / "judging/judges/procession.py"
    ),
}


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(change, id=name, marks=[] if name in ("a module", "a new kind") else pytest.mark.slow)
        for name, change in OURS.items()
    ],
)
def test_an_edit_of_our_source_forgets(
    folder: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], object]
) -> None:
    source = folder / "copy"
    shutil.copytree(checked.SOURCE, source, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(checked, "SOURCE", source)

    def of_a_new_process() -> str:
        checked.hash_source.cache_clear()
        return checked.fingerprint(b"")

    before = of_a_new_process()
    (source / "__pycache__").mkdir()
    (source / "__pycache__/rules.pyc").touch()
    assert of_a_new_process() == before
    change(source)
    assert of_a_new_process() != before


def test_another_file_package_or_python_forgets(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, packages = folder / "params.yaml", folder / "packages"
    shutil.copy(SOUND, file)
    (packages / "some_library-1.0.dist-info").mkdir(parents=True)
    monkeypatch.syspath_prepend(packages)

    def again() -> tuple[bool, bool]:
        return was_checked(read(file)), was_checked(read(file))

    assert again() == (True, False)
    edit(file)
    assert again() == (True, False)
    (packages / "some_library-1.0.dist-info").rename(packages / "some_library-1.1.dist-info")
    assert again() == (True, False)
    (packages / "other-0.1.dist-info").mkdir()
    assert again() == (True, False)
    monkeypatch.setattr(sys, "version", f"{sys.version} of another build")
    assert again() == (True, False)
    shutil.copy(file, folder / "same.yaml")
    assert not was_checked(read(folder / "same.yaml"))


BROKEN = {
    "not YAML": ("pair:\n", "pair: [\n"),
    "unknown section": ("pair:\n", "pear:\n"),
    "wrong value": ("order: ladder", "order: random"),
    "dangling name": ("judge: answer", "judge: anwser"),
    "expression": ("value: rubric.delta_step_coherence", "value: rubric.delta_steps"),
    "grid": ("methods: [dpo, kto]", "methods: [dpo, dpo, kto]"),
    "task": ("config: {min_value: 2, max_value: 20}", "config: {min_valu: 2, max_value: 20}"),
}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param(*both, id=name, marks=[pytest.mark.slow] * (name not in ("not YAML", "expression", "task")))
        for name, both in BROKEN.items()
    ],
)  # fast: one found by each of the parser, the types and the sources
def test_a_check_that_fails_is_not_remembered(folder: Path, old: str, new: str) -> None:
    file = folder / "params.yaml"
    assert old in SOUND.read_text()
    file.write_text(SOUND.read_text().replace(old, new))
    said = []
    for _ in range(2):
        with pytest.raises(CurationError) as caught:
            read(file)
        said.append(str(caught.value))
    assert said[0] == said[1] and not checked.MEMORY.exists()
    shutil.copy(SOUND, file)
    assert was_checked(read(file))


def test_what_the_sources_say_comes_with_all_else(folder: Path) -> None:
    text = SOUND.read_text()
    for old, new in (BROKEN["task"], BROKEN["grid"]):
        text = text.replace(old, new)
    (folder / "params.yaml").write_text(text)
    with pytest.raises(Errors) as caught:
        read()
    assert caught.value.lines == [
        "params.yaml: grid.methods: 'dpo' is there twice",
        "params.yaml: sources.number_theory_and_letters.tasks.gcd.config.min_valu: unknown key; did you mean "
        "'min_value'?",
    ]


def _as_a_folder(memory: Path) -> None:
    memory.unlink()
    memory.mkdir()


def _as_a_pipe(memory: Path) -> None:
    memory.unlink()
    os.mkfifo(memory)


DAMAGED: dict[str, Callable[[Path], object]] = {
    "empty": lambda memory: memory.write_bytes(b""),
    "no text": lambda memory: memory.write_bytes(b"\xff\xfe\x00" * 1000),
    "truncated": lambda memory: memory.write_bytes(memory.read_bytes()[:40]),
    "huge": lambda memory: memory.write_bytes(memory.read_bytes() * 200),  # what it holds is not read, true or not
    "a pipe": _as_a_pipe,
    "a folder": _as_a_folder,
    "no room": lambda memory: (shutil.rmtree(memory.parent), memory.parent.touch()),
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("damage", "mended"),
    [(damage, name not in ("a folder", "no room")) for name, damage in DAMAGED.items()],
    ids=DAMAGED.keys(),
)
def test_a_damaged_memory_or_one_that_cannot_be_written_is_none(
    folder: Path, damage: Callable[[Path], object], mended: bool
) -> None:
    read(SOUND)
    damage(checked.MEMORY)
    assert was_checked(read(SOUND))
    assert was_checked(read(SOUND)) is not mended
    assert not list(folder.rglob("*.partial"))


def test_the_newest_are_remembered() -> None:
    marks = [checked.fingerprint(str(number).encode()) for number in range(checked.MOST + 5)]
    for one in marks:
        checked.remember(one)
    assert [checked.has_passed(one) for one in marks] == [False] * 5 + [True] * checked.MOST


@pytest.mark.slow
def test_processes_at_once_do_no_harm(folder: Path) -> None:
    code = (
        "import sys\nfrom curation.core import checked\n"
        "for number in range(300):\n checked.remember(f'{sys.argv[1]}{number:063}')\n"
        " assert all(len(one) == 64 for one in checked._fingerprints())"
    )
    several = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(one)],
            env={"PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        for one in range(3)
    ]
    assert [(one.communicate(), one.returncode) for one in several] == [((b"", None), 0)] * 3
    lines = checked.MEMORY.read_text().splitlines()
    assert len(lines) == checked.MOST and all(len(line) == 64 for line in lines)
    assert list(folder.rglob("*.*")) == [folder / ".curation", folder / checked.MEMORY]


@pytest.mark.slow
def test_two_that_write_one_file_do_not_share_what_is_not_whole_yet(folder: Path) -> None:
    """A first writer has not finished when a second puts its own in place: both end as if alone."""
    from curation.core.errors import partial_of, write_whole

    partial = partial_of(folder / "x")
    partial.write_bytes(b"half")
    write_whole(folder / "x", b"second")
    assert (partial.read_bytes(), (folder / "x").read_bytes()) == (b"half", b"second")


def test_a_tasks_keys_are_those_of_the_library() -> None:
    from reasoning_gym.factory import DATASETS

    keys: dict[str, Any] = {
        name: {field.name for field in dataclasses.fields(config)} for name, (_, config) in DATASETS.items()
    }
    plain = {name: found for name in keys if (found := reasoning_gym._read_declared_keys(name)) is not None}
    assert plain == {name: keys[name] for name in plain}
    assert len(plain) > 90
    assert (
        reasoning_gym._read_declared_keys("utils") is None
        and reasoning_gym._read_declared_keys("../games/sudoku") is None
    )
    hidden = next(name for name in keys if name not in plain)
    task = reasoning_gym.Task(prompts=1, config={"nosuch": 1})
    assert reasoning_gym.unknown_name(hidden, reasoning_gym.Task(prompts=1, config={})) is None
    assert str(reasoning_gym.unknown_name(hidden, task)).startswith(f"{hidden}.config.nosuch: unknown key")


def test_without_reasoning_gym_only_collect_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "reasoning_gym", None)
    try:
        for cache in (reasoning_gym._list_sources, reasoning_gym._read_declared_keys):
            cache.cache_clear()
        source = read(SOUND).sources["arithmetic"]
        with pytest.raises(CurationError, match=r"reasoning-gym is not installed; `pip install -e \"\.\[tasks\]\"`"):
            reasoning_gym.prompts(source, set())
    finally:
        for cache in (reasoning_gym._list_sources, reasoning_gym._read_declared_keys):
            cache.cache_clear()


@pytest.mark.parametrize("name", [pytest.param("stages.train", marks=pytest.mark.slow), "curation.commands.params"])
def test_threads_sleep_whoever_loads_torch_first(name: str) -> None:
    """OpenMP reads how its threads wait when it is loaded, so it is said before a stage or a command begins. Training
    imported torch one line too early, and its threads span on cores that others wanted."""
    said = (
        f"import os, {name} as module; from curation.core.errors import run\n"
        "run(lambda: print(os.environ['GOMP_SPINCOUNT'], os.environ['OMP_WAIT_POLICY']))"
    )
    environment = {
        name: value for name, value in os.environ.items() if name not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
    }
    done = subprocess.run([sys.executable, "-c", said], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "0 PASSIVE\n"
