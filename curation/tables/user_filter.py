"""`where` of an import: which rows of a user's files are read. It is an SQL expression of a row's own columns, of which
those that it names are read first, and DuckDB evaluates it over these, with nothing else in reach."""

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import reduce
from typing import Any, NamedTuple

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.core.messages import show_value
from curation.tables.expressions.evaluation import why
from curation.tables.expressions.syntax import NOT_PER_ROW, TOO_DEEP, ColumnName, engine, parse
from curation.tables.json_values import Fault
from curation.tables.user_blocks import Block, Values

ROWS = "rows of a file"  # no expression can name it
OF_OTHERS = "looks at other rows; write an expression of a row's own columns"
ARROW_OF = {
    "truth": pa.bool_(), "whole": pa.int64(), "real": pa.float64(), "text": pa.large_string(),
    "list": pa.large_list(pa.large_string()),
}  # fmt: skip


def find_where_fault(where: str) -> str | None:
    """What is wrong with the text of a filter, whatever the files hold; None if nothing is."""
    try:
        parsed = parse(where)
    except ValueError as error:
        return str(error).replace(NOT_PER_ROW, OF_OTHERS).partition("; draws are")[0]
    except RecursionError:
        return f"{show_value(where)} {TOO_DEEP}"
    if parsed.has_window:
        return f"{show_value(where)} {OF_OTHERS}"
    if not parsed.columns:
        return f"{show_value(where)} names no column; leave `where` out to read every row"
    names = parsed.columns
    for whole in names:
        if any(whole == other[: len(whole)] for other in names if other != whole):
            return f"{show_value(where)} names {'.'.join(whole)} and a field of it; name the fields alone"
    return None


def filter_columns(where: str) -> dict[ColumnName, str]:
    """The columns and fields that a filter names, as it writes them and as a file is asked for them."""
    return {name: ".".join(name) for name in parse(where).columns}


class Part(NamedTuple):
    """The values of a column in some of the rows, and what they are, if all are one of ARROW_OF."""

    kind: str | None
    values: pa.ChunkedArray


def read_part(values: Values) -> Part:
    """The values of a column, as Arrow's. Raises Fault where they cannot be compared."""
    if isinstance(values, pa.ChunkedArray):
        return Part(None, _plain(values))
    kinds = {_kind(value) for value in values if value is not None and value == value}
    kind = reduce(_join, sorted(kinds)) if kinds else "null"
    if kind == "null":
        return Part(kind, pa.chunked_array([pa.nulls(len(values))]))
    return Part(kind, _as_arrow(values, kind))


