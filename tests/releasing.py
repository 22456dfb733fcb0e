"""Small studies whose tables are what their stages make of them, as folders that `curation release` runs in."""

import json
import shutil
from collections.abc import Callable
from contextlib import chdir
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import world
from exporting import CALLED, PLAIN, SET, THOUGHT, save_rows
from flow import write
from ruamel.yaml import YAML
from served import Done, ran, save

from curation.core.hashing import hash_file
from curation.core.progress import progress
from curation.exchange.release.rebuild import rebuilt
from curation.exchange.release.sums import write_sums

NAMES = ["all", "clear", world.ARM, world.BESIDE]
ROWS = "train-00000-of-00001.parquet"


def make_study(folder: Path, change: Callable[[dict[str, Any]], None] = lambda _: None) -> Path:
    """`folder` holds the small study of `world`, its params changed, with all pure tables made anew."""
    world.write(world.sound(), folder)
    raw = world.settings()
    change(raw)
    write(raw, folder / "params.yaml")
    remake(folder, NAMES)
    return folder


def remake(folder: Path, names: list[str]) -> None:
    """The pure tables of the study are those of its recorded ones."""
    with progress("remake", len(names) + 2, "steps") as shown, rebuilt(folder, names, shown) as made:
        for file in (made / "data").rglob("*.parquet"):
            if not any(path.is_symlink() for path in (file, file.parent)):
                (folder / file.relative_to(made)).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, folder / file.relative_to(made))


def listed_study(folder: Path, require: dict[str, str]) -> Path:
    """`folder` holds a study of a preference set alone: several turns, tools, reasoning, Unicode. Its rows carry their
    id, and its selection takes six pairs that meet what is required."""
    raw = world.own()
    columns = SET["columns"] | {"carried": ["id"]}
    raw["sources"] = {
        "set": {"kind": "pairs", "split": "train", "path": "data/import/set.jsonl", **SET, "columns": columns}
    }
    raw["generators"] = {"set": {"kind": "listed", "family": None, "scale_b": None, "source": "set"}}
    raw["judges"] = {"answer": raw["judges"]["answer"]}
    raw["pairwise_judges"] = {"labels": {"kind": "listed", "source": "set"}}
    raw["pair"] |= {"order": "listed", "ladder": [], "within_generator": True, "samples": "all"}
    raw["delta"]["panels"] = {}
    raw |= {"reliability": {"truth": "labels", "families": {}}, "contrasts": {}, "compare": {"primary": None}}
    raw["calibrate"]["truth"] = "labels"
    raw["renderings"] = {"count": False}
    raw["selections"] = {"all": raw["x-selection"] | {"budget": {"pairs": 6}, "require": require}}
    raw["generator_pairs"] = {"any": {"where": "true"}}
    raw["grid"] = {axis: [] for axis in raw["grid"]}
    folder.mkdir(parents=True, exist_ok=True)
    save(raw, folder)
    save_rows(folder / "data/import/set.jsonl", [*PLAIN, *THOUGHT, *CALLED])
    for stage in ("collect", "generate set", "renderings", "judge answer", "pair", "prefer labels", "delta",
                  "calibrate", "select all"):  # fmt: skip
        done = ran(folder, *f"stages.{stage}".split())
        assert done.returncode == 0, f"{stage}: {done.stderr}"
    return folder


def release(study: Path, *arguments: str) -> Done:
    """What `curation release` does there."""
    return ran(study, "curation", "release", *arguments)


def verify(folder: Path, here: Path) -> Done:
    """What `curation verify-release` does in the folder `here`."""
    return ran(here, "curation", "verify-release", str(folder))


def digests(folder: Path) -> dict[str, str]:
    """The hash of each file."""
    return {str(file.relative_to(folder)): hash_file(file) for file in folder.rglob("*") if file.is_file()}


def copy(folder: Path, to: Path) -> Path:
    """A release that may be changed."""
    return shutil.copytree(folder, to)


def edit(file: Path, change: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
    """The table holds other rows, in the columns that it has, whatever their contract says."""
    rows = change(pl.read_parquet(file))
    schema = pq.read_schema(file)
    names = zip(rows.columns, schema, strict=True)
    table = rows.to_arrow().cast(pa.schema([pa.field(name, field.type) for name, field in names]))
    pq.write_table(table, file)


def edit_params(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """The params.yaml of a release says something else."""
    file = folder / "study/params.yaml"
    raw = YAML(typ="safe", pure=True).load(file)
    change(raw)
    write(raw, file)


def seal(folder: Path) -> None:
    """SHA256SUMS is of what is there now, as a forger would write it."""
    with chdir(folder):
        write_sums(folder)


def manifest(folder: Path) -> dict[str, Any]:
    """What release.json says."""
    return dict(json.loads((folder / "release.json").read_text()))
