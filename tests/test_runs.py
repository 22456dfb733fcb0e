"""`curation runs`: what training made moves between stores and is cleaned away, and nothing wanted is lost on the way.

Kinds of fault: a run that arrives in part or damaged and is taken for whole; one that holds up the others; a transfer
that begins anew each time; a name that leads out of the store, or a file that runs a program; a remote that is not
there, or whose name is misspelt and becomes a folder; a pruning that takes what a table still names, because the table
is not there just then, or what another process is writing.
"""

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import flow
import pytest
import world
from served import started
from stored import keep, made_of, write_weights
from test_keeping import read_only

from curation.commands import runs
from curation.core.errors import CurationError, Errors
from curation.tables import contracts, measurements, parquet
from curation.training.run_record import key_of
from curation.training.run_store import RECORD, RunStore, Stored

DAY = 24 * 3600


def study(folder: Path) -> RunStore:
    """A study in `folder`, which is where commands run now, and its store."""
    folder.mkdir(exist_ok=True)
    flow.write(world.settings(), folder / "params.yaml")
    os.chdir(folder)
    return RunStore(folder / ".curation/runs")


def name_in_table(*stored: Stored, file: Path | None = None) -> None:
    """data/runs.parquet, or another table, names these runs, and one that failed."""
    rows = [{"run": f"run-{number}", "key": one.key, "status": "trained", "weights": one.weights}
            for number, one in enumerate(stored)]  # fmt: skip
    failed = {"run": "run-failed", "key": key_of(made_of(99)), "status": "failed", "error": "out of memory"}
    parquet.write(measurements.RUNS, world.rows_of(measurements.RUNS, [*rows, failed]), file or contracts.path("runs"))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for studies; the test ends where it began."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def store(here: Path) -> RunStore:
    """The store of the study at hand, with runs 0 to 2; the table names 0 and 1."""
    store = study(here / "mine")
    kept = [keep(store, number, fill=float(number)) for number in range(3)]
    name_in_table(*kept[:2])
    return store


def remote(url: str, *more: str) -> None:
    """The study's repository of DVC has a remote called `shared`."""
    Path(".dvc").mkdir(exist_ok=True)
    lines = ["[core]", "no_scm = True", "analytics = false", "['remote \"shared\"']", f"url = {url}", *more]
    Path(".dvc/config").write_text("\n".join(lines))


def key(number: int) -> str:
    return key_of(made_of(number))


def there(store: RunStore) -> list[str]:
    return [stored.key for stored in store.stored()]


