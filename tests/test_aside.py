"""Tables of another study in data/ are never mixed with this one's, and `curation aside` moves them away and back.

Kinds of fault: traces of one study beside prompts of another's, asked about as if they were one; a refusal that comes
when calls are paid for; what was moved that comes back in part, or over what is there; files that ship with the
repository, the users' own, or the ledger, moved too.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from conftest import Serve
from served import ROOT, answering, ran, rebuilt, save, served_params
from server import ChatServer

SHIPPED = {"data/metrics/collect.json": "{}\n", "data/metrics/generate/gpt.json": "{}\n", "dvc.lock": "stages: {}\n"}
STAY = ("data/import/prompts.jsonl", "data/recorded/calls.parquet", ".curation/ledger.sqlite", "data/gold.csv")
ASK = ("curation", "sql", "--csv", "select count(*) as n from traces")


def found(folder: Path) -> dict[str, bytes]:
    """The files in `folder` but git's and the ledger's."""
    files = {str(file.relative_to(folder)): file for file in folder.rglob("*") if file.is_file()}
    return {name: file.read_bytes() for name, file in files.items() if not name.startswith((".git/", ".curation/"))}


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-c", "user.name=n", "-c", "user.email=e", *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


def other_study(folder: Path, url: str) -> None:
    """params.yaml is that of another study: other prompts, and another name for the generator."""
    params = served_params(folder, url, prompts=3, samples=1)
    (folder / "data/import/mine.jsonl").write_text('{"q": "What is 20 + 2?", "a": "22"}\n')
    params["sources"] = {"mine": params["sources"]["sums"] | {"path": "data/import/mine.jsonl"}}
    params["generators"] = {"author": params["generators"]["writer"]}
    save(params, folder)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A built study in a git repository that has metrics and a lock of the study that it ships with; made once, with
    its server."""
    tmp_path = tmp_path_factory.mktemp("built")
    with ChatServer(answering) as server:
        build(tmp_path, server.url)
        yield tmp_path


@pytest.fixture
def folder(built: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    shutil.copytree(built, tmp_path, dirs_exist_ok=True)
    return tmp_path


def build(tmp_path: Path, url: str) -> None:
    for name, text in SHIPPED.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "shipped")
    served_params(tmp_path, url, prompts=3, samples=1)
    for name in ("recorded", "preferences"):
        (tmp_path / "data" / name).mkdir()
    rebuilt(tmp_path)
    assert ran(tmp_path, "stages.judge", "answer").returncode == 0
    (tmp_path / "dvc.lock").write_text("stages: {collect: {}}\n")
    (tmp_path / "data/gold.csv").write_text("mine")
    assert ran(tmp_path, "curation", "ledger", "export", STAY[1]).returncode == 0
    assert ran(tmp_path, *ASK) == (0, "n\n3\n", "")
    shutil.copy(tmp_path / "params.yaml", tmp_path / "first.yaml")
    other_study(tmp_path, url)


def test_another_studys_tables_are_told_of_before_anything_is_paid_for(folder: Path) -> None:
    asked = ran(folder, *ASK)
    assert asked.stderr.startswith(
        "note: prompts are of 'sums', which params.yaml does not declare: made before an edit, or by another study; "
        "`curation aside` moves"
    )
    assert "warning: data/traces: params.yaml declares no 'writer'; `curation aside` moves" in (
        ran(folder, "curation", "plan").stderr
    )
    before = found(folder)
    collected = ran(folder, "stages.collect")
    assert (collected.returncode, found(folder)) == (1, before)
    assert collected.stderr.startswith("error: data/traces: params.yaml declares no 'writer'; `curation aside` moves")


def test_traces_are_not_read_beside_the_prompts_of_another_study(folder: Path) -> None:
    """The names of both are the same here, so that nothing is left over."""
    (folder / "data/traces/writer.parquet").rename(folder / "data/traces/author.parquet")
    assert ran(folder, "stages.collect").returncode == 0
    told = ran(folder, *ASK)
    assert told.stderr.startswith("note: traces of writer are of other prompts than are there: made before an edit")
    for stage in (["judge", "rubric"], ["renderings"]):
        done = ran(folder, f"stages.{stage[0]}", *stage[1:])
        assert (done.returncode, done.stderr.split(":")[:3]) == (
            1, ["error", " data/traces", " 3 of the 3 prompts that its traces are of are not in data/prompts.parquet"],
        )  # fmt: skip


def test_a_table_that_cannot_be_read_is_told_of_where_it_is_asked_for(folder: Path) -> None:
    pl.DataFrame({"generator": ["author"]}).write_parquet(folder / "data/traces/author.parquet")
    assert ran(folder, "curation", "sql", "--csv", "select 1 as n")[:2] == (0, "n\n1\n")


