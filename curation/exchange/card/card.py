"""The dataset card of a release: what is in it, how it was made, and how far that can be believed."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from curation.core.study import Study
from curation.tables.contracts import DATA


class Config(NamedTuple):
    """A table of the release as the hub's viewer and `load_dataset` name it: the `arm` or selection whose rows it has,
    `table` it is of, and its `file` within the release, such as `data/top/train-00000-of-00001.parquet`."""

    name: str
    arm: str
    table: Literal["subsets", "unpaired"]
    file: str


class Licence(NamedTuple):
    """What params.yaml declares of an entry of `sources` or `generators`: the hub's id of a licence, or null."""

    section: Literal["sources", "generators"]
    name: str
    licence: str | None


def write(
    folder: Path,
    study: Study,
    configs: Sequence[Config],
    licences: Sequence[Licence] = (),
    calls: Sequence[Mapping[str, Any]] = (),
    data: Path = DATA,
) -> list[str]:
    """`folder`, which holds the file of each of the configs, holds README.md and its pictures too. Returns the names
    of the files, within `folder`, that were written.

    `licences` has the licence of each source and generator that a row comes from, `calls` the rows of
    `calls.counts.count_calls`, of which this study's count; `data` is the folder of the study's tables. The same
    tables, params and calls give the same bytes. What a table that is not there would say is left out.
    """
    (folder / "README.md").write_text("# A release\n")
    return ["README.md"]
