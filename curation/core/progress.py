"""Progress on stderr: a bar on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from curation.core.text import one_line

SECONDS_BETWEEN_LINES = 5.0
REFERENCE = "reference "  # how the label begins of what is taken of the student before it is trained
LISTENER: ContextVar["Callable[[Progress], None] | None"] = ContextVar("LISTENER", default=None)
SHOWN: ContextVar["Progress | None"] = ContextVar("SHOWN", default=None)


class Progress:
    """Counts finished items of one stage and shows them, or tells whoever listens."""

    def __init__(self, label: str, total: int, unit: str) -> None:
        self.label, self.total, self.unit, self.done, self.note = label, total, unit, 0, ""
        self.share: float | None = None
        self.started = self.shown = time.monotonic()
        self.bar, self.listener = None, LISTENER.get()
        if self.listener is None and sys.stderr.isatty():
            from tqdm import tqdm

            stream = getattr(sys.stderr, "stream", sys.stderr)  # where the bar may move the cursor
            self.bar = tqdm(
                total=total, desc=one_line(label), unit=unit, file=stream, leave=False, disable=False,
                bar_format="{l_bar}{bar}| {n_fmt}/{total_fmt} [{elapsed}{postfix}]",
            )  # fmt: skip

    def advance(self, count: int = 1, note: str = "") -> None:
        """Count `count` more items as done; `note` (tokens, dollars) ends the line."""
        self.done, self.note = self.done + count, note
        self._show(count)

    def reach(self, share: float) -> None:
        """So much of all the work is done, as whoever does it reckons. Items that end late and together do not tell how
        long the rest will take."""
        self.share = share
        self._show(0)

    def _show(self, count: int) -> None:
        if self.listener is not None:
            self.listener(self)
        elif self.bar is not None:
            self.bar.update(count)
            self.bar.set_postfix_str(", ".join(filter(None, [self._left(), one_line(self.note)])))
        elif time.monotonic() - self.shown >= SECONDS_BETWEEN_LINES and self.done < self.total:
            self.shown = time.monotonic()
            self._line()

    def describe(self) -> str:
        """How far it is, on one line."""
        seconds = time.monotonic() - self.started
        rate = self.done / seconds if seconds else 0.0
        pace = f", {rate:.3g} a second" if rate else ""  # before the first there is none to tell
        left = f", {self._left()}" if self._left() else ""
        note = f", {self.note}" if self.note else ""
        return f"{self.label}: {self.done}/{self.total} {self.unit} in {seconds:.0f} s{pace}{left}{note}"

    def _left(self) -> str:
        """How long the rest will take; nothing where that is not known, or there is no rest."""
        share = self.reached()
        if not share or self.done >= self.total:
            return ""
        return f"{(time.monotonic() - self.started) * max(1 / share - 1, 0):.0f} s left"

    def reached(self) -> float:
        """The share of all the work that is done, as far as one can tell."""
        if self.share is not None:
            return self.share
        return self.done / self.total if self.total else 0.0

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
    token = SHOWN.set(shown)
    try:
        yield shown
    finally:
        SHOWN.reset(token)
        shown.close()


def reach(share: float) -> None:
    """So much of the work of the progress around this call is done; nothing where there is none around it."""
    if shown := SHOWN.get():
        shown.reach(share)


@contextmanager
def heard(listener: Callable[[Progress], None]) -> Iterator[None]:
    """Inside the block progress is not shown; `listener` hears of each step of it."""
    token = LISTENER.set(listener)
    try:
        yield
    finally:
        LISTENER.reset(token)
