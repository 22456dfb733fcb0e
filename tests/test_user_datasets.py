"""Published data sets as users' files, read by the real library from a hub that answers on 127.0.0.1, and then from the
library's cache with no hub at all.

Kinds of fault: another version than was asked for, as the library takes whichever it has; a split or a configuration in
another's place; a traceback where there is no network; other values than those of the same rows in a file.
"""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import flow
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import world
from hub import Sets, serve
from test_imported import ROWS as TRACES
from test_imported import source

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[1]
OLD, NEW, NONE = "a" * 40, "b" * 40, "c" * 40
CARD = "---\nconfigs:\n{}---\n"
CONFIG = "- config_name: {0}\n  data_files:\n  - split: train\n    path: {0}/train-*.parquet\n"
READ = """
import json, sys
from curation.core.errors import CurationError
from curation.tables.user_files import UserFileParams
from curation.tables.user_values import TEXT, ColumnType

class Params(UserFileParams):
    def map_columns(self):
        return {"q": "q", "by": "meta.by"}, {"q": ColumnType(TEXT), "by": ColumnType(TEXT, nullable=True)}

for line in sys.stdin:
    settings = Params.model_validate(json.loads(line))
    try:
        said = [list(settings.unmet(None)), settings.open().read(*settings.map_columns()).rows()]
    except CurationError as error:
        said = [list(settings.unmet(None)), str(error)]
    print(json.dumps(said))
"""


def parquet(rows: list[dict[str, Any]], file: Path) -> bytes:
    """The rows as a Parquet file."""
    pq.write_table(pa.Table.from_pylist(rows), file)
    return file.read_bytes()


@pytest.fixture
def sets(tmp_path: Path) -> Sets:
    """A set of two commits, the old one with two shards, and a set of two configurations."""
    old = [[{"q": "1", "meta": {"by": "x"}}, {"q": "2", "meta": {"by": None}}], [{"q": "3", "meta": {"by": "y"}}]]
    shards = {f"data/train-{number}.parquet": parquet(rows, tmp_path / "made") for number, rows in enumerate(old)}
    new = {"data/train-0.parquet": parquet([{"q": "4", "meta": {"by": "z"}}], tmp_path / "made")}
    both = {f"{name}/train-0.parquet": parquet([{"q": name, "meta": {"by": ""}}], tmp_path / "made") for name in "ab"}
    both["README.md"] = CARD.format("".join(map(CONFIG.format, "ab"))).encode()
    traces = {"train.parquet": parquet(TRACES, tmp_path / "made")}
    made: Sets = {
        ("org/MySet", OLD): shards,
        ("org/MySet", NEW): new,
        ("org/two", OLD): both,
        ("org/traces", OLD): traces,
    }
    return made


def environment(tmp_path: Path, **changes: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HF_HOME": str(tmp_path / "hf"),
        "HF_HUB_DISABLE_TELEMETRY": "1", **changes,
    }  # fmt: skip


