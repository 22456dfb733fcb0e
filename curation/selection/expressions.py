"""SQL expressions in params.yaml: one value a row, of declared columns, the same every time."""

import json
import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, Literal, NamedTuple, TypeAlias

import duckdb
import numpy as np
import polars as pl

from curation.core.messages import did_you_mean
from curation.tables.contracts import DECIMALS

NOT_PER_ROW = "is one value for all rows; write `over ()` after its aggregate"
REFUSED_NODES = {"SUBQUERY": "a subquery", "STAR": "'*'", "PARAMETER": "a parameter"}
ROW_NUMBER = "row of candidates"  # no expression can name it: it is in no schema
ColumnName: TypeAlias = tuple[str, ...]  # ("identical",) or ("rubric", "delta_logic")
ResultType: TypeAlias = Literal["number", "boolean", "name", "any"]  # of an expression; a name has no fraction


class Parsed(NamedTuple):
    """What an expression says: the columns it names, in their order; whether it is one column and no more; whether it
    has a window, so looks at other rows too; and the texts that it compares a column with."""

    columns: tuple[ColumnName, ...]
    is_column: bool
    has_window: bool
    compared_texts: tuple[tuple[ColumnName, str], ...]


@cache
def parse(expression: str) -> Parsed:
    """What `expression` says. Raises ValueError if it is not one SQL expression, or reads anything but its own row and
    windows over the rows."""
    (text,) = _engine().execute("select json_serialize_sql(?)", [f"select ({expression}\n)"]).fetchall()[0]
    tree = json.loads(text)
    if tree["error"]:
        raise ValueError(f"{expression!r} is not an SQL expression: {tree['error_message'].splitlines()[0]}")
    if len(tree["statements"]) > 1:
        raise ValueError(f"{expression!r} is more than one statement; write one expression")
    nodes = list(_nodes(tree["statements"][0]["node"]["select_list"]))
    if refused := [what for kind, what in REFUSED_NODES.items() if any(node.get("class") == kind for node in nodes)]:
        raise ValueError(f"{expression!r} has {refused[0]}; write one expression of a pair's own columns")
    columns = [tuple(node["column_names"]) for node in nodes if node.get("class") == "COLUMN_REF"]
    if volatile := sorted({node["function_name"] for node in nodes if "function_name" in node} & _volatile_functions()):
        raise ValueError(
            f"{expression!r} calls {volatile[0]}(), which gives another value another time; draws are made by `seed`"
        )
    is_column = nodes[0].get("class") == "COLUMN_REF"
    has_window = any(node.get("class") == "WINDOW" for node in nodes)
    return Parsed(tuple(dict.fromkeys(columns)), is_column, has_window, tuple(_compared_texts(nodes)))


def _compared_texts(nodes: Iterable[dict[str, Any]]) -> Iterable[tuple[ColumnName, str]]:
    """The texts that a column is compared with by `=`, `<>`, `in` or `not in`."""
    for node in nodes:
        if node.get("type") in ("COMPARE_EQUAL", "COMPARE_NOTEQUAL", "COMPARE_IN", "COMPARE_NOT_IN"):
            sides = node.get("children") or [node["left"], node["right"]]
            columns = [tuple(side["column_names"]) for side in sides if side.get("class") == "COLUMN_REF"]
            texts = [
                side["literal"]["text"]
                for side in sides
                if side.get("class") == "CONSTANT" and side["literal"]["kind"] == "STRING"
            ]
            yield from ((column, text) for column in columns[:1] for text in texts)


@cache
def _volatile_functions() -> frozenset[str]:
    """The functions whose value may differ for the same arguments."""
    query = "select function_name from duckdb_functions() where stability <> 'CONSISTENT' and function_type = 'scalar'"
    rows = _engine().execute(query).fetchall()
    return frozenset(str(name) for (name,) in rows)


def _nodes(tree: Any) -> Iterable[dict[str, Any]]:
    if isinstance(tree, dict):
        yield tree
    for part in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ():
        yield from _nodes(part)


