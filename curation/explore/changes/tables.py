"""Which prompts, traces and pairs came, went, or are otherwise than they were."""

import numpy as np
import polars as pl

from curation.explore.changes.context import PAIRS_FILE, SIDES, Context, Section, frame
from curation.explore.changes.reading import Columns, gather, match_keys, read

COUNTS: Columns = {"table": pl.String, **dict.fromkeys(("before", "after", "entered", "left", "changed"), pl.Int64)}
PROMPTS: Columns = {
    "prompt_id": pl.Int64, "source": pl.String, "split": pl.String, "answer": pl.String, "verifier": pl.String,
    "external_id": pl.String, "tools": pl.String, "messages": pl.String,
}  # fmt: skip
PROMPTS_FILE = "data/prompts.parquet"
ROWS: Columns = {"table": pl.String, "id": pl.Int64, "part": pl.String, "change": pl.String}


def compare_tables(context: Context) -> Section:
    """A row each for prompts, traces and pairs: how many there were and are, how many entered and left, and how many
    of those in both changed. A prompt changed that has another answer, split, tool or verifier, or one of your own id
    another text, since a prompt's id is of its text; a trace that says something else; a pair that turned around, its
    chosen side rejected."""
    counts, rows = list[dict[str, object]](), list[pl.DataFrame]()
    for name, compare in (("prompts", _prompts), ("traces", _traces), ("pairs", _pairs)):
        if compared := compare(context):
            before, after, changes = compared
            number = {change: sum(len(part) for kind, part in changes if kind == change) for change, _ in changes}
            counts.append({"table": name, "before": before, "after": after, **number})
            if "tables" in context.rows:
                rows += [_named(name, change, part) for change, part in changes]
    return Section(frame(counts, COUNTS), ("table",), pl.concat(rows) if rows else frame([], ROWS))


Changes = list[tuple[str, pl.DataFrame]]  # what became of rows, and their id and part


def _prompts(context: Context) -> tuple[int, int, Changes] | None:
    if not context.is_whole(PROMPTS_FILE):
        return None
    new = read(context.after, PROMPTS_FILE, PROMPTS)
    old = read(context.before, PROMPTS_FILE, PROMPTS) if context.is_changed(PROMPTS_FILE) else new
    match = match_keys(old["prompt_id"], new["prompt_id"])
    shared = gather(old, match.before), gather(new, match.after)
    other = np.zeros(shared[0].height, bool)
    for name in PROMPTS.keys() - {"prompt_id", "source"}:
        other |= shared[0][name].ne_missing(shared[1][name]).to_numpy()
    left, entered = gather(old, match.left), gather(new, match.entered)
    again = left.drop_nulls("external_id").join(entered, on=["source", "external_id"], suffix="_after")
    left = left.filter(~pl.col("prompt_id").is_in(again["prompt_id"].implode()))
    entered = entered.filter(~pl.col("prompt_id").is_in(again["prompt_id_after"].implode()))
    changed = pl.concat([part.select("prompt_id", "source") for part in (shared[1].filter(other), again)])
    found = (("entered", entered), ("left", left), ("changed", changed))
    return old.height, new.height, [(change, part.select("prompt_id", "source")) for change, part in found]


def _traces(context: Context) -> tuple[int, int, Changes] | None:
    if not context.names("traces") and (context.before.parts("traces") or context.after.parts("traces")):
        return None
    old, new = context.traces
    match = context.trace_match
    whose = ("trace_id", "generator")
    return (
        old.height,
        new.height,
        [
            ("entered", gather(new, match.entered).select(whose)),
            ("left", gather(old, match.left).select(whose)),
            ("changed", new.filter(pl.col("trace_id").is_in(context.rewritten.implode())).select(whose)),
        ],
    )


def _pairs(context: Context) -> tuple[int, int, Changes] | None:
    if not context.is_whole(PAIRS_FILE):
        return None
    old, new = context.pairs
    left, entered = gather(old, context.pair_match.left), gather(new, context.pair_match.entered)
    turned = left.join(entered, left_on=SIDES, right_on=SIDES[::-1], suffix="_after")
    left = left.filter(~pl.col("pair_id").is_in(turned["pair_id"].implode()))
    entered = entered.filter(~pl.col("pair_id").is_in(turned["pair_id_after"].implode()))
    same = gather(old, context.pair_match.before), gather(new, context.pair_match.after)
    swapped = same[1].filter(same[0][SIDES[0]] == same[1][SIDES[1]]).select("pair_id")
    changed = pl.concat([turned.select(pair_id="pair_id_after"), swapped])
    found = (("entered", entered), ("left", left), ("changed", changed))
    none = pl.lit(None, pl.String).alias("part")
    return old.height, new.height, [(change, part.select("pair_id", none)) for change, part in found]


def _named(table: str, change: str, part: pl.DataFrame) -> pl.DataFrame:
    columns = part.columns
    return part.select(
        pl.lit(table).alias("table"), pl.col(columns[0]).alias("id"), pl.col(columns[1]).alias("part"),
        pl.lit(change).alias("change"),
    )  # fmt: skip
