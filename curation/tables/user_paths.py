"""Where a user's files may lie: a file or a folder of files, and nothing that DVC would not see change."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from curation.core.errors import CurationError
from curation.core.messages import first_names
from curation.core.text import one_line, say_count
from curation.tables.contracts import DATA
from curation.tables.json_values import Fault
from curation.tables.user_forms import form_of

WATCHED = DATA / "import"  # what DVC looks at; it follows links to files in it, and none to folders
HIDDEN = (".", "_")  # what names of files begin with that are not for readers, as `_SUCCESS`
ABOUT_DATA = ("dataset_infos.json", "dataset_info.json", "dataset_dict.json", "state.json")  # which hold no rows
MOST_NAMED = 5  # files in a message


class Files(NamedTuple):
    """The files that a path means, in the order of their names, and those of its folder that hold no rows."""

    files: list[Path]
    passed_over: list[Path]


def list_files(path: str) -> Files:
    """The file at `path`, or the files of data in the folder there. Raises CurationError if there is none, DVC would
    not see it change, or they are of two forms."""
    fault = find_path_fault(path)
    if fault is None and not Path(path).exists():
        fault = "does not exist; put it there, or correct the path in params.yaml"
    if fault:
        raise CurationError(one_line(f"{path}: {fault}"))
    return _list_folder(Path(path)) if Path(path).is_dir() else Files([Path(path)], [])


def find_path_fault(path: str) -> str | None:
    """What is wrong with what lies at `path`, in words: a link to nothing, a link to a folder on the way to a file that
    DVC should watch, a folder that is not one table. None if nothing is, or nothing lies there."""
    try:
        if fault := _find_link_to_folder(path) or _find_no_file(Path(path)):
            return fault
        return next(_find_folder_faults(Path(path)), None) if Path(path).is_dir() else None
    except OSError as error:  # a name too long, a folder that may not be looked into
        return f"cannot be looked at: {error.strerror}; correct the path"


def _find_link_to_folder(path: str) -> str | None:
    inner = Path(os.path.relpath(path or "."))
    links = [folder for folder in (inner, *inner.parents) if WATCHED in folder.parents and folder.is_symlink()]
    folders = [link for link in links if link.is_dir()]
    if not folders:
        return None
    if folders[-1] == inner:
        return "is a link to a folder, which DVC does not follow; make a folder, and link or copy the files into it"
    return (
        f"lies behind {folders[-1]}, a link to a folder, which DVC does not follow: it would not see the file change; "
        "link the file itself, or copy it"
    )


def _find_no_file(file: Path) -> str | None:
    if file.is_symlink() and not file.exists():
        return f"is a link to {file.readlink()}, which does not exist; put the file there, or correct the link"
    if file.exists() and not file.is_file() and not file.is_dir():
        return "is neither a file nor a link to one"
    return None


def _list_folder(folder: Path) -> Files:
    shown = [file for file in sorted(folder.iterdir()) if not file.name.startswith(HIDDEN)]
    files = [file for file in shown if not file.is_dir() and _form(file)]
    return Files(files, [file for file in shown if file not in files])


def _form(file: Path) -> str | None:
    """The form of a file's rows, .jsonl also of what is named otherwise; None if its name says none."""
    try:
        form, _ = form_of(file)
    except Fault:
        return None
    return None if file.name in ABOUT_DATA else {".ndjson": ".jsonl"}.get(form, form)


def _find_folder_faults(folder: Path) -> Iterator[str]:
    """Why what lies in a folder is not the files of one table."""
    files, others = _list_folder(folder)
    inner = [other for other in others if other.is_dir() and _list_folder(other).files]
    if not files:
        said = f"; {inner[0]} has some, name it" if inner else "; put .parquet or .jsonl files there, or correct it"
        yield f"has no files of data{said}"
    if files and inner:
        yield f"has files of data, and {inner[0]} has too; name one folder that has all, or one file"
    for file in files:
        if fault := _find_no_file(file):
            yield f"{file.name} {fault}"
    forms = {form: file for file in reversed(files) if (form := _form(file))}
    if len(forms) > 1:
        yield f"has files of {len(forms)} forms, {_name(forms.values())}; leave one form, or name one file"
    packed = [file for file in files if any(file.name.startswith(f"{other.name}.") for other in files)]
    if packed:
        yield f"has {packed[0].name} packed and unpacked; leave one of the two"


def _name(files: Iterable[Path]) -> str:
    return first_names(sorted(file.name for file in files), MOST_NAMED)


def describe_folder(path: str, found: Files) -> str:
    """What is read of a folder and what is not, in words."""
    files, others = found
    said = f"{path}: {say_count(len(files), 'file')} as one table, {_name(files)}"
    return said + (f"; passed over: {_name(others)}" if others else "")
