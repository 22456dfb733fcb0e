"""Runs on a Ray cluster: each is a task, and its weights come back to this process, which keeps the store."""

import io
import os
import sys
import tempfile
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import redirect_stderr
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from curation.calls import cluster
from curation.core.progress import progress
from curation.core.text import one_line
from curation.core.threads import limit_threads
from curation.models.kept import keep
from curation.models.weights import configure_process
from curation.training.train_all import ToTrain
from curation.training.worker import Done, do
from curation.training.workers import Outcome

if TYPE_CHECKING:
    from curation.calls.execution import Runs

DEATHS = 3  # of the workers of one run, which are taken for the run's own fault


class Trained(NamedTuple):
    """What a task sends back: what the job gave, the weights' files by name, and what was printed."""

    done: Done
    files: dict[str, bytes]
    printed: str


def train_over_ray(jobs: Sequence[ToTrain], settings: "Runs", ray: cluster.Params) -> Iterator[Outcome]:
    """The outcome of every job, as they end, `settings.parallel` tasks of `ray.cpus` CPUs and `ray.gpus` GPUs at a
    time. A run whose node goes away is trained by another one.

    Raises CurationError if there is no cluster.
    """
    cluster.connect(ray)
    tasks, waiting, deaths = _Tasks(settings, ray), deque(jobs), Counter[str]()
    try:
        with progress("train", len(jobs), "runs") as shown:
            while waiting or tasks.under_way:
                while waiting and len(tasks.under_way) < settings.parallel:
                    tasks.start(waiting.popleft())
                for job, ended in tasks.wait():
                    if isinstance(ended, str):
                        deaths[job.run] += 1
                    if isinstance(ended, str) and deaths[job.run] < DEATHS:
                        waiting.append(job)
                        _tell(f"a worker was lost with run {job.run}, which another one gets")
                        continue
                    shown.advance(note=tasks.describe())
                    yield _take(job, ended)
                shown.advance(0, tasks.describe())
    finally:
        tasks.end()


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _take(job: ToTrain, ended: Trained | str) -> Outcome:
    """What a run has come to; its weights are where they are to be."""
    if isinstance(ended, str):
        return Outcome(job.run, None, f"{DEATHS} workers died of it, the last with {ended}")
    sys.stderr.write(ended.printed)
    if ended.files:
        job.out.mkdir(parents=True)
    for name, body in ended.files.items():
        (job.out / name).write_bytes(body)
    return Outcome(job.run, *ended.done)


class _Tasks:
    """The runs under way on the cluster."""

    def __init__(self, settings: "Runs", place: cluster.Params) -> None:
        import ray

        self.ray, self.threads = ray, settings.threads
        self.train = ray.remote(num_cpus=place.cpus, num_gpus=place.gpus, max_retries=0)(train_here)
        self.under_way: dict[Any, ToTrain] = {}

    def start(self, job: ToTrain) -> None:
        self.under_way[self.train.remote(job, job.rows.read_bytes(), self.threads, str(Path.cwd()))] = job

    def wait(self) -> Iterator[tuple[ToTrain, Trained | str]]:
        """The runs that have ended meanwhile, with what they gave, or why their worker died."""
        ready, _ = self.ray.wait(list(self.under_way), timeout=cluster.POLL)
        for reference in ready:
            job = self.under_way.pop(reference)
            try:
                yield job, self.ray.get(reference)
            except self.ray.exceptions.RayTaskError as error:  # of the node, as a disk that is full
                why = f"on a node of the cluster: {type(error.cause).__name__}: {error.cause}"
                yield job, Trained(Done(None, one_line(why)), {}, "")
            except self.ray.exceptions.RayError as error:
                yield job, " ".join(str(error).split())[-300:]

    def describe(self) -> str:
        return f"{len(self.under_way)} handed to the cluster"

    def end(self) -> None:
        """Nothing is under way."""
        for reference in self.under_way:
            self.ray.cancel(reference, force=True)


def train_here(job: ToTrain, rows: bytes, threads: int | None, folder: str) -> Trained:
    """On a node: train, and read what came of it. Local weights and templates are found from the project's folder,
    where the nodes share it."""
    if Path(folder).is_dir():
        os.chdir(folder)
    if threads is not None:
        limit_threads(threads)
    configure_process()
    import torch

    torch.set_num_threads(threads or torch.get_num_threads())
    keep(job.student.model, job.student.pinned)
    printed = io.StringIO()
    with tempfile.TemporaryDirectory() as scratch, redirect_stderr(printed):
        table, out = Path(scratch, "rows.parquet"), Path(scratch, "weights")
        table.write_bytes(rows)
        done = do(job._replace(rows=table, out=out))
        files = {file.name: file.read_bytes() for file in sorted(out.iterdir())} if done.error is None else {}
    return Trained(done, files, printed.getvalue())
