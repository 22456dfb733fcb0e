"""Single traces, which pairs are made of: whether one has a text, and the score that a judge's repeats come to."""

import numpy as np
import polars as pl

from curation.tables.texts import EMPTY

IS_EMPTY = (pl.col("text_id") == EMPTY) | (pl.col("completion_characters") == 0)  # also after some reasoning


def has_text(empty: str) -> pl.Expr:
    """Whether a trace has a text to learn from: a completion, and unless `pair.empty` is `keep` one that says
    something."""
    return pl.col("text_id").is_not_null() & (pl.lit(empty == "keep") | ~IS_EMPTY)


def rate_traces(judgments: pl.DataFrame, dimension: str, traces: pl.DataFrame, expected: bool) -> pl.DataFrame:
    """One dimension's ratings by row of `traces`, which has trace_id and its number `row` from 0: score, the mean of
    the scored repeats (null without any), n, how many, and their variance (null below two), if any; each
    `_{dimension}`. With `expected` the expected scores count where there are some."""
    value = pl.coalesce("expected_score", "score") if expected else pl.col("score")
    scored = judgments.filter((pl.col("dimension") == dimension) & pl.col("score").is_not_null()).select(
        "trace_id", "repeat", value.alias("value")
    )
    repeats = traces.join(scored, on="trace_id").sort("row", "repeat")
    row, values = repeats["row"].to_numpy(), repeats["value"].to_numpy()
    n = np.bincount(row, minlength=traces.height).astype(np.int32)
    with np.errstate(invalid="ignore", divide="ignore"):
        score = np.bincount(row, values, traces.height) / n
        variance = np.bincount(row, (values - score[row]) ** 2, traces.height) / (n - 1)
    reals = {"score": score} | ({"variance": np.where(n > 1, variance, np.nan)} if (n > 1).any() else {})
    columns = [pl.Series(f"{name}_{dimension}", real, nan_to_null=True) for name, real in reals.items()]
    return pl.DataFrame([*columns, pl.Series(f"n_{dimension}", n)])
