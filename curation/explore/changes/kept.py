"""Which pairs each selection and each arm has, and had."""

import re
from hashlib import blake2b
from typing import Any

import numpy as np
import polars as pl

from curation.explore.changes.causes import Causes
from curation.explore.changes.context import PAIRS_FILE, SIDES, Context, Section, concat, frame
from curation.explore.changes.deltas import find_noise
from curation.explore.changes.reading import Columns, gather, match_keys, match_rows, read, take
from curation.explore.changes.scores import LEAST

VERDICTS: Columns = {"pair_id": pl.Int64, "kept": pl.Boolean, "reason": pl.String, "margin": pl.Float64}
COUNTS = dict.fromkeys(("before", "after", "entered", "left"), pl.Int64)
SELECTIONS: Columns = {
    "selection": pl.String, **COUNTS, "new_candidates": pl.Int64, "lost_candidates": pl.Int64,
    **dict.fromkeys(("overlap", "rank"), pl.Float64), "ranked": pl.Int64, "moved": pl.Int64,
    **dict.fromkeys(("median_move", "noise"), pl.Float64), "beyond_noise": pl.Int64,
    **dict.fromkeys(("cut_before", "cut_after"), pl.Float64),
}  # fmt: skip
OF_MARGIN = re.compile(r"selections\..+?\.(value|require)\b")  # settings that a margin depends on
ARMS: Columns = {"arm": pl.String, **COUNTS, "flipped": pl.Int64, "overlap": pl.Float64}
ARM_ROWS: Columns = dict.fromkeys(("pair_id", *SIDES), pl.Int64)


def compare_selections(context: Context, causes: Causes) -> Section:
    """A row for each selection. `entered` are kept now and were not, `left` the other way around; of these
    `new_candidates` were no candidates before, and `lost_candidates` are none any more: all others moved across the
    cut. `overlap` is Jaccard's index of the kept pairs, shared ones over all; `rank` Spearman's correlation of the
    margins of the `ranked` shared candidates that have one. `moved` of the pairs kept in both have another margin, by
    `median_move`; where the margin is one judge's delta, `beyond_noise` of them moved by more than `noise`, that
    judge's. The cut is the margin of the last kept."""
    figures, rows = list[dict[str, Any]](), list[pl.DataFrame]()
    for name in context.names("selections"):
        context.progress.advance(0, f"selection {name}")
        row, part = _compare_selection(context, causes, name)
        figures.append({"selection": name, **row})
        rows += [part.select(pl.lit(name).alias("selection"), pl.all())] if "selections" in context.rows else []
        context.progress.advance()
    return Section(frame(figures, SELECTIONS), ("selection",), concat(rows))


def _compare_selection(context: Context, causes: Causes, name: str) -> tuple[dict[str, Any], pl.DataFrame]:
    file = f"data/selections/{name}.parquet"
    new = read(context.after, file, VERDICTS)
    old = read(context.before, file, VERDICTS) if context.is_changed(file) else new
    match = match_keys(old["pair_id"], new["pair_id"])
    had, has = old["kept"].to_numpy(), new["kept"].to_numpy()
    was, now = had[match.before], has[match.after]
    entered = np.concatenate([_numbers(match.after, has)[now & ~was], match.entered[has[match.entered]]])
    left = np.concatenate([_numbers(match.before, had)[was & ~now], match.left[had[match.left]]])
    margins = take(old["margin"], match.before).to_numpy(), take(new["margin"], match.after).to_numpy()
    move = np.abs(margins[1] - margins[0])
    again = was & now & (move > LEAST)
    moved = move[again]
    noise = _find_noise(context, name) if len(moved) else None
    row = {
        "before": int(had.sum()), "after": int(has.sum()), "entered": len(entered), "left": len(left),
        "new_candidates": int(has[match.entered].sum()), "lost_candidates": int(had[match.left].sum()),
        "overlap": jaccard(int((was & now).sum()), int(had.sum()), int(has.sum())), "rank": _rank(context, margins),
        "ranked": int((np.isfinite(margins[0]) & np.isfinite(margins[1])).sum()),
        "moved": len(moved), "median_move": float(np.median(moved)) if len(moved) else None, "noise": noise,
        "beyond_noise": None if noise is None else int((moved > noise).sum()),
        "cut_before": _cut(context.before.params, name, old), "cut_after": _cut(context.after.params, name, new),
    }  # fmt: skip
    if "selections" not in context.rows:
        return row, pl.DataFrame()
    came = new[entered].select("pair_id").join(old, on="pair_id", how="left", maintain_order="left")
    gone = old[left].select("pair_id").join(new, on="pair_id", how="left", maintain_order="left")
    both = old[_numbers(match.before, had)[again]], new[_numbers(match.after, has)[again]]
    changes = {"entered": (came, new[entered]), "left": (old[left], gone), "moved": both}
    parts = [_rows(change, *rows, context, causes, file) for change, rows in changes.items()]
    return row, pl.concat(parts).sort("change", "pair_id")


def _numbers(rows: np.ndarray | slice, of: np.ndarray) -> np.ndarray:
    return np.arange(len(of)) if isinstance(rows, slice) else rows


