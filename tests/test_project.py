"""What a stranger's clone is: its own code under test, a licence, data that may be in it, and a workflow that runs
all checks and tests."""

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import conftest
import pytest
from published import EXCERPTS
from ruamel.yaml import YAML

import curation
import stages

ROOT = Path(__file__).parents[1]


def test_the_code_under_test_is_this_folders() -> None:
    """An editable install of another checkout must not be tested in this one's name."""
    assert [Path(package.__file__ or "").parents[1] for package in (curation, stages)] == [ROOT, ROOT]


def test_no_heavy_library_is_loaded_to_collect_the_tests() -> None:
    """A module that a test file imports at its head, or a library that a test file itself does, is paid for by every
    run."""
    assert conftest.collected == []


def test_the_workflow_runs_every_check_and_test_and_may_write_nothing() -> None:
    workflow = YAML(typ="safe", pure=True).load(ROOT / ".github/workflows/ci.yml")
    (job,) = workflow["jobs"].values()
    assert (
        {"push", "pull_request"} <= set(workflow["on"])
        and workflow["permissions"] == {"contents": "read"}
        and "permissions" not in job
    )
    assert 0 < job["timeout-minutes"] <= 60
    assert [step["run"] for step in job["steps"] if "run" in step] == ["bash .ci/run"]
    (python,) = (step["with"]["python-version"] for step in job["steps"] if "python-version" in step.get("with", {}))
    assert python == "3.11" and (ROOT / ".ci/run").read_text().splitlines()[-2:] == ["make check", "make test"]


def test_the_lock_pins_what_any_index_has_and_names_no_place_of_one_machine() -> None:
    """An extra that names this project's own extras lands there as a folder of whoever made the lock, which installs
    nowhere else; torch's local version exists for one wheel alone."""
    pins = [
        line
        for line in (ROOT / "requirements.lock").read_text().splitlines()
        if line and not line.lstrip().startswith("#")
    ]
    assert [line for line in pins if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9a-z.]+", line)] == []
    assert len(pins) > 100


def test_the_licence_is_the_one_that_the_package_names() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    text = (ROOT / "LICENSE").read_text()
    assert (project["license"], project["license-files"]) == ("Apache-2.0", ["LICENSE"])
    assert (
        text.split()[:4] == ["Apache", "License", "Version", "2.0,"]
        and "Copyright 2026 The preference-curation authors\n" in text
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel of a copy of what the build reads, by the setuptools that `make setup` installs."""
    pytest.importorskip("setuptools", minversion="80")
    folder = tmp_path_factory.mktemp("built")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    for name in ("curation", "stages", "tests", "bench", "docs", "recipes"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "data"))
    build = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"
    done = subprocess.run([sys.executable, "-c", build, str(folder)], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (file,) = folder.glob("*.whl")
    return zipfile.ZipFile(file)


@pytest.mark.slow
def test_the_wheel_installs_two_packages_and_all_their_files(wheel: zipfile.ZipFile) -> None:
    names = [name for name in wheel.namelist() if ".dist-info/" not in name]
    assert {name.split("/")[0] for name in names} == {"curation", "stages"}
    ours = {
        str(file.relative_to(ROOT))
        for package in ("curation", "stages")
        for file in (ROOT / package).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    assert set(names) == ours
    assert {Path(name).suffix for name in names} == {".css", ".html", ".js", ".py", ".sql", ".svg", ".typed", ".yaml"}


@pytest.mark.slow
def test_the_wheel_says_what_it_is(wheel: zipfile.ZipFile) -> None:
    (name,) = [name for name in wheel.namelist() if name.endswith("/METADATA")]
    told = wheel.read(name).decode().split("\n\n")[0].splitlines()
    assert {f"Version: {curation.__version__}", "License-Expression: Apache-2.0"} <= set(told)
    fields = {line.split(": ")[0] for line in told}
    assert {"Summary", "Author", "Keywords", "Classifier", "Requires-Python", "Description-Content-Type"} <= fields
    assert "Home-page" not in fields and "Project-URL" not in fields  # no host is ours


def test_every_excerpt_is_small_and_has_its_source_and_licence() -> None:
    page = (EXCERPTS / "README.md").read_text()
    said = {line.split("`")[1]: line for line in page.splitlines() if line.startswith("| `")}
    measured_here = {"gpu_study", "harness_logs"}  # by this project: under its licence, as the page says
    assert all(f"`{name}/` holds" in page for name in measured_here)
    folders = {file.relative_to(EXCERPTS).parts[0] for file in EXCERPTS.rglob("*.parquet")}
    assert folders - measured_here == {name.split("/")[0] for name in said}
    assert all("github.com/" in line and ("Apache-2.0" in line or "MIT, ©" in line) for line in said.values())
    assert sum(file.stat().st_size for file in EXCERPTS.rglob("*.parquet")) < 1_500_000
