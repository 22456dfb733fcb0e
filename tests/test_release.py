"""`curation release` and `curation verify-release`: rows, and all that they stand on, here and elsewhere.

Kinds of fault: a release that another machine cannot verify, or only with the study, a key or the network beside it; a
file of it that hangs on the clock or the folder; texts of rows that were not released; half a release; a folder of the
user's that a release takes the place of; a shape of rows (turns, tools, reasoning) that a release loses.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import releasing
import world
from releasing import ROWS, listed_study, make_study, manifest, release, verify
from served import ran

from curation.tables.contracts import SUBSETS

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/release.md"
CONFIGS = ["clear", "clear.unpaired", world.BESIDE, f"{world.BESIDE}.unpaired"]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small study, of which a selection and an arm with other labels are released."""
    return make_study(tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="module")
def released(study: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its release, in a folder of its own."""
    out = tmp_path_factory.mktemp("elsewhere") / "released"
    done = release(study, "clear", world.TURNED, str(out))
    assert done.returncode == 0, done.stderr
    assert "clear: 3 rows" in done.stdout and f"{out}: " in done.stdout
    return out


def test_a_release_holds_the_studys_own_bytes_and_what_they_stand_on(study: Path, released: Path) -> None:
    assert [config["name"] for config in manifest(released)["configs"]] == CONFIGS
    own = {"clear": "subsets/clear", "clear.unpaired": "unpaired/clear", world.BESIDE: f"arms/subsets/{world.BESIDE}"}
    for config, table in own.items():
        file = released / "data" / config / ROWS
        assert file.read_bytes() == (study / f"data/{table}.parquet").read_bytes(), config
    assert subprocess.run(["sha256sum", "-c", "--quiet", "SHA256SUMS"], cwd=released, check=False).returncode == 0
    listed = {line.split("  ")[1] for line in (released / "SHA256SUMS").read_text().splitlines()}
    assert listed | {"SHA256SUMS"} == set(releasing.digests(released))
    assert {"README.md", "release.json", "study/params.yaml", "study/data/pairs.parquet"} <= listed


def test_texts_of_rows_that_are_not_released_stay_at_home(released: Path) -> None:
    """All candidates are there, so that the selection can be run again; of the others no text, name or answer."""
    data, kept = released / "study/data", pl.read_parquet(released / "data/clear" / ROWS)
    ids = pl.concat([kept["chosen_trace_id"], kept["rejected_trace_id"]])
    traces = pl.concat(pl.read_parquet(file) for file in (data / "traces").glob("*.parquet"))
    own = pl.col("trace_id").is_in(ids.implode())
    assert traces.height == len(world.TRACES) and traces.filter(own)["completion"].str.len_chars().min() > 0
    assert set(traces.filter(~own)["completion"].drop_nulls()) == {""}
    assert traces.filter(~own)["characters"].max() > 0, "what selections read of them stays"
    prompts = pl.read_parquet(data / "prompts.parquet")
    asked = prompts.filter(~pl.col("prompt_id").is_in(kept["prompt_id"].implode()))
    assert set(prompts["split"]) == {"train"} and asked["answer"].null_count() == asked.height
    assert all(message["content"] == "" for prompt in asked["prompt"] for message in prompt)


@pytest.mark.slow
def test_another_machine_verifies_it_of_what_it_holds_alone(released: Path, tmp_path: Path) -> None:
    """A process with an empty folder, another home, no key, and no network: a connection would end it."""
    blocked = "import socket\ndef no(*_): raise SystemExit('asked the network')\nsocket.socket.connect = no\n"
    (tmp_path / "sitecustomize.py").write_text(blocked)
    (tmp_path / "empty").mkdir()
    moved = shutil.copytree(released, tmp_path / "moved")
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    done = subprocess.run(
        [sys.executable, "-m", "curation", "verify-release", str(moved)],
        cwd=tmp_path / "empty", env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", "PYTHONPATH": path},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert f"data/clear/{ROWS}: 3 rows, the same bytes when made again" in done.stdout
    assert not any((tmp_path / "empty").iterdir()) and releasing.digests(moved) == releasing.digests(released)


def test_the_same_study_gives_the_same_bytes(study: Path, released: Path, tmp_path: Path) -> None:
    """From a copy of it, at another time, into another folder."""
    again = tmp_path / "again"
    done = release(shutil.copytree(study, tmp_path / "copy"), "clear", world.BESIDE, str(again))
    assert done.returncode == 0, done.stderr
    assert releasing.digests(again) == releasing.digests(released)


@pytest.mark.slow
def test_datasets_loads_each_configuration(released: Path, tmp_path: Path) -> None:
    import datasets

    for name in (None, *CONFIGS):
        loaded = datasets.load_dataset(str(released), name, cache_dir=str(tmp_path))
        rows = pl.read_parquet(released / "data" / (name or CONFIGS[0]) / ROWS)
        assert loaded["train"].to_list() == rows.to_dicts(), name


@pytest.mark.slow
@pytest.mark.parametrize("require", [{}, {"known": "carried.id <> 'one'"}], ids=["plain", "carried"])
def test_turns_tools_reasoning_and_what_rows_carry_come_through(require: dict[str, str], tmp_path: Path) -> None:
    """Of a preference set: no model, no judge of its own, no licence; and a selection that takes not all. What rows
    carry stays with all candidates only where the selection reads it."""
    study, out = listed_study(tmp_path / "study", require), tmp_path / "out"
    done = release(study, "all", str(out))
    assert done.returncode == 0, done.stderr
    rows, own = pl.read_parquet(out / "data/all" / ROWS), pl.read_parquet(study / "data/subsets/all.parquet")
    assert rows.equals(own) and rows.schema == pl.DataFrame(schema=own.schema).schema
    assert rows["tools"].drop_nulls().len() and rows["chosen_reasoning"].drop_nulls().len()
    assert rows.columns == SUBSETS.schema.names and rows.height == 6
    assert verify(out, tmp_path).returncode == 0
    listed = pl.read_parquet(out / "study/data/listed_pairs.parquet")
    assert listed.height == 8 and listed["external_id"].null_count() == 2, "ids of rows that stay at home"
    assert listed["carried"].null_count() == (0 if require else 2)


def test_a_folder_that_is_no_release_stays_as_it_is(study: Path, released: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "notes.txt").write_text("mine")
    done = release(study, "clear", str(mine))
    assert done.returncode == 1 and f"{mine}: holds files and is no release" in done.stderr
    own = releasing.copy(released, tmp_path / "own")
    done = release(study, "all", str(own))
    assert done.returncode == 1 and "is a release already; name another folder, or replace it" in done.stderr
    (own / ".git").mkdir()
    done = release(study, "all", str(own), "--replace")
    assert done.returncode == 1 and "holds what is not of the release, such as .git" in done.stderr
    (own / ".git").rmdir()
    done = release(study, "all", str(own), "--replace")
    assert done.returncode == 0, done.stderr
    assert [config["name"] for config in manifest(own)["configs"]] == ["all", "all.unpaired"]
    assert [path.name for path in tmp_path.iterdir() if "partial" in path.name] == []


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["cleer"], "cleer: no selection, arm or run of params.yaml; did you mean 'clear'?"),
        (["nothing"], "nothing: has no row to release"),
        (["wordy"], "the study's tables are not what its params.yaml makes of them; run `dvc repro`"),
    ],
)
def test_nothing_is_left_of_a_release_that_cannot_be(names: list[str], said: str, study: Path, tmp_path: Path) -> None:
    if names == ["wordy"]:  # the table of another selection's rows: what params.yaml makes is something else
        study = shutil.copytree(study, tmp_path / "study")
        (study / "data/subsets/wordy.parquet").write_bytes((study / "data/subsets/clear.parquet").read_bytes())
    done = release(study, *names, str(tmp_path / "out"))
    assert done.returncode == 1 and said in done.stderr, done.stderr
    assert not [path.name for path in tmp_path.iterdir() if path.name != "study"]


def test_a_lock_that_tells_of_other_tables_stops_a_release(study: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(study, tmp_path / "study")
    out = {"path": "data/subsets/clear.parquet", "hash": "md5", "md5": "0" * 32}
    lock = {"stages": {"select@clear": {"outs": [out, {"path": "data/unpaired"}]}}}  # a folder is told of as a whole
    (copy / "dvc.lock").write_text(json.dumps(lock))
    done = release(copy, "clear", str(tmp_path / "out"))
    assert done.returncode == 1 and "dvc.lock: tells of another data/subsets/clear.parquet than is there" in done.stderr
    out["md5"] = hashlib.md5((copy / out["path"]).read_bytes()).hexdigest()
    (copy / "dvc.lock").write_text(json.dumps(lock))
    done = release(copy, "clear", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_the_page_shows_what_the_commands_do(study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its commands in their order, each line that it shows; the forged release; and how it is loaded."""
    page, copy = PAGE.read_text(), shutil.copytree(study, tmp_path / "study")
    for command, lines in re.findall(r"^\$ curation ([^\n]*)\n((?:(?!\$ |```).*\n)*)", page, re.MULTILINE):
        if "forged" in command:
            forged = releasing.copy(copy / "released", copy / "forged")
            releasing.edit(forged / "data/clear" / ROWS, lambda rows: rows.with_columns(margin=pl.lit(2.5)))
        done = ran(copy, "curation", *command.split())
        assert done.returncode == ("forged" in command), done.stderr
        for shown in filter(lambda line: line != "…", lines.splitlines()):
            pattern = ".*".join(map(re.escape, shown.split("…")))
            assert re.search(f"^{pattern}$", done.stdout + done.stderr, re.MULTILINE), shown
    monkeypatch.chdir(copy)
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    found: dict[str, Any] = {}
    exec(re.findall(r"```python\n(.*?)```", page, re.DOTALL)[0], found)
    assert (len(found["pairs"]), len(found["answers"])) == (3, 5)
