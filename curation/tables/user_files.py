"""A user's own file, read with a mapping of columns. Rows are counted from 0, lines from 1.

What forms it may have is in `user_rows`, what its values may be in `user_values`.
"""

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from curation.core.errors import CurationError
from curation.core.messages import first_names
from curation.core.params import Strict
from curation.core.ranges import FilePath
from curation.core.study import Study
from curation.core.text import one_line
from curation.tables.contracts import DATA
from curation.tables.ids import content_ids
from curation.tables.json_values import Fault
from curation.tables.texts import text_ids
from curation.tables.user_messages import count_lists, parse_answer, parse_list
from curation.tables.user_rows import UserRows, read_rows
from curation.tables.user_values import (
    COMPLETION,
    PROMPT,
    ColumnType,
    UnconvertibleError,
    convert_arrow,
    convert_values,
)

WATCHED = DATA / "import"  # what DVC looks at; it follows links to files in it, and none to folders
MOST_READ = 2**25  # bytes that are read to look whether a file can be
MOST_NAMED, MOST_SHOWN = 20, 40  # columns in a message, and characters of a name or a text


class MappedColumn(NamedTuple):
    """One column to read: the place in params that names it, the file's name for it, and what it may hold."""

    place: str
    name: str
    type: ColumnType

    def __str__(self) -> str:
        return f"column {self.name!r} ({self.place})"


class UserFileParams(Strict):
    """Settings of what is read from a user's file, at `path`. `COLUMNS_UNDER` is where they name its columns."""

    COLUMNS_UNDER: ClassVar[str] = "columns."

    path: FilePath

    def map_columns(self) -> tuple[Mapping[str, str | None], Mapping[str, ColumnType]]:
        """The file's names for our columns, null where it has none, and what they may hold."""
        raise NotImplementedError

    def mistakes(self, study: Study) -> Iterator[str]:
        """A path that is no file, or that DVC would not see change."""
        if fault := find_path_fault(self.path):
            yield f"path: {self.path} {fault}"

    def check_rows(self, rows: pl.DataFrame) -> None:
        """Nothing. Raises CurationError if the file's rows, as `read_columns` gives them, are not what they should."""

    def unmet(self, study: Study) -> Iterator[str]:
        """The file, where it is not there or does not hold what it should."""
        yield from find_read_fault(self.path, *self.map_columns(), self.COLUMNS_UNDER, self.check_rows)


def read_columns(
    path: str, columns: Mapping[str, str | None], types: Mapping[str, ColumnType], under: str = "columns."
) -> pl.DataFrame:
    """The columns of `path` under our names, those mapped to null left out, as the types' Polars types; NaN is null.
    `under` is where params name them.

    Raises CurationError naming the file, and the column, row or line, where it cannot be read, has no rows, lacks a
    column, or holds another type than in `types` or a null that it does not allow.
    """
    frame, parsed = _read(path, columns, types, under)
    for column, count in parsed.items():
        print(
            one_line(f"{path}: {column}: {count} texts are the JSON of message lists, and read as these"),
            file=sys.stderr,
        )
    return frame


def _read(
    path: str, columns: Mapping[str, str | None], types: Mapping[str, ColumnType], under: str
) -> tuple[pl.DataFrame, dict[MappedColumn, int]]:
    """What `read_columns` gives, and how many texts of each column of prompts are the JSON of message lists."""
    file = require_file(path)
    mapped = {
        ours: MappedColumn(f"{under}{ours}", theirs, types[ours])
        for ours, theirs in columns.items()
        if theirs is not None
    }
    try:
        rows = read_rows(file, {column.name for column in mapped.values()})
        frame = pl.DataFrame([_convert(rows, column).alias(ours) for ours, column in mapped.items()])
    except Fault as fault:
        raise CurationError(one_line(f"{path}: {fault}")) from None
    except OSError as error:
        raise CurationError(one_line(f"{path}: cannot be read: {error.strerror or error}")) from None
    if frame.is_empty():
        raise CurationError(f"{path}: has no rows")
    parsers = {PROMPT: parse_list, COMPLETION: parse_answer}
    texts = {column: parsers[column.type.values] for column in mapped.values() if column.type.values in parsers}
    parsed = {column: _count_lists(rows.columns[column.name], parse) for column, parse in texts.items()}
    return frame, {column: count for column, count in parsed.items() if count}


def _count_lists(values: list[Any] | pa.ChunkedArray, parse: Callable[[str], list[Any] | None]) -> int:
    return count_lists(values.to_pylist() if isinstance(values, pa.ChunkedArray) else values, parse)


def find_read_fault(
    path: str,
    columns: Mapping[str, str | None],
    types: Mapping[str, ColumnType],
    under: str,
    check_rows: Callable[[pl.DataFrame], None],
) -> Iterator[str]:
    """What `read_columns` refuses, or `check_rows` of what it gives, as `path: …`. Of a file of more than MOST_READ
    bytes only the columns are looked at, and those only in Parquet, whose footer names them."""
    file = Path(path)
    try:
        if not file.is_file() or file.stat().st_size <= MOST_READ:
            check_rows(_read(path, columns, types, under)[0])
        elif file.suffix == ".parquet":
            names = pq.read_schema(file).names
            for ours, theirs in columns.items():
                if theirs is not None and theirs not in names:
                    column = MappedColumn(f"{under}{ours}", theirs, types[ours])
                    raise CurationError(f"{path}: no {column}; it has {first_names(map(_shorten, names), MOST_NAMED)}")
    except (CurationError, pa.ArrowException, OSError) as error:
        yield one_line(f"path: {error}")


