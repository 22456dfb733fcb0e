"""Calls over a Ray cluster: each worker has the stage's engine, this process keeps the ledger.

A worker sends every reply as it comes. A lost node costs the calls that were under way on it, which another worker then
gets.
"""

import socket
import sys
from collections import deque
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from curation.calls.call import Call, Engine, OnReply
from curation.calls.interrupt import draining
from curation.calls.worker import Worker
from curation.core.errors import CurationError
from curation.core.params import Strict
from curation.core.ranges import BatchSize, Word

Number = Annotated[float, Field(ge=0, le=10_000, description="of one machine")]
POLL = 0.25  # seconds between looks at Ctrl-C
PATIENCE = 15.0  # seconds without a worker, after which a line says what is waited for
DEATHS = 3  # so many for each worker, with no reply between them, end the run


class Params(Strict):
    """Where the cluster is (`auto`: the one this machine belongs to) and what it is to give: `workers`, each of so many
    `cpus` and `gpus`.

    A worker is handed `batch` calls at a time; choose several times what its engine has under way at once.
    """

    address: Word
    workers: Annotated[int, Field(ge=1, le=10_000, description="each is a process")]
    cpus: Number
    gpus: Number
    batch: BatchSize


class RayEngine:
    """An engine whose calls are answered on the cluster, by workers that each run `engine`."""

    def __init__(self, settings: Params, engine: Engine) -> None:
        self.settings, self.engine = settings, engine

    def __call__(self, calls: Iterator[Call], on_reply: OnReply) -> None:
        """Give `on_reply` every attempt. Ctrl-C starts no further call and waits for those under way. Raises what an
        engine raises, and CurationError if there is no cluster, or its workers die one after the other."""
        connect(self.settings)
        run = _Run(self.settings, self.engine, calls, on_reply)
        try:
            run.answer_all()
        finally:
            run.end()


def connect(settings: Params) -> None:
    """This process belongs to the cluster. Raises CurationError if there is none."""
    try:
        import ray
    except ImportError:
        raise CurationError(
            'execution.engine: ray is not installed; `pip install -e ".[ray]"`, or set execution.engine: local'
        ) from None
    place = f"execution.ray.address: {settings.address}"
    host, _, port = settings.address.rpartition(":")
    try:
        if port.isdecimal():  # Ray itself would try for minutes
            socket.create_connection((host.rpartition("/")[2], int(port)), timeout=10).close()
        ray.init(address=settings.address, ignore_reinit_error=True, log_to_driver=False, logging_level="ERROR")
    except OSError:
        raise CurationError(f"{place}: no cluster answers; start one with `ray start --head`") from None
    except (RuntimeError, ValueError) as error:
        raise CurationError(f"{place}: {' '.join(str(error).split())[:300]}") from None


