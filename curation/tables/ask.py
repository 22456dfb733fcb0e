"""SQL of a user's own over the tables, answered."""

import os
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import duckdb
import polars as pl
from duckdb.sqltypes import DuckDBPyType

from curation.core import renamed
from curation.core.errors import CurationError
from curation.tables import contracts, db

SECONDS_BETWEEN_LOOKS = 0.2  # at whether a question was answered or Ctrl-C was pressed
QUOTE = '"'
PLAIN_TYPES = {
    "boolean", "tinyint", "smallint", "integer", "bigint", "hugeint", "utinyint", "usmallint", "uinteger", "ubigint",
    "float", "double", "decimal", "varchar", "null",
}  # fmt: skip


def answer(
    connection: duckdb.DuckDBPyConnection, question: str, params: Mapping[str, Any] | None = None
) -> list[pl.DataFrame]:
    """The rows of each statement that has any, in order, with their `$name` parameters set. What Polars has no type
    for, such as a date or an interval, is text. Raises CurationError with DuckDB's own message if one is wrong."""
    try:
        answers = list[pl.DataFrame]()
        for statement in connection.extract_statements(_decode(question)):
            relation = connection.sql(statement.query, params=dict(params) if params else None)
            if relation is not None and statement.expected_result_type == [duckdb.ExpectedResultType.QUERY_RESULT]:
                answers.append(_to_frame(connection, relation))
        return answers
    except duckdb.Error as error:
        raise CurationError(f"sql: {_format_error(connection, str(error))}") from None


def _decode(question: str) -> str:
    """`question` as it was typed, where the locale is not the terminal's and Python took its bytes for no text."""
    try:
        question.encode()
        return question
    except UnicodeEncodeError:
        try:
            return os.fsencode(question).decode()
        except UnicodeError:
            raise CurationError("sql: the statement is not UTF-8 text") from None


def _to_frame(connection: duckdb.DuckDBPyConnection, relation: duckdb.DuckDBPyRelation) -> pl.DataFrame:
    """The rows of a relation: each column has a name of its own, and is text unless it is of a type that Polars has."""
    names: list[str] = []
    for name in relation.columns:
        names.append(name if name not in names else f"{name}_{len(names) + 1}")
    columns = [
        f'{f"#{place}" if _is_plain(dtype) else f"cast(#{place} as varchar)"} as "{name.replace(QUOTE, 2 * QUOTE)}"'
        for place, (name, dtype) in enumerate(zip(names, relation.types, strict=True), 1)
    ]
    with ThreadPoolExecutor(1) as pool:  # DuckDB itself is deaf to Ctrl-C, and so is a wait without an end
        fetched = pool.submit(relation.project(", ".join(columns)).pl)
        try:
            while not fetched.done():
                wait([fetched], timeout=SECONDS_BETWEEN_LOOKS)
        except KeyboardInterrupt:
            connection.interrupt()
            raise
    rows: pl.DataFrame = fetched.result()
    return rows


def _is_plain(dtype: DuckDBPyType) -> bool:
    """Whether a type is one of Polars', to its innermost part."""
    if dtype.id in ("list", "array", "struct", "map"):
        return all(_is_plain(part) for _, part in dtype.children if isinstance(part, DuckDBPyType))
    return dtype.id in PLAIN_TYPES


def _format_error(connection: duckdb.DuckDBPyConnection, error: str) -> str:
    """DuckDB's message on one line; for a table that is not there, those that are."""
    unknown = re.search(r"Table with name (\S+) does not exist", error)
    if unknown is None:
        return " ".join(error.split("\n\n")[0].split())
    if unknown[1] in renamed.TABLES:
        return f"the table {unknown[1]} is now {renamed.TABLES[unknown[1]]}"
    if unknown[1] in (*contracts.TABLES, "deltas"):
        return f"there is no table {unknown[1]} yet; `dvc repro` makes it"
    return f"there is no table {unknown[1]}; there are {', '.join(db.views(connection)) or 'none yet'}"
