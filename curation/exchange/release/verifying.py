"""A release verified: its files, its tables, and its rows made again from what it holds."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow.parquet as pq

from curation.core.errors import CurationError, Errors
from curation.core.lock_file import LOCK, find_others
from curation.core.progress import Progress, progress
from curation.core.text import say_count
from curation.exchange.release import manifest, sums
from curation.exchange.release.differing import find_difference
from curation.exchange.release.manifest import STUDY, Held
from curation.exchange.release.rebuild import STEPS, rebuilt
from curation.exchange.release.unheld import find_beside, find_unheld
from curation.tables import contracts, parquet
from curation.tables.table import Table

IN_PARTS = ("traces", "judgments", "preferences", "pair_scores")
ALONE = ("prompts", "responses", "listed_pairs", "renderings", "probabilities")


def verify(folder: Path) -> list[str]:
    """A line for each thing that was found to hold. Raises Errors, or CurationError, with what does not: a file that is
    missing, that is one too many, or that is another; a table that breaks its contract; the first row, column and value
    of each table that is another when it is made again; and what a reader would load that is not made again."""
    if not folder.is_dir():
        raise CurationError(f"{folder}: is no folder; name that of a release")
    listed = sums.read_sums(folder)
    differences = list(sums.find_differences(folder, listed))
    faults = [f"{folder}/{one.say()}" for one in differences]
    if any(not one.changed or not one.name.endswith(".parquet") for one in differences):
        raise Errors(faults)
    held = manifest.read(folder)
    for config in held.configs:
        if config.file not in listed:
            raise CurationError(f"{folder}/{manifest.FILE}: configs: {config.file}: is not named by {sums.SUMS}")
    with progress("verify-release", len(held.arms) + STEPS + 1, "steps") as shown:
        try:
            lines = verify_tables(folder, held.configs, held.versions, shown)
            faults += find_unheld(folder, held.configs, list(listed))
        except CurationError as error:
            faults += str(error).splitlines()
    if faults:
        other = manifest.find_other_versions(held.versions)
        raise Errors(
            [*faults, *[f"it was made with other versions, which may be why: {'; '.join(other)}"] * bool(other)]
        )
    return [f"{say_count(len(listed), 'file is', 'files are')} as {sums.SUMS} says", *lines]


def verify_tables(folder: Path, configs: Sequence[Held], versions: dict[str, str], shown: Progress) -> list[str]:
    """A line for each table that keeps its contract and is the same when it is made again. Where other versions wrote
    the same rows as other bytes, the line says so. Raises Errors with the others."""
    if faults := [line for table, file in _recorded(folder, configs) for line in _find_faults(table, file)]:
        raise Errors(faults)
    shown.advance(note="contracts")
    arms = list(dict.fromkeys(config.arm for config in configs))
    other = manifest.find_other_versions(versions)
    lines = list[str]()
    lock = folder / STUDY / LOCK
    with rebuilt(folder / STUDY, arms, shown) as made:
        faults += find_beside(folder, made, arms)
        own = {
            config.find_own(made / contracts.DATA).relative_to(made).as_posix(): folder / config.file
            for config in configs
        }
        faults += find_others(lock, own) if lock.exists() else []
        for ours, again, table in _pairs(folder, configs, made / contracts.DATA):
            place = f"{folder}/{ours}"
            if not (folder / ours).is_file():
                faults.append(f"{place}: is missing; it is made again of {again.relative_to(made)}")
            elif (folder / ours).read_bytes() == again.read_bytes():
                rows = pq.read_metadata(again).num_rows
                lines.append(f"{ours}: {say_count(rows, 'row')}, the same bytes when made again")
            elif difference := find_difference(folder / ours, again, place, table.key):
                faults.append(difference)
            elif other:
                lines.append(f"{ours}: the same rows when made again, in other bytes: made with {'; '.join(other)}")
            else:
                faults.append(f"{place}: has the same rows when made again, and other bytes")
    if faults:
        raise Errors(faults)
    return lines


def _recorded(folder: Path, configs: Sequence[Held]) -> Iterator[tuple[Table, Path]]:
    """The tables that nothing is rebuilt of, and those that are read as they are; as far as they are there."""
    data = folder / STUDY / contracts.DATA
    for config in configs:
        yield contracts.TABLES[config.table], folder / config.file
    for name in ALONE:
        yield contracts.TABLES[name], contracts.path(name, data=data)
    for name in IN_PARTS:
        for file in sorted((data / name).glob("*.parquet")):
            yield contracts.TABLES[name], file


def _find_faults(table: Table, file: Path) -> list[str]:
    try:
        parquet.read(table, file)
    except CurationError as error:
        return str(error).replace(parquet.REMAKE, "").splitlines()  # who reads a release has no pipeline
    return []


def _pairs(folder: Path, configs: Sequence[Held], made: Path) -> Iterator[tuple[str, Path, Table]]:
    """Each table's name within the release, the same one made again, and what says its key."""
    for file in sorted(made.rglob("*.parquet")):
        name = file.relative_to(made)
        if not file.is_symlink() and name.parts[0] in (
            "pairs.parquet",
            "deltas",
            "generator_deltas.parquet",
            "selections",
        ):
            yield (
                f"{STUDY}/{contracts.DATA}/{name}",
                file,
                contracts.TABLES.get(name.parts[0].removesuffix(".parquet"), contracts.PAIRS),
            )
    for config in configs:
        yield config.file, config.find_own(made), contracts.TABLES[config.table]
