"""Ctrl-C while calls are under way: what was paid for is waited for and kept."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def draining(on_interrupt: Callable[[bool], object]) -> Iterator[None]:
    """Inside the block Ctrl-C raises nothing: it calls `on_interrupt`, with False the first time and True after that.

    `on_interrupt(False)` is to start no further call and wait for those under way, `on_interrupt(True)` to drop them.
    Outside the main thread, which alone gets signals, the block changes nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before, again = signal.getsignal(signal.SIGINT), False

    def handle(*_: object) -> None:
        nonlocal again
        drop, again = again, True
        on_interrupt(drop)

    signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
