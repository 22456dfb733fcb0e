"""Files as git has them at a revision, without a checkout."""

import shutil
import subprocess
from pathlib import Path

from curation.core.errors import CurationError
from curation.core.text import shorten


def find_commit(revision: str, place: str) -> str:
    """The full name of the commit that a revision of git is. `place` is what a message begins with. Raises
    CurationError if there is none, or no git."""
    if "\0" in revision:  # no argument of a program has one
        raise CurationError(f"{place!r}: git knows no such revision; name a commit, a branch or a tag")
    return (
        _git(place, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}").decode().strip()
    )


def list_files(commit: str, folder: Path, place: str) -> list[str]:
    """The names of the files in a folder, as paths from here."""
    listed = _git(place, "ls-tree", "-r", "-z", "--name-only", commit, "--", f"{folder.as_posix()}/")
    return [name for name in listed.decode(errors="surrogateescape").split("\0") if name]


def read_file(commit: str, name: str, place: str) -> bytes | None:
    """The bytes of a file, by its path from here; None where the commit has none."""
    there = _git(place, "ls-tree", "-z", "--name-only", commit, "--", name)
    return _git(place, "show", f"{commit}:./{name}") if there else None


def _git(place: str, *arguments: str) -> bytes:
    git = shutil.which("git")
    if git is None:
        raise CurationError(f"{place}: there is no git; install it")
    done = subprocess.run([git, *arguments], capture_output=True, check=False)
    if done.returncode:
        said = shorten(done.stderr.decode(errors="replace").strip()) or "git knows no such revision"
        cut = subprocess.run([git, "rev-parse", "--is-shallow-repository"], capture_output=True, check=False)
        is_cut = cut.stdout.strip() == b"true"
        deeper = ", or `git fetch --unshallow`: this clone lacks older commits" if is_cut else ""
        raise CurationError(f"{place}: {said}; name a commit, a branch or a tag{deeper}")
    return done.stdout
