"""SQL expressions in params.yaml: one value a row, of declared columns, the same every time."""

import json
import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, NamedTuple

import duckdb
import polars as pl

from curation.core.messages import did_you_mean

ONE = "is one value for all rows; write `over ()` after its aggregate"
BARRED = {"SUBQUERY": "a subquery", "STAR": "'*'", "PARAMETER": "a parameter"}
ROW = "row of candidates"  # no expression can name it: it is in no schema
Name = tuple[str, ...]  # ("identical",) or ("rubric", "delta_logic")


class Parsed(NamedTuple):
    """The columns that an expression names, in their order; whether it is one of them and no more, whether it looks
    at other rows too; and the texts that it compares a column with."""

    columns: tuple[Name, ...]
    plain: bool
    windows: bool
    compared: tuple[tuple[Name, str], ...]


@cache
def parse(expression: str) -> Parsed:
    """What `expression` names. Raises ValueError if it is not one SQL expression, or reads more than its own row and
    windows over the rows."""
    (text,) = _engine().execute("select json_serialize_sql(?)", [f"select ({expression}\n)"]).fetchall()[0]
    tree = json.loads(text)
    if tree["error"]:
        raise ValueError(f"{expression!r} is not an SQL expression: {tree['error_message'].splitlines()[0]}")
    if len(tree["statements"]) > 1:
        raise ValueError(f"{expression!r} is more than one statement; write one expression")
    nodes = list(_nodes(tree["statements"][0]["node"]["select_list"]))
    if held := [what for kind, what in BARRED.items() if any(node.get("class") == kind for node in nodes)]:
        raise ValueError(f"{expression!r} has {held[0]}; write one expression of a pair's own columns")
    columns = [tuple(node["column_names"]) for node in nodes if node.get("class") == "COLUMN_REF"]
    if shaky := sorted({node["function_name"] for node in nodes if "function_name" in node} & _unsteady()):
        raise ValueError(
            f"{expression!r} calls {shaky[0]}(), which gives another value another time; draws are made by `seed`"
        )
    windows = any(node.get("class") == "WINDOW" for node in nodes)
    return Parsed(
        tuple(dict.fromkeys(columns)), nodes[0].get("class") == "COLUMN_REF", windows, tuple(_compared(nodes))
    )


def _compared(nodes: Iterable[dict[str, Any]]) -> Iterable[tuple[Name, str]]:
    """The texts that a column is `=` or `<>` to, or `in`."""
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
def _unsteady() -> frozenset[str]:
    """The functions whose value is not a function of their arguments."""
    rows = (
        _engine()
        .execute(
            "select function_name from duckdb_functions() where stability <> 'CONSISTENT' and function_type = 'scalar'"
        )
        .fetchall()
    )
    return frozenset(str(name) for (name,) in rows)


def _nodes(tree: Any) -> Iterable[dict[str, Any]]:
    if isinstance(tree, dict):
        yield tree
    for part in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ():
        yield from _nodes(part)


def fault(expression: str, schema: Mapping[Name, pl.DataType], wanted: str) -> str | None:
    """What is wrong with `expression` over rows of these columns, or None: `wanted` is `number`, `boolean`, `name`
    (no fraction) or `any`."""
    try:
        parsed = parse(expression)
    except ValueError as error:
        return _unquoted(expression, schema) or str(error)
    except RecursionError:
        return f"{expression!r} is nested too deep; write it flatter, as with `in` or a case of several arms"
    for name in parsed.columns:
        if name not in schema:
            return _unquoted(expression, schema) or _unknown(name, schema)
    try:
        rows = pl.DataFrame(schema={".".join(name): schema[name] for name in parsed.columns or list(schema)[:1]})
        found = evaluate({"value": expression}, rows)["value"]
    except duckdb.Error as error:
        said = str(error).splitlines()[0]
        return f"{expression!r} {ONE}" if "GROUP BY" in said else f"{expression!r}: {said}"
    if len(found):
        return f"{expression!r} {ONE}"
    if wanted == "boolean" and found.dtype != pl.Boolean:
        return f"{expression!r} is not true or false"
    if wanted == "number" and not found.dtype.is_numeric():
        return f"{expression!r} is " + (
            "true or false, and no number; end it with ::int" if found.dtype == pl.Boolean else "no number"
        )
    if wanted == "name" and found.dtype.is_float():
        return f"{expression!r} gives fractions, and each would be a stratum; end it with ::int"
    return None


def _unquoted(expression: str, schema: Mapping[Name, pl.DataType]) -> str | None:
    """What to say of a name with a hyphen that reads as a subtraction; None where there is none."""
    dashed = (
        head
        for head in dict.fromkeys(known[0] for known in schema)
        if "-" in head and re.search(rf'(?<!["\w-]){re.escape(head)}\.', expression)
    )
    return next((f"{expression!r}: a name with '-' stands in quotes, \"{head}\".…" for head in dashed), None)


def _unknown(name: Name, schema: Mapping[Name, pl.DataType]) -> str:
    """What to say of a name that is in no schema: the nearest of those that begin alike, else how all begin."""
    said, heads = ".".join(name), list(dict.fromkeys(known[0] for known in schema))
    if name[0] in heads and len(name) > 1:
        return f"{said!r} is not a column{did_you_mean(said, ['.'.join(known) for known in schema if known[0] == name[0]])}"
    starts = [head if (head,) in schema else f"{head}.…" for head in heads]
    return f"{said!r} is not a column{did_you_mean(said, ['.'.join(known) for known in schema], starts)}"


def evaluate(expressions: Mapping[str, str], rows: pl.DataFrame) -> pl.DataFrame:
    """The values of the named expressions, a row for each of `rows` and in their order; columns are named `identical`
    or `rubric.delta_logic`.

    One thread where an aggregate goes over many rows, since sums in another order have other last digits. Nothing
    outside the rows can be read.
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
    windows = any(parse(expression).windows for expression in expressions.values())
    view = view.with_row_index(ROW) if windows else view
    connection = _engine(1 if windows else None)
    connection.register("candidates", view.to_arrow())
    try:
        listed = ", ".join(f'({text}\n) as "{name}"' for name, text in expressions.items())
        order = f' order by "{ROW}"' if windows else ""  # a window over parts gives them part by part
        found: pl.DataFrame = connection.sql(f"select {listed} from candidates{order}").pl()
        return found
    finally:
        connection.unregister("candidates")


@cache
def _engine(threads: int | None = None) -> duckdb.DuckDBPyConnection:
    """A database of nothing that reads nothing, kept: to open one takes longer than to check an expression, and a
    params file has dozens."""
    connection = duckdb.connect(config={} if threads is None else {"threads": threads})
    connection.execute("set enable_external_access = false; set lock_configuration = true")
    return connection
