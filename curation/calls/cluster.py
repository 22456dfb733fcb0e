"""Calls over a Ray cluster: each worker has the stage's engine, this process keeps the ledger.

A worker sends every reply as it comes, so a lost node costs the calls that were under way on it, which another worker
then gets.
"""

import os
import signal
import socket
import sys
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice, takewhile
from pathlib import Path
from queue import SimpleQueue
from typing import Annotated, Any, TypeAlias

from pydantic import Field

from curation.calls.call import Call, Engine, OnReply, Reply
from curation.core.errors import CurationError
from curation.core.params import Positive, Strict

Number = Annotated[float, Field(ge=0)]
WorkerMessage: TypeAlias = tuple[str, Reply] | Exception
GLANCE, PATIENCE = (
    0.25,
    15.0,
)  # seconds between looks at Ctrl-C; seconds without any news, after which a line says what is waited for
DEATHS = 3  # so many for each worker, with no reply between them, end the run


class Params(Strict):
    """Where the cluster is (`auto`: the one this machine belongs to) and what it is to give: `workers`, each of so many
    `cpus` and `gpus`.

    A worker is handed `batch` calls at a time; choose several times what its engine has under way at once.
    """

    address: str
    workers: Positive
    cpus: Number
    gpus: Number
    batch: Positive


class Worker:
    """Runs on a node. One batch at a time, and beside it a word to stop."""

    def __init__(self, ask: Engine, folder: str) -> None:
        if Path(folder).is_dir():  # weights and runs are found from the project's folder, where the nodes share it
            os.chdir(folder)
        self.ask, self.stopped = ask, False

    def ready(self) -> None:
        """Nothing; it returns once the worker is there."""

    def stop(self) -> None:
        """Start no further call."""
        self.stopped = True

    def answer(self, calls: list[Call]) -> Iterator[list[WorkerMessage]]:
        """The replies by their calls' keys, as many as there are, as they come; an error that ends the run in place
        of one."""
        said: SimpleQueue[WorkerMessage | None] = SimpleQueue()

        def run() -> None:
            try:
                self.ask(takewhile(lambda _: not self.stopped, calls), lambda call, reply: said.put((call.key, reply)))
            except Exception as error:
                said.put(error)
            said.put(None)

        threading.Thread(target=run, daemon=True).start()
        ended = False
        while not ended:
            found = [said.get()]
            while not said.empty():
                found.append(said.get())
            ended = found[-1] is None
            yield [one for one in found if one is not None]


class RayEngine:
    """An engine that has its calls answered by workers which each run `ask`."""

    def __init__(self, settings: Params, ask: Engine) -> None:
        self.settings, self.ask = settings, ask

    def __call__(self, calls: Iterator[Call], heard: OnReply) -> None:
        """Give `heard` every attempt. Ctrl-C starts no further call and waits for those under way. Raises what an
        engine raises, and CurationError if there is no cluster, or its workers die one after the other."""
        _connect(self.settings)
        run = _Run(self.settings, self.ask, calls, heard)
        try:
            run.all()
        finally:
            run.end()


def _connect(settings: Params) -> None:
    try:
        import ray
    except ImportError:
        raise CurationError(
            'execution.engine: ray is not installed; `pip install -e ".[ray]"`, or set execution.engine: local'
        ) from None
    where = f"execution.ray.address: {settings.address}"
    host, _, port = settings.address.rpartition(":")
    try:
        if port.isdecimal():  # Ray itself would try for minutes
            socket.create_connection((host.rpartition("/")[2], int(port)), timeout=10).close()
        ray.init(address=settings.address, ignore_reinit_error=True, log_to_driver=False, logging_level="ERROR")
    except OSError:
        raise CurationError(f"{where}: no cluster answers; start one with `ray start --head`") from None
    except (RuntimeError, ValueError) as error:
        raise CurationError(f"{where}: {' '.join(str(error).split())[:300]}") from None


