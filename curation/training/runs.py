"""The runs of the grid: trained once each, and found again by what they are made of."""

import json
import os
import sys

import polars as pl

from curation.core.canonical import canonical
from curation.core.errors import CurationError, Errors, require_existing
from curation.core.study import Study
from curation.tables import contracts, parquet
from curation.tables.measurements import RUNS
from curation.training.given import look_at
from curation.training.run_key import READ, Machine, digest_rows, run_key
from curation.training.run_store import RunStore, remove
from curation.training.train import equal_updates, train

WAY_OUT = "`dvc repro arms` makes it"


def train_runs(study: Study) -> pl.DataFrame:
    """The rows of `runs`, with the weights of each in the run store: those that are there already are not trained
    again, and weights trained elsewhere stay where they lie. A run that fails is a row with its error, and costs no
    other run."""
    own = json.loads(require_existing(contracts.DATA / "metrics/arms.json", WAY_OUT).read_text())
    trained = [_train(study, name, own) for name in study.runs]
    return pl.concat([pl.DataFrame(trained, contracts.empty(RUNS).schema, orient="row"), look_at(study.models)])


def _train(study: Study, name: str, own: dict[str, dict[str, int]]) -> tuple[str | int | None, ...]:
    method, arm, seed = study.runs[name]
    settings = study.methods[method]
    table = contracts.UNPAIRED if settings.kind == "kto" else contracts.SUBSETS
    rows = parquet.read(table, contracts.arm_path(table.name, arm.name), READ[table.name])
    paired, unpaired = (
        (contracts.empty(contracts.SUBSETS), rows)
        if settings.kind == "kto"
        else (rows, contracts.empty(contracts.UNPAIRED))
    )
    if study.controls[arm.control].pairs == "all":
        settings = equal_updates(settings, own[arm.name]["own_unpaired" if settings.kind == "kto" else "own_pairs"])
    machine = machine_of(study.student.device, settings.batch_size)
    key, made_of = run_key(digest_rows(rows), settings, seed, study.student, machine)
    store = RunStore.beside(study.ledger)
    stored = store.find(key)
    if stored is None:
        partial = store.new(key)
        try:
            figures = train(name, settings, seed, study.student, paired, unpaired, partial)
            stored = store.keep(key, partial, made_of, figures)
        except CurationError as error:
            print(f"train {name}: {error}", file=sys.stderr)
            return name, None, "failed", None, None, None, str(error)
        finally:
            remove(partial)
    return name, key, "trained", stored.weights, machine.micro_batch, canonical(stored.figures), None


def machine_of(device: str, micro_batch: int) -> Machine:
    """What of this machine is in a run's key."""
    if device.startswith("cuda"):
        return Machine("cuda", None, micro_batch)
    return Machine("cpu", int(os.environ.get("OMP_NUM_THREADS") or len(os.sched_getaffinity(0))), micro_batch)


def run_metrics(runs: pl.DataFrame) -> dict[str, object]:
    """By run, what training measured."""
    return {run: json.loads(figures) for run, figures in runs.drop_nulls("figures").select("run", "figures").rows()}


def refuse_failures(runs: pl.DataFrame) -> None:
    """Nothing. Raises Errors with a line for each run that failed."""
    if failed := runs.filter(status="failed").select("run", "error").rows():
        raise Errors([f"run {run}: {error}" for run, error in failed])
