"""SHA256SUMS, as `sha256sum -c` reads it: every file of a folder with its hash."""

import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from curation.core.errors import CurationError, Errors, write_whole
from curation.core.hashing import hash_file
from curation.core.text import one_line

SUMS = "SHA256SUMS"
LINE = re.compile(r"([0-9a-f]{64}) [ *](.+)")
NOT_OURS = (".git", ".cache", ".gitattributes", ".gitignore", ".huggingface")  # what git and the hub put beside it


def write_sums(folder: Path) -> None:
    """`folder/SHA256SUMS` names all other files of the folder, in the order of their names."""
    names, _ = list_files(folder)
    lines = [f"{hash_file(folder / name)}  {name}\n" for name in names if name != SUMS]
    write_whole(folder / SUMS, "".join(lines).encode())


def digest(folder: Path) -> str:
    """What stands for the whole release: the SHA-256 of its SHA256SUMS."""
    return hash_file(folder / SUMS)


def read_sums(folder: Path) -> dict[str, str]:
    """The hash of each file by its name. Raises Errors with each line that is none of these, leads out of the folder,
    or names a file twice; CurationError where there is no such file."""
    file = folder / SUMS
    if file.is_symlink() or not file.is_file():
        raise CurationError(f"{folder}: is no release, as it has no {SUMS}; name the folder that has")
    try:
        text = file.read_bytes().decode()
    except UnicodeDecodeError:
        raise CurationError(f"{file}: is not UTF-8 text") from None
    sums: dict[str, str] = {}
    faults = list[str]()
    for number, line in enumerate(text.split("\n")[:-1] if text.endswith("\n") else text.split("\n"), 1):
        found = LINE.fullmatch(line)
        name = found[2] if found else ""
        if found is None:
            faults.append(f"{file}:{number}: is no line of {SUMS}: a hash, two spaces, and a name")
        elif why := _find_fault(name):
            faults.append(f"{file}:{number}: {one_line(name)}: {why}")
        elif name in sums:
            faults.append(f"{file}:{number}: {one_line(name)}: is named twice")
        else:
            sums[name] = found[1]
    if faults:
        raise Errors(faults)
    return sums


def _find_fault(name: str) -> str | None:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or re.match(r"[A-Za-z]:", name):
        return "leads out of the release, which holds its own files only; nothing was read there"
    if path.as_posix() != name or name == SUMS or not name.isprintable():
        return "is no plain name of a file"
    return None


def list_files(folder: Path) -> tuple[list[str], list[str]]:
    """The names of all files within a folder, and of the links, which are not followed, each sorted. What git and the
    hub put beside a release is none of it."""
    files, links = list[str](), list[str]()
    for here, folders, names in os.walk(folder):
        for name in [*names, *folders]:
            path = Path(here) / name
            known = path.relative_to(folder).as_posix()
            if known in NOT_OURS:
                folders[:] = [one for one in folders if one != name]
            elif path.is_symlink():
                links.append(known)
            elif name in names:
                files.append(known)
    return sorted(files), sorted(links)


class Difference(NamedTuple):
    """A file that is not as SHA256SUMS says, and why; `changed` where it is there and holds something else."""

    name: str
    why: str
    changed: bool = False

    def say(self) -> str:
        """The name and why."""
        return f"{one_line(self.name)}: {self.why}"


def find_differences(folder: Path, sums: dict[str, str]) -> Iterator[Difference]:
    """Each file that is missing, that is another than SHA256SUMS says, or that it does not name; in the order of their
    names."""
    files, links = list_files(folder)
    there = set(files) - {SUMS}
    for name in sorted({*sums, *there, *links}):
        if name in links:
            yield Difference(name, "is a link, and a release holds files; put the file itself there")
        elif name not in there:
            yield Difference(name, f"is missing; {SUMS} names it")
        elif name not in sums:
            yield Difference(name, f"is not named by {SUMS}; take it out")
        elif not (folder / name).is_file():
            yield Difference(name, "is no plain file")
        elif (found := hash_file(folder / name)) != sums[name]:
            yield Difference(name, f"its SHA-256 is {found}, and {SUMS} says {sums[name]}", changed=True)
