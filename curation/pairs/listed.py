"""The pairs that preference sets list: which of them are candidates, and why others are not."""

import sys
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from curation.tables.contracts import SIDES

if TYPE_CHECKING:
    from curation.pairs.pair import Params

LISTED_COLUMNS = tuple(f"{side}_trace_id" for side in SIDES)  # of `listed_pairs`: what candidates are made of
WHY_NOT = {  # reason: what is said of the pairs that it leaves out, and what would keep them
    "no_trace": "have a side that is no trace, as of a prompt that decontaminate drops",
    "no_text": "have a side without a text of its own, or an empty one (pair.empty)",
    "left_out": "have a side by a generator that pair.chosen or pair.rejected leaves out",
    "one_generator": "have both sides by one generator (pair.within_generator: false)",
    "identical": "have two sides that say the same (pair.identical: drop)",
}


def find_listed(
    settings: "Params", traces: pl.DataFrame, rows: pl.DataFrame, listed: pl.DataFrame
) -> tuple[np.ndarray, np.ndarray]:
    """The row numbers in `rows` of chosen and rejected of every pair that `listed`, rows of `listed_pairs`, has in this
    order: each pair once, by these numbers. `rows` are those of `traces` that may be in a pair. A pair that is listed
    both ways round is two.

    What is not taken, and how many are listed both ways round or more than once, is said on stderr.
    """
    pairs = listed.select(LISTED_COLUMNS).unique()
    numbered = rows.with_row_index("number").select("trace_id", "number", "generator", "text_id")
    for side in SIDES:
        names = {name: f"{side}_{name}" for name in numbered.columns}
        pairs = pairs.join(numbered.rename(names), on=f"{side}_trace_id", how="left")
    allowed = [
        pl.lit(True) if names is None else pl.col(f"{side}_generator").is_in(names)
        for side, names in zip(SIDES, (settings.chosen, settings.rejected), strict=True)
    ]
    known = traces["trace_id"].implode()
    same_generator = pl.col("chosen_generator") == pl.col("rejected_generator")
    reason = (
        pl.when(~pl.all_horizontal(pl.col(name).is_in(known) for name in LISTED_COLUMNS)).then(pl.lit("no_trace"))
        .when(pl.any_horizontal(pl.col(f"{side}_number").is_null() for side in SIDES)).then(pl.lit("no_text"))
        .when(~pl.all_horizontal(allowed)).then(pl.lit("left_out"))
        .when(same_generator & pl.lit(not settings.within_generator)).then(pl.lit("one_generator"))
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
    turned = kept.select(
        pl.col(LISTED_COLUMNS[1]).alias(LISTED_COLUMNS[0]), pl.col(LISTED_COLUMNS[0]).alias(LISTED_COLUMNS[1])
    )
    if both := kept.join(turned, on=LISTED_COLUMNS, how="semi").height:
        lines.append(f"{both // 2} pairs are listed both ways round, and are two candidates each")
    for line in lines:
        print(f"pair: {line}", file=sys.stderr)
