"""Users' files as one table: one file, the files of a folder, or a split of a published data set; of its rows those
that `where` keeps. Rows are counted from 0 over all files, also those that are left out."""

import bisect
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Protocol

import numpy as np
import polars as pl

from curation.core.errors import CurationError
from curation.core.messages import did_you_mean, first_names, show_value
from curation.core.text import clip, one_line, say_count
from curation.tables import user_filter
from curation.tables.json_values import Fault
from curation.tables.user_blocks import Block
from curation.tables.user_columns import MappedColumn, convert, describe_column
from curation.tables.user_messages import count_lists, parse_answer, parse_list
from curation.tables.user_values import COMPLETION, COMPLETIONS, PROMPT, ColumnType

MOST_NAMED, MOST_SHOWN = 20, 40  # columns in a message, and characters of a column's name
PARSERS = {PROMPT: parse_list, COMPLETION: parse_answer, COMPLETIONS: parse_answer}  # of what a text may be the JSON of


class Rows(Protocol):
    """Rows that can be read again and again, as those of a file. `names`, `fields` and `found` are as FileRows says."""

    name: str
    names: dict[str, None]
    fields: list[str]
    found: set[str]

    @property
    def declares(self) -> bool:
        """Whether what columns there are is said before the rows, so that each file has all of them."""
        ...

    @property
    def size(self) -> int:
        """In bytes."""
        ...

    def look(self, wanted: Sequence[str]) -> set[str] | None:
        """Which of `wanted` there are, if that can be said without reading the rows."""
        ...

    def blocks(self, wanted: Sequence[str]) -> Iterator[Block]:
        """All rows, as FileRows gives them."""
        ...


