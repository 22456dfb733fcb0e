"""Parts of tables that have another name in the later version and the same rows: they are compared under it."""

from collections.abc import Iterator
from typing import NamedTuple

import polars as pl
import pyarrow.parquet as pq

from curation.explore.changes.version import SECTIONS, File, Version

NAMED = ("selection", "judge")  # columns that say a part's own name
TABLES = ("judgments", "preferences", "deltas", "pair_scores", "selections", "subsets", "unpaired", "arms/subsets")


class Renamed(NamedTuple):
    """A part of a table that was called `before` and is called `after`."""

    table: str
    before: str
    after: str


def rename(before: Version, after: Version) -> list[Renamed]:
    """The parts that were renamed; the earlier version calls them by their later names from here on. A part was if its
    name went, another came, and the rows of both are the same, however many. Of several like it each stands for one."""
    return [found for table in TABLES for found in _rename_parts(before, after, table)]


def _rename_parts(before: Version, after: Version, table: str) -> Iterator[Renamed]:
    went = [name for name in before.parts(table) if name not in after.parts(table)]
    for came in after.parts(table):
        if came in before.parts(table):
            continue
        name = next(
            (old for old in went if _is_same(before.files[_place(table, old)], after.files[_place(table, came)])), None
        )
        if name is not None:
            went.remove(name)
            _give_name(before, table, name, came)
            yield Renamed(table, name, came)


def _place(table: str, name: str) -> str:
    return f"data/{table}/{name}.parquet"


def _is_same(before: File, after: File) -> bool:
    paths = [file.path for file in (before, after) if file.path is not None]
    heights = {pq.read_metadata(path).num_rows for path in paths}
    if len(paths) < 2 or len(heights) > 1 or 0 in heights:
        return False
    old, new = (pl.read_parquet(path, glob=False).drop(NAMED, strict=False) for path in paths)
    return old.equals(new)


def _give_name(version: Version, table: str, old: str, new: str) -> None:
    """The version calls a part by another name: its file, what dvc.lock says of it, and its settings."""
    was, now = _place(table, old), _place(table, new)
    version.files[now] = version.files.pop(was)
    if was in version.outs:
        version.outs[now] = version.outs.pop(was)
    for section in SECTIONS.get(table, ()):
        settings = version.params.get(section) or {}
        if old in settings and new not in settings:
            version.params[section] = {new if name == old else name: body for name, body in settings.items()}