def _plain(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column as its file declares it, in a type that DuckDB has; NaN is null."""
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if pa.types.is_struct(values.type):
        raise Fault("holds objects; name a field of them")
    if pa.types.is_string(values.type) or pa.types.is_string_view(values.type):
        return values.cast(pa.large_string())
    if pa.types.is_timestamp(values.type) and values.type.tz:  # or a text is read as of this machine's zone
        return values.cast(pa.timestamp(values.type.unit))
    if pa.types.is_floating(values.type) or pa.types.is_decimal256(values.type):
        reals = values.cast(pa.float64())
        return pc.if_else(pc.is_nan(reals), pa.scalar(None, pa.float64()), reals)
    return values


def _kind(value: Any) -> str:
    match value:
        case bool():
            return "truth"
        case int():
            return "whole" if -(2**63) <= value < 2**63 else "real"
        case float():
            return "real"
        case str():
            return "text"
        case list():
            return "list"
        case _:
            raise Fault("holds objects; name a field of them")


def _join(kind: str, other: str) -> str:
    """What values of two kinds are together: numbers, or else text."""
    if "null" in (kind, other):
        return other if kind == "null" else kind
    if kind == other:
        return kind
    if "list" in (kind, other):
        raise Fault("holds lists in some rows and none in others; make them alike")
    return "real" if {kind, other} == {"whole", "real"} else "text"


def _as_arrow(values: Iterable[Any], kind: str) -> pa.ChunkedArray:
    converters: dict[str, Callable[[Any], Any]] = {"text": _text, "list": _texts, "real": _real}
    convert = converters.get(kind)
    made = [None if value is None or value != value else convert(value) if convert else value for value in values]
    try:
        return pa.chunked_array([pa.array(made, ARROW_OF[kind])])
    except UnicodeEncodeError:
        raise Fault("has text with half a character (a lone surrogate)") from None


def _texts(listed: list[Any]) -> list[str]:
    return [_text(value) for value in listed]


def _real(value: float) -> float | None:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _text(value: Any) -> str:
    """A value as text: a whole number alike however it is written, 3 and 3.0."""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        return f"{value:.0f}"
    return json.dumps(value, ensure_ascii=False)


def join_parts(parts: Sequence[Part]) -> pa.ChunkedArray:
    """A column of the values of its parts, of which none depends on where one part ends. Raises Fault if they are of
    types that do not go together."""
    if all(part.kind is None for part in parts):
        tables = [pa.table({"values": part.values}) for part in parts]
        try:
            return pa.concat_tables(tables, promote_options="permissive").column(0)
        except pa.ArrowException:
            types = list(dict.fromkeys(str(part.values.type) for part in parts))
            raise Fault(f"holds {types[0]} in one file and {types[1]} in another; make them alike") from None
    kind = reduce(_join, (part.kind or "null" for part in parts))
    if kind == "null":
        return pa.chunked_array([pa.nulls(sum(len(part.values) for part in parts))])
    chunks = [part.values if part.kind == kind else _as_arrow(part.values.to_pylist(), kind) for part in parts]
    return pa.chunked_array([chunk for column in chunks for chunk in column.chunks], ARROW_OF[kind])


def find_kept(where: str, columns: Mapping[ColumnName, pa.ChunkedArray]) -> np.ndarray:
    """For each row whether the filter is true of it; null is not. Raises Fault if it gives no truths, or fails."""
    connection = engine()
    connection.register(ROWS, pa.table(_nest(columns)))
    try:
        relation = connection.sql(f'select ({where}\n) as kept from "{ROWS}"')
        if relation.types[0].id != "boolean":
            raise Fault(f"where: {show_value(where)} is not true or false")
        kept: np.ndarray = pc.fill_null(relation.to_arrow_table().column(0), False).to_numpy()
    except duckdb.Error as error:
        raise Fault(f"where: {show_value(where)}: {why(error)}; write a cast, as in try_cast(… as double)") from None
    finally:
        connection.unregister(ROWS)
    return kept


def keep_rows(block: Block, kept: np.ndarray) -> Block:
    """The rows of a block that are kept of its file's."""
    first = block.rows[0] - block.start if len(block.rows) else 0
    mask = kept[first : first + len(block.rows)]
    if mask.all():
        return block
    indices = np.flatnonzero(mask).tolist()
    columns = {
        name: values.filter(pa.array(mask)) if isinstance(values, pa.ChunkedArray) else [values[i] for i in indices]
        for name, values in block.columns.items()
    }
    lines = None if block.lines is None else [block.lines[index] for index in indices]
    return block._replace(rows=[block.rows[index] for index in indices], columns=columns, lines=lines)


def _nest(columns: Mapping[ColumnName, pa.ChunkedArray]) -> dict[str, pa.Array]:
    """The columns, those with the name of a field within others."""
    inner: dict[str, dict[ColumnName, pa.ChunkedArray]] = {}
    for (head, *rest), values in columns.items():
        inner.setdefault(head, {})[tuple(rest)] = values
    made = {}
    for head, fields in inner.items():
        if () in fields:
            made[head] = fields[()]
        else:
            nested = {name: _combine(values) for name, values in _nest(fields).items()}
            made[head] = pa.StructArray.from_arrays(list(nested.values()), list(nested))
    return made


def _combine(values: pa.Array | pa.ChunkedArray) -> pa.Array:
    return values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
