"""Progress on stderr: a bar on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from curation.core.text import one_line

SECONDS_BETWEEN_LINES = 5.0
LISTENER: ContextVar[Callable[[str], None] | None] = ContextVar("LISTENER", default=None)


class Progress:
    """Counts finished items of one stage and shows them, or tells whoever listens."""

    def __init__(self, label: str, total: int, unit: str) -> None:
        self.label, self.total, self.unit, self.done, self.note = label, total, unit, 0, ""
        self.started = self.shown = time.monotonic()
        self.bar, self.listener = None, LISTENER.get()
        if self.listener is None and sys.stderr.isatty():
            from tqdm import tqdm

            stream = getattr(sys.stderr, "stream", sys.stderr)  # where the bar may move the cursor
            self.bar = tqdm(total=total, desc=one_line(label), unit=unit, file=stream, leave=False, disable=False)

    def advance(self, count: int = 1, note: str = "") -> None:
        """Count `count` more items as done; `note` (tokens, dollars) ends the line."""
        self.done, self.note = self.done + count, note
        if self.listener is not None:
            self.listener(self.describe())
        elif self.bar is not None:
            self.bar.update(count)
            self.bar.set_postfix_str(one_line(note))
        elif time.monotonic() - self.shown >= SECONDS_BETWEEN_LINES and self.done < self.total:
            self.shown = time.monotonic()
            self._line()

    def describe(self) -> str:
        """How far it is, on one line."""
        seconds = time.monotonic() - self.started
        rate = self.done / seconds if seconds else 0.0
        pace = f", {rate:.3g} a second" if rate else ""  # before the first there is none to tell
        left = f", {(self.total - self.done) / rate:.0f} s left" if rate and self.done < self.total else ""
        note = f", {self.note}" if self.note else ""
        return f"{self.label}: {self.done}/{self.total} {self.unit} in {seconds:.0f} s{pace}{left}{note}"

    def _line(self) -> None:
        print(self.describe(), file=sys.stderr, flush=True)

    def close(self) -> None:
        """End the bar and leave one plain line if there was anything to wait for."""
        if self.bar is not None:
            self.bar.close()
        if self.listener is None and time.monotonic() - self.started > 2:
            self._line()


@contextmanager
def progress(label: str, total: int, unit: str) -> Iterator[Progress]:
    """A `Progress` of `total` items, closed on the way out."""
    shown = Progress(label, total, unit)
    try:
        yield shown
    finally:
        shown.close()


@contextmanager
def heard(listener: Callable[[str], None]) -> Iterator[None]:
    """Inside the block progress is not shown; `listener` is told each line of it."""
    token = LISTENER.set(listener)
    try:
        yield
    finally:
        LISTENER.reset(token)
