"""The runs of the grid: trained once each, and found again by what they are made of."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from curation.core.canonical import canonical
from curation.core.errors import CurationError, Errors
from curation.core.kinds import kind
from curation.core.study import Study
from curation.models.student import Params as Student
from curation.tables import contracts
from curation.tables.measurements import RUNS
from curation.training.accelerate_config import count_processes, read_arithmetic
from curation.training.given import look_at
from curation.training.run_key import Machine, digest_rows, run_key
from curation.training.run_store import RunStore, Stored, remove
from curation.training.train_all import SECONDS, ToTrain, read_rows, train_all
from curation.training.trainers._memory import micro_batches
from curation.training.updates import take_updates
from curation.training.workers import count_threads, name_run

if TYPE_CHECKING:
    from curation.experiment.grid import Run
    from curation.training.trainers._kind import Method


class Plan(NamedTuple):
    """A run of the grid as it is to be trained: the method, on the rows of an arm, whose digest is `digest`, here."""

    settings: "Method"
    seed: int
    student: Student
    rows: Path
    digest: str
    machine: Machine

    def identify(self, micro_batch: int) -> tuple[str, dict[str, Any]]:
        """The key of the run where so many examples are taken at once, and what that is made of."""
        machine = self.machine._replace(micro_batch=micro_batch)
        return run_key(self.digest, self.settings, self.seed, self.student, machine)

    @property
    def key(self) -> str:
        """The key where a batch has room."""
        return self.identify(self.sizes[0])[0]

    @property
    def sizes(self) -> list[int]:
        """How many examples a process takes at once, where a batch has room, and where it has not."""
        return micro_batches(self.settings.batch_size // self.machine.world)

    def find(self, store: RunStore) -> Stored | None:
        """The run, in as many parts as it was trained in; None where it was not."""
        keys = (self.identify(size)[0] for size in self.sizes)
        return next((found for key in keys if (found := store.find(key))), None)

    def job(self, run: str, out: Path) -> ToTrain:
        """Its training, with the weights to `out`."""
        return ToTrain(run, self.settings, self.seed, self.student, self.rows, out)


def train_runs(study: Study) -> pl.DataFrame:
    """The rows of `runs`, with the weights of each in the run store: those that are there already are not trained
    again, two runs of one key are one, and weights trained elsewhere stay where they lie. A run that fails is a row
    with its error, and costs no other run."""
    store, plans = RunStore.beside(study.ledger), plan_runs(study)
    keys, stored, missing = look_up(plans, store)
    jobs = {name: plans[name].job(name, store.new(keys[name])) for name in missing}
    errors = dict[str, str]()
    try:
        for run, figures, error in train_all(list(jobs.values()), study.execution, study.student):
            try:
                if error is None:
                    seconds = figures.pop(SECONDS)
                    key, made_of = plans[run].identify(figures["micro_batch"])
                    stored[keys[run]] = store.keep(key, jobs[run].out, made_of, figures, seconds)
            except CurationError as refused:
                error = str(refused)
            if error is not None:
                errors[keys[run]] = error
                print(name_run(run, error), file=sys.stderr, flush=True)
    finally:
        for job in jobs.values():
            remove(job.out)
    rows = [_row(name, stored.get(key), errors.get(key)) for name, key in keys.items()]
    return pl.concat([pl.DataFrame(rows, contracts.empty(RUNS).schema, orient="row"), look_at(study.models)])


def plan_runs(study: Study, data: Path = contracts.DATA) -> dict[str, Plan]:
    """Every run of the grid by its name, on the subsets of arms in `data`. Raises CurationError if one is not there."""
    taken = take_updates(study, data)
    return {
        name: _plan(study, run, taken.get((run.arm.name, run.method), study.methods[run.method]), data)
        for name, run in study.runs.items()
    }


def look_up(plans: Mapping[str, Plan], store: RunStore) -> tuple[dict[str, str], dict[str, Stored], list[str]]:
    """The key of each run, by key those that are in the store, and the names of those to train: where several have one
    key, the first."""
    keys = {name: plan.key for name, plan in plans.items()}
    distinct = {key: name for name, key in reversed(keys.items())}
    stored = {key: found for key, name in distinct.items() if (found := plans[name].find(store))}
    return keys, stored, [name for name, key in keys.items() if distinct[key] == name and key not in stored]


def _plan(study: Study, run: "Run", settings: "Method", data: Path) -> Plan:
    student = study.student
    file = contracts.arm_path(kind("methods", settings.kind).READS, run.arm.name, data)
    execution, world, config = study.execution.of_runs, 1, None
    if execution.engine == "accelerate" and execution.config:
        world, config = count_processes(Path(execution.config)), read_arithmetic(Path(execution.config))
    threads = count_threads(execution, student.device)
    machine = Machine(student.device.partition(":")[0], threads, settings.batch_size // world, world, config)
    return Plan(settings, run.seed, student, file, digest_rows(read_rows(settings, file)), machine)


def _row(name: str, stored: Stored | None, error: str | None) -> tuple[str | int | None, ...]:
    if stored is None:
        return name, None, "failed", None, None, None, error
    micro_batch = stored.made_of["machine"]["micro_batch"]
    return name, stored.key, "trained", stored.weights, micro_batch, canonical(stored.figures), None


def run_metrics(runs: pl.DataFrame) -> dict[str, object]:
    """By run, what training measured."""
    return {run: json.loads(figures) for run, figures in runs.drop_nulls("figures").select("run", "figures").rows()}


def refuse_failures(runs: pl.DataFrame, most: int) -> None:
    """Nothing. Raises Errors with a line for each run that failed, where more than `most` did."""
    failed = runs.filter(status="failed").select("run", "error").rows()
    if len(failed) > most:
        raise Errors([name_run(run, error) for run, error in failed])
