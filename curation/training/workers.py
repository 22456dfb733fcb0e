"""Many runs side by side: each job is done whole, by one of some processes that keep the student loaded."""

import os
import signal
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import cycle, islice
from multiprocessing import get_context
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any, NamedTuple

from curation.core.progress import Progress, heard, progress
from curation.models.student import Params as Student
from curation.training.worker import Done, Job, Place, Told, attempt, describe, work

if TYPE_CHECKING:
    from curation.calls.execution import Runs

PATIENCE = 5.0  # seconds until a worker that does not end is ended
MOST_SHOWN = 4  # jobs under way, in a line


class Outcome(NamedTuple):
    """What the job of a run gave, or in one line why it failed."""

    run: str
    value: Any
    error: str | None


def name_run(run: str, error: str) -> str:
    """The error of a run, with the name of that in it."""
    return error if run in error else f"run {run}: {error}"


def count_threads(settings: "Runs", device: str) -> int | None:
    """How many threads a run has on a CPU, which decides its last digits; None elsewhere. What params.yaml leaves open
    is what OpenMP takes: OMP_NUM_THREADS, or a thread for each core that this process may use."""
    if device != "cpu":
        return None
    said = os.environ.get("OMP_NUM_THREADS", "")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return settings.threads or (int(said) if said.isdecimal() and int(said) else cores)


def one_by_one(label: str, jobs: Mapping[str, Callable[[], Any]], threads: int | None) -> Iterator[Outcome]:
    """The outcome of every job, by the name of its run, done by this process with so many threads of the CPU."""
    if threads and jobs:
        import torch

        torch.set_num_threads(threads)
    with progress(label, len(jobs), "runs") as shown:

        def tell(under_way: Progress) -> None:
            told = describe(under_way)
            shown.share = (shown.done + told.share) / shown.total
            shown.advance(0, told.line)

        for run, job in jobs.items():
            with heard(tell):
                done = attempt(job)
            shown.share = None
            shown.advance(1, shown.note)
            yield Outcome(run, *done)


def side_by_side(label: str, jobs: Sequence[Job], settings: "Runs", student: Student) -> Iterator[Outcome]:
    """The outcome of every job, as they end, `settings.parallel` of them done at a time. A job that fails, or whose
    process is ended from outside, costs no other one.

    Where the iterator is closed, or this process ends, however it does, the workers end too. What they had under way is
    cleared, unless this process was killed.
    """
    crew = _Crew(deque(jobs), settings, student)
    try:
        with progress(label, len(jobs), "runs") as shown:
            while crew.hand_out():
                for outcome in crew.hear(shown):
                    crew.tell(shown, 1)
                    yield outcome
    finally:
        crew.end()


class _Worker:
    """A process, and what it does now."""

    def __init__(self, place: Place, student: Student) -> None:
        context = get_context("spawn")  # a fork of a process that has threads may hang
        self.place, self.told = place, Told("", 0.0)
        self.job: Job | None = None
        self.idle = False  # it has done a job, and not begun the next: what it dies of is none of that one's fault
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=work, args=(theirs, place, student), daemon=True)
        self.process.start()
        theirs.close()  # so that the connection ends with the process

    def give(self, job: Job) -> None:
        self.job, self.told = job, Told.begins(job)
        with suppress(OSError):  # it has ended, as the connection tells whoever hears it
            self.connection.send(job)

    def end(self) -> str:
        """It has ended, and what was not done is cleared. Returns how it ended, for a person to read."""
        self.connection.close()  # by which it ends itself
        self.process.join(PATIENCE)
        self.process.kill()
        self.process.join()
        if self.job:
            self.job.clear()
        code = self.process.exitcode or 0
        if code == -signal.SIGKILL:
            return (
                "its process was killed (SIGKILL), as a system does that has no memory left; lower "
                "execution.runs.parallel, or the method's batch_size"
            )
        how = f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
        return f"its process ended {how}; what it printed may say why"


class _Crew:
    """The workers, and the jobs that none has yet."""

    def __init__(self, waiting: deque[Job], settings: "Runs", student: Student) -> None:
        self.waiting, self.student = waiting, student
        threads = count_threads(settings, student.device) or settings.threads
        places = cycle(Place(device, threads) for device in settings.devices or [student.device])
        self.free = deque(islice(places, min(settings.parallel, len(waiting))))  # places without a worker
        self.workers: list[_Worker] = []

    def hand_out(self) -> bool:
        """Every worker has a job, as far as there are any. Returns whether one is under way."""
        while self.waiting and self.free:
            self.workers.append(_Worker(self.free.popleft(), self.student))
            self.workers[-1].give(self.waiting.popleft())
        for worker in self.workers:
            if self.waiting and not worker.job:
                worker.give(self.waiting.popleft())
        return any(worker.job for worker in self.workers)

    def hear(self, shown: Progress) -> Iterator[Outcome]:
        """Wait for what a worker says: how far it is, which is shown, or that it is done."""
        of = {worker.connection: worker for worker in self.workers}
        for ready in wait(list(of)):
            worker = of[ready]  # type: ignore[index]
            job = worker.job
            try:
                said = worker.connection.recv()
            except (EOFError, OSError):
                said = Done(None, worker.end())
                self.workers.remove(worker)
                self.free.append(worker.place)
                if job and worker.idle:
                    self.waiting.appendleft(job)
                    continue
            worker.idle = False
            if isinstance(said, Told):
                worker.told = said
                self.tell(shown, 0)
            elif job:
                worker.job, worker.idle = None, True
                yield Outcome(job.run, *said)

    def tell(self, shown: Progress, count: int) -> None:
        """So many more are done: show it, with what is under way, which counts as far as it is."""
        under_way = sum(worker.told.share for worker in self.workers if worker.job)
        shown.share = (shown.done + count + under_way) / shown.total
        shown.advance(count, self.describe())

    def describe(self) -> str:
        """What is under way, on one line."""
        lines = [worker.told.line for worker in self.workers if worker.job]
        more = [f"and {len(lines) - MOST_SHOWN} more"] if len(lines) > MOST_SHOWN else []
        return "; ".join([*lines[:MOST_SHOWN], *more])

    def end(self) -> None:
        """No worker is left."""
        for worker in self.workers:
            worker.connection.close()
        for worker in self.workers:
            worker.end()
