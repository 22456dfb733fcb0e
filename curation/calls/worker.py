"""What runs on a node of a Ray cluster: one engine, which answers the calls it is handed."""

import os
import threading
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from queue import SimpleQueue
from typing import TypeAlias

from curation.calls.call import Call, Engine, Reply

WorkerMessage: TypeAlias = tuple[str, Reply] | Exception


class Worker:
    """An engine on a node. It answers one batch at a time, and hears `stop` meanwhile."""

    def __init__(self, engine: Engine, folder: str) -> None:
        if Path(folder).is_dir():  # weights and runs are found from the project's folder, where the nodes share it
            os.chdir(folder)
        self.engine, self.stopped = engine, False

    def ready(self) -> None:
        """Nothing; it returns once the worker is there."""

    def stop(self) -> None:
        """Start no further call."""
        self.stopped = True

    def answer(self, calls: list[Call]) -> Iterator[list[WorkerMessage]]:
        """The replies by their calls' keys, in lists, as they come. Where an error ends the run, it is the last
        message."""
        messages: SimpleQueue[WorkerMessage | None] = SimpleQueue()

        def run() -> None:
            try:
                self.engine(
                    takewhile(lambda _: not self.stopped, calls),
                    lambda call, reply: messages.put((call.key, reply)),
                )
            except Exception as error:
                messages.put(error)
            messages.put(None)

        threading.Thread(target=run, daemon=True).start()
        ended = False
        while not ended:
            ready = [messages.get()]
            while not messages.empty():
                ready.append(messages.get())
            ended = ready[-1] is None
            yield [message for message in ready if message is not None]
