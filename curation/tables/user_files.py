"""A user's own rows, read with a mapping of columns: settings of what is read, and the check that it can be.

Where files may lie is in `user_paths`, what forms they may have in `user_rows`, what their values may be in
`user_values`, what a published data set is in `user_datasets`, and all of them as one table in `user_table`.
"""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import ClassVar

import polars as pl

from curation.core.errors import CurationError
from curation.core.params import Strict
from curation.core.ranges import FilePath
from curation.core.study import Study
from curation.core.text import one_line
from curation.tables.user_datasets import DatasetParams, DatasetRows, is_cached
from curation.tables.user_filter import find_where_fault
from curation.tables.user_paths import describe_folder, find_path_fault, list_files
from curation.tables.user_rows import FileRows
from curation.tables.user_table import UserTable
from curation.tables.user_values import ColumnType

MOST_READ = 2**25  # bytes that are read to look whether files can be


class UserFileParams(Strict):
    """Settings of what is read of a user's files: a file or a folder of files at `path`, or in its place the published
    data set `dataset`; of its rows those of which the SQL expression `where` is true, unless it is null. `rows` is the
    list that has them, as `data`, where a JSON file is one object and not a row of its own. `COLUMNS_UNDER` is where
    the settings name columns."""

    COLUMNS_UNDER: ClassVar[str] = "columns."

    path: FilePath | None = None
    dataset: DatasetParams | None = None
    where: str | None = None
    rows: str | None = None

    def map_columns(self) -> tuple[Mapping[str, str | None], Mapping[str, ColumnType]]:
        """The file's names for our columns, null where it has none, and what they may hold."""
        raise NotImplementedError

    def mistakes(self, study: Study) -> Iterator[str]:
        """Neither a path nor a data set, or both; a path that is no table, or that DVC would not see change; what a
        filter may not say."""
        if self.path is None and self.dataset is None:
            yield "path: missing; add it, or dataset"
        if self.path is not None and self.dataset is not None:
            yield f"dataset: {self.dataset.name} stands beside path {self.path}; leave one of the two"
        if self.path is not None and (fault := find_path_fault(self.path)):
            yield f"path: {self.path} {fault}"
        if self.rows is not None and self.dataset is not None:
            yield f"rows: {self.rows} is a list in a file, and a data set has rows; leave it out"
        if self.where is not None and (fault := find_where_fault(self.where)):
            yield f"where: {fault}"

    def open(self, say: bool = True) -> UserTable:
        """The rows, of which none is read yet. What is read of a folder is said on stderr, if it is to be. Raises
        CurationError if there is no such file or data set."""
        if self.dataset is not None:
            return UserTable(self.dataset.title, [DatasetRows(self.dataset)], self.where, say)
        return open_path(self.path or "", self.where, say, self.rows)

    def check_rows(self, table: UserTable, rows: pl.DataFrame) -> None:
        """Nothing. Raises CurationError if the rows, as `UserTable.read` gives them, are not what they should."""

    def unmet(self, study: Study) -> Iterator[str]:
        """The file, where it is not there or does not hold what it should."""
        columns, types = self.map_columns()
        place = "path" if self.dataset is None else "dataset"
        try:
            if self.dataset is not None and not is_cached(self.dataset):
                return  # it is fetched when it is read
            table = self.open(say=False)
            if table.size > MOST_READ:
                table.refuse_missing({f"{self.COLUMNS_UNDER}{ours}": name for ours, name in columns.items() if name})
            else:
                self.check_rows(table, table.read(columns, types, self.COLUMNS_UNDER))
        except CurationError as error:
            yield one_line(f"{place}: {error}")


def open_path(path: str, where: str | None = None, say: bool = True, within: str | None = None) -> UserTable:
    """The rows of the file at `path`, or of the files of the folder there, of which none is read yet; in each those of
    the list `within`, if it is named. Raises CurationError if there is none."""
    found = list_files(path)
    if say and Path(path).is_dir():
        print(one_line(describe_folder(path, found)), file=sys.stderr)
    return UserTable(path, [FileRows(str(file), within) for file in found.files], where, say)


def read_columns(
    path: str, columns: Mapping[str, str | None], types: Mapping[str, ColumnType], under: str = "columns."
) -> pl.DataFrame:
    """The columns of the file or folder at `path`, as `UserTable.read` gives them, without the numbers of the rows."""
    return open_path(path).read(columns, types, under).drop("row")