def _convert(rows: UserRows, column: MappedColumn) -> pl.Series:
    """The column's values as its type. Raises Fault if they are of another, or null where they may not be."""
    values = rows.columns.get(column.name)
    if values is None:
        if not rows.names:
            raise Fault("has no rows")
        raise Fault(f"no {column}; it has {first_names(map(_shorten, rows.names), MOST_NAMED)}")
    try:
        if isinstance(values, pa.ChunkedArray):
            series = convert_arrow(values, column.type)
        else:
            series = convert_values(values, column.type)
    except UnconvertibleError as error:
        raise Fault(f"{rows.place(error.row)}: {column} {error}") from None
    except ValueError as error:
        raise Fault(f"{column} {error}") from None
    if series.null_count() and not column.type.nullable:
        raise Fault(f"{column} is null in {series.null_count()} row(s), the first is row {series.is_null().arg_max()}")
    return series


def require_file(path: str) -> Path:
    """The file at `path`. Raises CurationError if there is none, or DVC would not see it change."""
    fault = find_path_fault(path)
    if fault is None and not Path(path).exists():
        fault = "does not exist; put it there, or correct the path in params.yaml"
    if fault:
        raise CurationError(one_line(f"{path}: {fault}"))
    return Path(path)


def find_path_fault(path: str) -> str | None:
    """What is wrong with what lies at `path`, in words: a folder, a link to nothing, a link to a folder on the way to a
    file that DVC should watch. None if nothing is, or nothing lies there."""
    try:
        return _find_link_to_folder(path) or _find_no_file(Path(path))
    except OSError as error:  # a name too long, a folder that may not be looked into
        return f"cannot be looked at: {error.strerror}; correct the path"


def _find_link_to_folder(path: str) -> str | None:
    inner = Path(os.path.relpath(path or "."))
    folders = [folder for folder in inner.parents if WATCHED in folder.parents and folder.is_symlink()]
    if not folders:
        return None
    return (
        f"lies behind {folders[-1]}, a link to a folder, which DVC does not follow: it would not see the file change; "
        "link the file itself, or copy it"
    )


def _find_no_file(file: Path) -> str | None:
    if file.is_dir():
        return f"is {'a link to ' if file.is_symlink() else ''}a folder; name one file in it"
    if file.is_symlink() and not file.exists():
        return f"is a link to {file.readlink()}, which does not exist; put the file there, or correct the link"
    if file.exists() and not file.is_file():
        return "is neither a file nor a link to one"
    return None


def refuse_other_text(path: str, column: str, rows: pl.DataFrame) -> None:
    """Nothing, if the file's texts are those that our tables have. Raises CurationError, naming the first that is not.

    `rows` has row and id of the file's rows, the file's text (null: nothing to compare), and ours, in this order. Texts
    are the same as `text_ids` has it.
    """
    *_, text, ours = rows.columns
    other = rows.filter(rows[text].is_not_null() & text_ids(rows[text]).ne_missing(text_ids(rows[ours])))
    if other.height:
        number, of, theirs, our = other.row(0)
        raise CurationError(
            one_line(
                f"{path}: row {number}: column {column!r} has another text than {of}: {_shorten(theirs)!r}, not "
                f"{_shorten(our or '')!r}, as have {other.height} rows; take ids and texts from `curation sql` at once"
            )
        )


def number_repeats(rows: pl.DataFrame, same: list[str], said: list[str]) -> pl.DataFrame:
    """`rows` with `repeat`, which numbers those of the `same` from 0 in an order drawn from what they say: that of the
    file changes nothing, and the lowest score is as often first as last, or it would look like drift."""
    text = pl.concat_str([pl.col(name).cast(pl.String).fill_null("") for name in said], separator="\x1f")
    drawn = rows.with_columns(content_ids(rows.select(*same, text.alias("said"))).alias("drawn"))
    repeat = pl.col("drawn").rank("ordinal").over(same) - 1
    return drawn.with_columns(repeat.cast(pl.Int32).alias("repeat")).drop("drawn")


def _shorten(text: str) -> str:
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}…"


def refuse_unmatched(path: str, column: str, ids: pl.Series, ours: pl.Series, unmatched: str, what: str) -> None:
    """Nothing, or a line on stderr, if the ids of `path` that are not among `ours` may be dropped. Raises
    CurationError, naming the first, if not."""
    lost = ids.filter(~ids.is_in(ours.implode()))
    if not len(lost):
        return
    count = f"{path}: {len(lost)} of {len(ids)} rows are of no {what}"
    if unmatched == "error" or len(lost) == len(ids):
        way_out = "" if len(lost) == len(ids) else ", or set unmatched: drop"
        raise CurationError(
            one_line(
                f"{count}, the first has {column} {lost[0]}; take ids from `curation sql --csv` and keep them text: "
                f"what reads them as doubles rounds them{way_out}"
            )
        )
    print(f"{count}; dropped", file=sys.stderr)
