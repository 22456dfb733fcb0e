"""A comparison in some ten lines: one for each sort of table, then what the changes come from."""

from collections.abc import Collection, Iterator
from typing import Any

import polars as pl

from curation.core.messages import first_names
from curation.core.text import say_count, shorten
from curation.explore.changes.causes import Cause
from curation.explore.changes.diff import Diff

Line = tuple[str, str]  # what it is of, and what it says
MOST_CAUSES, MOST_NAMED = 4, 3
FEW = 2  # parts of a table that are named where it is reached; more are counted
LONGEST = 160  # letters of a cause
NOTHING, NONE = "no change", "none to compare"
PLACES = {  # of a line, where its tables lie
    **{name: (f"data/{name}.parquet",) for name in ("prompts", "pairs", "contrasts")},
    **{name: (f"data/{name}",) for name in ("traces", "deltas", "selections")},
    "scores": ("data/judgments", "data/preferences"), "arms": ("data/arms/subsets",),
}  # fmt: skip
FOLLOW = ("data/subsets/", "data/unpaired/")  # selections


def summarize(found: Diff) -> Iterator[Line]:
    """The lines: what they are of, and what they say."""
    yield "versions", f"{found.before.name} → {found.after.name}"
    if found.renamed:
        yield "renamed", _of_names(found)
    tables = {row["table"]: row for row in found.sections["tables"].figures.to_dicts()}
    for name in ("prompts", "traces", "pairs"):
        yield name, _with_absent(found, name, _of_table(tables[name]) if name in tables else "")
    for name, say in SAY.items():
        figures = found.sections[name].figures
        yield name, _with_absent(found, name, say(figures) if figures.height else "")
    for cause in found.causes[:MOST_CAUSES]:
        yield "cause", describe_cause(cause)
    if more := found.causes[MOST_CAUSES:]:
        yield "cause", f"and {len(more)} more; --rows shows all"


def _with_absent(found: Diff, line: str, said: str) -> str:
    """What is said of the tables of a line that are there; and of those that are not here, which dvc.lock alone knows,
    that they are the same or were not compared."""
    absent = found.not_here(PLACES[line])
    other = sum(not same for same in absent.values())
    if other:
        return f"{said}; {other} not compared" if said else "not compared, for lack of their tables"
    if not absent:
        return said or NONE
    return said or f"{NOTHING}, by dvc.lock"


def describe_cause(cause: Cause) -> str:
    """What differs, and the tables that it reaches."""
    reached: dict[str, list[str]] = {}
    for file in (file for file in cause.reached if not file.startswith(FOLLOW)):
        parts = file.removeprefix("data/").removesuffix(".parquet").split("/")
        reached.setdefault(parts[0], []).extend(parts[-1:] if len(parts) > 1 else [])
    named = [f"{table} ({_name_or_count(dict.fromkeys(names))})" if names else table
             for table, names in reached.items()]  # fmt: skip
    return f"{cause.kind}: {shorten(cause.what, LONGEST)}; reaches {', '.join(named)}"


def _name_or_count(names: Collection[str]) -> str:
    return ", ".join(names) if len(names) <= FEW else str(len(names))


def _of_names(found: Diff) -> str:
    named: dict[str, list[str]] = {}
    for one in found.renamed:
        if f"data/{one.table}/" not in FOLLOW:
            named.setdefault(one.table.partition("/")[0], []).append(f"{one.before} → {one.after}")
    return "; ".join(f"{table} {first_names(names, MOST_NAMED)}" for table, names in named.items())


def _of_table(row: dict[str, Any]) -> str:
    changes = [f"{row[name]:,} {name}" for name in ("entered", "left", "changed") if row[name]]
    if row["table"] == "pairs" and row["changed"]:
        changes[-1] = f"{row['changed']:,} flipped"
    return f"{row['before']:,} → {row['after']:,}: {', '.join(changes) or NOTHING}"


def _of_scores(rows: pl.DataFrame) -> str:
    """The dimension that drifted most, and how many did."""
    lost = rows["unscored"].sum()
    counted = "; ".join(filter(None, [_came_and_went(rows), f"{lost:,} without one now" if lost else ""]))
    moved = rows.filter(pl.col("changed") > 0).sort(pl.col("drift").abs(), descending=True)
    if moved.is_empty():
        return counted or NOTHING
    first = moved.row(0, named=True)
    drift = (
        f"{moved['changed'].sum():,} of {rows['compared'].sum():,} changed on {say_count(moved.height, 'dimension')}, "
        f"most {first['judge']}.{first['dimension']}: {_interval(first, 'drift')}"
    )
    return "; ".join(filter(None, [drift, counted]))


