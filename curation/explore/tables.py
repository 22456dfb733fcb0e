"""Rows of a study's tables found by what they hold: of a table of ten million rows only what is asked for is read."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from curation.core.errors import CurationError
from curation.core.study import Study
from curation.selection import candidates, single_traces
from curation.tables import contracts, db
from curation.tables.outdated import refuse_renamed

Row = dict[str, Any]


class Tables:
    """The tables in data/ beside params.yaml. One that is not there has no rows, and is named in `absent`. What is read
    of whole columns stays read: for whoever explains many pairs, one after the other or at a time."""

    def __init__(self, study: Study) -> None:
        self.study, self.data = study, study.path.parent / contracts.DATA
        self.absent = dict[str, None]()  # a table's name, in the order in which they were asked for
        self.read = dict[Path, None]()  # the files that had rows

    @cached_property
    def candidates(self) -> candidates.Candidates:
        """Every pair with the columns that expressions name."""
        return candidates.from_files(self.study)

    @cached_property
    def single_traces(self) -> single_traces.SingleTraces:
        """Every trace that may be labelled, with the columns that expressions name."""
        return single_traces.from_files(self.study)

    def begin(self) -> "Tables":
        """The same tables, of which nothing is noted as absent or read yet, with the columns that were read."""
        again = Tables(self.study)
        again.__dict__ |= {"candidates": self.candidates, "single_traces": self.single_traces}
        return again

    def files(self, table: str, part: str | None = None) -> list[Path]:
        """The files of a table, or of one part of it, that are there."""
        if part is not None:
            files = [contracts.path(table, part, self.data)]
        elif table in db.PARTS:
            files = db.part_files(self.study, table, self.data)
        elif table == "deltas":
            files = [contracts.path(table, name, self.data) for name in self.study.dimensions]
        else:
            files = [contracts.path(table, data=self.data)]
        there = [file for file in files if file.exists()]
        if files and not there:
            self.absent[table if part is None else f"{table}/{part}"] = None
        return there

    def count(self, table: str) -> int:
        """How many rows a table has. Raises CurationError if a file cannot be read."""
        return sum(row["rows"] for row in self.find(table, pl.lit(True), [pl.len().alias("rows")]))

    def find(
        self, table: str, where: pl.Expr, columns: Sequence[str | pl.Expr] | None = None, part: str | None = None,
        most: int | None = None,
    ) -> list[Row]:  # fmt: skip
        """The rows for which `where` is true, in the order of the files; at most `most` of them."""
        return [row for _, row in self.find_in(table, self.files(table, part), where, columns, most)]

    def find_in(
        self, table: str, files: list[Path], where: pl.Expr, columns: Sequence[str | pl.Expr] | None = None,
        most: int | None = None,
    ) -> Iterator[tuple[Path, Row]]:  # fmt: skip
        """Those of some files of the table, each with its file. Raises CurationError if a file cannot be read."""
        for file in files:
            refuse_renamed(table, file)
            try:
                rows = pl.scan_parquet(file, glob=False).filter(where)
                rows = rows if columns is None else rows.select(columns)
                found = (rows if most is None else rows.head(most)).collect()
            except (pl.exceptions.PolarsError, OSError) as error:
                what = str(error).splitlines()[0]
                raise CurationError(
                    f"{file}: cannot be read, delete it and `dvc repro` makes it again: {what}"
                ) from None
            if found.height:
                self.read[file] = None
            yield from ((file, row) for row in found.iter_rows(named=True))

    def frame(self, table: str, where: pl.Expr) -> pl.DataFrame:
        """All columns of the rows for which `where` is true, with the table's own types."""
        return pl.DataFrame(self.find(table, where), contracts.empty(contracts.TABLES[table]).schema, orient="row")
