"""A release written: rows as `datasets` loads them, a card, and all that the rows stand on."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from curation.core import lock_file
from curation.core.errors import CurationError, Errors
from curation.core.parsed import parse_yaml, read_bytes
from curation.core.progress import Progress, progress
from curation.core.study import Study
from curation.exchange.card import card
from curation.exchange.export import whole_folder
from curation.exchange.release import licences, manifest, scan, sums, tables
from curation.exchange.release.licences import Origin
from curation.exchange.release.manifest import Held, Manifest
from curation.exchange.release.public import find_local, replace_local
from curation.exchange.release.verifying import verify_tables
from curation.tables import contracts, parquet
from curation.tables.table import Table

TABLES: tuple[Table, ...] = (contracts.SUBSETS, contracts.UNPAIRED)
UNPAIRED_ENDS = ".unpaired"  # no arm is called so
CARD = "README.md"
ONE_FILE = "train-00000-of-00001.parquet"  # as the hub names a split in one file
STEPS = 6  # beside the arms: tables, card, what must not leave, contracts, pairs, deltas


class Order(NamedTuple):
    """What is released: selections and arms by name, the rows of `count_calls` for the card's costs, what writes the
    calls of the rows to a file (None where these are not wanted), and the marks of findings that are none."""

    study: Study
    arms: Sequence[str]
    calls: Sequence[Mapping[str, Any]]
    write_calls: Callable[[tables.Released, Path], int] | None
    accepted: frozenset[str]


class Made(NamedTuple):
    """A release as it was written: its configurations, notes for the user, its size in bytes, and the SHA-256 of its
    SHA256SUMS, which stands for all of it."""

    configs: list[Held]
    notes: list[str]
    size: int
    digest: str


def release(order: Order, out: Path, replace: bool) -> Made:
    """`out` holds the release, which was verified before it got there, or after an error what it held before. The same
    tables, params and packages give the same bytes.

    Raises CurationError, or Errors, where a table is not there, is not what params.yaml makes, or has no row; where a
    licence forbids it; where something is found that must not leave the machine; and where `out` is no release that
    `replace` may take the place of.
    """
    refuse_existing(out, replace)
    study, found = order.study, _find_tables(order.study, order.arms)
    frames = {config.name: parquet.read(_table(config), file) for config, file in found}
    subsets, unpaired = ([frames[config.name] for config, _ in found if config.table == table.name] for table in TABLES)
    origins = tables.count_origins(study, subsets, unpaired)
    if forbidden := list(licences.find_forbidden(study.licenses, origins)):
        raise Errors(forbidden)
    released = tables.find_released(subsets, unpaired)
    notes = list(filter(None, [licences.say_undeclared(study.licenses, origins)]))
    with whole_folder(out) as folder, progress("release", len(order.arms) + STEPS, "steps") as shown:
        for config, file in found:
            (folder / config.file).parent.mkdir(parents=True)
            shutil.copyfile(file, folder / config.file)
        within = folder / manifest.STUDY
        for _ in tables.write_tables(study, released, order.arms, within / contracts.DATA):
            pass
        if order.write_calls is not None:
            order.write_calls(released, within / contracts.DATA / tables.CALLS)
        local = _write_settings(study, within)
        notes += [f"{len(local)} local paths and private hosts of params.yaml are cut to their last names"] * bool(
            local
        )
        configs = [config for config, _ in found]
        versions = manifest.list_versions()
        manifest.write(Manifest(made_by="curation release", versions=versions, configs=configs), folder)
        shown.advance(note="tables")
        _write_card(order, folder, configs, origins, local)
        shown.advance(note="card")
        _refuse_found(order, folder)
        shown.advance(note="nothing that must not leave")
        _verify(folder, configs, versions, shown)
        sums.write_sums(folder)
        size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        digest = sums.digest(folder)
    return Made(configs, notes, size, digest)


def _verify(folder: Path, configs: Sequence[Held], versions: dict[str, str], shown: Progress) -> None:
    """Nothing. Raises Errors where a row is another when it is made again of what is released."""
    try:
        verify_tables(folder, configs, versions, shown)
    except CurationError as error:
        lines = str(error).replace(f"{folder}/", "").splitlines()
        raise Errors(
            [*lines, "the study's tables are not what its params.yaml makes of them; run `dvc repro`"]
        ) from None


def refuse_existing(out: Path, replace: bool) -> None:
    """Nothing. Raises CurationError where `out` is there, unless it is an empty folder, or a release with nothing
    beside it that `replace` may take the place of."""
    if not out.exists() and not out.is_symlink():
        return
    if out.is_symlink() or not out.is_dir():
        raise CurationError(f"{out}: is no folder; name another")
    if not any(out.iterdir()):
        return
    if not ((out / manifest.FILE).is_file() and (out / sums.SUMS).is_file()):
        raise CurationError(f"{out}: holds files and is no release; it stays, so name another folder")
    files, links = sums.list_files(out)
    known = sums.read_sums(out)
    others = sorted({*files, *links, *(path.name for path in out.iterdir() if path.name in sums.NOT_OURS)} - {*known})
    if others := [name for name in others if name != sums.SUMS]:
        raise CurationError(f"{out}: holds what is not of the release, such as {others[0]}; it stays, so name another")
    if not replace:
        raise CurationError(f"{out}: is a release already; name another folder, or replace it: --replace")


def _table(config: Held) -> Table:
    return next(table for table in TABLES if table.name == config.table)


def _find_tables(study: Study, names: Sequence[str]) -> list[tuple[Held, Path]]:
    """Of each selection and arm its tables that have rows, as configurations, and where each lies."""
    found = list[tuple[Held, Path]]()
    for name in names:
        there = 0
        for table in TABLES:
            file = contracts.arm_path(table.name, name) if name in study.arms else contracts.path(table.name, name)
            rows = parquet.read(table, file, table.key).height
            there += rows
            title = f"{name}{UNPAIRED_ENDS if table is contracts.UNPAIRED else ''}"
            file_name = f"data/{title}/{ONE_FILE}"
            held = Held.model_validate(
                {"name": title, "arm": name, "table": table.name, "file": file_name, "rows": rows}
            )
            found += [(held, file)] * bool(rows)
        if not there:
            raise CurationError(f"{name}: has no row to release; `curation sql` says why, of the table selections")
    return found


def _write_settings(study: Study, within: Path) -> dict[str, str]:
    """The folder holds params.yaml, and dvc.lock where there is one, without local paths. Returns what stands for each
    of these."""
    body = read_bytes(study.path)
    raw = parse_yaml(body, lambda why: CurationError(f"{study.path}:{why}"))
    local = find_local(raw)
    for file in (study.path, lock_file.LOCK):
        if file.exists():
            (within / file.name).write_text(replace_local(file.read_text(), local))
    return local


def _write_card(
    order: Order, folder: Path, configs: Sequence[Held], origins: Sequence[Origin], local: Mapping[str, str]
) -> None:
    declared = [
        card.Licence(origin.section, origin.name, found.license if found else None)
        for origin in origins
        for found in [order.study.licenses.of(origin.section).get(origin.name)]
    ]
    tables_of = [card.Config(config.name, config.arm, config.table, config.file) for config in configs]
    card.write(folder, order.study, tables_of, declared, order.calls)
    readme = folder / CARD
    readme.write_text(replace_local(readme.read_text(), local))


def _refuse_found(order: Order, folder: Path) -> None:
    """Nothing. Raises Errors with what the files hold that must not leave this machine."""
    raw = parse_yaml(read_bytes(order.study.path), lambda why: CurationError(f"{order.study.path}:{why}"))
    machine = scan.rules_of_machine(scan.read_secrets(scan.list_variables(raw)))
    names, _ = sums.list_files(folder)
    found = (one for one in scan.scan(folder, names, machine) if one.mark not in order.accepted)
    if lines := scan.say_found(found):
        raise Errors(lines)
