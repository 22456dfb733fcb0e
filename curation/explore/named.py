"""What is known of a selection or an arm by its name: its rule, what it keeps and why it leaves the rest, and where it
is learnt from."""

import polars as pl

from curation.core.errors import CurationError
from curation.explore.runs import list_rows
from curation.explore.tables import Row, Tables
from curation.selection.rules import KEPT

MOST_KEPT = 12  # of a selection's pairs that are listed


def describe_selection(tables: Tables, name: str) -> Row:
    """The settings of a selection, how many candidates have each reason, the least and the greatest margin of those
    that are kept, the first of these by margin, and the arms of the grid that it has part in."""
    file = next(iter(tables.files("selections", name)), None)
    reasons, margins, first = dict[str, int](), dict[str, float | None](), list[Row]()
    if file is not None:
        tables.read[file] = None
        rows = pl.scan_parquet(file, glob=False)
        kept = rows.filter(pl.col("reason") == KEPT).select("pair_id", "margin")
        try:
            counts = rows.group_by("reason").len().sort("len", "reason", descending=[True, False]).collect()
            ends = kept.select(pl.min("margin").alias("least"), pl.max("margin").alias("greatest")).collect()
            # a table holds no order of ranks: what is listed first is what the margin says, whatever the rule takes
            first = (
                kept.sort("margin", "pair_id", descending=[True, False], nulls_last=True)
                .head(MOST_KEPT)
                .collect()
                .to_dicts()
            )
        except (pl.exceptions.PolarsError, OSError) as error:
            raise CurationError(f"{file}: cannot be read, delete it and `dvc repro` makes it again: {error}") from None
        reasons, margins = dict(counts.rows()), ends.to_dicts()[0]
    arms = [arm for arm in tables.study.arms.values() if arm.selection == name]
    return {
        "selection": name,
        "settings": tables.study.selections[name].model_dump(mode="json"),
        "reasons": reasons,
        "margins": margins,
        "first": first,
        "arms": [_arm(tables, arm.name) for arm in arms],
        "places": [f"selections.{name}", *(["grid"] if arms else [])],
    }


def describe_arm(tables: Tables, name: str) -> Row:
    """An arm of the grid: its selection, control and the rest, how many pairs and labelled traces it has, the first of
    them, and its runs."""
    arm = tables.study.arms[name]
    control = tables.study.controls[arm.control]
    return {
        **_arm(tables, name),
        "settings": control.model_dump(mode="json"),
        "rows": [list_rows(tables, name, table) for table in ("subsets", "unpaired")],
        "places": [f"selections.{arm.selection}", f"controls.{arm.control}",
                   f"generator_pairs.{arm.generator_pairs}", "grid"],
    }  # fmt: skip


def _arm(tables: Tables, name: str) -> Row:
    runs = [run for run, made in tables.study.runs.items() if made.arm.name == name]
    rows = {row["run"]: row for row in tables.find("runs", pl.col("run").is_in(runs), ["run", "status", "key"])}
    listed = [rows.get(run, {"run": run, "status": None, "key": None}) for run in runs]
    return {"arm": name, **tables.study.arms[name]._asdict(), "runs": listed}
