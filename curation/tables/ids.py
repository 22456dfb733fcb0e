"""Ids of rows: the first 63 bits of an MD5 of content, so that Python and SQL (`md5`) agree on them."""

import hashlib
from functools import cache
from typing import Any

import polars as pl

AT_ONCE = 100_000_000  # bytes of the columns that ids are computed of
TEXTS_AT_ONCE = 20_000  # traces whose texts are copied


def content_id(*parts: object) -> int:
    """A 63-bit id of the parts' content: MD5 of them joined by U+001F, its upper 64 bits without the last one."""
    digest = hashlib.md5("\x1f".join(str(part) for part in parts).encode(), usedforsecurity=False).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def content_ids(parts: pl.DataFrame) -> pl.Series:
    """`content_id` of each row's values, which are whole numbers and text, none null; millions of rows a second, in
    DuckDB."""
    names = [f"part_{number}" for number in range(parts.width)]
    rows = parts.rename(dict(zip(parts.columns, names, strict=True)))
    return compute(f"select {sql_id(*names)} as id from rows", rows)


def says() -> pl.Expr:
    """Who says what, of rows with generator, reasoning and completion: no reasoning may be null or empty."""
    thought = pl.when(pl.col("reasoning") != "").then("reasoning")
    return pl.concat_str("generator", thought, "completion", separator="\x1f", ignore_nulls=True)


def trace_ids(rows: pl.DataFrame, number: str | None = None) -> pl.Series:
    """The trace_id of each row of a user's file: of its prompt_id, of what `says` has of it, and of the column
    `number`, which tells those apart that say the same; without one they are the same trace."""
    told_apart = pl.lit(0) if number is None else pl.col(number)
    parts = [
        content_ids(some.select("prompt_id", says().alias("said"), told_apart.alias("number")))
        for some in rows.iter_slices(TEXTS_AT_ONCE)
    ]
    return (pl.concat(parts) if parts else pl.Series(dtype=pl.Int64)).alias("trace_id")


def sql_id(*parts: str) -> str:
    """`content_id` of expressions in DuckDB."""
    return f"(concat('0x', left(md5(concat({', chr(31), '.join(parts)})), 16))::ubigint >> 1)::bigint"


def compute(query: str, rows: pl.DataFrame) -> pl.Series:
    """The one column that a query makes of `rows`, each by itself: DuckDB has a copy of so many at a time."""
    height = max(1, rows.height * AT_ONCE // max(1, int(rows.estimated_size())))
    return pl.concat([_compute(query, part) for part in rows.iter_slices(height)] or [_compute(query, rows)])


def _compute(query: str, rows: pl.DataFrame) -> pl.Series:
    with database().cursor() as connection:
        connection.register("rows", rows.to_arrow())
        computed: pl.DataFrame = connection.sql(query).pl()
    return computed.to_series()


@cache
def database() -> Any:
    """One empty database for what is computed of columns alone: to open one takes longer than the ids of ten thousand
    rows."""
    import duckdb

    return duckdb.connect()