class _Run:
    """One stage's calls over the workers."""

    def __init__(self, settings: Params, engine: Engine, calls: Iterator[Call], on_reply: OnReply) -> None:
        import ray

        self.ray, self.settings, self.calls, self.on_reply = ray, settings, calls, on_reply
        self.exhausted, self.again = False, deque[Call]()  # whether `calls` is at its end; the calls of lost workers
        self.make = ray.remote(num_cpus=settings.cpus, num_gpus=settings.gpus, max_concurrency=2)(Worker)
        self.engine = ray.put(engine)
        self.idle: list[Any] = []
        self.starting: dict[Any, Any] = {}  # worker by the reference that is ready once it is there
        # worker and unanswered calls by the stream of its replies
        self.under_way: dict[Any, tuple[Any, dict[str, Call]]] = {}
        self.fatal: BaseException | None = None  # the first reason to start no further call, raised at the end
        self.stopped: set[Any] = set()
        self.deaths, self.silence = 0, 0.0

    def answer_all(self) -> None:
        """Have every call answered."""
        for _ in range(self.settings.workers):
            self._start_worker()
        with draining(self._interrupt):  # an exception in the midst of Ray could lose a reply
            while True:
                self._hand_out()
                self._stop_workers()
                if not self.under_way and (self.fatal or (self.exhausted and not self.again)):
                    break
                self._wait()
        if self.fatal:
            raise self.fatal

    def end(self) -> None:
        """Give the workers' places back."""
        for worker in [*self.idle, *self.starting.values(), *(worker for worker, _ in self.under_way.values())]:
            self.ray.kill(worker)

    def _interrupt(self, again: bool) -> None:
        if again:
            raise KeyboardInterrupt
        line = f"waiting for the calls under way on {len(self.under_way)} workers; Ctrl-C again drops them"
        print(line, file=sys.stderr, flush=True)
        self.fatal = self.fatal or KeyboardInterrupt()

    def _start_worker(self) -> None:
        worker = self.make.remote(self.engine, str(Path.cwd()))
        self.starting[worker.ready.remote()] = worker

    def _hand_out(self) -> None:
        while self.idle and not self.fatal and (batch := self._next_batch()):
            worker = self.idle.pop()
            stream = worker.answer.options(num_returns="streaming").remote(batch)
            self.under_way[stream] = worker, {call.key: call for call in batch}

    def _stop_workers(self) -> None:
        """Where the run is to end, no worker starts a further call."""
        for stream, (worker, _) in self.under_way.items():
            if self.fatal and stream not in self.stopped:
                self.stopped.add(stream)
                worker.stop.remote()

    def _next_batch(self) -> list[Call]:
        size = self.settings.batch
        batch = [self.again.popleft() for _ in range(min(size, len(self.again)))]
        batch += islice(self.calls, size - len(batch))
        self.exhausted = self.exhausted or len(batch) < size
        return batch

    def _wait(self) -> None:
        """Take what has come: a worker that is there, replies, a worker's death."""
        ready, _ = self.ray.wait([*self.under_way, *self.starting], timeout=POLL)
        self.silence = 0.0 if ready else self.silence + POLL
        if self.silence == PATIENCE and not self.under_way:
            size = f"{self.settings.workers} workers of {self.settings.cpus:g} CPUs and {self.settings.gpus:g} GPUs"
            print(f"waiting for room on the cluster: {size} are wanted, none has started", file=sys.stderr, flush=True)
        for reference in ready:
            worker = self.starting.pop(reference, None)
            try:
                if worker is None:
                    self._take_replies(reference)
                else:
                    self.ray.get(reference)
                    self.idle.append(worker)
            except self.ray.exceptions.RayTaskError:
                raise
            except self.ray.exceptions.RayError as error:
                self._replace_worker(reference, error)

    def _take_replies(self, stream: Any) -> None:
        """Pass on what a worker has sent, or note that its batch is done."""
        worker, unanswered = self.under_way[stream]
        try:
            messages = self.ray.get(next(stream))
        except StopIteration:
            del self.under_way[stream]
            self.idle.append(worker)
            return
        for message in messages:
            if isinstance(message, Exception):
                self.fatal = self.fatal or message
                continue
            key, reply = message
            self.on_reply(unanswered[key], reply)
            self.deaths = 0
            if reply.last:
                del unanswered[key]

    def _replace_worker(self, reference: Any, error: Exception) -> None:
        """A worker died: start another, and have its calls answered again."""
        _, unanswered = self.under_way.pop(reference, (None, {}))
        self.again.extend(unanswered.values())
        self.deaths += 1
        print(f"a worker was lost with {len(unanswered)} calls, which another one gets", file=sys.stderr, flush=True)
        if self.deaths > DEATHS * self.settings.workers:
            why = " ".join(str(error).split())[-300:]
            self.fatal = self.fatal or CurationError(
                f"execution.engine: ray: {self.deaths} workers died and none gave a reply, the last with {why}; "
                "run again to go on"
            )
        elif not self.fatal:
            self._start_worker()
