"""How far the scores of each judge drifted."""

from typing import Any

import numpy as np
import polars as pl

from curation.core.stats import Clusters, dense_rank
from curation.explore.changes.context import SIDES, Context, Section, concat, frame
from curation.explore.changes.reading import Columns, gather, match_rows, read, take
from curation.tables.contracts import DECIMALS

LEAST = 0.5 * 10**-DECIMALS  # that two scores differ by
DRIFT: Columns = {"drift": pl.Float64, "ci_low": pl.Float64, "ci_high": pl.Float64}
JUDGED: Columns = {
    "judge": pl.String, "dimension": pl.String,
    **dict.fromkeys(("before", "after", "entered", "left", "compared", "changed", "unscored"), pl.Int64), **DRIFT,
}  # fmt: skip
KEYS = ("trace_id", "pair_id", "dimension", "order", "repeat")
SCORED: dict[str, Columns] = {  # by table, its key and what a score is made of
    "judgments": {"trace_id": pl.Int64, "dimension": pl.String, "repeat": pl.Int32,
                  "score": pl.Float64, "expected_score": pl.Float64},
    "preferences": {"pair_id": pl.Int64, "dimension": pl.String, "order": pl.String, "repeat": pl.Int32,
                    "verdict": pl.String, "strength": pl.Float64},
}  # fmt: skip
SCORE = {
    "judgments": pl.coalesce("expected_score", "score"),
    "preferences": pl.coalesce(
        "strength", pl.col("verdict").replace_strict({"chosen": 1.0, "tie": 0.0, "rejected": -1.0}, default=None)
    ),
}


def compare_scores(context: Context) -> Section:
    """A row for each judge and dimension: its scores in both versions, and the mean of what they changed by, with the
    95 % interval clustered by prompt. Only scores of texts that are the same are compared, so that drift is the judge's
    own. A score is the expected one where there is one; of a pairwise judge it is the strength of its verdict, or 1, 0,
    -1 for chosen, tie, rejected. `unscored` had a score, and has none now."""
    figures, rows = list[dict[str, Any]](), list[pl.DataFrame]()
    for table in SCORED:
        for judge in context.names(table):
            compared = _compare_judge(context, table, judge)
            figures += compared[0]
            rows += compared[1:] if "scores" in context.rows else []
    return Section(frame(figures, JUDGED), ("judge", "dimension"), concat(rows))


def _compare_judge(context: Context, table: str, judge: str) -> tuple[list[dict[str, Any]], pl.DataFrame]:
    context.progress.advance(0, f"{table} of {judge}")
    name, columns = f"data/{table}/{judge}.parquet", SCORED[table]
    new = read(context.after, name, columns)
    old = read(context.before, name, columns) if context.is_changed(name) else new
    old, new = (part.with_columns(SCORE[table].alias("value")) for part in (old, new))
    key = [column for column in columns if column in KEYS]
    match = match_rows(old, new, key)
    shared = gather(new, match.after).select(*key, after="value").with_columns(before=take(old["value"], match.before))
    ids = shared[key[0]]
    moved = (shared["after"] - shared["before"]).to_numpy().copy()
    moved[np.abs(moved) <= LEAST] = 0
    moved[_is_rewritten(context, ids)] = np.nan
    drift = Clusters(shared.select("dimension"), prompts_of(context, ids)).means(pl.Series(moved, nan_to_null=True))
    changed = pl.Series("changed", np.nan_to_num(moved) != 0)
    unscored = pl.col("before").is_not_null() & pl.col("after").is_null()
    figures = drift.rename({"mean": "drift", "n": "compared"}).drop("clusters")
    parts = {"before": old, "after": new, "entered": gather(new, match.entered), "left": gather(old, match.left),
             "changed": shared.filter(changed), "unscored": shared.filter(unscored)}  # fmt: skip
    for label, part in parts.items():
        counted = part.group_by("dimension").agg(pl.len().alias(label))
        figures = figures.join(counted, on="dimension", how="full", coalesce=True)
    figures = figures.with_columns(pl.col(*parts, "compared").fill_null(0)).sort("dimension")
    rows = (
        shared.filter(changed).rename({key[0]: "id"})
        if "scores" in context.rows
        else shared.clear().rename({key[0]: "id"})
    )
    listed = [
        pl.lit(judge).alias("judge"),
        *(pl.col(name) for name in ("dimension", "id", "repeat", "before", "after")),
    ]
    context.progress.advance()
    return [{"judge": judge, **row} for row in figures.to_dicts()], rows.select(listed)


def _is_rewritten(context: Context, ids: pl.Series) -> np.ndarray:
    """Whether the trace, or one of the pair's, says something else than it did."""
    texts = context.rewritten
    if texts.is_empty() or ids.name == "trace_id":
        return ids.is_in(texts.implode()).to_numpy()
    pairs = context.pairs[1]
    found = pairs.filter(pl.any_horizontal(pl.col(side).is_in(texts.implode()) for side in SIDES))["pair_id"]
    return ids.is_in(found.implode()).to_numpy()


def prompts_of(context: Context, ids: pl.Series) -> np.ndarray:
    """The number of the prompt of each trace or pair, whichever `ids` is called after; of its own where the table that
    says it is not there."""
    of_traces = ids.name == "trace_id"
    known = (context.traces if of_traces else context.pairs)[1][ids.name].to_numpy()
    wanted = ids.to_numpy()
    if np.array_equal(known, wanted):
        return context.trace_prompts if of_traces else context.pair_prompts
    place = np.minimum(np.searchsorted(known, wanted), max(len(known) - 1, 0))
    if not len(known) or not np.array_equal(known[place], wanted):
        return dense_rank(ids)
    return (context.trace_prompts if of_traces else context.pair_prompts)[place]
