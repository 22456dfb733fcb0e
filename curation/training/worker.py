"""What runs in a worker: a process that does one job after the other, keeps the student loaded, and ends with the
process that started it."""

import gc
import os
import signal
import threading
import time
import traceback
from collections.abc import Callable
from multiprocessing import active_children, current_process
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import Any, NamedTuple, Protocol

from curation.core.errors import CurationError
from curation.core.output import neutral_streams
from curation.core.progress import REFERENCE, Progress, heard
from curation.core.text import one_line
from curation.core.threads import limit_threads
from curation.models.kept import keep
from curation.models.student import Params as Student

SECONDS_BETWEEN_TALES = 0.5


class Job(Protocol):
    """What is to be done for a run."""

    @property
    def run(self) -> str: ...
    def on(self, device: str) -> "Job":
        """The same on another device."""
        ...

    def do(self) -> Any:
        """Do it. Raises CurationError where it cannot be done."""
        ...

    def clear(self) -> None:
        """Nothing is left on disk of what was not done."""
        ...


class Place(NamedTuple):
    """Where a worker works: on a device, with so many threads on the CPU (null: as many as torch takes)."""

    device: str
    threads: int | None

    def enter(self) -> str:
        """This process has those threads and, of GPUs, that one alone. Returns what the device is called then. Called
        before torch is imported."""
        if self.threads is not None:
            limit_threads(self.threads)
        kind, _, number = self.device.partition(":")
        if kind != "cuda" or not number:
            return self.device
        seen = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
        os.environ["CUDA_VISIBLE_DEVICES"] = seen[int(number)] if seen else number
        return kind


class Told(NamedTuple):
    """How far a job is: on one line, and as a share of its work. What prepares a training is no part of that."""

    line: str
    share: float

    @classmethod
    def begins(cls, job: Job) -> "Told":
        """What there is to tell of a job before it tells anything."""
        return cls(f"{job.run} begins", 0.0)


class Done(NamedTuple):
    """What a job gave, or why it failed."""

    value: Any
    error: str | None


def work(parent: Connection, place: Place, student: Student) -> None:
    """Do the jobs that `parent` sends, and send back Told and Done, until it goes away. Ctrl-C is the parent's to
    hear."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    current_process().daemon = False  # to its parent it is one; itself it may have children, as grading has
    jobs: SimpleQueue[Job] = SimpleQueue()
    threading.Thread(target=_listen, args=(parent, jobs), daemon=True).start()
    _forgo_semaphores()
    device = place.enter()
    keep(student.model, student.pinned)
    tell = _seldom(lambda shown: parent.send(describe(shown)))
    with neutral_streams(), heard(tell):
        while True:
            job = jobs.get().on(device)
            parent.send(Told.begins(job))
            parent.send(do(job))


def do(job: Job) -> Done:
    """The job, done, or why it failed."""
    return attempt(job.do)


def attempt(work: Callable[[], Any]) -> Done:
    """What the work of one job gives. Whatever goes wrong is its error, on one line: other jobs do not suffer from
    it."""
    try:
        return Done(work(), None)
    except CurationError as error:
        return Done(None, one_line(str(error)))
    except (Exception, SystemExit) as error:  # nobody's mistake but the program's, or a library's
        traceback.print_exc()
        return Done(None, one_line(f"{type(error).__name__}: {error}"))
    finally:
        gc.collect()  # a trainer holds its network in a cycle


def _listen(parent: Connection, jobs: "SimpleQueue[Job]") -> None:
    """Take jobs as they come. Where the parent has gone, however it went, this process and its children end at once."""
    try:
        while True:
            jobs.put(parent.recv())
    except (EOFError, OSError):
        for child in active_children():
            child.kill()
        os._exit(0)


def _forgo_semaphores() -> None:
    """tqdm's bars, which libraries make and nobody sees, lock among processes by a semaphore of the system; one that is
    killed would leave it behind, and be told of it."""
    from tqdm import tqdm

    tqdm.set_lock(threading.RLock())


def describe(shown: Progress) -> Told:
    """How far it is, as whoever waits for more than it is told."""
    return Told(shown.describe(), 0.0 if shown.label.startswith(REFERENCE) else shown.reached())


def _seldom(tell: Callable[[Progress], None]) -> Callable[[Progress], None]:
    """`tell`, but not for every step."""
    told = 0.0

    def tell_seldom(shown: Progress) -> None:
        nonlocal told
        if time.monotonic() - told >= SECONDS_BETWEEN_TALES:
            told = time.monotonic()
            tell(shown)

    return tell_seldom
