"""What a table's contract is made of: grain, key, schema, row rules, and the types and rules that several share."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl
import pyarrow as pa

STATUSES = ("scored", "no_answer", "unparsable", "refused", "truncated", "error", "no_reference", "missing")


@dataclass(frozen=True)
class Table:
    """One table's contract: `key` is unique, `schema` exact, every rule of `rules` true on every row."""

    name: str
    grain: str
    key: tuple[str, ...]
    schema: pa.Schema
    rules: Mapping[str, pl.Expr] = field(default_factory=dict)


def schema(**columns: pa.DataType | tuple[pa.DataType]) -> pa.Schema:
    """A schema; a column given as a one-element tuple may be null."""
    return pa.schema(
        [pa.field(n, t[0] if isinstance(t, tuple) else t, nullable=isinstance(t, tuple)) for n, t in columns.items()]
    )


ID, INT, REAL, TEXT, YES = pa.int64(), pa.int32(), pa.float64(), pa.string(), pa.bool_()
TEXTS = pa.list_(TEXT)


def scored(*either: str) -> dict[str, pl.Expr]:
    """The rules of a score and its status, where one of the statuses `either` may have a score or none."""
    return {
        f"score is null exactly when not scored; either when {' or '.join(either)}": (
            (pl.col("score").is_null() == (pl.col("status") != "scored")) | pl.col("status").is_in(either)
        ),
        "score is finite": pl.col("score").is_finite().fill_null(True),
        f"status is one of {', '.join(STATUSES)}": pl.col("status").is_in(STATUSES),
    }


SCORED = scored("no_answer")


def together(first: str, *others: str) -> pl.Expr:
    """Whether the columns are null on the same rows."""
    return pl.all_horizontal(pl.col(first).is_null() == pl.col(other).is_null() for other in others)


def interval(value: str) -> dict[str, pl.Expr]:
    """The rule that `value` lies within its interval, as far as there is one."""
    inside = (pl.col("ci_low") <= pl.col(value)) & (pl.col(value) <= pl.col("ci_high"))
    return {f"ci_low <= {value} <= ci_high": inside.fill_null(True)}
