"""Users' rows, a block at a time, wherever they are read from, and what is known of their columns."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias

import pyarrow as pa

from curation.core.errors import CurationError
from curation.tables.json_values import Fault
from curation.tables.user_fields import Place, find_field, list_schema_fields, take_column, to_python

BLOCK = 2048  # rows
Values: TypeAlias = list[Any] | pa.ChunkedArray


class Block(NamedTuple):
    """Rows of a file: the number of each, the values of the columns that were asked for, and of a text file the line on
    which each row starts. In a table of several files `start` rows are in those before this one, and are counted too.
    """

    file: str
    rows: Sequence[int]
    columns: dict[str, Values]
    lines: Sequence[int] | None = None
    start: int = 0

    def place(self, index: int) -> str:
        """Where one of the rows stands, as a message says it."""
        row = f"row {self.rows[index] - self.start}" if self.lines is None else f"line {self.lines[index]}"
        return f"{self.file}: {row}"

    def values(self, column: str) -> list[Any]:
        """The values of a column as Python's; structs are dicts. Raises CurationError if a map has a key twice."""
        values = self.columns[column]
        try:
            return to_python(values) if isinstance(values, pa.ChunkedArray) else values
        except ValueError as error:
            raise CurationError(f"{self.file}: {column} {error}") from None


class SeenColumns:
    """What is known of the columns of a file, or of what is read as one is: once its rows are read, or before where it
    declares them, `names` are the columns that it has, `fields` those within them too, `found` what it has of those
    that are wanted."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.forget()

    def forget(self) -> None:
        """Nothing is known."""
        self.names: dict[str, None] = {}
        self.fields: list[str] = []
        self.found: set[str] = set()

    def see_schema(self, schema: pa.Schema, wanted: list[str]) -> dict[str, Place]:
        """Where each of `wanted` is that there is. Raises Fault if two columns have the name of one."""
        self.names, self.fields = dict.fromkeys(schema.names), list(list_schema_fields(schema))
        refuse_doubled(schema.names, wanted)
        places = {name: place for name in wanted if (place := find_field(schema, name))}
        self.found = set(places)
        return places


def arrow_blocks(name: str, batches: Iterable[pa.RecordBatch | pa.Table], places: dict[str, Place]) -> Iterator[Block]:
    """The rows of Arrow's batches, with what is at each of `places`. Raises ArrowInvalid if one is not sound."""
    first = 0
    for batch in batches:
        batch.validate(full=True)  # what reads files takes bytes that are not UTF-8 as they are
        rows = range(first, first + batch.num_rows)
        yield Block(name, rows, {column: take_column(batch, place) for column, place in places.items()})
        first = rows.stop


def refuse_doubled(names: list[str], wanted: list[str]) -> None:
    """Raises Fault if two of a file's columns have one of the names that are wanted."""
    if doubled := [name for name in names if name in wanted and names.count(name) > 1]:
        raise Fault(f"has {names.count(doubled[0])} columns named {doubled[0]!r}; rename all but one")
