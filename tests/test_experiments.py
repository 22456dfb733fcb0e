"""`dvc exp run --temp` for real: an experiment that DVC runs in a copy of the repository uses the repository's ledger
and run store, for the copy has neither and is deleted.

Kinds of fault: a call or a run that is bought into a folder that goes away, and bought again by the next experiment; a
copy in a place where nobody looks for one, as of a project that is a folder of its repository.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import flow
import pytest
import world
from conftest import Serve
from server import ChatServer, good
from tiny import save_tiny_llama

from curation.core.main_repository import in_main_repository, share_folder
from curation.models.weights import fingerprint
from curation.training.run_store import RunStore

ROOT = Path(__file__).parents[1]
LEDGER = Path(".curation/ledger.sqlite")
STAGES = """
stages:
  train:
    cmd: python -m stages.train
    deps: [data/arms]
    params: [grid, methods]
    outs: [data/runs.parquet]
    metrics: [data/metrics/train.json: {cache: false}]
  evaluate:
    cmd: python -m stages.evaluate
    deps: [data/runs.parquet]
    params: [evaluate]
    outs: [data/results]
"""


def run(folder: Path, *command: str) -> str:
    """What a command that must succeed in `folder` prints; its Python finds our source where it is."""
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT),
        "GIT_AUTHOR_NAME": "n", "GIT_AUTHOR_EMAIL": "e", "GIT_COMMITTER_NAME": "n", "GIT_COMMITTER_EMAIL": "e",
    }  # fmt: skip
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def params(folder: Path, server: ChatServer) -> None:
    """The small world's study is in `folder`, with a student of two layers that one method trains for a step, and that
    a server answers for."""
    settings = world.settings()
    tiny = save_tiny_llama(folder / "tiny")
    settings["student"] |= {"model": "./tiny", "revision": fingerprint(tiny), "dtype": "float32", "device": "cpu"}
    dpo = settings["methods"]["dpo"] | {"max_steps": 1, "bf16": False, "batch_size": 2, "accumulation": 1}
    settings["methods"] = {"dpo": dpo | {"lora": dpo["lora"] | {"modules": ["q_proj"], "layers": 1}}}
    settings["grid"] |= {"methods": ["dpo"], "controls": ["itself"]}
    settings["contrasts"], settings["compare"]["primary"] = {}, None
    settings["evaluate"]["sampling"] |= {"samples": 1, "max_tokens": 2}
    settings["evaluate"]["engine"] = {"kind": "openai", "endpoint": server.endpoint().model_dump()}
    flow.write(settings, folder / "params.yaml")


@pytest.fixture
def server(serve: Serve) -> ChatServer:
    """Answers every question alike."""
    return serve(lambda _: good("9"))


@pytest.fixture
def project(tmp_path: Path, server: ChatServer) -> Path:
    """A project of DVC's with that study up to its arms: a folder of a repository of git's."""
    project = tmp_path / "project"
    project.mkdir()
    world.write(world.sound(), project)
    params(project, server)
    for table in ("runs.parquet", "results"):
        run(project, "rm", "-rf", f"data/{table}")
    (project / "data/metrics").mkdir(exist_ok=True)
    (project / "data/metrics/arms.json").write_text(json.dumps({world.ARM: {"own_pairs": 3, "own_unpaired": 6}}))
    (project / "dvc.yaml").write_text(STAGES)
    (project / ".gitignore").write_text(".curation/\n/data/runs.parquet\n/data/results\n/data/metrics/train.json\n")
    run(tmp_path, "git", "init", "-q")
    run(project, "dvc", "init", "-q", "--subdir")
    run(tmp_path, "git", "add", "-A")
    run(tmp_path, "git", "commit", "-qm", "study")
    return project


@pytest.mark.slow
def test_an_experiment_in_a_copy_buys_for_the_repository(project: Path, server: ChatServer) -> None:
    run(project, "dvc", "exp", "run", "--temp", "-S", "grid.seeds=[3]")
    store = RunStore(project / ".curation/runs")
    (stored,) = store.stored()
    assert stored.made_of["seed"] == 3 and store.verify(stored.key) == stored
    asked, changed = len(server.requests), store.folder.stat().st_mtime_ns
    assert asked > 0 and (project / LEDGER).is_file() and not list((project / ".dvc/tmp/exps").rglob("params.yaml"))
    run(project, "dvc", "exp", "run", "--temp", "--force", "-S", "grid.seeds=[3]")
    assert (len(server.requests), store.folder.stat().st_mtime_ns) == (asked, changed), "nothing was bought again"


@pytest.mark.parametrize("copies", ["exps/standalone/tmpa1", "exps/tmpb2"])
@pytest.mark.parametrize("inside", ["", "sub", "sub/deeper"])
def test_a_path_in_a_copy_is_the_repositorys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, copies: str, inside: str
) -> None:
    """As DVC lays them out: `--temp` puts copies in another folder than the queue."""
    project = tmp_path / inside.partition("/")[0]
    copy = project / ".dvc/tmp" / copies
    (tmp_path / ".git").mkdir()
    (copy / ".git").mkdir(parents=True)
    (copy / inside).mkdir(parents=True, exist_ok=True)
    monkeypatch.chdir(copy / inside)
    assert in_main_repository(LEDGER) == tmp_path / inside / LEDGER
    assert in_main_repository(Path("/somewhere/else")) == Path("/somewhere/else")
    unpacked = Path(".curation/weights")
    assert share_folder(unpacked) == unpacked == share_folder(unpacked)
    (unpacked / "model").mkdir()
    assert (tmp_path / inside / unpacked / "model").is_dir(), "it stays when the copy is gone"
    monkeypatch.chdir(tmp_path)
    assert in_main_repository(LEDGER) == LEDGER
    assert share_folder(unpacked).is_symlink() is False
