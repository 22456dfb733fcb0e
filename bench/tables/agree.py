"""Whether a contender's tables say what ours say: python -m bench.tables.agree FOLDER CONTENDER

Pairs and deltas row by row. Of the selections how many pairs have each reason, and what the margins of the kept ones
are: which of several pairs of equal margin is kept is each engine's own choice, and so is every pair of a random order.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from bench.tables.cases import DRAWN, JUDGES, SELECTIONS

ROUNDING = 1e-8  # ours are rounded to 9 decimals
EDGE = 2  # pairs that may fall to either side of a quantile's end, by how it is defined


def differences(folder: Path, contender: str) -> Iterator[str]:
    """A line for each thing that the two have differently."""
    ours, theirs = folder / "data", folder / contender
    columns = ["pair_id", "prompt_id", "chosen_trace_id", "rejected_trace_id", "identical", "same_texts_as"]
    one, other = read_both(ours, theirs, "pairs", columns)
    if not one.equals(other):
        yield "pairs"
    for judge, dimensions in JUDGES.items():
        for column in (f"{kind}_{name}" for name in dimensions for kind in ("chosen", "rejected", "delta", "n", "sd")):
            one, other = read_both(ours, theirs, f"deltas/{judge}", ["pair_id", column])
            if not one["pair_id"].equals(other["pair_id"]) or not is_close(one[column], other[column]):
                yield f"deltas of {judge}: {column}"
    for name in SELECTIONS:
        yield from selection_differences(ours, theirs, name)


def read_both(ours: Path, theirs: Path, table: str, columns: list[str]) -> tuple[pl.DataFrame, ...]:
    return tuple(
        pl.read_parquet(folder / f"{table}.parquet", columns=columns).select(columns) for folder in (ours, theirs)
    )


def is_close(one: pl.Series, other: pl.Series) -> bool:
    """Whether the numbers are equal but for rounding, and unknown in the same places."""
    known = [values.cast(pl.Float64).fill_nan(None) for values in (one, other)]
    same = known[0].is_null().equals(known[1].is_null())
    return same and bool(((known[0] - known[1]).abs() <= ROUNDING).all())


def selection_differences(ours: Path, theirs: Path, name: str) -> Iterator[str]:
    verdicts = read_both(ours, theirs, f"selections/{name}", ["pair_id", "kept", "reason", "margin"])
    one, other = (dict(rows.group_by("reason").len().cast({"reason": pl.String}).rows()) for rows in verdicts)
    if any(
        abs(one.get(reason, 0) - other.get(reason, 0)) > (EDGE if name == "middle_half" else 0)
        for reason in one | other
    ):
        yield f"{name}: {one} and {other}"
    if not is_close(verdicts[0]["margin"], verdicts[1]["margin"]):
        yield f"{name}: margins"
    best = [rows.filter("kept").sort("margin") for rows in verdicts]
    if name not in DRAWN and (best[0].height != best[1].height or not is_close(best[0]["margin"], best[1]["margin"])):
        yield f"{name}: margins of the kept"
    texts = read_both(ours, theirs, f"subsets/{name}", ["pair_id", "chosen", "rejected", "prompt"])
    if not texts[1]["pair_id"].equals(verdicts[1].filter("kept")["pair_id"].sort()):
        yield f"{name}: its subset is not of the kept"
    ours_as_text = texts[0].with_columns(pl.col("chosen", "rejected").list.first().struct.field("content").name.keep())
    shared = ours_as_text.join(texts[1], on="pair_id")
    equal = (pl.col("chosen") == pl.col("chosen_right")) & (pl.col("rejected") == pl.col("rejected_right"))
    if not shared.select(equal).to_series().all():
        yield f"{name}: texts"


if __name__ == "__main__":
    print("\n".join(differences(Path(sys.argv[1]), sys.argv[2])))
