"""`curation runs`: what training made and the run store keeps: list it, move it between stores, or delete what no table
of runs names."""

import time
from argparse import Namespace
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import polars as pl

from curation.commands.aside import ASIDE
from curation.commands.rows import print_rows
from curation.commands.terminal import Parser, refuse_untaken
from curation.core.errors import CurationError, Errors
from curation.core.messages import show_value
from curation.core.params import read
from curation.core.progress import progress
from curation.core.text import say_count
from curation.tables import contracts, parquet
from curation.tables.measurements import RUNS
from curation.training.run_record import sizes
from curation.training.run_store import RunStore
from curation.training.run_transfer import Shelf, folder_shelf, receive, remote_shelf, said_of, send

TAKES = {  # what each action takes beside its name
    "list": ("verify",),
    "push": ("place", "all"),
    "pull": ("place", "all"),
    "prune": ("all", "older", "delete"),
}
DAY = 24 * 3600


class Named(NamedTuple):
    """What a table of runs says of a key: the runs that have it, and the hash of their weights."""

    runs: list[str]
    weights: str


def main(arguments: list[str]) -> None:
    """Do what the first argument says. Raises CurationError if another argument does not go with it."""
    given = _parse_arguments(arguments)
    store = RunStore.beside(read().ledger)
    match given.action:
        case "list":
            list_runs(store, given.verify)
        case "push":
            push(store, given.place, given.all)
        case "pull":
            pull(store, given.place, given.all)
        case _:
            prune(store, given.all, given.older, given.delete)


def list_runs(store: RunStore, verify: bool) -> None:
    """Print a row for each run, and with `verify` check the hash of every file. Raises Errors naming what is
    damaged."""
    named, faults, rows = read_named(), list[str](), list[dict[str, object]]()
    for key in store.list_keys():
        try:
            stored = store.verify(key) if verify else store.read(key)
            method = stored.made_of.get("method")
            row = {"method": method.get("kind") if isinstance(method, dict) else None,
                   "seed": stored.made_of.get("seed"), "state": "sound"}  # fmt: skip
        except CurationError as error:
            faults.append(f"{error}; delete {store.folder / key}, and it is trained again, or pull it")
            row = {"method": None, "seed": None, "state": "damaged"}
        runs = ", ".join(named[key].runs) if key in named else None
        used = datetime.fromtimestamp(store.used(key), UTC).strftime("%Y-%m-%d")
        rows.append({"key": key[:12], "runs": runs, **row, "mb": bytes_in(store.folder / key) / 1e6, "used": used})
    if rows:
        print_rows(pl.DataFrame(rows, infer_schema_length=None))
    checked = ", all with the hashes of their files" if verify and not faults else ""
    size = sum(bytes_in(store.folder / key) for key in store.list_keys())
    print(f"{store.folder}: {say_count(len(rows), 'run')}, {size:,} bytes{checked}")
    if faults:
        raise Errors(faults)


def push(store: RunStore, place: str, all_runs: bool) -> None:
    """The runs that data/runs.parquet names, or all, are in another folder or on a remote of DVC's."""
    keys = store.list_keys() if all_runs or not _table().exists() else sorted(read_named(asides=False))
    if is_folder(place):
        there, own = RunStore(Path(place).expanduser()), folder_shelf(store.folder)
        _move(place, "pushed", keys, lambda key: receive(there, own, key))
    else:
        shelf = remote_shelf(place)
        _move(place, "pushed", keys, lambda key: send(store, shelf, key))


def pull(store: RunStore, place: str, all_runs: bool) -> None:
    """The runs that data/runs.parquet names, or all of the other folder or remote, are in the store."""
    shelf, named = _open(place), read_named(asides=False)
    with said_of(place):
        keys = shelf.list_keys() if all_runs or not _table().exists() else sorted(named)
    wanted = {key: body.weights for key, body in named.items()}
    _move(place, "pulled", keys, lambda key: receive(store, shelf, key, wanted.get(key)))


