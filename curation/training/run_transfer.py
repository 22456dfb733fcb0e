"""Runs on their way between stores: folders, and remotes of DVC, through its file systems.

A run arrives whole or not at all, its hashes verified. What a cut transfer has brought is not brought again.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from curation.core.errors import CurationError, refused_writes, write_whole
from curation.core.hashing import hash_file
from curation.core.messages import did_you_mean, show_value
from curation.training.run_record import KEY, Record, key_of, parse, sizes
from curation.training.run_store import RECORD, WEIGHTS, RunStore, remove

ON_REMOTE = "curation-runs"  # the folder of a remote that holds runs, beside DVC's own `files` and `runs`
LOCK = ".lock"
ARRIVING = "arriving.partial"  # ends the name of what an earlier transfer has brought


class Shelf(NamedTuple):
    """Where runs lie: a folder of a file system of DVC's. `name` is what a user calls it."""

    files: Any
    root: str
    name: str

    def path(self, key: str, *parts: str) -> str:
        """Where a part of a run lies."""
        return str(self.files.join(self.root, key, *parts))

    def said(self, path: str) -> str:
        """How a message names a path, which is not to be found without the name of its remote."""
        return path if path.startswith(self.name) else f"{self.name}: {path}"

    def record(self, key: str) -> Record | None:
        """What is known of a run; None if it is not there. Raises CurationError if it is not what its key says, or
        names files that no run may have."""
        place = self.path(key, RECORD)
        try:
            with self.files.open(place, "rb") as opened:
                record = parse(opened.read(), self.said(place))
        except FileNotFoundError:
            return None
        if key_of(record.made_of) != key:
            raise CurationError(f"{self.said(place)}: is of another run than its key says; delete it there")
        return record

    def list_keys(self) -> list[str]:
        """The keys of all runs that may be there, sorted."""
        try:
            there = self.files.ls(self.root, detail=False)
        except FileNotFoundError:
            return []
        return sorted(name for path in there if KEY.fullmatch(name := str(self.files.name(path.rstrip("/")))))


def folder_shelf(folder: Path) -> Shelf:
    """The runs of a folder."""
    from dvc.fs import localfs

    return Shelf(localfs, str(folder), str(folder))


def remote_shelf(name: str) -> Shelf:
    """The runs of a remote that this repository's configuration of DVC names. Raises CurationError if there is none of
    that name, or DVC cannot reach it."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    with said_of(name):
        try:
            with Repo() as repo:
                known = sorted(repo.config["remote"])
                if name in known:
                    remote = repo.cloud.get_remote(name)
                    return Shelf(remote.fs, remote.fs.join(remote.path, ON_REMOTE), name)
        except DvcException as error:
            raise CurationError(f"{name}: {' '.join(str(error).split())}") from None
    named = f"; remotes: {', '.join(known)}" if known else ""
    raise CurationError(
        f"{show_value(name)}: no remote of DVC's{did_you_mean(name, known)}, and no folder{named}; `dvc remote add` "
        f"makes a remote, and a new folder is written as ./{name}"
    )


def receive(store: RunStore, shelf: Shelf, key: str, wanted: str | None = None) -> bool:
    """The run of that key is in the store, as it is on `shelf`, every file with its hash; False if it was there before.

    Raises CurationError, and the store is as it was, if the shelf does not have it, or has it damaged, or with other
    weights than those `wanted`.
    """
    with _alone(store.folder):
        here = store.find(key)
        if here and wanted in (None, here.weights):
            return False
        record = shelf.record(key)
        if record is None:
            raise CurationError(f"{shelf.name}: has no run {key[:12]}…; push it from where it was trained")
        if wanted not in (None, record.weights):
            raise CurationError(
                f"{shelf.name}: run {key[:12]}… has other weights than data/runs.parquet says: {record.weights[:19]}… "
                f"for {str(wanted)[:19]}…; it is of another training"
            )
        whole = store.folder / f"{key}.{ARRIVING}"
        _bring(store, shelf, key, record, whole)
        if here:  # with other weights than those wanted
            remove(store.folder / key)
        store.place(key, whole)
        return True


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Inside the block no other process brings runs into the folder: it would write to the same files."""
    with refused_writes(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / LOCK).open("w")
    with lock:
        with suppress(OSError):  # some file systems have no locks
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _bring(store: RunStore, shelf: Shelf, key: str, record: Record, whole: Path) -> None:
    """`whole` holds the run, but for what of it was there already."""
    for name in sizes(whole / WEIGHTS).keys() - record.files.keys():  # of another training
        remove(whole / WEIGHTS / name)
    for name, file in record.files.items():
        to = whole / WEIGHTS / name
        if not (to.is_file() and to.stat().st_size == file.size and hash_file(to) == file.sha256):
            _fetch(store, shelf, shelf.path(key, WEIGHTS, *name.split("/")), to, file.sha256)
    write_whole(whole / RECORD, record.text())


def _fetch(store: RunStore, shelf: Shelf, path: str, to: Path, sha256: str) -> None:
    """`to` is the file at `path` of the shelf, and has that hash; else CurationError."""
    partial = store.partial("file")
    try:
        try:
            shelf.files.get_file(path, str(partial))
        except FileNotFoundError:
            raise CurationError(f"{shelf.said(path)}: is not there; push the run again") from None
        if hash_file(partial) != sha256:
            raise CurationError(
                f"{shelf.said(path)}: is damaged: it does not have the hash in {RECORD}; delete the run there, and "
                "take it from where it was trained"
            )
        with refused_writes(to):
            to.parent.mkdir(parents=True, exist_ok=True)
            partial.replace(to)
    finally:
        remove(partial)


def send(store: RunStore, shelf: Shelf, key: str) -> bool:
    """The run of that key is on `shelf`, of which other processes take it as there only once all of it is; False if it
    was there before. Raises CurationError if the store has it damaged or not at all."""
    if key not in store.list_keys():
        raise CurationError(f"{store.folder}: has no run {key[:12]}…; train it, or pull it from where it was trained")
    stored, record, theirs = store.verify(key), store.record(key), shelf.record(key)
    if theirs and theirs.weights != record.weights:
        raise CurationError(
            f"{shelf.name}: run {key[:12]}… is there with other weights, {theirs.weights[:19]}…, which stay: it was "
            f"trained twice, and here it has {record.weights[:19]}…"
        )
    sent = False
    for name, file in record.files.items():
        path = shelf.path(key, WEIGHTS, *name.split("/"))
        sent |= _put(shelf, stored.folder / name, path, file.size)
    if not theirs:
        _put(shelf, store.folder / key / RECORD, shelf.path(key, RECORD), None)
    return sent or not theirs


def _put(shelf: Shelf, file: Path, path: str, size: int | None) -> bool:
    """The file is at `path` of the shelf, as far as its size tells; False if it was there before."""

    def there() -> bool:
        with suppress(FileNotFoundError):
            return bool(shelf.files.size(path) == size)
        return False

    if size is not None and there():
        return False
    shelf.files.makedirs(shelf.files.parent(path), exist_ok=True)
    shelf.files.put_file(str(file), path)
    if size is not None and not there():
        raise CurationError(f"{shelf.said(path)}: did not arrive whole; run again to go on")
    return True


@contextmanager
def said_of(name: str) -> Iterator[None]:
    """Inside the block whatever a library says of a place that cannot be used is a CurationError that names it."""
    try:
        yield
    except CurationError:
        raise
    except Exception as error:
        raise CurationError(f"{name}: {type(error).__name__}: {' '.join(str(error).split())[:200]}") from None