@pytest.mark.parametrize("place", ["../shared", pytest.param("shared", marks=pytest.mark.slow)])
def test_runs_that_the_table_names_go_there_and_come_back(
    here: Path, store: RunStore, place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    remote("../../remote")
    wanted = [store.read(key(number)) for number in (0, 1)]
    runs.main(["push", place])
    assert capsys.readouterr().out == f"{place}: 2 runs pushed, 0 were there\n"
    runs.main(["push", place])
    assert capsys.readouterr().out == f"{place}: 0 runs pushed, 2 were there\n"
    runs.main(["push", place, "--all"])
    assert capsys.readouterr().out == f"{place}: 1 run pushed, 2 were there\n"

    other = study(here / "yours")
    remote("../../remote")
    name_in_table(*wanted)
    runs.main(["pull", place])
    assert capsys.readouterr().out == f"{place}: 2 runs pulled, 0 were there\n"
    for stored in wanted:
        assert other.verify(stored.key)._replace(folder=stored.folder) == stored
    runs.main(["pull", place, "--all"])
    assert capsys.readouterr().out == f"{place}: 1 run pulled, 2 were there\n"
    assert {path.name for path in other.folder.glob("[!.]*")} == {key(0), key(1), key(2)}
    shutil.rmtree(here / "mine")
    shutil.rmtree(other.folder)
    name_in_table()
    runs.main(["pull", place])
    assert there(other) == [], "all runs of the table failed"
    contracts.path("runs").unlink()
    runs.main(["pull", place])
    assert len(there(other)) == 3, "all, where no table says which"


def test_what_is_wrong_with_one_run_is_named_and_holds_up_no_other(
    here: Path, store: RunStore, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each fault on the way in; then what was cut goes on where it was."""
    runs.main(["push", "../shared", "--all"])
    shared = here / "shared"
    first, second = (shared / key(number) / "weights/adapter_model.safetensors" for number in (0, 1))
    first.write_bytes(b"!" + first.read_bytes()[1:])
    body = second.read_bytes()
    second.unlink()
    other = study(here / "yours")
    capsys.readouterr()
    with pytest.raises(Errors) as error:
        runs.main(["pull", "../shared"])
    assert capsys.readouterr().out == "../shared: 1 run pulled, 0 were there\n" and there(other) == [key(2)]
    said = dict(zip(sorted((key(0), key(1))), sorted(error.value.lines), strict=True))
    assert f"../shared/{first.relative_to(shared)}: is damaged: it does not have the hash in run.json" in said[key(0)]
    assert f"../shared/{second.relative_to(shared)}: is not there; push the run again" in said[key(1)]

    second.write_bytes(body)
    (second.parent / "adapter_config.json").unlink()  # had arrived before
    with pytest.raises(Errors, match="is damaged"):
        runs.main(["pull", "../shared"])
    assert other.verify(key(1)).weights == store.read(key(1)).weights and key(0) not in there(other)
    assert other.find(key(0)) is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda record: record["files"].update({"../../../params.yaml": record["files"]["adapter_config.json"]}),
         "is no file within a folder"),
        (lambda record: record["files"].update({"/etc/motd": record["files"]["adapter_config.json"]}),
         "is no file within a folder"),
        (lambda record: record["files"].update({"adapter_model.bin": record["files"]["adapter_config.json"]}),
         "may hold a program"),
        (lambda record: record["made_of"].update(seed=7), "is of another run than its key says"),
        (lambda record: record.pop("weights"), "is no record of a run: weights"),
        (lambda record: record.update(files={}), "is no record of a run: files"),
    ],
)  # fmt: skip
def test_a_record_that_would_do_more_than_bring_its_run_is_refused(
    here: Path, store: RunStore, change: object, said: str
) -> None:
    runs.main(["push", "../shared"])
    file = here / "shared" / key(0) / RECORD
    record = json.loads(file.read_text())
    assert callable(change)
    change(record)
    file.write_text(json.dumps(record))
    other = study(here / "yours")
    before = Path("params.yaml").read_bytes()
    with pytest.raises(Errors, match=said):
        runs.main(["pull", "../shared"])
    assert there(other) == [key(1)] and Path("params.yaml").read_bytes() == before


def test_weights_of_another_training_are_not_what_the_table_says(here: Path, store: RunStore) -> None:
    """On a GPU one key may give other weights: the table says which; those there stay unless it wants others."""
    wanted = store.read(key(0))
    runs.main(["push", "../shared"])
    other = study(here / "yours")
    own = keep(other, 0, fill=9.0)
    runs.main(["pull", "../shared"])
    assert other.read(key(0)) == own, "no table wants the others"
    name_in_table(own)
    shutil.rmtree(other.folder)
    with pytest.raises(Errors, match=r"has other weights than data/runs.parquet says: "):
        runs.main(["pull", "../shared"])
    assert there(other) == []
    keep(other, 0, fill=9.0)
    name_in_table(wanted)
    runs.main(["pull", "../shared"])
    assert other.verify(key(0)).weights == wanted.weights


@pytest.mark.slow
def test_a_push_that_was_cut_is_no_run_and_goes_on(here: Path, store: RunStore) -> None:
    remote("../../remote")
    runs.main(["push", "shared"])
    shared = here / "remote/curation-runs" / key(0)
    (shared / RECORD).unlink()
    (shared / "weights/adapter_model.safetensors").write_bytes(b"cut")
    pushed = (shared / "weights/adapter_config.json").stat().st_mtime_ns
    other = study(here / "yours")
    remote("../../remote")
    name_in_table(store.read(key(0)))
    with pytest.raises(Errors, match=r"shared: has no run .*; push it from where it was trained"):
        runs.main(["pull", "shared"])
    os.chdir(here / "mine")
    runs.main(["push", "shared"])
    assert (shared / "weights/adapter_config.json").stat().st_mtime_ns == pushed
    stray = here / "remote/files/md5/aa" / ("b" * 30)  # what no table needs any more
    stray.parent.mkdir(parents=True)
    stray.write_bytes(b"")
    subprocess.run([sys.executable, "-m", "dvc", "gc", "-q", "-w", "-c", "-f", "-r", "shared"], check=True)
    assert not stray.exists()
    os.chdir(here / "yours")
    runs.main(["pull", "shared"])
    assert there(other) == [key(0)]


@pytest.mark.slow
def test_two_that_pull_at_once_bring_each_run_whole(here: Path, store: RunStore) -> None:
    runs.main(["push", "../shared", "--all"])
    other = study(here / "yours")
    pulling = [started(Path(), "curation", "runs", "pull", "../shared") for _ in range(3)]
    assert [process.communicate()[1] for process in pulling] == ["", "", ""]
    assert {path.name for path in other.folder.glob("[!.]*")} == set(map(key, range(3)))
    assert all(other.verify(one).weights == store.read(one).weights for one in there(other))


@pytest.mark.slow
def test_a_pull_that_is_killed_goes_on_where_it_was(here: Path, store: RunStore) -> None:
    """Killed while it waits for the second of a run's files."""
    runs.main(["push", "../shared"])
    config, adapter = (
        here / "shared" / key(0) / "weights" / name for name in ("adapter_config.json", "adapter_model.safetensors")
    )
    body = adapter.read_bytes()
    adapter.unlink()
    os.mkfifo(adapter)
    other = study(here / "yours")
    process = started(Path(), "curation", "runs", "pull", "../shared")
    while not list(other.folder.glob(f"{key(0)}.*/weights/adapter_config.json")):
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.communicate()
    assert there(other) == [key(1)] and other.find(key(0)) is None
    adapter.unlink()
    adapter.write_bytes(body)
    config.unlink()  # has been brought
    runs.main(["pull", "../shared"])
    assert other.verify(key(0)).weights == store.read(key(0)).weights
    name_in_table(other.read(key(0)))
    runs.main(["prune", "--delete"])
    assert [path.name for path in other.folder.glob("[!.]*")] == [key(0)]


@pytest.mark.slow
def test_a_damaged_run_is_not_pushed(here: Path, store: RunStore) -> None:
    remote("../../remote")
    shutil.rmtree(store.folder / key(2))
    name_in_table(*map(store.read, (key(0), key(1))), store.read(key(1))._replace(key=key(2)))
    file = store.read(key(0)).folder / "adapter_model.safetensors"
    file.write_bytes(b"!" + file.read_bytes()[1:])
    for place, said in {"shared": "was modified", "../shared": "is damaged"}.items():
        with pytest.raises(Errors, match=f"adapter_model.safetensors: {said}") as error:
            runs.main(["push", place])
        assert any(f"has no run {key(2)[:12]}" in line for line in error.value.lines)
    assert there(RunStore(here / "shared")) == there(RunStore(here / "remote/curation-runs")) == [key(1)]


def test_a_place_that_is_not_there_is_said_in_one_line(here: Path, store: RunStore) -> None:
    Path("afile").write_text("x")
    said = {
        ("push", "shared"): "shared: you are not inside of a DVC repository",
        ("pull", "../nowhere"): "../nowhere: there is no such folder",
        ("push", "s3://bucket/x"): "is an address; `dvc remote add NAME s3://bucket/x` gives it a name",
        ("pull", "./afile"): "./afile: there is no such folder",
        ("push", "./afile"): "afile: cannot be written: Not a directory|afile.*File exists",
    }
    for arguments, line in said.items():
        with pytest.raises(CurationError, match=line):
            runs.main([*arguments])
    remote("../../remote")
    with pytest.raises(CurationError, match=r"'shard': no remote of DVC's; did you mean 'shared'.*written as ./shard$"):
        runs.main(["push", "shard"])
    remote("gs://bucket/x")
    with pytest.raises(CurationError, match=r"shared: .*(gs|dvc-gs)"):
        runs.main(["push", "shared"])
    assert sorted(path.name for path in here.iterdir()) == ["mine"]


def test_pruning_says_what_would_go_and_takes_what_no_table_names(
    here: Path, store: RunStore, capsys: pytest.CaptureFixture[str]
) -> None:
    unnamed, old = store.read(key(2)), keep(store, 3)
    name_in_table(keep(store, 4), file=Path("data/aside/abc") / contracts.path("runs"))
    os.utime(store.folder / old.key / RECORD, (0, time.time() - 30 * DAY))
    alive = write_weights(store.new(key(5)))
    dead = write_weights(store.folder / alive.name.replace(str(os.getpid()), str(2**22 + 1)))
    entry = runs.bytes_in(store.folder / unnamed.key)
    runs.main(["prune"])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4 and f"{Path('.curation/runs', unnamed.key)}: {entry:,} bytes" in lines
    assert lines[-1].endswith(" bytes in all; --delete deletes them") and len(there(store)) == 5
    runs.main(["prune", "--older", "7", "--delete"])
    assert capsys.readouterr().out.splitlines()[0].endswith(f"{old.key}: {entry:,} bytes: deleted")
    assert there(store) == sorted(map(key, (0, 1, 2, 4))) and not dead.exists() and alive.exists()
    store.find(unnamed.key)
    os.utime(store.folder / unnamed.key / RECORD, (0, time.time() - 30 * DAY))
    assert store.find(unnamed.key)
    runs.main(["prune", "--older", "7"])
    assert capsys.readouterr().out == "there are none\n", "to find it is to use it"
    runs.main(["prune", "--delete"])
    assert there(store) == sorted(map(key, (0, 1, 4)))
    runs.main(["prune", "--delete", "--all"])
    assert there(store) == [] and alive.exists()


def test_a_store_that_cannot_be_written_is_read(here: Path, store: RunStore) -> None:
    """As one on a disk that is shared for reading: each refusal is one line, and what is there stays."""
    runs.main(["push", "../shared", "--all"])
    shutil.rmtree(store.folder / key(0))
    with read_only(store.folder):
        assert store.find(key(1)) == store.read(key(1)) and len(there(store)) == 2
        runs.main(["list", "--verify"])
        with pytest.raises(CurationError, match=r"\.curation/runs: cannot be written, so nothing is trained"):
            store.new(key(7))
        for arguments, said in {
            ("prune", "--delete"): f"{key(2)}: cannot be deleted: Read-only file system",
            ("pull", "../shared"): "runs: cannot be written: Read-only file system",
        }.items():
            with pytest.raises(CurationError, match=said):
                runs.main([*arguments])
    assert len(there(store)) == 2


def test_pruning_waits_for_the_table_that_dvc_has_removed(store: RunStore) -> None:
    """DVC removes `train`'s out before it runs: just then no run is named."""
    contracts.path("runs").unlink()
    with pytest.raises(CurationError, match=r"data/runs.parquet: is not there, so all runs would go; `dvc checkout`"):
        runs.main(["prune", "--delete"])
    assert len(there(store)) == 3


def test_the_list_names_runs_and_what_is_damaged(store: RunStore, capsys: pytest.CaptureFixture[str]) -> None:
    runs.main(["list", "--verify"])
    said = capsys.readouterr().out
    assert said.endswith(", all with the hashes of their files\n") and "3 runs, " in said
    for number, named in enumerate(("run-0", "run-1", "null")):
        (line,) = (line for line in said.splitlines() if key(number)[:12] in line)
        assert [cell.strip() for cell in line.split("┆")][1:5] == [named, "dpo", str(number), "sound"]
    file = store.read(key(1)).folder / "adapter_config.json"
    file.write_text('{"r": 3}\n')
    runs.main(["list"])
    capsys.readouterr()
    with pytest.raises(Errors, match=r"adapter_config.json: was modified: .*; delete .*, and it is trained again"):
        runs.main(["list", "--verify"])
    assert "damaged" in capsys.readouterr().out
    shutil.rmtree(store.folder)
    runs.main(["list"])
    assert capsys.readouterr().out == ".curation/runs: 0 runs, 0 bytes\n"


def test_an_option_that_goes_with_another_action_is_refused(store: RunStore) -> None:
    said = {
        ("list", "--delete"): "runs list: takes no --delete, which goes with prune",
        ("list", "there"): "runs list: takes no place, which goes with push or pull",
        ("push",): "runs push: name a folder, or a remote of DVC's",
        ("prune", "--verify"): "runs prune: takes no --verify, which goes with list",
    }
    for arguments, line in said.items():
        with pytest.raises(CurationError, match=line):
            runs.main([*arguments])
    for days in ("-1", "nan", "many", "1e9"):
        with pytest.raises(SystemExit):
            runs.main(["prune", f"--older={days}"])


class Keeper(BaseHTTPRequestHandler):
    """Keeps what is PUT, and gives it again; nothing can be listed, as on any server of files."""

    kept: dict[str, bytes] = {}  # noqa: RUF012

    def do_PUT(self) -> None:
        size, chunks = self.headers.get("Content-Length"), []
        while size is None and (count := int(self.rfile.readline(), 16)):
            chunks.append(self.rfile.read(count))
            self.rfile.readline()
        self.kept[self.path] = b"".join(chunks) if size is None else self.rfile.read(int(size))
        self._answer(201, b"")

    def do_GET(self) -> None:
        body = self.kept.get(self.path)
        self._answer(404 if body is None else 200, body or b"")

    do_HEAD = do_GET

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing is printed."""


@pytest.fixture
def files_server() -> Iterator[str]:
    """The address of a server of files."""
    Keeper.kept.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Keeper) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/runs"
        server.shutdown()


@pytest.mark.slow
def test_a_remote_that_is_no_folder(here: Path, store: RunStore, files_server: str) -> None:
    remote(files_server, "method = PUT")
    runs.main(["push", "shared"])
    named = [store.read(key(number)) for number in (0, 1)]
    assert sum(f"/{key(0)}/" in path for path in Keeper.kept) == 4
    other = study(here / "yours")
    remote(files_server, "method = PUT")
    name_in_table(*named)
    path = next(path for path in Keeper.kept if path.endswith(f"{key(0)}/weights/adapter_model.safetensors"))
    whole, Keeper.kept[path] = Keeper.kept[path], b"!" + Keeper.kept[path][1:]
    with pytest.raises(Errors, match="is damaged"):
        runs.main(["pull", "shared"])
    assert there(other) == [key(1)]
    Keeper.kept[path] = whole
    runs.main(["pull", "shared"])
    assert [stored.weights for stored in map(other.verify, (key(0), key(1)))] == [one.weights for one in named]
    remote("http://127.0.0.1:9/runs", "method = PUT")
    with pytest.raises(CurationError, match=r"^shared: "):
        runs.main(["push", "shared"])
