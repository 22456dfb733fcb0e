"""What several tables are compared by: the traces and pairs of both versions, and which of their texts changed."""

from collections.abc import Collection
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from curation.core.progress import Progress
from curation.core.stats import dense_rank
from curation.explore.changes.reading import Columns, Match, concat_parts, differs, gather, match_keys, read
from curation.explore.changes.version import Version

TRACES: Columns = {
    "trace_id": pl.Int64, "prompt_id": pl.Int64, "generator": pl.String, "text_id": pl.Int64, "status": pl.String,
}  # fmt: skip
PAIRS: Columns = dict.fromkeys(("pair_id", "prompt_id", "chosen_trace_id", "rejected_trace_id"), pl.Int64)
PAIRS_FILE = "data/pairs.parquet"
SIDES = ("chosen_trace_id", "rejected_trace_id")


@dataclass
class Section:
    """What changed of a table: `figures`, a row for each of its parts by the columns `names`; and `rows`, the keys that
    changed, where they were asked for."""

    figures: pl.DataFrame
    names: tuple[str, ...]
    rows: pl.DataFrame = field(default_factory=pl.DataFrame)


@dataclass
class Context:
    """Two versions, and where it is told how far one is. `rows`: the sections whose rows that changed are wanted."""

    before: Version
    after: Version
    progress: Progress
    rows: Collection[str] = ()
    ranks: dict[bytes, float | None] = field(default_factory=dict)  # rank correlations, by what they are of

    @cached_property
    def traces(self) -> tuple[pl.DataFrame, pl.DataFrame]:
        """The traces of all generators whose files are on this machine, in the order of trace_id."""
        names = self.names("traces")
        old, new = (concat_parts(one, "traces", TRACES, names).sort("trace_id") for one in self._both)
        return old, new

    @cached_property
    def trace_match(self) -> Match:
        """Which traces are in both."""
        return match_keys(self.traces[0]["trace_id"], self.traces[1]["trace_id"])

    @cached_property
    def rewritten(self) -> pl.Series:
        """The ids of the traces that are in both and say something else: their text_id differs."""
        old, new = (gather(frame, rows) for frame, rows in zip(self.traces, self.trace_match[:2], strict=True))
        return old.filter(old["text_id"].ne_missing(new["text_id"]) | (old["status"] != new["status"]))["trace_id"]

    @cached_property
    def pairs(self) -> tuple[pl.DataFrame, pl.DataFrame]:
        """The pairs, in the order of pair_id."""
        new = read(self.after, PAIRS_FILE, PAIRS)
        return (read(self.before, PAIRS_FILE, PAIRS) if self.is_changed(PAIRS_FILE) else new), new

    @cached_property
    def pair_match(self) -> Match:
        """Which pairs are in both."""
        return match_keys(self.pairs[0]["pair_id"], self.pairs[1]["pair_id"])

    @cached_property
    def pair_prompts(self) -> np.ndarray:
        """The number of the prompt of each pair of the later version."""
        return dense_rank(self.pairs[1]["prompt_id"])

    @cached_property
    def trace_prompts(self) -> np.ndarray:
        """The number of the prompt of each trace of the later version."""
        return dense_rank(self.traces[1]["prompt_id"])

    def is_changed(self, name: str) -> bool:
        """Whether a file is not known to be the same in both."""
        return differs(self.before, self.after, name) or (name in self.before.files) != (name in self.after.files)

    def is_whole(self, name: str) -> bool:
        """Whether no version has this file elsewhere than on this machine."""
        files = [(version, version.files.get(name)) for version in self._both]
        return all(not one.may_have(name) if file is None else file.path is not None for one, file in files)

    def names(self, table: str) -> list[str]:
        """The names of the parts of a table in either version, without those that are not on this machine."""
        return [name for name in self._all_names(table) if self.is_whole(f"data/{table}/{name}.parquet")]

    def has_all(self, table: str) -> bool:
        """Whether all parts of a table are on this machine, of both versions."""
        return self.names(table) == self._all_names(table) and not any(one.lacks(f"data/{table}") for one in self._both)

    def _all_names(self, table: str) -> list[str]:
        return sorted({name for version in self._both for name in version.parts(table)})

    @property
    def _both(self) -> tuple[Version, Version]:
        return self.before, self.after


def frame(rows: list[dict[str, Any]], schema: Columns) -> pl.DataFrame:
    """Rows of these columns; what they do not name is null."""
    return pl.DataFrame(rows, schema=schema)


def concat(parts: list[pl.DataFrame]) -> pl.DataFrame:
    """The rows of all parts."""
    return pl.concat(parts) if parts else pl.DataFrame()
