"""Many runs trained: side by side on this machine, on a Ray cluster, or one after the other over many processes."""

import shutil
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from curation.core.kinds import kind
from curation.models.student import Params as Student
from curation.tables import contracts, parquet
from curation.training.train import train
from curation.training.workers import Outcome, count_threads, one_by_one, side_by_side

if TYPE_CHECKING:
    from curation.calls.execution import Params as Execution
    from curation.training.trainers._kind import Method

SECONDS = "seconds"  # that training took: told beside its metrics, and none of them
TABLES = {table.name: table for table in (contracts.SUBSETS, contracts.UNPAIRED)}


class ToTrain(NamedTuple):
    """A run to train, by a method on the `rows` of an arm, a table on disk. `out`, which is not there yet, will hold
    the weights."""

    run: str
    method: "Method"
    seed: int
    student: Student
    rows: Path
    out: Path

    def on(self, device: str) -> "ToTrain":
        """The same on another device."""
        return self._replace(student=self.student.model_copy(update={"device": device}))

    def do(self) -> dict[str, float]:
        """Train. Returns the metrics of training, and the SECONDS it took. Raises CurationError as `train` does."""
        began, rows = time.monotonic(), read_rows(self.method, self.rows)
        figures = train(self.run, self.method, self.seed, self.student, rows, self.out)
        return {**figures, SECONDS: time.monotonic() - began}

    def clear(self) -> None:
        """Nothing of it is left on disk."""
        for folder in (self.out, self.out.with_name(f"{self.out.name}.partial")):
            shutil.rmtree(folder, ignore_errors=True)


def read_rows(method: "Method", file: Path) -> pl.DataFrame:
    """What a method reads of the rows of an arm, in the order that it wants it in."""
    reads = kind("methods", method.kind)
    return parquet.read(TABLES[reads.READS], file, reads.COLUMNS).select(reads.COLUMNS)


def train_all(jobs: Sequence[ToTrain], execution: "Execution", student: Student) -> Iterator[Outcome]:
    """The metrics of every run, or its error, as they end. Where and how many at a time is `execution.runs`'s affair,
    and changes nothing of them; without it this process trains one after the other."""
    settings = execution.of_runs
    if execution.runs is None:
        return one_by_one("train", {job.run: job.do for job in jobs}, count_threads(settings, student.device))
    if settings.engine == "ray":
        from curation.training.over_ray import train_over_ray

        return train_over_ray(jobs, settings, execution.ray)
    if settings.engine == "accelerate" and settings.config:
        threads, config = count_threads(settings, student.device), Path(settings.config)
        return one_by_one(
            "train", {job.run: partial(_train_over_processes, job, config, threads) for job in jobs}, None
        )
    return side_by_side("train", jobs, settings, student)


def _train_over_processes(job: ToTrain, config: Path, threads: int | None) -> dict[str, float]:
    from curation.training.launched import train_over_processes

    run, method, seed, student, file, out = job
    began, rows = time.monotonic(), read_rows(method, file)
    figures = train_over_processes(run, method, seed, student, rows, out, config, threads)
    return {**figures, SECONDS: time.monotonic() - began}