def _rows(
    change: str, before: pl.DataFrame, after: pl.DataFrame, context: Context, causes: Causes, file: str
) -> pl.DataFrame:
    """Each pair that entered, left or moved, with its verdict in both versions and what of it changed: its prompt, a
    trace or how traces are paired, its margin (then the one kind of cause that reaches the margin, if it is one), or
    nothing, where the selection's own rule did (`selection`) or other pairs took or left the room (`others`)."""
    found = causes.of(file)
    kinds = {cause.kind for cause in found}
    margin = {cause.kind for cause in found if cause.kind != "selection" or OF_MARGIN.match(cause.what)}
    own = "selection" if "selection" in kinds else "code" if kinds == {"code"} else "others"
    sides, others = context.pairs if change == "left" else context.pairs[::-1]
    ids = (before if change == "left" else after)["pair_id"]
    pairs = ids.to_frame().join(sides, on="pair_id", how="left", maintain_order="left")
    traces = context.traces[0 if change == "entered" else 1]
    has_trace = pl.all_horizontal(pl.col(side).is_in(traces["trace_id"].implode()) for side in SIDES)
    is_rewritten = pl.any_horizontal(pl.col(side).is_in(context.rewritten.implode()) for side in SIDES)
    has_prompt = pl.col("prompt_id").is_in(traces["prompt_id"].implode())
    pairs_known = pl.lit(context.is_whole(PAIRS_FILE) and context.has_all("traces"))
    margin_same = (before["margin"].ne_missing(after["margin"])).not_()
    cause = (
        pl.when(~pairs_known).then(None)
        .when(~pl.col("pair_id").is_in(others["pair_id"].implode()))
        .then(pl.when(~has_prompt).then(pl.lit("prompt")).when(~has_trace).then(pl.lit("trace")).otherwise(pl.lit("pairing")))
        .when(is_rewritten).then(pl.lit("trace"))
        .when(margin_same).then(pl.lit(own))
        .otherwise(pl.lit(next(iter(margin)) if len(margin) == 1 else "margin"))
    )  # fmt: skip
    return pairs.select("pair_id", pl.lit(change).alias("change"), cause.alias("cause")).with_columns(
        before["reason"].alias("reason_before"), after["reason"].alias("reason_after"),
        before["margin"].alias("margin_before"), after["margin"].alias("margin_after"),
    )  # fmt: skip


def jaccard(shared: int, before: int, after: int) -> float | None:
    """The size of what two sets share over that of all they have; None where both are empty."""
    together = before + after - shared
    return shared / together if together else None


def _rank(context: Context, margins: tuple[np.ndarray, np.ndarray]) -> float | None:
    """Spearman's correlation; of selections that have one margin it is worked out once."""
    key = b"".join(blake2b(np.ascontiguousarray(part).data).digest() for part in margins)
    if key not in context.ranks:
        context.ranks[key] = spearman(*margins)
    return context.ranks[key]


def spearman(before: np.ndarray, after: np.ndarray) -> float | None:
    """The rank correlation of two series, ties at their mean rank, where both are numbers; None where one does not
    vary, or there are fewer than two."""
    known = np.isfinite(before) & np.isfinite(after)
    if not known.all():
        before, after = before[known], after[known]
    if len(before) < 2 or np.ptp(before) == 0 or np.ptp(after) == 0:
        return None
    if np.array_equal(before, after):
        return 1.0
    ranks = [pl.Series(values).rank("average").to_numpy() for values in (before, after)]
    centred = [values - (len(values) + 1) / 2 for values in ranks]
    return float(centred[0] @ centred[1] / np.sqrt((centred[0] @ centred[0]) * (centred[1] @ centred[1])))


def _find_noise(context: Context, name: str) -> float | None:
    """The noise of the judge whose delta the selection's margin is; None where it is something else."""
    value = ((context.after.params.get("selections") or {}).get(name) or {}).get("value")
    judge, _, column = str(value).strip().replace('"', "").rpartition(".")
    return find_noise(context, judge, column.removeprefix("delta_")) if column.startswith("delta_") else None


def _cut(params: dict[str, Any], name: str, rows: pl.DataFrame) -> float | None:
    """The margin of the last pair that a selection of the highest or lowest keeps."""
    kind = (((params.get("selections") or {}).get(name) or {}).get("keep") or {}).get("kind")
    margins = rows.filter("kept")["margin"]
    cut = margins.min() if kind == "top" else margins.max() if kind == "bottom" else None
    return None if cut is None else float(cut)  # type: ignore[arg-type]


def compare_arms(context: Context) -> Section:
    """A row for each arm of the grid: its pairs in both versions, how many entered and left, how many have the other
    side chosen now, and Jaccard's index."""
    figures, rows = list[dict[str, Any]](), list[pl.DataFrame]()
    for name in context.names("arms/subsets"):
        file = f"data/arms/subsets/{name}.parquet"
        new = read(context.after, file, ARM_ROWS)
        old = read(context.before, file, ARM_ROWS) if context.is_changed(file) else new
        match = match_rows(old, new, ["pair_id"])
        same = gather(old, match.before), gather(new, match.after)
        turned = same[0][SIDES[0]] != same[1][SIDES[0]]
        counts = {"before": old.height, "after": new.height, "entered": len(match.entered), "left": len(match.left)}
        overlap = jaccard(same[0].height - int(turned.sum()), old.height, new.height)
        figures.append({"arm": name, **counts, "flipped": int(turned.sum()), "overlap": overlap})
        parts = (("entered", new[match.entered]), ("flipped", same[1].filter(turned)), ("left", old[match.left]))
        rows += [
            part.select(pl.lit(name).alias("arm"), "pair_id", pl.lit(change).alias("change"))
            for change, part in (parts if "arms" in context.rows else ())
        ]
    return Section(frame(figures, ARMS), ("arm",), concat(rows))
