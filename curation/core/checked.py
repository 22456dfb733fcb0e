"""Params files that have passed the whole check, so that the next command does not check them again.

MEMORY lists the newest of them, each as one hash of all that the check reads: the file, our own source, Python, and the
packages that are installed. It saves time and no more: where it is missing, damaged or cannot be written, a file is
checked.
"""

import hashlib
import sys
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from pathlib import Path

from curation.core.errors import CurationError, write_whole

MEMORY = Path(".curation/checked.txt")
MOST, MOST_BYTES = 20, 10_000
SOURCE = Path(__file__).parents[1]
READ = (".py", ".sql", ".yaml")  # of our source, what a check may depend on


def fingerprint(body: bytes) -> str:
    """The hash of a params file's `body` and of what else a check of it reads. A check that comes to read another
    file puts that in here."""
    return hash_parts([list_packages(), hash_source(SOURCE), body])


@cache  # a process runs the source that it began with
def hash_source(folder: Path) -> bytes:
    """The hash of the files that `folder` holds of our source."""
    ours = sorted(file for file in folder.rglob("*") if file.suffix in READ)
    return hash_parts(part for file in ours for part in (str(file).encode(), file.read_bytes())).encode()


def hash_parts(parts: Iterable[bytes]) -> str:
    """One hash of all parts, each with its length."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


def list_packages() -> bytes:
    """Python's version, and the names of all packages' folders of metadata, which hold their versions."""
    names: set[str] = set()
    for folder in sys.path:
        with suppress(OSError):
            names |= {entry.name for entry in Path(folder).glob("*.dist-info")}
    return "\n".join([sys.version, *sorted(names)]).encode()


def has_passed(fingerprint: str) -> bool:
    """Whether a check with that fingerprint has passed before."""
    return fingerprint in _fingerprints()


def remember(fingerprint: str) -> None:
    """A check with that fingerprint has passed, for as long as it is among the newest MOST; nothing where MEMORY cannot
    be written."""
    newest = [*_fingerprints(), fingerprint][-MOST:]
    with suppress(CurationError):
        write_whole(MEMORY, "".join(f"{line}\n" for line in newest).encode())


def _fingerprints() -> list[str]:
    try:
        ours = MEMORY.is_file() and MEMORY.stat().st_size <= MOST_BYTES  # a pipe would be waited for
        return MEMORY.read_text(errors="replace").split() if ours else []
    except OSError:
        return []