def prune(store: RunStore, all_runs: bool, older: float | None, delete: bool) -> None:
    """Print, and with `delete` delete, the runs that no table of runs names (`all_runs`: any), those that were not used
    for `older` days if given, and what killed processes left."""
    named = read_named()
    if not (all_runs or _table().exists()):
        raise CurationError(
            f"{_table()}: is not there, so all runs would go; `dvc checkout` brings it back, and --all "
            "deletes runs whether a table names them or not"
        )
    since = time.time() - (older or 0) * DAY
    going = [key for key in store.list_keys() if (all_runs or key not in named) and store.used(key) <= since]
    paths = [*(store.folder / key for key in going), *store.leftovers()]
    total = 0
    for path in paths:
        size = bytes_in(path)
        total += size
        if delete:
            store.drop(path)
        print(f"{path}: {size:,} bytes{': deleted' if delete else ''}")
    if not paths:
        print("there are none")
    else:
        print(f"{total:,} bytes in all" + ("" if delete else "; --delete deletes them"))


def read_named(asides: bool = True) -> dict[str, Named]:
    """By key, what data/runs.parquet says of the runs that have weights, and with `asides` the tables of studies that
    were moved aside."""
    tables = [_table(), *(sorted(ASIDE.glob(f"*/{_table()}")) if asides else [])]
    named = dict[str, Named]()
    for table in filter(Path.exists, tables):
        rows = parquet.read(RUNS, table, ("run", "key", "weights")).drop_nulls(["key", "weights"])
        for run, key, weights in rows.iter_rows():
            named.setdefault(key, Named([], weights)).runs.append(run)
    return named


def _table() -> Path:
    return contracts.path("runs")


def is_folder(place: str) -> bool:
    """Whether `place` is written as a folder's path, or is one; else it is the name of a remote."""
    if "://" in place:
        raise CurationError(
            f"{show_value(place)}: is an address; `dvc remote add NAME {place}` gives it a name, which is what to write"
        )
    return "/" in place or place.startswith((".", "~")) or Path(place).is_dir()


def _open(place: str) -> Shelf:
    if not is_folder(place):
        return remote_shelf(place)
    folder = Path(place).expanduser()
    if not folder.is_dir():
        raise CurationError(f"{place}: there is no such folder")
    return folder_shelf(folder)


def _move(place: str, did: str, keys: Iterable[str], move: Callable[[str], bool]) -> None:
    """Move each run; what is wrong with one holds up no other. Raises Errors at the end."""
    keys, faults, moved, there = list(keys), list[str](), 0, 0
    try:
        with said_of(place), progress(place, len(keys), "runs") as shown:
            for key in keys:
                try:
                    came = move(key)
                    moved, there = moved + came, there + (not came)
                except CurationError as error:
                    faults.append(str(error))
                shown.advance()
    finally:
        print(f"{place}: {say_count(moved, 'run')} {did}, {say_count(there, 'was', 'were')} there")
    if faults:
        raise Errors(faults)


def bytes_in(path: Path) -> int:
    """The size of all files in `path`, or of the file that it is."""
    return sum(sizes(path).values()) if path.is_dir() else path.stat().st_size


def _parse_arguments(arguments: list[str]) -> Namespace:
    parser = Parser(prog="curation runs", description="List, push, pull or prune the runs that were trained.")
    parser.add_argument("action", choices=TAKES)
    parser.add_argument("place", nargs="?", help="push, pull: another folder, or the name of a remote of DVC's")
    parser.add_argument("--verify", action="store_true", help="list: check the hash of every file")
    whole = "push, pull: all runs; prune: also those that data/runs.parquet names"
    parser.add_argument("--all", action="store_true", help=whole)
    parser.add_argument("--older", metavar="DAYS", type=_days, help="prune: only what was not used for so many days")
    parser.add_argument("--delete", action="store_true", help="prune: delete them, which nothing brings back")
    given: Namespace = parser.parse_args(arguments)
    refuse_untaken("runs", given, TAKES, "place")
    if "place" in TAKES[given.action] and given.place is None:
        raise CurationError(f"runs {given.action}: name a folder, or a remote of DVC's")
    return given


def _days(text: str) -> float:
    days = float(text)
    if not 0 <= days < 100_000:
        raise ValueError(text)
    return days
