"""The pairs that preference sets list: which of them are candidates, and why others are not."""

import sys
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from curation.tables.contracts import SIDES

if TYPE_CHECKING:
    from curation.pairs.pair import Params

LISTED_COLUMNS = tuple(f"{side}_trace_id" for side in SIDES)  # of `listed_pairs`: what candidates are made of
WHY_NOT = {  # reason: what is said of the pairs that it leaves out
    "no_text": "have a side without a text, or an empty one (pair.empty: drop)",
    "left_out": "have a side by a generator that pair.chosen or pair.rejected leaves out",
    "one_generator": "have both sides by one generator (pair.within_generator: false)",
    "identical": "have two sides that say the same (pair.identical: drop)",
}


def find_listed(settings: "Params", rows: pl.DataFrame, listed: pl.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """The row numbers in `rows`, traces that may be in a pair, of chosen and rejected of every pair that `listed`, rows
    of `listed_pairs`, has in this order: each pair once, by these numbers. A pair that is listed both ways round is
    two.

    What is not taken, and how many are listed both ways round or more than once, is said on stderr.
    """
    pairs = listed.select(LISTED_COLUMNS).unique()
    traces = rows.select("trace_id", "text_id", writer=pl.col("generator").rank("dense")).with_row_index("number")
    for side in SIDES:
        names = {name: f"{side}_{name}" for name in traces.columns}
        pairs = pairs.join(traces.rename(names), on=f"{side}_trace_id", how="left")
    allowed = {
        side: rows.filter(pl.lit(names is None) | pl.col("generator").is_in(names or []))["trace_id"]
        for side, names in zip(SIDES, (settings.chosen, settings.rejected), strict=True)
    }
    reason = (
        pl.when(pl.any_horizontal(pl.col(f"{side}_number").is_null() for side in SIDES)).then(pl.lit("no_text"))
        .when(~pl.all_horizontal(pl.col(f"{side}_trace_id").is_in(allowed[side].implode()) for side in SIDES))
        .then(pl.lit("left_out"))
        .when((pl.col("chosen_writer") == pl.col("rejected_writer")) & pl.lit(not settings.within_generator))
        .then(pl.lit("one_generator"))
        .when((pl.col("chosen_text_id") == pl.col("rejected_text_id")) & pl.lit(settings.identical == "drop"))
        .then(pl.lit("identical"))
        .otherwise(pl.lit("kept"))
    )  # fmt: skip
    pairs = pairs.with_columns(reason.alias("reason"))
    kept = pairs.filter(reason="kept").sort([f"{side}_number" for side in SIDES])  # in the order of ids, as pair needs
    _tell(listed.height, pairs, kept)
    chosen, rejected = (kept[f"{side}_number"].cast(pl.Int64).to_numpy() for side in SIDES)
    return chosen, rejected


def _tell(rows: int, pairs: pl.DataFrame, kept: pl.DataFrame) -> None:
    """Say on stderr what became of the listed pairs."""
    counts = dict(pairs.group_by("reason").len().rows())
    lines = [
        f"{counts[reason]} of {pairs.height} listed pairs {said}; left out"
        for reason, said in WHY_NOT.items()
        if reason in counts
    ]
    if repeated := rows - pairs.height:
        lines.append(f"{repeated} of {rows} rows list a pair that another row lists too; each pair is one candidate")
    turned = kept.select(chosen_trace_id="rejected_trace_id", rejected_trace_id="chosen_trace_id")
    if both := kept.join(turned, on=LISTED_COLUMNS, how="semi").height:
        ways = "one pair listed both ways round" if both == 2 else f"{both // 2} pairs, each listed both ways round"
        lines.append(f"{both} candidates are {ways}")
    for line in lines:
        print(f"pair: {line}", file=sys.stderr)
