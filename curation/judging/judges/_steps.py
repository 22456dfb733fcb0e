"""Ratings of a trace's steps, made one of the trace."""

import sys
from typing import Literal

import polars as pl

from curation.core.params import Strict
from curation.tables.user_ratings import refuse_twice
from curation.tables.user_table import UserTable

SCORES, INDEXES = pl.col("score").list, pl.col("step").list
AGGREGATES = {
    "min": SCORES.min(),
    "mean": SCORES.mean(),
    "last": SCORES.last(),
    "product": SCORES.eval(pl.element().product()).list.first(),
}


class Steps(Strict):
    """Scores of a trace's steps, which `aggregate` makes one of. `index` is the column of a file with a row for each
    step that numbers them, from 0 or from 1; without it the scores are lists."""

    aggregate: Literal["min", "mean", "last", "product"]
    index: str | None = None


def rate_by_steps(steps: Steps, rows: pl.DataFrame, slots: list[str], table: UserTable) -> pl.DataFrame:
    """`rows` with one score for each rating of a trace: null where a step has none, or is not there, which is said on
    stderr.

    Raises CurationError if two rows rate one step, by the `slots` that tell ratings apart.
    """
    if steps.index is not None:
        rows = _gather(rows, ["trace_id", "dimension", *slots], table)
    whole = (SCORES.len() > 0) & ~SCORES.eval(pl.element().is_null()).list.any()
    return rows.with_columns(pl.when(whole).then(AGGREGATES[steps.aggregate]).alias("score"))


def _gather(rows: pl.DataFrame, rating: list[str], table: UserTable) -> pl.DataFrame:
    """A row for each rating, with the list of its steps' scores, null where a step is not there."""
    refuse_twice(rows, [*rating, "step"], table, "rate one step of a trace", "name the column of repeat or of rater")
    ordered = rows.sort(*rating, "step").group_by(rating, maintain_order=True)
    ratings = ordered.agg(pl.col("row").min(), "score", "step", pl.col("rationale").drop_nulls())
    whole = (INDEXES.min() <= 1) & (INDEXES.max() - INDEXES.min() + 1 == INDEXES.len())
    partial = ratings.filter(~whole)
    if partial.height:
        print(
            f"{table.name}: {partial.height} of {ratings.height} ratings lack a step, the first at "
            f"{table.words(partial['row'].sort()[0])}; they have no score",
            file=sys.stderr,
        )
    return ratings.with_columns(
        pl.when(whole).then("score"),
        pl.when(pl.col("rationale").list.len() > 0).then(pl.col("rationale").list.join("\n")),
    )
