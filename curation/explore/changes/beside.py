"""One pair as two data versions have it: its texts, its verdicts and its scores, beside each other."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import polars as pl

from curation.explore.changes.kept import VERDICTS
from curation.explore.changes.page import read_pairs
from curation.explore.changes.reading import Columns, name_columns, pick
from curation.explore.changes.version import Version

PARTS = ("chosen", "rejected", "delta")  # of a score: of either side, and the one less the other


class Beside(NamedTuple):
    """What a row is of, its values in both versions, and whether they are others."""

    of: str
    before: dict[str, Any]
    after: dict[str, Any]

    @property
    def differs(self) -> bool:
        """Whether any value is another."""
        return self.before != self.after


class PairBeside(NamedTuple):
    """`texts` are a pair's prompt and sides in both versions, None where it is not in one."""

    texts: tuple[dict[str, Any] | None, dict[str, Any] | None]
    verdicts: list[Beside]
    scores: list[Beside]


def read_beside(before: Version, after: Version, pair_id: int) -> PairBeside:
    """The pair in both versions; of other rows no text is read. Raises CurationError where a table cannot be read."""
    ids = pl.Series([pair_id], dtype=pl.Int64)
    old, new = (read_pairs(version, ids).get(pair_id) for version in (before, after))
    verdicts, scores = ([dict(read(one, ids)) for one in (before, after)] for read in (_verdicts, _scores))
    return PairBeside((old, new), _join(*verdicts), _join(*scores))


def _join(before: dict[str, dict[str, Any]], after: dict[str, dict[str, Any]]) -> list[Beside]:
    """Those that differ first."""
    rows = [Beside(name, before.get(name, {}), after.get(name, {})) for name in dict.fromkeys((*before, *after))]
    return sorted(rows, key=lambda row: not row.differs)


def _verdicts(version: Version, ids: pl.Series) -> Iterator[tuple[str, dict[str, Any]]]:
    for name in version.parts("selections"):
        for row in pick(version, [f"data/selections/{name}.parquet"], "pair_id", ids, VERDICTS).to_dicts():
            yield name, {column: row[column] for column in ("reason", "margin")}


def _scores(version: Version, ids: pl.Series) -> Iterator[tuple[str, dict[str, Any]]]:
    for judge in version.parts("deltas"):
        name = f"data/deltas/{judge}.parquet"
        path = version.files[name].path
        columns = name_columns(name, path) if path is not None else {}
        for dimension in (column.removeprefix("delta_") for column in columns if column.startswith("delta_")):
            wanted: Columns = {"pair_id": pl.Int64, **{f"{part}_{dimension}": pl.Float64 for part in PARTS}}
            for row in pick(version, [name], "pair_id", ids, wanted).to_dicts():
                yield f"{judge}.{dimension}", {part: row[f"{part}_{dimension}"] for part in PARTS}
