"""How far the deltas of each judge moved, and how many turned around."""

from typing import Any

import numpy as np
import polars as pl

from curation.core.stats import Clusters
from curation.explore.changes.context import PAIRS_FILE, Context, Section, concat, frame
from curation.explore.changes.reading import Columns, Match, match_keys, name_columns, read, take
from curation.explore.changes.scores import DRIFT, LEAST, prompts_of
from curation.pairs.noise import pool_noise, variances

DELTAS: Columns = {
    "judge": pl.String, "dimension": pl.String,
    **dict.fromkeys(("before", "after", "entered", "left", "compared", "changed", "flipped", "flipped_beyond_noise"),
                    pl.Int64), **DRIFT, "noise": pl.Float64,
}  # fmt: skip
KEY: Columns = {"pair_id": pl.Int64}


def compare_deltas(context: Context) -> Section:
    """A row for each judge and dimension: the deltas there were and are; how many entered and left, since a pair, a
    dimension or a score did; and of those in both, how many changed, how many have the other sign now, and how many of
    these are not within the judge's noise before or after; and the mean change with its 95 % interval, clustered by
    prompt. `noise` is the later version's, null where the judge has no repeats."""
    figures, rows = list[dict[str, Any]](), list[pl.DataFrame]()
    for judge in context.names("deltas"):
        name = f"data/deltas/{judge}.parquet"
        ids = read(context.after, name, KEY)["pair_id"]
        match = match_keys(read(context.before, name, KEY)["pair_id"] if context.is_changed(name) else ids, ids)
        shared = take(ids, match.after)
        clusters = prompts_of(context, shared)
        for dimension in _dimensions(context, name):
            context.progress.advance(0, f"deltas of {judge}.{dimension}")
            row, part = _compare_dimension(context, name, dimension, match, shared, clusters)
            figures.append(
                {"judge": judge, "dimension": dimension, **row, "noise": find_noise(context, judge, dimension)}
            )
            rows += [part.select(pl.lit(judge).alias("judge"), pl.all())] if "deltas" in context.rows else []
        context.progress.advance()
    return Section(frame(figures, DELTAS), ("judge", "dimension"), concat(rows))


def _dimensions(context: Context, name: str) -> list[str]:
    """The dimensions that the file has, of the later version first."""
    paths = (version.files[name].path for version in (context.after, context.before) if name in version.files)
    columns = dict.fromkeys(column for path in paths if path is not None for column in name_columns(name, path))
    return [column.removeprefix("delta_") for column in columns if column.startswith("delta_")]


def _compare_dimension(
    context: Context, name: str, dimension: str, match: Match, ids: pl.Series, clusters: np.ndarray
) -> tuple[dict[str, Any], pl.DataFrame]:
    delta, within = f"delta_{dimension}", f"within_noise_{dimension}"
    columns: Columns = {delta: pl.Float64, within: pl.Boolean}
    new = read(context.after, name, columns)
    old = read(context.before, name, columns) if context.is_changed(name) else new
    was, now = (take(part[delta], rows).to_numpy() for part, rows in ((old, match.before), (new, match.after)))
    noisy = [
        take(part[within].fill_null(False), rows).to_numpy() for part, rows in ((old, match.before), (new, match.after))
    ]
    moved = now - was
    moved[np.abs(moved) <= LEAST] = 0
    flipped = was * now < 0
    beyond = flipped & ~noisy[0] & ~noisy[1]
    drift = Clusters(pl.DataFrame({"all": np.zeros(len(moved), np.int8)}), clusters).means(
        pl.Series(moved, nan_to_null=True)
    )
    changed = np.nan_to_num(moved) != 0
    means = drift.row(0, named=True) if drift.height else {"mean": None, "ci_low": None, "ci_high": None, "n": 0}
    before, after = (int(np.isfinite(part[delta].to_numpy()).sum()) for part in (old, new))
    both = means["n"] or 0
    row = {
        "before": before, "after": after, "entered": after - both, "left": before - both, "compared": both,
        "changed": int(changed.sum()), "flipped": int(flipped.sum()),
        "flipped_beyond_noise": int(beyond.sum()), "drift": means["mean"], "ci_low": means["ci_low"],
        "ci_high": means["ci_high"],
    }  # fmt: skip
    if "deltas" not in context.rows:
        return row, pl.DataFrame()
    places = np.flatnonzero(changed)
    part = {"pair_id": ids.gather(places), "before": was[places], "after": now[places], "flipped": flipped[places]}
    return row, pl.DataFrame(part).select(pl.lit(dimension).alias("dimension"), pl.all())


def find_noise(context: Context, judge: str, dimension: str) -> float | None:
    """The noise of a judge on a dimension in the later version, as `within_noise` is of: of pairs of unequal texts;
    None where it has no repeats, or the deltas are not there."""
    columns: Columns = {"pair_id": pl.Int64, f"n_{dimension}": pl.Int32, f"sd_{dimension}": pl.Float64}
    repeated = read(context.after, f"data/deltas/{judge}.parquet", columns).filter(pl.col(f"n_{dimension}") > 1)
    if repeated.is_empty():
        return None
    unequal = read(context.after, PAIRS_FILE, KEY | {"identical": pl.Boolean}).filter(~pl.col("identical"))
    return pool_noise(variances(repeated.join(unequal, on="pair_id", how="semi"), dimension))
