"""What of a release is read by whoever loads it, and is none of the rows that are made again."""

from collections.abc import Iterator, Sequence
from contextlib import chdir
from pathlib import Path, PurePosixPath

import pyarrow.parquet as pq

from curation.core.errors import CurationError
from curation.core.lock_file import LOCK, PARAMS
from curation.core.params import read
from curation.core.parsed import parse_yaml
from curation.core.text import one_line
from curation.exchange.card import card, header
from curation.exchange.card.deltas import FOLDER as PICTURES
from curation.exchange.release import manifest, sums
from curation.exchange.release.manifest import Held
from curation.exchange.release.tables import CALLS, list_files
from curation.tables import contracts


def find_beside(folder: Path, made: Path, arms: Sequence[str]) -> Iterator[str]:
    """A sentence for each file in the folder of the study that is nothing that a release of `arms` holds; `made` is
    where its rows were made again."""
    with chdir(made):  # where what was checked of params.yaml is kept
        kept = [PARAMS, LOCK, contracts.DATA / CALLS, *(file for _, file in list_files(read(), arms))]
    own = {f"{manifest.STUDY}/{file.as_posix()}" for file in kept}
    for name in sums.list_files(folder)[0]:
        if PurePosixPath(name).parts[0] == manifest.STUDY and name not in own:
            yield f"{folder}/{one_line(name)}: is nothing that the rows are made of; take it out"


def find_unheld(folder: Path, configs: Sequence[Held], names: Sequence[str]) -> Iterator[str]:
    """A sentence for each of the files `names` that is of no configuration of release.json; for each configuration
    whose file has another number of rows; and for a card whose header has `load_dataset` read anything else."""
    own = {card.CARD, manifest.FILE, *(config.file for config in configs)}
    for name in names:
        if name not in own and PurePosixPath(name).parts[0] not in (PICTURES, manifest.STUDY):
            yield (
                f"{folder}/{one_line(name)}: is of no configuration of {manifest.FILE}, so that it is not made again; "
                "take it out"
            )
    for config in configs:
        rows = pq.read_metadata(folder / config.file).num_rows
        if rows != config.rows:
            yield f"{folder}/{manifest.FILE}: {config.name}: rows: {config.rows}, and {config.file} has {rows}"
    wanted = header.configs([card.Config(config.name, config.arm, config.table, config.file) for config in configs])
    if _read_header(folder / card.CARD).get("configs") != wanted:
        yield (
            f"{folder}/{card.CARD}: the configs of its header, which `load_dataset` reads, are not those of "
            f"{manifest.FILE}"
        )


def _read_header(file: Path) -> dict[str, object]:
    """The settings before the text of a card; none where it begins otherwise."""
    before, *header_and_text = file.read_bytes().split(b"---\n", 2) if file.is_file() else [b""]
    if before or len(header_and_text) < 2:
        return {}
    return parse_yaml(header_and_text[0], lambda why: CurationError(f"{file}:{why}"))
