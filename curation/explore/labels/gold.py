"""The file of labels: a row for each, appended and on the disk before the next pair is shown. Nothing in it is changed:
who changes their mind has a later row, and the last one counts."""

import fcntl
import json
import os
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from curation.core.errors import CurationError, refused_writes
from curation.core.text import one_line, say_count
from curation.tables.contracts import SIDES

GOLD = Path("data/import/gold.jsonl")
VERDICTS = ("chosen", "rejected", "tie", "both_bad")
ACTIONS = ("label", "skip", "undo")  # the last two have no verdict
ORDERS = ("chosen_first", "rejected_first")
RANDOM = "random"  # a sample of all pairs
BLOCK = 2**16  # bytes
Scores = dict[str, float]  # by dimension


Said: TypeAlias = tuple[int, int]  # a trace and, within this process, what stands for its texts


class Label(NamedTuple):
    """What is kept of a row: all but the texts, which `said` tells from others."""

    pair_id: int
    labelled: str
    action: str
    verdict: str | None
    order: str
    sample: Mapping[str, Any]
    said: tuple[Said, ...] = ()


def say(trace_id: int, trace: Mapping[str, Any]) -> Said:
    """What tells the texts of a trace from what it may say after it was generated again."""
    return trace_id, hash((trace["reasoning"], trace["completion"]))


class Gold:
    """The labels of the file at `path`, which need not be there yet: by labeller and pair the last one, in the order of
    time; and by labeller and trace the scores of the last row about it. Without `mend` a last line that was cut off
    stays there."""

    def __init__(self, path: Path = GOLD, mend: bool = True) -> None:
        self.path = path
        self._forget()
        if mend and path.exists():
            with self._opened() as file:
                self._mend(file)
        self.refresh()

    def _forget(self) -> None:
        self.labels: dict[str, dict[int, Label]] = {}
        self._scores: dict[tuple[str, int], Scores] = {}
        self._read, self._lines, self._hash = 0, 0, blake2b()  # bytes and lines of the file that were read
        self._state: tuple[int, ...] = ()

    def of(self, labeller: str) -> dict[int, Label]:
        """The last row of each pair that this labeller has one of, the latest at the end."""
        return self.labels.get(labeller, {})

    def scores(self, labeller: str, trace_id: int) -> Scores:
        """What this labeller last said of a trace."""
        return self._scores.get((labeller, trace_id), {})

    def drop_outlived(self, current: Callable[[list[int]], Collection[Said]]) -> int:
        """How many labels were of texts that their traces no longer have, which `current` tells of trace_ids: they and
        the scores of those traces are forgotten until the file is read anew."""
        labels = [label for own in self.labels.values() for label in own.values()]
        known = set(current(sorted({trace_id for label in labels for trace_id, _ in label.said})))
        for labeller, own in self.labels.items():
            kept = {pair_id: label for pair_id, label in own.items() if known.issuperset(label.said)}
            rated = {trace_id for label in kept.values() for trace_id, _ in label.said}
            for trace_id, _ in {one for label in own.values() for one in label.said} - known:
                if trace_id not in rated:
                    self._scores.pop((labeller, trace_id), None)
            self.labels[labeller] = kept
        return len(labels) - sum(map(len, self.labels.values()))

    def all_scores(self) -> Iterable[Scores]:
        """Those of every labeller and trace."""
        return self._scores.values()

    def refresh(self) -> None:
        """Read what was appended since, by whomever; all, where what was read before is no longer so. Raises
        CurationError on a line that is no label."""
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return self._forget()
        state = (found.st_ino, found.st_mtime_ns, found.st_size)
        if state == self._state:
            return
        with self.path.open("rb") as file:
            if blake2b(file.read(self._read)).digest() != self._hash.digest():  # somebody has edited it
                self._forget()
            file.seek(self._read)
            for line in file:
                if not line.endswith(b"\n"):  # another process is about to write the rest
                    break
                self._lines += 1
                self._read += len(line)
                self._hash.update(line)
                if line.strip():
                    self._take(line)
        self._state = state

    def _take(self, line: bytes) -> None:
        try:
            row = json.loads(line)
            of = tuple(say(int(row[side]["trace_id"]), row[side]) for side in SIDES)
            label = Label(int(row["pair_id"]), *(row[name] for name in Label._fields[1:-1]))._replace(said=of)
            labeller, sides = row["labeller"], [(int(row[side]["trace_id"]), row[side]["scores"]) for side in SIDES]
            if not _is_known(label) or not isinstance(labeller, str) or not all(_is_rated(said) for _, said in sides):
                raise ValueError
        except (ValueError, TypeError, KeyError, RecursionError):
            where = f"{self.path}: line {self._lines}"
            self._forget()  # so that it is said until it is mended, and not once
            raise CurationError(f"{where} is no label of `curation view`; move what is not to another file") from None
        own = self.labels.setdefault(labeller, {})
        own.pop(label.pair_id, None)
        own[label.pair_id] = label
        for trace_id, scores in sides:
            self._scores[labeller, trace_id] = scores

    def append(self, labeller: str, row: Mapping[str, Any]) -> None:
        """The file ends in `row`, of this labeller and now, and that is on the disk; or it is as it was. Raises
        CurationError if it cannot be written."""
        with refused_writes(self.path), self._opened() as file:
            self._mend(file)
            self.refresh()
            stamped = {"labeller": labeller, "labelled": self._now(labeller), **row}
            line = json.dumps(stamped).encode() + b"\n"  # in ASCII: some readers end a line at U+2028 too
            end = os.lseek(file, 0, os.SEEK_END)
            try:
                written = 0
                while written < len(line):
                    written += os.write(file, line[written:])
                os.fsync(file)
            except OSError:
                os.ftruncate(file, end)
                raise
        self.refresh()

    def _now(self, labeller: str) -> str:
        """The time, and later than this labeller's last row, whatever the clock was set to."""
        now = datetime.now(UTC)
        if own := self.of(labeller):
            last = datetime.fromisoformat(next(reversed(own.values())).labelled)
            now = max(now, last + timedelta(microseconds=1))
        return now.isoformat(timespec="microseconds").replace("+00:00", "Z")

    @contextmanager
    def _opened(self) -> Iterator[int]:
        """The file, made where it is not there, for this process alone."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield file
        finally:
            os.close(file)

    def _mend(self, file: int) -> None:
        """The file ends in a whole line: of one that was cut off as it was written, whose label nobody was told is
        saved, nothing is left, and stderr says so. A whole last line without its end gets that."""
        size = os.lseek(file, 0, os.SEEK_END)
        tail, start = b"", size
        while start and b"\n" not in tail:
            start = max(0, start - BLOCK)
            tail = os.pread(file, size - start, start)
        half = tail.rpartition(b"\n")[2]
        if not half:
            return
        try:
            json.loads(half)
        except ValueError:
            os.ftruncate(file, size - len(half))
            said = f"{self.path}: its last line was cut off as it was written; {say_count(len(half), 'byte')} left out"
            print(one_line(said), file=sys.stderr)
        else:
            os.write(file, b"\n")


def _is_known(label: Label) -> bool:
    """Whether a label says what `make_row` could; the time is one with its zone, as others are compared with it."""
    said = label.action in ACTIONS and (label.verdict in VERDICTS) == (label.action == "label")
    ordered, kind = label.order in ORDERS, label.sample["kind"]
    return said and ordered and isinstance(kind, str) and datetime.fromisoformat(label.labelled).tzinfo is not None


def _is_rated(scores: object) -> bool:
    return isinstance(scores, dict) and all(type(one) in (int, float) and isfinite(one) for one in scores.values())
