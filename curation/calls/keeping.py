"""Keeping what is bought, also while the ledger's file cannot take it: nothing paid for is dropped in silence."""

import os
import sqlite3
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TypeAlias

from curation.calls.attempts import Attempt, Row, row_of, write_rows
from curation.calls.call import Call, Reply
from curation.calls.opening import SENTENCES, connect, explain, trouble_of
from curation.core.errors import CurationError
from curation.core.messages import first_names

AT_ONCE = 5  # milliseconds that the caller waits for another process; beyond them a thread waits
AGAIN = 1.0  # seconds before the thread tries again
UNKEPT = "unkept"  # a part of the name of a file beside the ledger, which the next run reads


Insert: TypeAlias = Callable[[sqlite3.Connection, Attempt], bool]


class Keeping:
    """Writes attempts as they come, by `insert`. One that the file cannot take now is held and written by a thread as
    soon as it can be, so that the caller never waits for another process, or loses what is paid for."""

    def __init__(self, file: Path, db: sqlite3.Connection, insert: Insert) -> None:
        self.file, self.db, self.insert = file, db, insert
        self.held = deque[Attempt]()
        self.lock, self.ended = threading.Lock(), threading.Event()
        self.thread: threading.Thread | None = None
        self.error: Exception | None = None  # why nothing can be kept, after all patience

    def keep(self, call: Call, reply: Reply, stage: str, name: str) -> bool:
        """Keep an attempt. Returns whether a good reply to the call was there already, as far as one can tell."""
        attempt = Attempt.now(call, reply, stage, name)
        with self.lock:
            if self.held:
                self.held.append(attempt)
                return False
        try:
            return self.insert(self.db, attempt)
        except sqlite3.Error as error:
            with self.lock:
                self.held.append(attempt)
                self.error = None if trouble_of(error) == "locked" else error
            if self.thread is None or not self.thread.is_alive():
                self.thread = threading.Thread(target=self._write_held, daemon=True)
                self.thread.start()
            return False

    def _write_held(self) -> None:
        """In the thread: write what is held, the oldest first, until nothing is left."""
        while not self.ended.is_set():
            try:
                with closing(connect(self.file)) as db:
                    while self._write_oldest(db):
                        pass
                return
            except (sqlite3.Error, OSError) as error:
                self.error = error
                self.ended.wait(AGAIN)

    def _write_oldest(self, db: sqlite3.Connection) -> bool:
        """Write one attempt; false where none is left, which ends the thread, so it is found out under the lock. It is
        written under the lock too, or what `end` spills meanwhile would be kept twice; another process is waited for
        before that."""
        with self.lock:
            if not self.held:
                self.error = self.thread = None
                return False
        db.execute("BEGIN IMMEDIATE")
        with self.lock:
            if self.ended.is_set():
                return False
            self.insert(db, self.held[0])
            db.execute("COMMIT")
            self.held.popleft()
        return True

    def end(self) -> None:
        """Everything is in the ledger. Raises CurationError where it cannot be: what is left then stands in a file that
        the message names, or the message names the calls."""
        try:
            if self.held and self.error is None:
                waiting = f"{len(self.held)} replies wait for {self.file}, which another process holds locked"
                print(waiting, file=sys.stderr, flush=True)
                while self.held and self.error is None:
                    time.sleep(0.02)
            if self.held and (thread := self.thread):  # once more: the disk may have room by now
                thread.join(2 * AGAIN)
        finally:
            self.ended.set()
            self._spill()

    def _spill(self) -> None:
        with self.lock:
            left = list(self.held)
        if not left:
            return
        why = explain(self.file, self.error) if self.error else f"{self.file}: {SENTENCES['locked']}"
        rows = [row_of(call, reply, 1, stage, name, at) for call, reply, stage, name, at in left]
        if file := _write_anywhere(rows, self.file):
            beside = file.parent == self.file.parent
            way_out = "which the next run reads" if beside else "to be read by `curation ledger import`"
            raise CurationError(f"{why}; {len(left)} replies that it could not take are in {file}, {way_out}")
        first = first_names((f"{attempt.call.key[:16]}…" for attempt in left), 3)
        raise CurationError(f"{why}; {len(left)} replies are lost, because no folder takes a file either: {first}")


def _write_anywhere(rows: list[Row], ledger: Path) -> Path | None:
    """A file with `rows`, beside the ledger if it can be, else in this folder or the system's for temporary files."""
    name = f"{ledger.name}.{UNKEPT}.{os.urandom(4).hex()}.parquet"
    for folder in (ledger.parent, Path.cwd(), Path(tempfile.gettempdir())):
        try:
            write_rows(rows, folder / name)
            return folder / name
        except CurationError:
            continue
    return None
