"""Opening a ledger's file, also where it cannot be written, and what an error of it means to a user."""

import errno
import os
import shutil
import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Literal, TypeAlias

from curation.core.errors import CurationError

VERSION = 5  # of the file's layout; 2 to 4 are brought to it
LOCKED = 60.0  # seconds to wait for another process
MAGIC = b"SQLite format 3\0"

Trouble: TypeAlias = Literal["full", "limited", "read-only", "locked", "foreign", "damaged", "other"]
UNWRITABLE: tuple[Trouble, ...] = ("full", "limited", "read-only", "locked")  # what may still be read
OF_SQLITE: dict[int, Trouble] = {
    sqlite3.SQLITE_FULL: "full",
    sqlite3.SQLITE_IOERR: "limited",
    sqlite3.SQLITE_READONLY: "read-only",
    sqlite3.SQLITE_PERM: "read-only",
    sqlite3.SQLITE_CANTOPEN: "read-only",
    sqlite3.SQLITE_BUSY: "locked",
    sqlite3.SQLITE_LOCKED: "locked",
    sqlite3.SQLITE_PROTOCOL: "locked",
    sqlite3.SQLITE_NOTADB: "foreign",
    sqlite3.SQLITE_CORRUPT: "damaged",
}
OF_SYSTEM: dict[int | None, Trouble] = {
    errno.ENOSPC: "full",
    errno.EDQUOT: "full",
    errno.EROFS: "read-only",
    errno.EACCES: "read-only",
    errno.EPERM: "read-only",
}
SENTENCES: dict[Trouble, str] = {
    "full": "the disk is full, so nothing more can be kept; free some space and run again, which goes on from here",
    "limited": "the disk, a quota or a limit on the size of files lets nothing more be kept; "
    "make room and run again, which goes on from here",
    "read-only": "is read-only, and what is bought must be kept; make the file and its folder writable, and run again",
    "locked": "another process holds it locked; wait for it, or end it, and run again",
    "foreign": "is no ledger, and stays as it is; set ledger.path to another file",
    "damaged": "is damaged; put a copy of it there, or set ledger.path to a new file and import an export",
}


def find_foreign(file: Path) -> str | None:
    """What to say of a file that is there and is not SQLite's; None of any other."""
    try:
        with file.open("rb") as opened:
            return None if opened.read(len(MAGIC)) in (b"", MAGIC) else SENTENCES["foreign"]
    except FileNotFoundError:
        return None
    except OSError as error:
        return f"cannot be read: {error.strerror}"


def connect(file: Path) -> sqlite3.Connection:
    """A connection that writes to `file`, which is made if it is not there. Raises sqlite3.Error or OSError, and
    CurationError if it is no ledger."""
    if file.exists() and not file.is_file():  # SQLite would wait for a pipe
        raise OSError(errno.EISDIR, "not a file")
    file.parent.mkdir(parents=True, exist_ok=True)
    for path in (file, file.parent):
        if path.exists() and not os.access(path, os.W_OK):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
    db = sqlite3.connect(file, timeout=LOCKED, isolation_level=None)
    try:
        _use_wal(file, db)
        db.execute("PRAGMA synchronous=NORMAL")
    except BaseException:
        db.close()
        raise
    return db


def require_ledger(file: Path, db: sqlite3.Connection) -> int:
    """The layout of `db`, which is `file` or a copy of it; 0 where it is empty. Raises CurationError if it is no ledger
    that this version reads."""
    layout, tables = db.execute(
        "SELECT user_version, (SELECT count(*) FROM sqlite_master) FROM pragma_user_version"
    ).fetchone()
    if layout > VERSION:
        raise CurationError(
            f"{file}: a ledger of layout {layout}, written by a later version of this program, which reads up to "
            f"{VERSION}; update it, or set ledger.path to another file"
        )
    if layout == 1:
        raise CurationError(
            f"{file}: a ledger of layout 1, which this version does not read; set ledger.path to another file"
        )
    if not layout and tables:
        raise CurationError(f"{file}: {SENTENCES['foreign']}")
    return int(layout)


def _use_wal(file: Path, db: sqlite3.Connection) -> None:
    """Switch to write-ahead logging. SQLite's own timeout does not cover another process that opens a new file at the
    same time."""
    last = time.monotonic() + LOCKED
    while True:
        try:
            require_ledger(file, db)
            db.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if trouble_of(error) != "locked" or time.monotonic() > last:
                raise
            time.sleep(0.02)


def connect_to_copy(file: Path) -> sqlite3.Connection:
    """A connection to a copy of `file`, which is only read. The copy is SQLite's own temporary database, gone when
    closed. Raises sqlite3.Error or OSError."""
    copy = sqlite3.connect("", isolation_level=None)
    if file.exists():
        try:
            _copy(f"{file.absolute().as_uri()}?mode=ro", copy)
        except sqlite3.OperationalError as error:
            if trouble_of(error) == "locked":
                raise
            _copy_unshared(file, copy)
    return copy


def _copy_unshared(file: Path, copy: sqlite3.Connection) -> None:
    """Where SQLite cannot make the index of the write-ahead log beside `file`: what a killed process left in the log
    belongs to the ledger, so both are read elsewhere."""
    log = file.with_name(f"{file.name}-wal")
    if not log.exists() or not log.stat().st_size:
        return _copy(f"{file.absolute().as_uri()}?mode=ro&immutable=1", copy)
    with tempfile.TemporaryDirectory() as folder:
        for path in (file, log):
            shutil.copyfile(path, Path(folder) / path.name)
        _copy(f"{(Path(folder) / file.name).as_uri()}", copy)


def _copy(uri: str, copy: sqlite3.Connection) -> None:
    with closing(sqlite3.connect(uri, uri=True, timeout=LOCKED)) as source:
        source.backup(copy)


def trouble_of(error: Exception) -> Trouble:
    """What is wrong with the file that `error` is of."""
    if isinstance(error, sqlite3.Error):
        return OF_SQLITE.get(getattr(error, "sqlite_errorcode", 0) & 0xFF, "other")
    return OF_SYSTEM.get(error.errno, "other") if isinstance(error, OSError) else "other"


def explain(file: Path, error: Exception) -> CurationError:
    """What `error` of the ledger in `file` means, and the way out, in one sentence."""
    trouble = trouble_of(error)
    if file.is_dir():
        return CurationError(f"{file}: is a folder; set ledger.path to a file in it")
    if file.exists() and not file.is_file():
        return CurationError(f"{file}: {SENTENCES['foreign']}")
    if trouble == "other":
        text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        what = "cannot be used" if file.parent.is_dir() else "its folder cannot be made"
        return CurationError(f"{file}: {what} ({' '.join(text.split())}); set ledger.path to another file")
    return CurationError(f"{file}: {SENTENCES[trouble]}")
