"""The runs of the grid: trained once each, and found again by what they are made of."""

import json
import sys
from pathlib import Path

import polars as pl

from curation.core.canonical import canonical
from curation.core.errors import CurationError, Errors, require_existing
from curation.core.study import Study
from curation.models import weights
from curation.tables import contracts, parquet
from curation.tables.measurements import RUNS
from curation.training.train import equal_updates, train

WAY_OUT = "`dvc repro arms` makes it"


def train_runs(study: Study) -> pl.DataFrame:
    """The rows of `runs`, with the weights of each in the run store. A run that fails is a row with its error, and
    costs no other run."""
    own = json.loads(require_existing(contracts.DATA / "metrics/arms.json", WAY_OUT).read_text())
    return pl.DataFrame([_train(study, name, own) for name in study.runs], contracts.empty(RUNS).schema, orient="row")


def _train(study: Study, name: str, own: dict[str, dict[str, int]]) -> tuple[str | int | None, ...]:
    method, arm, seed = study.runs[name]
    settings = study.methods[method]
    table = contracts.UNPAIRED if settings.kind == "kto" else contracts.SUBSETS
    rows = parquet.read(table, contracts.arm_path(table.name, arm.name))
    paired, unpaired = (
        (contracts.empty(contracts.SUBSETS), rows)
        if settings.kind == "kto"
        else (rows, contracts.empty(contracts.UNPAIRED))
    )
    if study.controls[arm.control].pairs == "all":
        settings = equal_updates(settings, own[arm.name]["own_unpaired" if settings.kind == "kto" else "own_pairs"])
    out = folder_of(study, name)
    try:
        figures = train(name, settings, seed, study.student, paired, unpaired, out)
    except CurationError as error:
        print(f"train {name}: {error}", file=sys.stderr)
        return name, None, "failed", None, None, None, str(error)
    return name, name, "trained", weights.fingerprint(out), settings.batch_size, canonical(figures), None


def folder_of(study: Study, key: str) -> Path:
    """Where the weights of a run lie."""
    return Path(study.ledger.path).parent / "runs" / key


def run_metrics(runs: pl.DataFrame) -> dict[str, object]:
    """By run, what training measured."""
    return {run: json.loads(figures) for run, figures in runs.drop_nulls("figures").select("run", "figures").rows()}


def refuse_failures(runs: pl.DataFrame) -> None:
    """Nothing. Raises Errors with a line for each run that failed."""
    if failed := runs.filter(status="failed").select("run", "error").rows():
        raise Errors([f"run {run}: {error}" for run, error in failed])
