"""A comparison as one page of HTML, with pairs that entered or left each selection beside each other."""

from typing import Any

import polars as pl

from curation.explore.changes.context import PAIRS, PAIRS_FILE
from curation.explore.changes.diff import Diff
from curation.explore.changes.reading import Columns, pick
from curation.explore.changes.summary import describe_cause, summarize
from curation.explore.changes.tables import PROMPTS_FILE
from curation.explore.changes.version import Version
from curation.explore.page import render
from curation.tables import contracts
from curation.tables.messages import full_messages

MOST_PAIRS, MOST_ROWS = 5, 200  # of a selection's entered and left each, that are shown whole; of a table
PROMPTS: Columns = {
    "prompt_id": pl.Int64, "prompt": contracts.empty(contracts.PROMPTS).schema["prompt"], "messages": pl.String,
}  # fmt: skip
TEXTS: Columns = {"trace_id": pl.Int64, **dict.fromkeys(("generator", "reasoning", "completion"), pl.String)}


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
        summary=[line for line in summarize(found) if line[0] != "versions"],
        causes=[describe_cause(cause) for cause in found.causes],
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
    rows = rows.filter(pl.col("change") != "moved")
    margin = pl.coalesce(pl.col("margin_after") - pl.col("margin_before"), "margin_after", "margin_before").abs()
    first = rows.sort("selection", "change", margin, "pair_id", descending=[False, False, True, False], nulls_last=True)
    picked = first.group_by("selection", "change", maintain_order=True).head(MOST_PAIRS)
    shown: dict[int, dict[str, Any]] = {}
    for change, version in (("entered", found.after), ("left", found.before)):
        shown |= read_pairs(version, picked.filter(pl.col("change") == change)["pair_id"].unique())
    return [row | shown[row["pair_id"]] for row in picked.to_dicts() if row["pair_id"] in shown]


def read_pairs(version: Version, ids: pl.Series) -> dict[int, dict[str, Any]]:
    """The prompt and both sides of each pair, as the version has them; of the other rows no text is read."""
    pairs = pick(version, [PAIRS_FILE], "pair_id", ids, PAIRS)
    wanted = pl.concat([pairs[name].alias("trace_id") for name in ("chosen_trace_id", "rejected_trace_id")]).unique()
    files = [f"data/traces/{name}.parquet" for name in version.parts("traces")]
    traces = {
        row["trace_id"]: row | {"facts": {}} for row in pick(version, files, "trace_id", wanted, TEXTS).to_dicts()
    }
    asked = pick(version, [PROMPTS_FILE], "prompt_id", pairs["prompt_id"].unique(), PROMPTS)
    prompts = {row["prompt_id"]: full_messages(row["prompt"], row["messages"]) for row in asked.to_dicts()}
    return {
        row["pair_id"]: {
            "prompt": prompts.get(row["prompt_id"]) or [],
            "chosen": traces[row["chosen_trace_id"]],
            "rejected": traces[row["rejected_trace_id"]],
        }
        for row in pairs.to_dicts()
        if row["chosen_trace_id"] in traces and row["rejected_trace_id"] in traces
    }