def test_what_was_moved_aside_comes_back_as_it_was(folder: Path) -> None:
    first = found(folder)
    assert ran(folder, "curation", "aside", "--list").stdout == "nothing was moved aside\n"
    done = ran(folder, "curation", "aside")
    name = done.stdout.split(":")[0].removeprefix("data/aside/")
    moved = {"data/prompts.parquet", "data/traces/writer.parquet", "data/judgments/rubric.parquet", *SHIPPED}
    assert moved < {file.removeprefix(f"data/aside/{name}/") for file in found(folder)}
    left = {file: body for file, body in found(folder).items() if not file.startswith("data/aside")}
    assert left.keys() == {*SHIPPED, *STAY, "first.yaml", "params.yaml", "data/import/mine.jsonl"} - {STAY[2]}
    assert all(left[file] == text.encode() for file, text in SHIPPED.items())
    assert (folder / STAY[2]).exists() and (folder / "data/preferences").is_dir()
    assert ran(folder, "curation", "aside").stdout == "there is nothing to move: no stage has written here\n"

    assert ran(folder, "stages.collect").returncode == 0
    assert ran(folder, "stages.generate", "author").returncode == 0
    assert ran(folder, *ASK) == (0, "n\n1\n", "")
    refused = ran(folder, "curation", "aside", "--back", name)
    assert (refused.returncode, refused.stderr) == (
        1, "error: data/decontamination.parquet: is here, of another study; `curation aside` moves that away first\n",
    )  # fmt: skip
    assert ran(folder, "curation", "aside").returncode == 0
    listed = ran(folder, "curation", "aside", "--list").stdout
    assert name in listed and "sums" in listed and "mine" in listed and "author" in listed
    wrong = ran(folder, "curation", "aside", "--back", "../import")
    assert wrong.stderr.startswith("error: aside --back '../import': no such study; ")

    assert ran(folder, "curation", "aside", "--back", name).returncode == 0
    assert not (folder / "data/aside" / name).exists()
    assert {file: body for file, body in found(folder).items() if not file.startswith("data/aside")} == first
    shutil.copy(folder / "first.yaml", folder / "params.yaml")
    assert ran(folder, *ASK) == (0, "n\n3\n", "")


@pytest.mark.slow
def test_without_git_all_that_stages_wrote_is_moved(folder: Path) -> None:
    shutil.rmtree(folder / ".git")
    assert ran(folder, "curation", "aside").returncode == 0
    assert not {*SHIPPED} & found(folder).keys() and (folder / "data/preferences").is_dir()


@pytest.mark.slow
def test_what_cannot_be_moved_leaves_all_as_it_was(folder: Path) -> None:
    (folder / "data/aside").write_text("no folder")
    before = found(folder)
    done = ran(folder, "curation", "aside")
    assert done.returncode == 1 and "cannot be moved to data/aside/" in done.stderr
    assert found(folder) == before


@pytest.mark.slow
def test_what_dvc_removed_to_make_other_prompts_is_moved_aside_too(serve: Serve, tmp_path: Path) -> None:
    """Kind: a table of a study that is lost since another study was refused. DVC removes what a stage wrote before the
    stage can say that it will not run."""
    for name in ("curation", "stages"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "dvc.yaml", tmp_path)
    url = serve(answering).url
    served_params(tmp_path, url, prompts=3, samples=1)
    for name in ("recorded", "preferences", "pair_scores"):
        (tmp_path / "data" / name).mkdir()
    assert dvc(tmp_path, "init", "-q", "--no-scm").returncode == 0
    built = dvc(tmp_path, "repro", "collect")
    assert built.returncode == 0, built.stderr
    assert ran(tmp_path, "stages.generate", "writer").returncode == 0
    prompts = (tmp_path / "data/prompts.parquet").read_bytes()
    other_study(tmp_path, url)
    refused = dvc(tmp_path, "repro", "collect")
    assert refused.returncode != 0 and "params.yaml declares no 'writer'; `curation aside` moves" in refused.stderr
    assert not (tmp_path / "data/prompts.parquet").exists()

    done = ran(tmp_path, "curation", "aside")
    (folder,) = (tmp_path / "data/aside").iterdir()
    assert done.returncode == 0 and (folder / "data/prompts.parquet").read_bytes() == prompts
    assert " sums " in ran(tmp_path, "curation", "aside", "--list").stdout


def dvc(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "PYTHONPATH": str(folder),
    }  # fmt: skip
    command = [sys.executable, "-m", "dvc", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