class _Run:
    """One stage's calls over the workers."""

    def __init__(self, settings: Params, ask: Engine, calls: Iterator[Call], heard: OnReply) -> None:
        import ray

        self.ray, self.settings, self.calls, self.hear = ray, settings, calls, heard
        self.exhausted, self.again = False, deque[Call]()  # whether `calls` is at its end; the calls of lost workers
        self.make = ray.remote(num_cpus=settings.cpus, num_gpus=settings.gpus, max_concurrency=2)(Worker)
        self.ask = ray.put(ask)
        self.idle: list[Any] = []
        self.starting: dict[Any, Any] = {}  # worker by what tells that it is there
        self.under_way: dict[
            Any, tuple[Any, dict[str, Call]]
        ] = {}  # worker and unanswered calls by the stream of its replies
        self.fatal: BaseException | None = None  # the first reason to start no further call, raised at the end
        self.held_back: set[Any] = set()
        self.deaths, self.silence = 0, 0.0

    def all(self) -> None:
        """Have every call answered."""
        for _ in range(self.settings.workers):
            self._start()
        with _draining(self):
            while True:
                self._hand_out()
                self._hold_back()
                if not self.under_way and (self.fatal or (self.exhausted and not self.again)):
                    break
                self._wait()
        if self.fatal:
            raise self.fatal

    def end(self) -> None:
        """Give the workers' places back."""
        for worker in [*self.idle, *self.starting.values(), *(worker for worker, _ in self.under_way.values())]:
            self.ray.kill(worker)

    def _start(self) -> None:
        worker = self.make.remote(self.ask, str(Path.cwd()))
        self.starting[worker.ready.remote()] = worker

    def _hand_out(self) -> None:
        while self.idle and not self.fatal and (batch := self._batch()):
            worker = self.idle.pop()
            stream = worker.answer.options(num_returns="streaming").remote(batch)
            self.under_way[stream] = worker, {call.key: call for call in batch}

    def _hold_back(self) -> None:
        """Where the run is to end, no worker starts a further call."""
        for stream, (worker, _) in self.under_way.items():
            if self.fatal and stream not in self.held_back:
                self.held_back.add(stream)
                worker.stop.remote()

    def _batch(self) -> list[Call]:
        size = self.settings.batch
        batch = [self.again.popleft() for _ in range(min(size, len(self.again)))]
        batch += islice(self.calls, size - len(batch))
        self.exhausted = self.exhausted or len(batch) < size
        return batch

    def _wait(self) -> None:
        """Take what has come: a worker that is there, replies, a worker's death."""
        news, _ = self.ray.wait([*self.under_way, *self.starting], timeout=GLANCE)
        self.silence = 0.0 if news else self.silence + GLANCE
        if self.silence == PATIENCE and not self.under_way:
            wanted = f"{self.settings.workers} workers of {self.settings.cpus:g} CPUs and {self.settings.gpus:g} GPUs"
            print(
                f"waiting for room on the cluster: {wanted} are wanted, none has started", file=sys.stderr, flush=True
            )
        for one in news:
            worker = self.starting.pop(one, None)
            try:
                if worker is None:
                    self._take(one)
                else:
                    self.ray.get(one)
                    self.idle.append(worker)
            except self.ray.exceptions.RayTaskError:
                raise
            except self.ray.exceptions.RayError as error:
                self._lost(one, error)

    def _take(self, stream: Any) -> None:
        """Hear what a worker says, or know that it is done."""
        worker, unanswered = self.under_way[stream]
        try:
            said = self.ray.get(next(stream))
        except StopIteration:
            del self.under_way[stream]
            self.idle.append(worker)
            return
        for one in said:
            if isinstance(one, Exception):
                self.fatal = self.fatal or one
                continue
            key, reply = one
            self.hear(unanswered[key], reply)
            self.deaths = 0
            if reply.last:
                del unanswered[key]

    def _lost(self, where: Any, error: Exception) -> None:
        """A worker died: another is started, and its calls are to be answered again."""
        _, unanswered = self.under_way.pop(where, (None, {}))
        self.again.extend(unanswered.values())
        self.deaths += 1
        print(f"a worker was lost with {len(unanswered)} calls, which another one gets", file=sys.stderr, flush=True)
        if self.deaths > DEATHS * self.settings.workers:
            why = " ".join(str(error).split())[-300:]
            gone = CurationError(
                f"execution.engine: ray: {self.deaths} workers died and none gave a reply, the last with {why}; run again to go on"
            )
            self.fatal = self.fatal or gone
        elif not self.fatal:
            self._start()


@contextmanager
def _draining(run: _Run) -> Iterator[None]:
    """While it lasts, the first Ctrl-C lets what is under way finish and the second drops it. An exception in the
    midst of Ray could lose a reply."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGINT)

    def interrupted(*_: object) -> None:
        signal.signal(signal.SIGINT, before)
        print(
            f"waiting for the calls under way on {len(run.under_way)} workers; Ctrl-C again drops them",
            file=sys.stderr,
            flush=True,
        )
        run.fatal = run.fatal or KeyboardInterrupt()

    signal.signal(signal.SIGINT, interrupted)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
