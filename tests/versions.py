"""A real repository of git and DVC whose revisions are versions of the world's study, each with one thing changed."""

import contextlib
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import flow
import polars as pl
import pyarrow.parquet as pq
import world
from ruamel.yaml import YAML
from served import ran

ROOT = Path(__file__).parents[1]
VERBS = ("collect", "generate", "judge", "prefer", "pair", "delta", "select", "arms", "compare")
UNMADE = ("data/rendered.txt", "registered.yaml", "data/metrics/arms.json")  # what no stage of these writes here
MADE = ("pairs.parquet", "generator_deltas.parquet", "deltas", "selections", "subsets", "unpaired", "arms")


def git(folder: Path, *arguments: str) -> None:
    """Run git there, as somebody."""
    subprocess.run(["git", "-c", "user.name=n", "-c", "user.email=e", *arguments], cwd=folder, check=True)


def pipeline() -> dict[str, Any]:
    """The project's own stages, without what they draw and count."""
    graph = YAML(typ="safe", pure=True).load(ROOT / "dvc.yaml")
    stages = {verb: graph["stages"][verb] for verb in VERBS}
    for body in (stage.get("do", stage) for stage in stages.values()):
        body.pop("metrics", None)
        body.pop("plots", None)
        body["deps"] = [dep for dep in body["deps"] if dep not in UNMADE]
    return {"vars": graph["vars"], "stages": stages}


def begin(folder: Path) -> None:
    """The first version, which is committed as `base`: the sound world, whose later tables are made by the stages."""
    world.write(world.sound(), folder)
    for name in ("curation", "stages"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "data/import").mkdir()
    (folder / "data/import/rows.jsonl").write_text("{}\n")
    with (folder / "dvc.yaml").open("w") as file:
        YAML().dump(pipeline(), file)
    (folder / ".gitignore").write_text("/data/\n/kept/\n__pycache__/\n")
    git(folder, "init", "-q", "-b", "main")
    subprocess.run(["dvc", "init", "--quiet"], cwd=folder, check=True)
    make(folder)
    commit(folder, "base")
    keep(folder, "base")


def settings() -> dict[str, Any]:
    """The world's own, with two of its selections: a stage each costs its start."""
    params = world.settings()
    params["selections"] = {name: params["selections"][name] for name in ("all", "clear")}
    return params


def make(folder: Path, params: dict[str, Any] | None = None) -> None:
    """Every table from `pairs` to the arms, by the stages themselves."""
    params = params or settings()
    flow.write(params, folder / "params.yaml")
    for name in MADE:
        path = folder / "data" / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    for stage in (["pair"], ["delta"], *(["select", name] for name in params["selections"]), ["arms"]):
        done = ran(folder, f"stages.{stage[0]}", *stage[1:])
        assert done.returncode == 0, (stage, done.stderr)


def commit(folder: Path, name: str) -> None:
    """What is there is the revision `name`, in DVC's cache and git."""
    from dvc.repo import Repo

    with contextlib.chdir(folder):
        Repo().commit(force=True)
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", name)
    git(folder, "tag", name)


@contextlib.contextmanager
def changed(folder: Path, name: str) -> Iterator[Callable[[str], Path]]:
    """From `base`, inside the block something is changed; then it is committed as `name`, and all is as it was."""
    yield lambda file: folder / "data" / file
    commit(folder, name)
    keep(folder, name)
    restore(folder)


def keep(folder: Path, name: str) -> None:
    """Of the version as it is now, `kept/NAME` is what the selection `clear` says."""
    (folder / "kept").mkdir(exist_ok=True)
    if (file := folder / "data/selections/clear.parquet").exists():
        shutil.copy(file, folder / "kept" / name)


def restore(folder: Path, revision: str = "base") -> None:
    """The working tree is what it was at the revision."""
    git(folder, "checkout", "-q", "--force", revision)
    from dvc.repo import Repo

    with contextlib.chdir(folder):
        Repo().checkout(force=True)


def rewrite(file: Path, change: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
    """The table's rows are what `change` makes of them, in the types that they had."""
    schema, rows = pq.read_schema(file), change(pl.read_parquet(file))
    pq.write_table(rows.to_arrow().cast(schema), file)
