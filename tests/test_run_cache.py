"""An edit of params.yaml is seen by DVC's run cache too, which brings back what a stage once made.

Kind of fault: a setting under a key that the run cache passes over, so that `dvc repro` gives the tables of the value
before, and says that it ran.
"""

import subprocess
import sys
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

import flow
import polars as pl
import pytest
from dvc.stage.cache import _get_cache_hash
from dvc_data.hashfile.meta import Meta
from fields import models, settings
from ruamel.yaml import YAML

from curation.core.errors import CurationError
from curation.core.params import read
from curation.core.run_cache import PASSED_OVER, find_passed_over

ROOT = Path(__file__).parents[1]
OF_FILES = [value for name, value in vars(Meta).items() if name.startswith("PARAM_")]


def is_seen(key: str, *, deep: bool = False) -> bool:
    """Whether the run cache takes two values of a setting that stands under `key` for two."""

    def found(value: int) -> str:
        setting: Any = {key: [{"other": {key: value}}] if deep else value}
        lock = {"cmd": "c", "deps": [{"path": "a", "md5": "b"}], "params": {"params.yaml": {"sources": setting}}}
        made: str = _get_cache_hash(lock, key=True)
        return made

    return found(1) != found(2)


def test_the_names_that_are_refused_are_those_that_dvc_passes_over() -> None:
    assert [name for name in OF_FILES if not is_seen(name)] == list(PASSED_OVER)
    assert is_seen("other", deep=True) and not any(is_seen(name, deep=True) for name in PASSED_OVER)


def test_no_setting_has_such_a_name() -> None:
    words = {word for setting in settings() for word in setting.place.split(".")}
    words |= {name for model in models().values() for name in model.model_fields}
    assert len(words) > 100 and {word for word in words if not is_seen(word)} == set()


@pytest.mark.parametrize(
    "place",
    [
        ["sources", "arithmetic", "tasks", "chain_sum", "config"],  # what another library is passed
        ["judges", "rubric", "dimensions"],  # names of the user's own
        ["selections"],
    ],
    ids=".".join,
)
def test_whatever_a_user_calls_so_is_refused(place: list[str], tmp_path: Path) -> None:
    study = YAML(typ="safe", pure=True).load(ROOT / "params.yaml")
    inside = reduce(getitem, place, study)
    inside["size"] = inside.pop(next(iter(inside)))
    flow.write(study, tmp_path / "params.yaml")
    with pytest.raises(CurationError) as raised:
        read(tmp_path / "params.yaml")
    told = f"{tmp_path / 'params.yaml'}: {'.'.join([*place, 'size'])}: DVC's run cache passes over a key of this name"
    assert told in str(raised.value)


def test_it_is_found_in_lists_and_under_itself() -> None:
    raw = {"a": [{"size": 1}], "b": {"nfiles": {"size": {}}}, "c": {"sizes": 1, "Size": 2}}
    assert [line.split(":")[0] for line in find_passed_over(raw)] == ["a.0.size", "b.nfiles", "b.nfiles.size"]


@pytest.mark.slow
def test_more_prompts_are_collected_where_fewer_were(tmp_path: Path) -> None:
    """By DVC itself, with a run cache that has the earlier ones."""
    for name in ("stages", "curation"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "data/import").mkdir(parents=True)
    graph = YAML(typ="safe", pure=True).load(ROOT / "dvc.yaml")
    flow.write({"stages": {"collect": graph["stages"]["collect"]}}, tmp_path / "dvc.yaml")
    study = YAML(typ="safe", pure=True).load(ROOT / "params.yaml")
    dvc = [sys.executable, "-m", "dvc"]
    subprocess.run([*dvc, "init", "-q", "--no-scm"], cwd=tmp_path, check=True)
    rows = []
    for prompts in (2, 3, 2):
        study["sources"]["arithmetic"]["tasks"]["chain_sum"]["prompts"] = prompts
        flow.write(study, tmp_path / "params.yaml")
        subprocess.run([*dvc, "repro", "-q"], cwd=tmp_path, check=True)
        rows.append(pl.read_parquet(tmp_path / "data/prompts.parquet").height)
    assert rows == [rows[0], rows[0] + 1, rows[0]]
