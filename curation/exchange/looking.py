"""Users' files, looked at: what columns and fields they have, and what of each row stands in them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from curation.core.errors import CurationError
from curation.core.progress import progress
from curation.exchange.values import SEEN, Kind, as_number, converse, kind_of
from curation.tables.json_values import Fault
from curation.tables.user_fields import take
from curation.tables.user_files import open_path
from curation.tables.user_table import UserTable
from curation.tables.user_tools import prune

MOST_ROWS = 20_000  # of a file that are looked at
MOST_BYTES = 2**29  # of a file that is read to its end
DEEPEST = 5  # fields within each other


@dataclass(frozen=True)
class Column:
    """A column, or a field by its dotted name, and what each row that was looked at has in it. `values` of lists and
    objects have no null keys."""

    name: str
    values: Sequence[Any]
    kind: Kind

    @cached_property
    def given(self) -> list[Any]:
        """The values that are not null."""
        return [value for value in self.values if value is not None]

    @cached_property
    def distinct(self) -> int:
        """How many values there are."""
        return len({value if isinstance(value, str | int | float) else repr(value) for value in self.given})

    @cached_property
    def numbers(self) -> list[float]:
        """The values as numbers, those that are none left out."""
        return [number for value in self.given if (number := as_number(value)) is not None]

    @cached_property
    def length(self) -> float:
        """The mean number of characters of its texts."""
        texts = [value for value in self.given[:SEEN] if isinstance(value, str)]
        return sum(map(len, texts)) / len(texts) if texts else 0.0

    @property
    def nulls(self) -> int:
        """How many rows have nothing in it."""
        return len(self.values) - len(self.given)

    def fields(self) -> dict[str, "Column"]:
        """Of lists of objects what stands in these, all rows' one after the other."""
        objects = [inner for value in self.given if isinstance(value, list) for inner in value]
        return _columns({name: [take(one, name) for one in objects] for name in _names(objects)})

    def look_within(self) -> "Look":
        """As a file of its own, what the objects in its lists hold."""
        fields = self.fields()
        objects = max((len(one.values) for one in fields.values()), default=0)
        return Look(self.name, objects, objects, fields)


@dataclass(frozen=True)
class Look:
    """What a file, or a folder that is one table, holds: `rows` of its `total` rows, null where that is not known, or
    of those that stand in its list `within`."""

    path: str
    rows: int
    total: int | None
    columns: Mapping[str, Column]
    within: str | None = None

    @property
    def whole(self) -> bool:
        """Whether all rows were looked at."""
        return self.rows == self.total

    @property
    def seen(self) -> str:
        """How many rows were looked at, in words."""
        if self.total is None:
            return f"the first {self.rows} rows"
        return f"{self.rows} rows" if self.whole else f"{self.rows} of {self.total} rows"

    def of_kind(self, *kinds: Kind) -> list[Column]:
        """The columns of these kinds, in the file's order."""
        return [column for column in self.columns.values() if column.kind in kinds]

    @property
    def title(self) -> str:
        """The file, and the list in it."""
        return self.path if self.within is None else f"{self.path} ({self.within})"


def look(path: str, within: str | None = None) -> Look:
    """What the file or folder at `path` holds, from its first rows to its last: of many some blocks. Raises
    CurationError if it cannot be read, or has no rows."""
    table = open_path(path, say=False, within=within)
    names = _top_names(table)
    kept, rows = _read_blocks(table, names, path)
    later = [name for file in table.files for name in file.names if name not in names]
    if later:  # columns that the first rows have not
        names = list(dict.fromkeys([*names, *later]))
        kept, rows = _read_blocks(table, names, path)
    values = {name: [value for block in kept for value in block[name]] for name in names}
    seen = len(next(iter(values.values())))
    if rows == 1 and within is None:
        _refuse_rows_in_one(path, [own[0] for own in values.values()])
    return Look(path, seen, rows, _columns(values), within)


def _read_blocks(table: UserTable, names: Sequence[str], path: str) -> tuple[list[dict[str, list[Any]]], int | None]:
    """The columns of the rows, block by block, and how many rows there are. Of many rows every second block is kept, or
    every fourth, and so on, so that neighbours stay together; of a large file the first alone, and their number is not
    known."""
    kept: dict[int, tuple[int, dict[str, list[Any]]]] = {}
    rows, every, large = 0, 1, table.size > MOST_BYTES
    with progress(f"new: {Path(path).name}", MOST_ROWS, "rows") as shown:
        for number, block in enumerate(table.blocks({name: name for name in names})):
            rows += len(block.rows)
            shown.advance(len(block.rows))
            if number % every:
                continue
            kept[number] = len(block.rows), {name: [*map(prune, block.values(name))] for name in names}
            if sum(height for height, _ in kept.values()) <= MOST_ROWS:
                continue
            if large:
                return [values for _, values in kept.values()], None
            every *= 2
            kept = {number: values for number, values in kept.items() if number % every == 0}
    return [values for _, values in kept.values()], rows


def find_lists(looked: Look) -> list[str]:
    """Where the rows of a file stand that is one object: its longest list of objects, and those of such objects too.
    None if it is several rows, or has no such list."""
    found = {
        one.name: one.values[0]
        for one in looked.columns.values()
        if looked.rows == 1 and one.kind in ("structs", "samples") and len(one.values[0]) > 1
    }
    if not found:
        return []
    longest = max(found.values(), key=len)
    return [name for name, rows in found.items() if rows is longest or {*rows[0]} == {*longest[0]}]


def _refuse_rows_in_one(path: str, values: Sequence[Any]) -> None:
    """Raise CurationError if the one object of a file has a row under each of its keys, or the list of a column."""
    what = ""
    if all(isinstance(value, Mapping) for value in values) and len({frozenset(value) for value in values}) == 1:
        if not converse(list(values)):
            what = f"{len(values)} objects that are alike"
    elif all(isinstance(value, list) and len(value) > 1 for value in values) and len(set(map(len, values))) == 1:
        what = "" if any(isinstance(one, Mapping | list) for value in values for one in value) else "a list a column"
    if what and len(values) > 1:
        raise CurationError(f"{path}: is one object with {what}; write an object for each row")


def _top_names(table: UserTable) -> list[str]:
    """The columns of the first rows of the first file. Raises CurationError as `UserTable.blocks` does."""
    file = table.files[0]
    try:
        next(iter(file.blocks([])), None)
    except Fault as fault:
        raise CurationError(f"{file.name}: {fault}") from None
    except OSError as error:
        raise CurationError(f"{file.name}: cannot be read: {error.strerror or error}") from None
    if not file.names:
        raise CurationError(f"{file.name}: has no rows")
    return [*file.names]


def _columns(values: Mapping[str, list[Any]]) -> dict[str, Column]:
    return {column.name: column for name, own in values.items() for column in _split(name, own)}


def _split(name: str, values: list[Any], left: int = DEEPEST) -> Iterator[Column]:
    """The column, or where it holds objects that are no message its fields."""
    seen = [value for value in values if value is not None]
    if left and seen and all(isinstance(value, Mapping) for value in seen) and not converse(seen):
        for field in dict.fromkeys(str(key) for value in seen for key in value):
            yield from _split(f"{name}.{field}", [take(value, field) for value in values], left - 1)
    else:
        yield Column(name, values, kind_of(seen[:SEEN]))


def _names(objects: Sequence[Any]) -> list[str]:
    return list(dict.fromkeys(str(key) for one in objects[:SEEN] if isinstance(one, Mapping) for key in one))


def quoted(column: Column) -> str:
    """The column's name as a filter has it."""
    return '"' + column.name.replace('"', '""') + '"'