def _came_and_went(rows: pl.DataFrame) -> str:
    """How many rows entered and left, nothing where none did."""
    entered, left = rows["entered"].sum(), rows["left"].sum()
    return f"{entered:,} entered, {left:,} left" if entered or left else ""


def _of_deltas(rows: pl.DataFrame) -> str:
    counted, changed = _came_and_went(rows), rows.filter(pl.col("changed") > 0)
    if changed.is_empty():
        return counted or (NOTHING if rows["compared"].sum() else "no pair is in both")
    flipped = changed.sort("flipped", descending=True).row(0, named=True)
    most = f", most by {flipped['judge']}.{flipped['dimension']}: {flipped['flipped']:,}" if flipped["flipped"] else ""
    counts = f"{changed['changed'].sum():,} of {rows['compared'].sum():,} changed"
    beyond = f"{changed['flipped'].sum():,} flipped, {changed['flipped_beyond_noise'].sum():,} beyond noise{most}"
    return "; ".join(filter(None, [f"{counts}, {beyond}", counted]))


def _of_selections(rows: pl.DataFrame) -> str:
    """The one that shares least with what it was, and how many others are not as they were."""
    changed = rows.filter((pl.col("entered") > 0) | (pl.col("left") > 0)).sort("overlap", nulls_last=True)
    if changed.is_empty():
        moved = rows.filter(pl.col("moved") > 0)
        return (
            f"the same pairs; margins moved in {first_names(moved['selection'], MOST_NAMED)}"
            if moved.height
            else NOTHING
        )
    first = changed.row(0, named=True)
    others = [f"{name} {_number(overlap)}" for name, overlap in changed[1:].select("selection", "overlap").iter_rows()]
    return _selection(first) + (f"; overlap of {first_names(others, MOST_NAMED)}" if others else "")


def _selection(row: dict[str, Any]) -> str:
    across = row["entered"] + row["left"] - row["new_candidates"] - row["lost_candidates"]
    rank = "" if row["rank"] is None else f", Spearman {_number(row['rank'])} of {row['ranked']:,}"
    changes = f"{row['entered']:,} entered, {row['left']:,} left, {across:,} across the cut"
    sizes = f"{row['before']:,} → {row['after']:,}"
    return f"{row['selection']}: overlap {_number(row['overlap'])} ({sizes}: {changes}){rank}"


def _of_arms(rows: pl.DataFrame) -> str:
    changed = rows.filter((pl.col("overlap") < 1).fill_null(False)).sort("overlap")
    if changed.is_empty():
        return NOTHING
    first = changed.row(0, named=True)
    flipped = f", {first['flipped']:,} flipped" if first["flipped"] else ""
    return (
        f"{changed.height} of {rows.height} changed, most {first['arm']}: overlap {_number(first['overlap'])} "
        f"({first['entered']:,} entered, {first['left']:,} left{flipped})"
    )


def _of_contrasts(rows: pl.DataFrame) -> str:
    """The primary one if it moved, else the one that moved most; and how many are beyond their interval."""
    came = rows.filter(pl.col("estimate_before").is_null() != pl.col("estimate_after").is_null())
    gone = f"{say_count(came.height, 'contrast has', 'contrasts have')} a result in one version only"
    moved = rows.filter(pl.col("moved").abs() > 0)
    if moved.is_empty():
        return gone if came.height else NOTHING
    primary = moved.filter(pl.coalesce("primary_after", "primary_before"))
    first = (primary if primary.height else moved.sort(pl.col("moved").abs(), descending=True)).row(0, named=True)
    beyond = int(moved["beyond"].fill_null(False).sum())
    before, after = (_interval({key.removesuffix(f"_{when}"): value for key, value in first.items()
                                if key.endswith(when)}, "estimate") for when in ("before", "after"))  # fmt: skip
    return f"{moved.height} moved, {beyond} beyond the interval; {first['contrast']}: {before} → {after}" + (
        f"; {gone}" if came.height else ""
    )


SAY = {
    "scores": _of_scores, "deltas": _of_deltas, "selections": _of_selections, "arms": _of_arms,
    "contrasts": _of_contrasts,
}  # fmt: skip


def _interval(row: dict[str, Any], name: str) -> str:
    if row["ci_low"] is None:
        return _number(row[name])
    return f"{_number(row[name])} ({_number(row['ci_low'])} to {_number(row['ci_high'])})"


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}"