def fault(expression: str, schema: Mapping[ColumnName, pl.DataType], result_type: ResultType) -> str | None:
    """What is wrong with `expression` over rows of these columns, or None if it gives a `result_type` for each."""
    try:
        parsed = parse(expression)
    except ValueError as error:
        return _missing_quotes(expression, schema) or str(error)
    except RecursionError:
        return f"{expression!r} is nested too deep; write it flatter, as with `in` or a case of several arms"
    for name in parsed.columns:
        if name not in schema:
            return _missing_quotes(expression, schema) or _unknown_column(name, schema)
    try:
        rows = pl.DataFrame(schema={".".join(name): schema[name] for name in parsed.columns or list(schema)[:1]})
        values = evaluate({"value": expression}, rows)["value"]
    except duckdb.Error as error:
        message = str(error).splitlines()[0]
        return f"{expression!r} {NOT_PER_ROW}" if "GROUP BY" in message else f"{expression!r}: {message}"
    if len(values):
        return f"{expression!r} {NOT_PER_ROW}"
    if result_type == "boolean" and values.dtype != pl.Boolean:
        return f"{expression!r} is not true or false"
    if result_type == "number" and not values.dtype.is_numeric():
        return f"{expression!r} is " + (
            "true or false, not a number; end it with ::int" if values.dtype == pl.Boolean else "not a number"
        )
    if result_type == "name" and values.dtype.is_float():
        return f"{expression!r} gives fractions, and each would be a stratum; end it with ::int"
    return None


def _missing_quotes(expression: str, schema: Mapping[ColumnName, pl.DataType]) -> str | None:
    """The message about a name with a hyphen, which SQL reads as a subtraction; None where there is none."""
    hyphenated = (
        head
        for head in dict.fromkeys(column[0] for column in schema)
        if "-" in head and re.search(rf'(?<!["\w-]){re.escape(head)}\.', expression)
    )
    return next((f"{expression!r}: a name with '-' stands in quotes, \"{head}\".…" for head in hyphenated), None)


def _unknown_column(name: ColumnName, schema: Mapping[ColumnName, pl.DataType]) -> str:
    """The message about a column that there is not: the nearest of those that begin alike, else how all begin."""
    text, heads = ".".join(name), list(dict.fromkeys(column[0] for column in schema))
    if name[0] in heads and len(name) > 1:
        alike = [".".join(column) for column in schema if column[0] == name[0]]
        return f"{text!r} is not a column{did_you_mean(text, alike)}"
    starts = [head if (head,) in schema else f"{head}.…" for head in heads]
    return f"{text!r} is not a column{did_you_mean(text, ['.'.join(column) for column in schema], starts)}"


def evaluate(expressions: Mapping[str, str], rows: pl.DataFrame) -> pl.DataFrame:
    """The values of the named expressions, a row for each of `rows` and in their order. The columns of `rows` are
    named as in `identical` or `rubric.delta_logic`.

    A window runs on one thread, since sums in another order have other last digits. Nothing but the rows can be read.
    """
    groups: dict[str, list[str]] = {}
    for column in rows.columns:
        groups.setdefault(column.partition(".")[0], []).append(column)
    view = rows.select(
        pl.col(columns[0])
        if columns == [head]
        else pl.struct(pl.col(column).alias(column.partition(".")[2]) for column in columns).alias(head)
        for head, columns in groups.items()
    )
    has_window = any(parse(expression).has_window for expression in expressions.values())
    view = view.with_row_index(ROW_NUMBER) if has_window else view
    connection = _engine(1 if has_window else None)
    connection.register("candidates", view.to_arrow())
    try:
        listed = ", ".join(f'({text}\n) as "{name}"' for name, text in expressions.items())
        order = f' order by "{ROW_NUMBER}"' if has_window else ""  # a partitioned window gives its rows by partition
        values: pl.DataFrame = connection.sql(f"select {listed} from candidates{order}").pl()
        return values
    finally:
        connection.unregister("candidates")


def to_floats(values: pl.Series) -> np.ndarray:
    """An expression's values as floats, rounded as tables round them; nan for null and for what is not finite."""
    floats = values.cast(pl.Float64).round(DECIMALS).fill_null(np.nan).to_numpy(writable=True)
    floats += 0.0  # -0.0 becomes 0.0
    floats[np.isinf(floats)] = np.nan
    return floats


@cache
def _engine(threads: int | None = None) -> duckdb.DuckDBPyConnection:
    """An empty database that can read nothing outside it. It is kept open: to open one takes longer than to check an
    expression, and a params file has dozens."""
    connection = duckdb.connect(config={} if threads is None else {"threads": threads})
    connection.execute("set enable_external_access = false; set lock_configuration = true")
    return connection
