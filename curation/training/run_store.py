"""The run store: what training made, kept once under the key of the run, beside the ledger and outside DVC's outputs.

KEY/weights/ holds the weights and KEY/run.json what is known of them. A run is there whole or not at all: what is not
whole yet has a name that ends in `.partial`.
"""

import os
import platform
import re
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from curation.core.errors import CurationError, Errors, refused_writes
from curation.core.hashing import hash_file
from curation.models.weights import fingerprint
from curation.training.run_record import KEY, Record, describe, parse, sizes

if TYPE_CHECKING:
    from curation.calls.ledger import Params as Ledger

WEIGHTS, RECORD = "weights", "run.json"
HOST = re.sub(r"\W+", "_", platform.node()) or "host"
PARTIAL = re.compile(r"(?P<key>\w+)\.(?P<host>\w+)-(?P<pid>\d+)-\w+(\.partial)+")
IDLE_HOURS = 1  # after which what another machine, or a cut transfer, left is nobody's


class Stored(NamedTuple):
    """A run in the store: `folder` is that of its weights, `weights` their hash, `bytes` their size."""

    key: str
    folder: Path
    weights: str
    figures: dict[str, Any]
    made_of: dict[str, Any]
    bytes: int


class RunStore:
    """The runs in `folder`, which need not be there yet."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def beside(cls, ledger: "Ledger") -> "RunStore":
        """The store of a study: the folder `runs` where its ledger lies."""
        return cls(ledger.file.parent / "runs")

    def find(self, key: str) -> Stored | None:
        """The run of that key, or None. It counts as used now. One that is damaged, as far as the sizes of its files
        tell, is named on standard error and not found."""
        if not (self.folder / key).exists():
            return None
        try:
            stored = self.read(key)
        except CurationError as error:
            print(f"warning: {error}; the run counts as not trained", file=sys.stderr, flush=True)
            return None
        with suppress(OSError):  # a store may be read alone
            os.utime(self.folder / key / RECORD)
        return stored

    def read(self, key: str) -> Stored:
        """The run of that key. Raises CurationError if it is not there, or not as its record says: the names and sizes
        of its files."""
        record = self.record(key)
        folder = self.folder / key / WEIGHTS
        there = sizes(folder)
        for name in sorted(there.keys() | record.files.keys()):
            said = record.files[name].size if name in record.files else None
            if there.get(name) != said:
                raise CurationError(f"{folder / name}: {_say(there.get(name))}, and {RECORD} says {_say(said)}")
        return Stored(key, folder, record.weights, record.figures, record.made_of, record.size)

    def record(self, key: str) -> Record:
        """What `run.json` says of that key. Raises CurationError if it is not there, or no such file."""
        file = self.folder / key / RECORD
        if not KEY.fullmatch(key):
            raise CurationError(f"{self.folder}: {key!r} is no key of a run")
        try:
            return parse(file.read_bytes(), str(file))
        except OSError as error:
            raise CurationError(f"{file}: cannot be read: {error.strerror}") from None

    def verify(self, key: str) -> Stored:
        """The run, each of whose files has the hash that its record says. Raises CurationError if one has not."""
        stored = self.read(key)
        for name, file in self.record(key).files.items():
            if hash_file(stored.folder / name) != file.sha256:
                raise CurationError(f"{stored.folder / name}: was modified: it does not have the hash in {RECORD}")
        return stored

    def new(self, key: str) -> Path:
        """A folder to write the weights of that run to. It is not there yet, the one that it is to be made in is; no
        other process is given the same. What processes that have ended left of this run is gone. Raises CurationError
        if the store cannot be written, which would otherwise show once the run is trained."""
        if self.folder.exists() and not os.access(self.folder, os.W_OK):
            raise CurationError(f"{self.folder}: cannot be written, so nothing is trained; see to its rights")
        for left in self.leftovers():
            if left.name.startswith(f"{key}."):
                remove(left)
        return self.partial(key)

    def partial(self, key: str) -> Path:
        """A new name in the store for what is not whole yet, with this process in it."""
        with refused_writes(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        return self.folder / f"{key}.{HOST}-{os.getpid()}-{os.urandom(4).hex()}.partial"

    def keep(
        self, key: str, partial: Path, made_of: dict[str, Any], figures: dict[str, Any], seconds: float | None = None
    ) -> Stored:
        """The run whose weights were written to `partial` is in the store. If another process was first, its copy
        stands, and ours is gone. Raises CurationError, and keeps nothing, if there are no weights or they cannot be
        kept."""
        whole = self.partial(key)
        try:
            record = describe(partial, made_of, figures, seconds, HOST)
            with refused_writes(self.folder / key):
                whole.mkdir()
                partial.rename(whole / WEIGHTS)
                (whole / RECORD).write_bytes(record.text())
            return self.place(key, whole)
        finally:
            remove(whole)
            remove(partial)

    def place(self, key: str, whole: Path) -> Stored:
        """The whole run in `whole` has its place in the store; if a sound one has it already, that stays."""
        target, damaged = self.folder / key, self.partial(key)
        if target.exists() and self.find(key) is None:
            with refused_writes(target):
                target.rename(damaged)
        try:
            whole.rename(target)
        except OSError as error:
            if not target.exists():  # else another process was first
                raise CurationError(f"{target}: cannot be written: {error.strerror}") from None
        remove(damaged)
        return self.read(key)

    def list_keys(self) -> list[str]:
        """The keys of all runs that are there, sound or damaged, sorted."""
        return sorted(entry.name for entry in _entries(self.folder) if KEY.fullmatch(entry.name))

    def stored(self) -> Iterator[Stored]:
        """All sound runs, by their keys."""
        for key in self.list_keys():
            with suppress(CurationError):
                yield self.read(key)

    def leftovers(self) -> list[Path]:
        """What is not whole and never will be: of processes of this machine that have ended, and of others and of
        transfers that wrote nothing for an hour."""
        return [entry for entry in _entries(self.folder) if entry.name.endswith(".partial") and _is_left(entry)]

    def drop(self, entry: Path) -> None:
        """An entry of the store is gone, at once. Raises CurationError if it cannot be deleted."""
        try:
            going = entry.rename(self.partial(entry.name.partition(".")[0]))
        except OSError as error:
            raise CurationError(f"{entry}: cannot be deleted: {error.strerror}") from None
        remove(going)

    def used(self, key: str) -> float:
        """When the run was last made, fetched or found, in seconds of the epoch."""
        file = self.folder / key / RECORD
        return (file if file.exists() else self.folder / key).stat().st_mtime


def find_weights(store: RunStore, runs: pl.DataFrame) -> dict[str, Path]:
    """By run of the table `runs`, the folder of its weights. Raises Errors naming the runs whose weights are not in the
    store, were modified, or are others than the table says."""
    folders, lines = dict[str, Path](), list[str]()
    for run, key, weights in runs.filter(status="trained").select("run", "key", "weights").rows():
        stored, entry = store.find(key), store.folder / key
        if stored and stored.weights == weights == fingerprint(stored.folder):
            folders[run] = stored.folder
            continue
        what, before = "are not there", ""
        if stored and stored.weights == weights:
            what, before = "were modified", f"delete {entry}, and "
        elif stored:
            what = "are others than data/runs.parquet says"
        lines.append(
            f"{entry}: the weights of run {run} {what}; {before}`curation runs pull` brings them from a store "
            "that has them, and `dvc repro -sf train` trains what is missing"
        )
    if lines:
        raise Errors(lines)
    return folders


def remove(path: Path) -> None:
    """`path`, a file or a folder, is gone, if it was there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _is_left(partial: Path) -> bool:
    named = PARTIAL.fullmatch(partial.name)
    if named and named["host"] == HOST:
        return not _runs(int(named["pid"]))
    with suppress(OSError):  # what goes away meanwhile is somebody's
        newest = max(path.stat().st_mtime for path in (partial, *partial.rglob("*")))
        return time.time() - newest > IDLE_HOURS * 3600
    return False


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _say(size: int | None) -> str:
    return "is not there" if size is None else f"has {size:,} bytes"
