"""Names of columns and of fields within them, with dots: `annotations.helpfulness.Rating`. A name that is there as it
stands is meant so, dots and all; else each part is a field of what the part before it names, or the number of an item
of a list, from 0: `summaries.1.text`."""

from collections.abc import Iterator, Mapping
from functools import cache
from itertools import takewhile
from typing import Any, Final, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

MISSING: Final = object()
Place: TypeAlias = tuple[str | int, ...]  # names of fields within each other, and numbers of items of lists


def take(value: Any, name: str, default: Any = None) -> Any:
    """What `value`, a mapping of names as a row or a struct is, or a list, has under `name`; `default` where it has
    nothing."""
    if type(value) is not dict and not isinstance(value, Mapping):  # the second takes ten times as long
        return _take_item(value, name, default) if isinstance(value, list) else default
    if name in value:
        return value[name]
    for head, rest in _splits(name):
        if head in value and (found := take(value[head], rest, MISSING)) is not MISSING:
            return found
    return default


def _take_item(items: list[Any], name: str, default: Any) -> Any:
    number, _, rest = name.partition(".")
    if not _is_number(number) or int(number) >= len(items):
        return default
    item = items[int(number)]
    return take(item, rest, default) if rest else item


def _is_number(text: str) -> bool:
    return text.isdecimal() and text.isascii() and len(text) < 10


def find_field(fields: pa.Schema | pa.StructType, name: str) -> Place | None:
    """The place that `name` means; None where there is none."""
    names = fields.names
    if name in names:
        return (name,)
    for head, rest in _splits(name):
        found = _find_within(fields.field(head).type, rest) if names.count(head) == 1 else None
        if found is not None:
            return (head, *found)
    return None


def _find_within(inner: pa.DataType, name: str) -> Place | None:
    if pa.types.is_struct(inner):
        return find_field(inner, name)
    number, _, rest = name.partition(".")
    if not (_is_list(inner) and _is_number(number)):
        return None
    found = _find_within(inner.value_type, rest) if rest else ()
    return None if found is None else (int(number), *found)


def _is_list(type: pa.DataType) -> bool:
    return bool(pa.types.is_list(type) or pa.types.is_large_list(type))


def stored_column(place: Place) -> str:
    """What of a Parquet file has to be read for a place: the field, or the list that it is in."""
    return ".".join(str(name) for name in takewhile(lambda name: isinstance(name, str), place))


def take_column(table: pa.Table | pa.RecordBatch, place: Place) -> pa.ChunkedArray:
    """The values at a place of `find_field`; null where a struct on the way is, or a list has no such
    item."""
    column = table.column(place[0])
    for name in place[1:]:
        if isinstance(name, int):
            item = pc.list_slice(column, name, name + 1, return_fixed_size_list=True)
            column = pc.list_element(item, 0)
        else:
            column = pc.struct_field(column, [column.type.get_field_index(name)])
    return column if isinstance(column, pa.ChunkedArray) else pa.chunked_array([column])


def to_python(values: pa.ChunkedArray) -> list[Any]:
    """Arrow's values as Python's; structs and maps are dicts. Raises ValueError if a map has a key twice."""
    if not _has_map(values.type):
        return list(values.to_pylist())  # which takes a third of the time
    try:
        return list(values.to_pylist(maps_as_pydicts="strict"))
    except KeyError:
        raise ValueError("has a map with a key twice; keep one") from None


def _has_map(type: pa.DataType) -> bool:
    return bool(pa.types.is_map(type)) or any(_has_map(type.field(index).type) for index in range(type.num_fields))


def list_fields(value: Any, deepest: int = 3) -> Iterator[str]:
    """The names by which `take` finds something in a row, those of a struct before those in it."""
    for name, inner in value.items() if isinstance(value, Mapping) else ():
        yield str(name)
        if deepest > 1:
            yield from (f"{name}.{field}" for field in list_fields(inner, deepest - 1))


def list_schema_fields(fields: pa.Schema | pa.StructType, deepest: int = 3) -> Iterator[str]:
    """As `list_fields`, of what Arrow declares."""
    for field in fields:
        yield field.name
        if deepest > 1 and pa.types.is_struct(field.type):
            yield from (f"{field.name}.{inner}" for inner in list_schema_fields(field.type, deepest - 1))


@cache
def _splits(name: str) -> tuple[tuple[str, str], ...]:
    """Both sides of each dot of a name, the last dot first."""
    parts = name.split(".")
    return tuple((".".join(parts[:end]), ".".join(parts[end:])) for end in range(len(parts) - 1, 0, -1))
