"""A comparison as one page of HTML, with pairs that entered or left each selection beside each other."""

from typing import Any

import polars as pl

from curation.explore.changes.diff import Diff
from curation.explore.changes.summary import describe_cause, summarize
from curation.explore.changes.version import Version
from curation.explore.page import render

MOST_PAIRS, MOST_ROWS = 5, 200  # of a selection's entered and left each, that are shown whole; of a table
PAIRS = ("pair_id", "prompt_id", "chosen_trace_id", "rejected_trace_id")
TEXTS = ("trace_id", "generator", "reasoning", "completion")


def make_page(found: Diff) -> bytes:
    """The page, in UTF-8: the summary, every figure, and of each selection some pairs that entered or left, with their
    texts."""
    tables = [
        _table(f"{name}{what}", rows)
        for name, section in found.sections.items()
        for what, rows in (("", section.figures), (": rows that changed", section.rows))
        if rows.height
    ]
    return render(
        "diff.html",
        before=found.before.name,
        after=found.after.name,
        summary=list(summarize(found)),
        causes=[(cause.kind, describe_cause(cause)) for cause in found.causes],
        notes=found.notes,
        tables=tables,
        most_rows=MOST_ROWS,
        pairs=_show_pairs(found),
    )


def _table(name: str, rows: pl.DataFrame) -> dict[str, Any]:
    """The first rows; ids are no numbers to a reader."""
    numeric = [dtype.is_numeric() and not column.endswith("id") for column, dtype in rows.schema.items()]
    shown = rows.head(MOST_ROWS).rows()
    return {"name": name, "columns": rows.columns, "height": rows.height, "numeric": numeric, "rows": shown}


def _show_pairs(found: Diff) -> list[dict[str, Any]]:
    """Those whose margin is furthest from what it was, or is highest, first."""
    rows = found.sections["selections"].rows
    if rows.is_empty():
        return []
    margin = pl.coalesce(pl.col("margin_after") - pl.col("margin_before"), "margin_after", "margin_before").abs()
    first = rows.sort("selection", "change", margin, "pair_id", descending=[False, False, True, False], nulls_last=True)
    picked = first.group_by("selection", "change", maintain_order=True).head(MOST_PAIRS)
    shown: dict[int, dict[str, Any]] = {}
    for change, version in (("entered", found.after), ("left", found.before)):
        shown |= _read_pairs(version, picked.filter(pl.col("change") == change)["pair_id"].unique())
    return [row | shown[row["pair_id"]] for row in picked.to_dicts() if row["pair_id"] in shown]


def _read_pairs(version: Version, ids: pl.Series) -> dict[int, dict[str, Any]]:
    """The prompt and both sides of each pair, as the version has them; of the other rows no text is read."""
    pairs = _pick(version, ["data/pairs.parquet"], "pair_id", ids, tuple(PAIRS))
    wanted = pl.concat([pairs[name].alias("trace_id") for name in ("chosen_trace_id", "rejected_trace_id")]).unique()
    files = [f"data/traces/{name}.parquet" for name in version.parts("traces")]
    traces = {
        row["trace_id"]: row | {"facts": {}} for row in _pick(version, files, "trace_id", wanted, TEXTS).to_dicts()
    }
    asked = _pick(version, ["data/prompts.parquet"], "prompt_id", pairs["prompt_id"].unique(), ("prompt_id", "prompt"))
    prompts = dict(asked.rows())
    return {
        row["pair_id"]: {
            "prompt": prompts.get(row["prompt_id"]) or [],
            "chosen": traces[row["chosen_trace_id"]],
            "rejected": traces[row["rejected_trace_id"]],
        }
        for row in pairs.to_dicts()
        if row["chosen_trace_id"] in traces and row["rejected_trace_id"] in traces
    }


def _pick(version: Version, files: list[str], key: str, ids: pl.Series, columns: tuple[str, ...]) -> pl.DataFrame:
    """These columns of the rows that have one of the ids."""
    paths = [file.path for name in files if (file := version.files.get(name)) is not None and file.path is not None]
    if not paths or ids.is_empty():
        return pl.DataFrame(schema={name: pl.Int64 if name.endswith("_id") else pl.String for name in columns})
    return pl.scan_parquet(paths, glob=False).filter(pl.col(key).is_in(ids.implode())).select(columns).collect()
