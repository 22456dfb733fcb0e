"""One column of a user's files, as params name it: in words, and its values as what they may be."""

from typing import NamedTuple

import polars as pl
import pyarrow as pa

from curation.core.errors import CurationError
from curation.core.text import one_line
from curation.tables.user_blocks import Block
from curation.tables.user_values import ColumnType, UnconvertibleError, convert_arrow, convert_values


class MappedColumn(NamedTuple):
    """One column to read: the place in params that names it, the file's name for it, and what it may hold."""

    place: str
    name: str
    type: ColumnType

    def __str__(self) -> str:
        return describe_column(self.name, self.place)


def describe_column(name: str, place: str) -> str:
    """A column in words: its name, and where params name it."""
    return f"column {name!r} ({place})"


def convert(block: Block, column: MappedColumn) -> pl.Series:
    """The column's values in a block, as its type. Raises CurationError if one is of another."""
    values = block.columns[column.place]
    try:
        if isinstance(values, pa.ChunkedArray):
            return convert_arrow(values, column.type)
        return convert_values(values, column.type)
    except UnconvertibleError as error:
        raise CurationError(one_line(f"{block.place(error.row)}: {column} {error}")) from None
    except ValueError as error:
        raise CurationError(one_line(f"{block.file}: {column} {error}")) from None
