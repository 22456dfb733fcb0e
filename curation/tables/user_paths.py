"""Where a user's file may lie: no folder, and nothing that DVC would not see change."""

import os
from pathlib import Path

from curation.core.errors import CurationError
from curation.core.text import one_line
from curation.tables.contracts import DATA

WATCHED = DATA / "import"  # what DVC looks at; it follows links to files in it, and none to folders


def require_file(path: str) -> Path:
    """The file at `path`. Raises CurationError if there is none, or DVC would not see it change."""
    fault = find_path_fault(path)
    if fault is None and not Path(path).exists():
        fault = "does not exist; put it there, or correct the path in params.yaml"
    if fault:
        raise CurationError(one_line(f"{path}: {fault}"))
    return Path(path)


def find_path_fault(path: str) -> str | None:
    """What is wrong with what lies at `path`, in words: a folder, a link to nothing, a link to a folder on the way to a
    file that DVC should watch. None if nothing is, or nothing lies there."""
    try:
        return _find_link_to_folder(path) or _find_no_file(Path(path))
    except OSError as error:  # a name too long, a folder that may not be looked into
        return f"cannot be looked at: {error.strerror}; correct the path"


def _find_link_to_folder(path: str) -> str | None:
    inner = Path(os.path.relpath(path or "."))
    folders = [folder for folder in inner.parents if WATCHED in folder.parents and folder.is_symlink()]
    if not folders:
        return None
    return (
        f"lies behind {folders[-1]}, a link to a folder, which DVC does not follow: it would not see the file change; "
        "link the file itself, or copy it"
    )


def _find_no_file(file: Path) -> str | None:
    if file.is_dir():
        return f"is {'a link to ' if file.is_symlink() else ''}a folder; name one file in it"
    if file.is_symlink() and not file.exists():
        return f"is a link to {file.readlink()}, which does not exist; put the file there, or correct the link"
    if file.exists() and not file.is_file():
        return "is neither a file nor a link to one"
    return None
