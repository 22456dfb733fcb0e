"""What is known of a run: what it learnt from, how it was trained, and what it was worth."""

import json
from typing import Any

import polars as pl

from curation.core.params import BASELINE
from curation.core.study import Study
from curation.explore.tables import Row, Tables
from curation.tables import contracts

MOST_ROWS = 50  # of an arm that are listed
OF_ARM = ("method", "selection", "generator_pairs", "budget", "control")


def describe_run(tables: Tables, name: str) -> Row:
    """A row of `runs`, with what params.yaml declares of the run, the pairs or traces that it learns from, the mean
    score and the number of its answers by benchmark, and the gains of its arm."""
    study = tables.study
    row: Row = next(iter(tables.find("runs", pl.col("run") == name)), {"run": name, "status": None})
    run = study.runs.get(name)
    row["untrained"] = None if row["status"] else _say_untrained(study, name)
    row["figures"] = json.loads(row["figures"]) if row.get("figures") else None
    row |= {"declared": None, "method": None, "rows": None, "examples": [], "gains": [], "places": ["student"]}
    if run is not None:
        settings: Any = study.methods[run.method]
        row["declared"] = {"method": run.method, "arm": run.arm.name, **run.arm._asdict(), "seed": run.seed}
        row["method"] = settings.model_dump(mode="json")
        row["rows"] = list_rows(tables, run.arm.name, "unpaired" if settings.kind == "kto" else "subsets")
        of_run = (pl.col("arm") == run.arm.name) & (pl.col("method") == run.method)
        row["examples"] = tables.find("updates", of_run)
        parts = dict(zip(OF_ARM, (run.method, *run.arm[:-1]), strict=True))
        row["gains"] = tables.find(
            "comparisons", pl.all_horizontal(pl.col(key) == str(value) for key, value in parts.items())
        )
        row["places"] += [f"methods.{run.method}", f"selections.{run.arm.selection}", f"controls.{run.arm.control}",
                          f"generator_pairs.{run.arm.generator_pairs}", "grid"]  # fmt: skip
    row["results"] = _results(tables, name)
    return row


def _say_untrained(study: Study, name: str) -> str:
    if name == BASELINE:
        return "the student as it is, which nothing is trained of"
    return "weights that were trained elsewhere" if name in study.models.names else "not trained yet"


def list_rows(tables: Tables, arm: str, table: str) -> Row:
    """How many rows an arm has, and the first of them."""
    file = contracts.arm_path(table, arm, tables.data)
    if not file.exists():
        return {"table": table, "number": None, "first": []}
    columns = ["pair_id", "margin"] if table == "subsets" else ["trace_id", "label"]
    first = [row for _, row in tables.find_in(table, [file], pl.lit(True), columns, most=MOST_ROWS)]
    number = pl.scan_parquet(file, glob=False).select(pl.len()).collect().item()
    return {"table": table, "number": number, "first": first}


def _results(tables: Tables, name: str) -> list[Row]:
    """By benchmark the number of a run's answers, how many have a score, and the mean of these."""
    found = dict[str, list[float | None]]()
    for table in ("results", "imported_results"):
        for row in tables.find(table, pl.col("run") == name, ["benchmark", "score"]):
            found.setdefault(row["benchmark"], []).append(row["score"])
    rows = []
    for benchmark, scores in found.items():
        scored = [score for score in scores if score is not None]
        mean = sum(scored) / len(scored) if scored else None
        rows.append({"benchmark": benchmark, "answers": len(scores), "scored": len(scored), "mean": mean})
    return rows