def read(asked: list[dict[str, Any]], environment: dict[str, str]) -> list[Any]:
    """For each that is asked for what a check of params lacks of it, and its rows or why it cannot be read."""
    done = subprocess.run(
        [sys.executable, "-c", READ], input="".join(json.dumps(one) + "\n" for one in asked), env=environment,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def asked(name: str = "org/MySet", revision: str = OLD, split: str = "train", **more: Any) -> dict[str, Any]:
    config = {"config": more.pop("config")} if "config" in more else {}
    return {"dataset": {"name": name, "split": split, "revision": revision, **config}, **more}


def test_a_split_is_read_as_of_its_commit_with_a_hub_and_without(sets: Sets, tmp_path: Path) -> None:
    rows = [[0, "1", "x"], [1, "2", None], [2, "3", "y"]]
    with serve(sets) as address:
        online = environment(tmp_path, HF_ENDPOINT=address)
        old, new, no_set, no_commit, no_split, two, one = read(
            [
                asked(), asked(revision=NEW), asked("org/none"), asked(revision=NONE), asked(split="trian"),
                asked("org/two"), asked("org/two", config="b"),
            ], online,
        )  # fmt: skip
    assert old == [[], rows] and new == [[], [[0, "4", "z"]]] and one == [[], [[0, "b", ""]]]
    assert no_set[1].startswith("org/none (train, revision aaaaaaa): Dataset 'org/none' doesn't exist on the Hub or ")
    assert no_set[1].endswith("; correct its name or revision, or set HF_TOKEN if it is not public")
    assert no_commit[1].startswith(f"org/MySet (train, revision ccccccc): Revision '{NONE}' doesn't exist for dataset ")
    assert no_split[1] == "org/MySet (trian, revision aaaaaaa): has no split 'trian'; did you mean 'train'?"
    assert "Config name is missing. Please pick one among the available configs: ['a', 'b']" in two[1]

    offline = environment(tmp_path, HF_HUB_OFFLINE="1")  # the new commit is the last that was cached
    old, new, no_commit, null, one, filtered = read(
        [
            asked(), asked(revision=NEW), asked(revision=NONE), asked("org/two"), asked("org/two", config="b"),
            asked(where="meta.by = 'y'"),
        ], offline,
    )  # fmt: skip
    assert old == [[], rows] and new == [[], [[0, "4", "z"]]] and one == [[], [[0, "b", ""]]]
    assert filtered == [[], rows[2:]]
    absent = "is not in the cache of datasets, and cannot be fetched: HF_HUB_OFFLINE is set; "
    assert no_commit[1] == (
        f"org/MySet (train, revision ccccccc): {absent}where there is a network, load_dataset('org/MySet', revision="
        f"'{NONE}') of the library puts it into the cache (HF_HOME); or fetch its files and name their folder as path, "
        "not dataset"
    )
    assert no_commit[0] == [f"dataset: {no_commit[1]}"]
    assert f"{absent}its configurations in the cache are b, null may mean another: write one as config; " in null[1]


def test_a_hub_that_cannot_be_reached_is_asked_once(tmp_path: Path) -> None:
    """Kind: a library that waits and asks again where nobody is. It says so on stderr each time that it does."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        nobody = f"http://127.0.0.1:{closed.getsockname()[1]}"
    done = subprocess.run(
        [sys.executable, "-c", READ], input=json.dumps(asked()), env=environment(tmp_path, HF_ENDPOINT=nobody),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    ((unmet, said),) = [json.loads(line) for line in done.stdout.splitlines()]
    assert "is not in the cache of datasets, and cannot be fetched: the hub cannot be reached: " in said
    assert unmet == [] and "Retrying" not in done.stderr and "MaxRetry" not in done.stderr


def test_a_damaged_cache_is_refused_in_a_sentence(sets: Sets, tmp_path: Path) -> None:
    with serve(sets) as address:
        read([asked()], environment(tmp_path, HF_ENDPOINT=address))
    (arrow,) = (tmp_path / "hf").rglob("*.arrow")
    arrow.write_bytes(b"x" * 100)
    ((unmet, said),) = read([asked()], environment(tmp_path, HF_HUB_OFFLINE="1"))
    assert said.startswith("org/MySet (train, revision aaaaaaa): cannot be read: ") and unmet == [f"dataset: {said}"]


def test_a_study_of_a_data_set_is_that_of_its_file_and_ends_in_a_sentence_without_it(
    sets: Sets, tmp_path: Path
) -> None:
    """Through the stage `collect`, whose exit code is 1 and which prints no traceback."""
    raw = world.settings()
    held = {name: settings for name, settings in raw["sources"].items() if settings["split"] != "train"}
    mine = source("x").model_dump(exclude={"path", "verifier"}) | {"verifier": "math"}
    hub = asked("org/traces")["dataset"]
    (tmp_path / "made").write_bytes(sets["org/traces", OLD]["train.parquet"])
    (tmp_path / "made").rename(tmp_path / "made.parquet")
    tables = []
    with serve(sets) as address:
        for read_from in ({"dataset": hub}, {"path": "made.parquet"}):
            raw["sources"] = held | {"mine": mine | read_from}
            flow.write(raw, tmp_path / "params.yaml")
            done = collect(tmp_path, HF_ENDPOINT=address)
            assert done.returncode == 0, done.stderr
            tables.append((tmp_path / "data/prompts.parquet").read_bytes())
    assert tables[0] == tables[1]
    raw["sources"]["mine"] = mine | {"dataset": hub | {"revision": NEW}}
    flow.write(raw, tmp_path / "params.yaml")
    done = collect(tmp_path, HF_HUB_OFFLINE="1")
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "org/traces (train, revision bbbbbbb): is not in the cache of datasets, and cannot be" in done.stderr


def collect(folder: Path, **changes: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "stages.collect"], cwd=folder, env=environment(folder, **changes), capture_output=True,
        text=True, check=False,
    )  # fmt: skip
