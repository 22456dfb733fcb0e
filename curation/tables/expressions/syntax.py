"""What an SQL expression of params.yaml says, as DuckDB parses it; whatever could give it another number of values than
one a row, or another value another time, is refused by name."""

import json
from collections.abc import Iterable
from functools import cache
from typing import Any, NamedTuple, TypeAlias

import duckdb

from curation.core.messages import did_you_mean, show_value
from curation.tables.expressions.functions import AGGREGATES, OPERATORS, SCALARS, WINDOWS

NOT_PER_ROW = "is one value for all rows; write `over ()` after its aggregate"
TOO_DEEP = "is nested too deep; write it flatter, as with `in` or a case of several arms"
ALLOWED_NODES = {"BETWEEN", "CASE", "CAST", "COLUMN_REF", "COMPARISON", "CONJUNCTION", "CONSTANT", "FUNCTION",
                 "OPERATOR", "TYPE", "WINDOW"}  # fmt: skip
REFUSED_NODES = {"SUBQUERY": "a subquery", "STAR": "'*'", "PARAMETER": "a parameter", "LAMBDA": "a lambda"}
MOST_CHARACTERS = 100_000  # of an expression: DuckDB's parser takes 4 KB for each of a nested one
ColumnName: TypeAlias = tuple[str, ...]  # ("identical",) or ("rubric", "delta_logic")


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
    windows over the rows, or may give several values for a row."""
    nodes = list(_nodes(_tree(expression)))
    for node in nodes:
        if fault := _fault_of_node(node):
            raise ValueError(f"{show_value(expression)} {fault}")
    columns = [tuple(node["column_names"]) for node in nodes if node.get("class") == "COLUMN_REF"]
    is_column = nodes[0].get("class") == "COLUMN_REF"
    has_window = any(node.get("class") == "WINDOW" for node in nodes)
    return Parsed(tuple(dict.fromkeys(columns)), is_column, has_window, tuple(_compared_texts(nodes)))


def _tree(expression: str) -> dict[str, Any]:
    """DuckDB's tree of an expression. Raises ValueError if it is none, or more than one."""
    if len(expression) > MOST_CHARACTERS:
        raise ValueError(f"{show_value(expression)} has more than {MOST_CHARACTERS:,} characters; write it shorter")
    if not expression.strip():
        raise ValueError(f"{show_value(expression)} is empty; write one SQL expression")
    tree = _serialize(f"select ({expression}\n)")
    if tree["error"]:
        message = tree["error_message"].splitlines()[0]
        if "max_expression_depth" in message:
            raise ValueError(f"{show_value(expression)} {TOO_DEEP}")
        raise ValueError(f"{show_value(expression)} is not an SQL expression: {message}")
    if len(tree["statements"]) > 1:
        raise ValueError(f"{show_value(expression)} is more than one statement; write one expression")
    query = tree["statements"][0]["node"]
    values = query.pop("select_list", [])
    if len(values) != 1 or query != _bare_query():  # as in `1), (2`, `1) limit (0`, `1) union select (2`
        raise ValueError(f"{show_value(expression)} is more than one expression; write one of a row's own columns")
    tree_of_value: dict[str, Any] = values[0]
    return tree_of_value


def _serialize(query: str) -> Any:
    return json.loads(engine().execute("select json_serialize_sql(?)", [query]).fetchall()[0][0])


@cache
def _bare_query() -> dict[str, Any]:
    """The tree of a query that only selects, without what it selects."""
    query: dict[str, Any] = _serialize("select 1")["statements"][0]["node"]
    del query["select_list"]
    return query


def _fault_of_node(node: dict[str, Any]) -> str | None:
    """What is wrong with a part of an expression, or None."""
    kind, name = node.get("class"), node.get("function_name", "")
    if kind in REFUSED_NODES:
        return f"has {REFUSED_NODES[kind]}; write one expression of a row's own columns"
    if kind is not None and kind not in ALLOWED_NODES:
        return f"has what expressions do not know, {kind.lower().replace('_', ' ')}; write it otherwise"
    if kind == "FUNCTION" and name in AGGREGATES:
        return NOT_PER_ROW
    known = AGGREGATES | WINDOWS if kind == "WINDOW" else SCALARS | OPERATORS
    if kind not in ("FUNCTION", "WINDOW") or (name in known and not node.get("schema")):
        return None
    if name in known:
        return f"calls {name}() of something; write {name}(…)"
    if name in _volatile_functions():
        return f"calls {name}(), which gives another value another time; draws are made by `seed`"
    nearest = did_you_mean(name, known, ()) or "; docs/selections.md lists those it may"
    return f"calls {name}(), which an expression may not{nearest}"


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
    rows = engine().execute(query).fetchall()
    return frozenset(str(name) for (name,) in rows)


def _nodes(tree: Any) -> Iterable[dict[str, Any]]:
    if isinstance(tree, dict):
        yield tree
    for part in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ():
        yield from _nodes(part)


@cache
def engine(threads: int | None = None) -> duckdb.DuckDBPyConnection:
    """An empty database that can read nothing outside it. It is kept open: to open one takes longer than to check an
    expression, and a params file has dozens."""
    connection = duckdb.connect(config={} if threads is None else {"threads": threads})
    # `x in (…)` of many would become a join, which gives its rows in another order
    connection.execute("set disabled_optimizers = 'in_clause'")
    connection.execute("set enable_external_access = false; set lock_configuration = true")
    return connection
