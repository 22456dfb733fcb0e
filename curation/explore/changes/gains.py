"""Contrasts and gains, before and after."""

import polars as pl

from curation.explore.changes.context import Context, Section
from curation.explore.changes.reading import Columns, read
from curation.tables.measurements import COMPARISONS

CONTRASTS_FILE, COMPARISONS_FILE = "data/contrasts.parquet", "data/comparisons.parquet"
CONTRASTS: Columns = {
    "contrast": pl.String, "primary": pl.Boolean, **dict.fromkeys(("estimate", "ci_low", "ci_high"), pl.Float64),
    "verdict": pl.String, "refused": pl.String,
}  # fmt: skip
PARTS = COMPARISONS.key
GAINS: Columns = {**dict.fromkeys(PARTS, pl.String), **dict.fromkeys(("gain", "ci_low", "ci_high"), pl.Float64)}


def compare_contrasts(context: Context) -> Section:
    """A row for each contrast of either version, the primary one first: its estimate and 95 % interval before and
    after. `beyond` is whether the later estimate is outside the earlier interval."""
    before, after = _read_both(context, CONTRASTS_FILE, CONTRASTS)
    joined = _beside(before, after, ["contrast"], "estimate")
    first = pl.coalesce("primary_after", "primary_before").fill_null(False)
    return Section(joined.sort(first, "contrast", descending=[True, False]), ("contrast",))


def compare_gains(context: Context) -> Section:
    """The same of each gain: an arm's value less that of the baseline or of its control, on a benchmark."""
    before, after = (rows.filter(pl.col("against") != "") for rows in _read_both(context, COMPARISONS_FILE, GAINS))
    return Section(_beside(before, after, list(PARTS), "gain").sort(PARTS), tuple(PARTS))


def _read_both(context: Context, file: str, columns: Columns) -> list[pl.DataFrame]:
    """The rows of both versions; none where a version has them elsewhere than on this machine, for nothing is known of
    what came or went."""
    if not context.is_whole(file):
        return [pl.DataFrame(schema=columns)] * 2
    return [read(version, file, columns) for version in (context.before, context.after)]


def _beside(before: pl.DataFrame, after: pl.DataFrame, key: list[str], value: str) -> pl.DataFrame:
    """The rows of both by their key, each other column twice, and how far the value moved."""
    old, new = (
        part.rename({column: f"{column}_{when}" for column in part.columns if column not in key})
        for part, when in ((before, "before"), (after, "after"))
    )
    later, earlier = pl.col(f"{value}_after"), pl.col(f"{value}_before")
    inside = later.is_between(pl.col("ci_low_before"), pl.col("ci_high_before"))
    return old.join(new, on=key, how="full", coalesce=True).with_columns(moved=later - earlier, beyond=~inside)
