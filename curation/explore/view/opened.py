"""The study that is viewed, as it is on disk now."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from curation.core.params import read
from curation.core.study import Study
from curation.explore.tables import Tables
from curation.tables import contracts

T = TypeVar("T")
MOST_KEPT = 8  # of a kind
Stamp = dict[Path, tuple[int, int]]  # of each file, when it was written and its size


class Opened:
    """A study and what was worked out from its files, which is forgotten where one of them changes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._stamp: Stamp = {}
        self._study: Study | None = None
        # by its kind and of what it is, the last asked for at the end
        self._kept: dict[tuple[str, object], object] = {}

    def study(self) -> Study:
        """What params.yaml says. Raises CurationError if it cannot be read."""
        self.refresh()
        if self._study is None:
            self._study = read(self.folder / "params.yaml")
        return self._study

    def tables(self) -> Tables:
        """The study's tables, for one answer; what is read of whole columns stays read for the next."""
        study = self.study()
        return self.keep("tables", lambda: Tables(study)).begin()

    def keep(self, kind: str, make: Callable[[], T], of: object = None, most: int = MOST_KEPT) -> T:
        """What `make` gives `of` something, made once for the files as they are; of a kind the `most` that were asked
        for last."""
        kept: T = self._kept.pop((kind, of)) if (kind, of) in self._kept else make()  # type: ignore[assignment]
        self._kept[kind, of] = kept
        for oldest in [name for name in self._kept if name[0] == kind][:-most]:
            del self._kept[oldest]
        return kept

    def forget(self, kind: str, of: object) -> None:
        """Whoever asks for it next has it made again."""
        self._kept.pop((kind, of), None)

    def refresh(self) -> None:
        """Forget all that was worked out from files that are others now."""
        if (stamp := self._read_stamp()) != self._stamp:
            self._stamp, self._study = stamp, None
            self._kept.clear()

    def is_outdated(self) -> bool:
        """Whether a file is another than when it was last looked at them."""
        return self._read_stamp() != self._stamp

    def _read_stamp(self) -> Stamp:
        data = self.folder / contracts.DATA
        files = [self.folder / "params.yaml", *data.glob("*.parquet"), *data.glob("*/*.parquet")]
        files += data.glob(f"{contracts.ARMS}/*/*.parquet")
        stamp: Stamp = {}
        for file in files:
            with suppress(FileNotFoundError):  # one that is not there, or no more
                state = file.stat()
                stamp[file] = state.st_mtime_ns, state.st_size
        return stamp
