"""SQL expressions in params.yaml: one value a row, of declared columns, the same every time."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import Literal, TypeAlias

import duckdb
import numpy as np
import polars as pl

from curation.core.messages import did_you_mean, show_value
from curation.tables.contracts import DECIMALS
from curation.tables.expressions.syntax import TOO_DEEP, ColumnName, engine, parse

FRACTIONS = {"float", "double"}
NUMBERS = FRACTIONS | {"decimal", "tinyint", "smallint", "integer", "bigint", "hugeint", "utinyint", "usmallint",
                       "uinteger", "ubigint"}  # fmt: skip
TYPES = NUMBERS | {"boolean", "varchar"}  # that an expression may give, as DuckDB calls them
ROW_NUMBER = "row of candidates"  # no expression can name it: it is in no schema
ResultType: TypeAlias = Literal["number", "boolean", "name", "any"]  # of an expression; a name has no fraction


def fault(expression: str, schema: Mapping[ColumnName, pl.DataType], result_type: ResultType) -> str | None:
    """What is wrong with `expression` over rows of these columns, or None if it gives a `result_type` for each."""
    try:
        parsed = parse(expression)
    except ValueError as error:
        return _missing_quotes(expression, schema) or str(error)
    except RecursionError:
        return f"{show_value(expression)} {TOO_DEEP}"
    for name in parsed.columns:
        if name not in schema:
            return _missing_quotes(expression, schema) or _unknown_column(name, schema)
    return _fault_of_result(
        expression, tuple((".".join(name), schema[name]) for name in parsed.columns or list(schema)[:1]), result_type
    )


@lru_cache(maxsize=1024)  # one study asks the same of an expression in several places
def _fault_of_result(
    expression: str, columns: tuple[tuple[str, pl.DataType], ...], result_type: ResultType
) -> str | None:
    """What is wrong with what an expression gives, over a row of these columns that is all null."""
    row_of_nulls = pl.DataFrame({name: [None] for name, _ in columns}, schema=dict(columns))
    shown = show_value(expression)
    try:
        with _bind({"value": expression}, row_of_nulls) as relation:
            given = relation.types[0]
            relation.fetchall()  # so that what fails on every row fails here
    except duckdb.Error as error:
        return f"{shown}: {why(error)}"
    if given.id not in TYPES:
        return f"{shown} is of type {given}; end it with ::int, ::double, ::text or ::bool"
    if result_type == "boolean" and given.id != "boolean":
        return f"{shown} is not true or false"
    if result_type == "number" and given.id not in NUMBERS:
        return f"{shown} is " + (
            "true or false, not a number; end it with ::int" if given.id == "boolean" else "not a number"
        )
    if result_type == "name" and given.id in FRACTIONS:
        return f"{shown} gives fractions, and each would be a stratum; end it with ::int"
    return None


def _missing_quotes(expression: str, schema: Mapping[ColumnName, pl.DataType]) -> str | None:
    """The message about a name with a hyphen, which SQL reads as a subtraction; None where there is none."""
    hyphenated = (
        head
        for head in dict.fromkeys(column[0] for column in schema)
        if "-" in head and re.search(rf'(?<!["\w-]){re.escape(head)}\.', expression)
    )
    return next(
        (f"{show_value(expression)}: a name with '-' stands in quotes, \"{head}\".…" for head in hyphenated), None
    )


def _unknown_column(name: ColumnName, schema: Mapping[ColumnName, pl.DataType]) -> str:
    """The message about a column that there is not: the nearest of those that begin alike, else how all begin."""
    text, heads = ".".join(name), list(dict.fromkeys(column[0] for column in schema))
    if len(name) > 2 and (name[0], text.partition(".")[2]) in schema:
        return f'{show_value(text)} has a dot in the name of the column; write {name[0]}."{".".join(name[1:])}"'
    if name[0] in heads and len(name) > 1:
        alike = [".".join(column) for column in schema if column[0] == name[0]]
        return f"{show_value(text)} is not a column{did_you_mean(text, alike)}"
    starts = [head if (head,) in schema else f"{head}.…" for head in heads]
    return f"{show_value(text)} is not a column{did_you_mean(text, ['.'.join(column) for column in schema], starts)}"


def evaluate(expressions: Mapping[str, str], rows: pl.DataFrame) -> pl.DataFrame:
    """The values of the named expressions, a row for each of `rows` and in their order. The columns of `rows` are
    named as in `identical` or `rubric.delta_logic`. Raises ValueError on an expression that does not give one value of
    a sort that tables hold for each row.

    A window runs on one thread, since sums in another order have other last digits. Nothing but the rows can be read.
    """
    with _bind(expressions, rows) as relation:
        for name, given in zip(relation.columns, relation.types, strict=True):
            if given.id not in TYPES:
                raise ValueError(f"{name}: {show_value(expressions[name])} is of type {given}")
        values: pl.DataFrame = relation.pl()
    if values.height != rows.height:
        raise ValueError(f"{', '.join(expressions)}: {values.height} values for {rows.height} rows")
    return values


@contextmanager
def _bind(expressions: Mapping[str, str], rows: pl.DataFrame) -> Iterator[duckdb.DuckDBPyRelation]:
    """The expressions over `rows` as DuckDB understands them; none is evaluated yet."""
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
    connection = engine(1 if has_window else None)
    connection.register("candidates", view.to_arrow())
    try:
        listed = ", ".join(f'({text}\n) as "{name}"' for name, text in expressions.items())
        order = f' order by "{ROW_NUMBER}"' if has_window else ""  # a partitioned window gives its rows by partition
        yield connection.sql(f"select {listed} from candidates{order}")
    finally:
        connection.unregister("candidates")


def to_floats(values: pl.Series) -> np.ndarray:
    """An expression's values as floats, rounded as tables round them; nan for null and for what is not finite."""
    floats = values.cast(pl.Float64).round(DECIMALS).fill_null(np.nan).to_numpy(writable=True)
    floats += 0.0  # -0.0 becomes 0.0
    floats[np.isinf(floats)] = np.nan
    return floats


def why(error: duckdb.Error) -> str:
    """What DuckDB says of an expression, without the settings that it would have one change."""
    return str(error).splitlines()[0].partition(" Use TRY(")[0]