class UserTable:
    """The rows of `files` that `where` keeps, if it is not null. `name` is what messages call them all."""

    def __init__(self, name: str, files: Sequence[Rows], where: str | None = None, say: bool = True) -> None:
        self.name, self.files, self.where, self._say = name, files, where, say
        self._starts = [0]  # the number of the first row of each file, as far as it is known
        self._kept: list[np.ndarray] | None = None

    def at(self, row: int) -> str:
        """Where a row of those that were read stands, as a message opens: `data/import/a.parquet: row 3`."""
        number = min(bisect.bisect_right(self._starts, row), len(self.files)) - 1
        return f"{self.files[number].name}: row {row - self._starts[number]}"

    def words(self, row: int) -> str:
        """As `at`, of what is said beside `name`: `row 3`, or where there are several files `row 3 of a.parquet`."""
        name, _, place = self.at(row).rpartition(": ")
        return place if len(self.files) == 1 else f"{place} of {name.rpartition('/')[2]}"

    def both(self, row: int, other: int) -> str:
        """As `words`, of two rows."""
        return f"rows {row} and {other}" if len(self.files) == 1 else f"{self.words(row)} and {self.words(other)}"

    def blocks(self, columns: Mapping[str, str]) -> Iterator[Block]:
        """The rows, some at a time, with the values of each column or field of the files that `columns` names, by the
        places in params that name them. How many rows `where` leaves out is said on stderr.

        Raises CurationError, naming the file, where one cannot be read or lacks a column, or there are no such rows.
        """
        kept = self._find_kept()
        empty = True
        for number, block in self._read_files(columns):
            filtered = block if kept is None else user_filter.keep_rows(block, kept[number])
            if len(filtered.rows):
                empty = False
                yield filtered
        if empty:
            raise CurationError(f"{self.name}: has no rows")

    def read(
        self, columns: Mapping[str, str | None], types: Mapping[str, ColumnType], under: str = "columns."
    ) -> pl.DataFrame:
        """The columns under our names, those mapped to null left out, as the types' Polars types, and `row`, which
        numbers the rows; NaN is null. `under` is where params name them.

        Raises CurationError naming the file, and the column, row or line, where it cannot be read, has no rows, lacks a
        column, or holds another type than in `types` or a null that it does not allow.
        """
        mapped = {
            ours: MappedColumn(f"{under}{ours}", theirs, types[ours])
            for ours, theirs in columns.items()
            if theirs is not None
        }
        numbers, parts, lists = (
            list[pl.Series](),
            {ours: list[pl.Series]() for ours in mapped},
            dict.fromkeys(mapped, 0),
        )
        for block in self.blocks({column.place: column.name for column in mapped.values()}):
            numbers.append(pl.Series("row", block.rows, pl.Int64))
            for ours, column in mapped.items():
                parts[ours].append(convert(block, column).alias(ours))
                if parse := PARSERS.get(column.type.values):
                    lists[ours] += count_lists(block.values(column.place), parse)
        frame = pl.DataFrame([pl.concat(numbers), *(pl.concat(series) for series in parts.values())])
        for ours, column in mapped.items():
            self._refuse_nulls(column, frame.select("row", ours))
            if lists[ours]:
                self._print(
                    f"{column}: {say_count(lists[ours], 'text is', 'texts are')} the JSON of message lists, and read so"
                )
        return frame

    @property
    def size(self) -> int:
        """Of all files, in bytes. Raises CurationError where one cannot be had."""
        total = 0
        for file in self.files:
            with _naming(file.name):
                total += file.size
        return total

    def refuse_missing(self, columns: Mapping[str, str]) -> None:
        """Nothing. Raises CurationError where a Parquet file or a data set lacks a column that `columns` or `where`
        names; no row is read."""
        filtered = list(user_filter.filter_columns(self.where).values()) if self.where else []
        for file in self.files:
            with _naming(file.name):
                for named, place in ((columns, None), ({name: name for name in filtered}, "where")):
                    if (found := file.look(list(named.values()))) is not None:
                        _refuse_missing(named, found, file, place)

    def _read_files(self, columns: Mapping[str, str], place: str | None = None) -> Iterator[tuple[int, Block]]:
        """All rows, each block with the number of its file. `place` is where params name all of the columns, if it is
        one. Raises CurationError where `blocks` does."""
        start, found = 0, set[str]()
        self._starts = []
        for number, file in enumerate(self.files):
            self._starts.append(start)
            with _naming(file.name):
                end = start
                for block in file.blocks(list(columns.values())):
                    if file.declares:
                        _refuse_missing(columns, file.found, file, place)
                    nulls = [None] * len(block.rows)
                    values = {key: block.columns.get(name, nulls) for key, name in columns.items()}
                    end = start + block.rows[-1] + 1 if len(block.rows) else end
                    yield number, block._replace(rows=range(end - len(block.rows), end), columns=values, start=start)
                found |= file.found
                if file.declares:
                    _refuse_missing(columns, file.found, file, place)
            start = end
        with _naming(self.name):
            _refuse_missing(columns, found, self.files[0], place)

    def _find_kept(self) -> list[np.ndarray] | None:
        """For each file which of its rows `where` keeps; None if it keeps all. Raises CurationError where it cannot be
        evaluated, or keeps none."""
        if self.where is None or self._kept is not None:
            return self._kept
        names = user_filter.filter_columns(self.where)
        parts: dict[str, list[user_filter.Part]] = {name: [] for name in names.values()}
        heights = [0] * len(self.files)
        for number, block in self._read_files({name: name for name in parts}, "where"):
            heights[number] += len(block.rows)
            for name, values in block.columns.items():
                with _naming(f"{block.file}: {describe_column(name, 'where')}", " "):
                    parts[name].append(user_filter.read_part(values))
        if not sum(heights):
            raise CurationError(f"{self.name}: has no rows")
        columns = {}
        for column, name in names.items():
            with _naming(f"{self.name}: {describe_column(name, 'where')}", " "):
                columns[column] = user_filter.join_parts(parts[name])
        with _naming(self.name):
            kept = user_filter.find_kept(self.where, columns)
        if not kept.any():
            shown = show_value(self.where)
            raise CurationError(
                one_line(f"{self.name}: where: {shown} is true of none of {len(kept)} rows; correct it")
            )
        self._print(f"where leaves out {len(kept) - kept.sum()} of {len(kept)} rows")
        self._kept = np.split(kept, np.cumsum(heights)[:-1])
        return self._kept

    def _refuse_nulls(self, column: MappedColumn, values: pl.DataFrame) -> None:
        if column.type.nullable or not (nulls := values.filter(values.to_series(1).is_null())).height:
            return
        first = self.words(nulls["row"][0])
        raise CurationError(
            one_line(f"{self.name}: {column} is null in {say_count(nulls.height, 'row')}, the first is {first}")
        )

    def _print(self, said: str) -> None:
        if self._say:
            print(one_line(f"{self.name}: {said}"), file=sys.stderr)


@contextmanager
def _naming(name: str, between: str = ": ") -> Iterator[None]:
    """Whatever is wrong within is a CurationError that begins with `name`."""
    try:
        yield
    except Fault as fault:
        raise CurationError(one_line(f"{name}{between}{fault}")) from None
    except OSError as error:
        raise CurationError(one_line(f"{name}: cannot be read: {error.strerror or error}")) from None


def _refuse_missing(columns: Mapping[str, str], found: set[str], file: Rows, place: str | None) -> None:
    """Raises Fault naming each column that there is not, what there is, and the nearest of it."""
    missing = {key: name for key, name in columns.items() if name not in found}
    if not missing:
        return
    if not file.names:
        raise Fault("has no rows")
    said = ", ".join(f"no {describe_column(name, place or key)}" for key, name in missing.items())
    nearest = [did_you_mean(name, file.fields, ()) for name in missing.values()]
    listed = first_names((clip(name, MOST_SHOWN) for name in file.names), MOST_NAMED)
    raise Fault(f"{said}; it has {listed}{next(filter(None, nearest), '')}")
