"""A job that trains nothing, in a module that is quick to import: workers import it."""

import os
import signal
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

from curation.core.errors import CurationError


class Errand(NamedTuple):
    """It leaves a file with the numbers of its processes, and does as its name says."""

    run: str
    folder: Path

    def on(self, device: str) -> "Errand":
        """Itself."""
        return self

    def do(self) -> Any:
        """Returns the threads that its process has and its name."""
        if not self.run.startswith("nested"):
            (self.folder / self.run).write_text(str(os.getpid()))
        if self.run.startswith("mistaken"):
            raise CurationError("run mistaken: nothing to learn;\nwiden it")
        if self.run.startswith("odd"):
            raise TypeError("no such thing")
        if self.run.startswith("killed"):
            os.kill(os.getpid(), signal.SIGKILL)
        if self.run.startswith("last"):
            threading.Thread(target=end_once_heard, args=(self.folder,), daemon=True).start()
        if self.run.startswith("long"):
            time.sleep(600)
        if self.run.startswith("nested"):
            child = get_context("spawn").Process(target=time.sleep, args=(600,))
            child.start()
            (self.folder / self.run).write_text(f"{os.getpid()} {child.pid}")
            child.join()
        if self.run.startswith("shared"):
            with ProcessPoolExecutor(1, get_context("spawn")) as pool:
                return pool.submit(str.upper, self.run).result()
        return os.environ["OMP_NUM_THREADS"], self.run

    def clear(self) -> None:
        """Its file is gone."""
        (self.folder / self.run).unlink(missing_ok=True)


def end_once_heard(folder: Path) -> None:
    """This process is killed once whoever waits for it has made a file."""
    while not (folder / "heard").exists():
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGKILL)
