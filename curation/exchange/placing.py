"""Where users' files lie for a study: links to them in the folder that DVC watches, under names that params can
hold."""

import os
import re
import unicodedata
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from curation.core.errors import CurationError, refused_writes
from curation.core.messages import first_names, show_value
from curation.core.text import one_line
from curation.tables.json_values import Fault
from curation.tables.user_forms import PACKED, form_of
from curation.tables.user_paths import ABOUT_DATA, HIDDEN, WATCHED, list_files

SHARD = re.compile(r"\d+[-_]of[-_]\d+|\A(part|shard|chunk)[-_]?\d+", re.IGNORECASE)
SIZED = re.compile(r"(?<![A-Za-z\d.])\d+(\.\d+)?[bm](?![A-Za-z\d])", re.IGNORECASE)  # how large a model is
MOST_FILES = 64


def list_tables(paths: Sequence[str]) -> list[Path]:
    """The files that the paths name, those of a folder one by one; a folder of numbered shards of one table stands for
    itself. Raises CurationError if there are none, more than anyone would compare, or shards of several tables in a
    folder."""
    found: list[Path] = []
    for text in paths:
        path = Path(text)
        if not text or not path.exists():
            raise CurationError(f"{one_line(text) or repr(text)}: does not exist; name a file or a folder that does")
        found += _list_folder(path) if path.is_dir() else [path]
    distinct = list({file.resolve(): file for file in found}.values())
    if len(distinct) > MOST_FILES:
        raise CurationError(
            f"{len(distinct)} files are more than {MOST_FILES}; join those of one kind, or name a folder of shards"
        )
    return distinct


def _list_folder(folder: Path) -> list[Path]:
    files = [file for file in sorted(folder.iterdir()) if file.is_file() and _is_data(file)]
    if _are_shards(folder, files):
        return [folder]
    inner = [file for child in sorted(folder.iterdir()) if child.is_dir() for file in _list_inner(child)]
    if not files and not inner:
        list_files(str(folder))  # which says why
        raise CurationError(one_line(f"{folder}: has no files of data"))
    return [*files, *inner]


def _list_inner(folder: Path) -> list[Path]:
    files = [] if folder.name.startswith(".") else [file for file in sorted(folder.iterdir()) if _is_data(file)]
    return [folder] if _are_shards(folder, files) else files


def _are_shards(folder: Path, files: Sequence[Path]) -> bool:
    """Whether the files of a folder are the shards of one table. Raises CurationError where they are those of several,
    of which one has more than one, as of the splits of a published set."""
    parts = [SHARD.split(file.name)[0] for file in files if SHARD.search(file.name)]
    if len(parts) < max(len(files), 2) or len({form_of(file)[0] for file in files}) > 1:
        return False
    tables = sorted(set(parts))
    if 1 < len(tables) < len(parts):
        names = first_names((show_value(name.rstrip("-_.")) for name in tables), 5)
        raise CurationError(
            one_line(f"{folder}: holds shards of {len(tables)} tables, {names}; put those of each into a folder")
        )
    return len(tables) == 1


def _is_data(file: Path) -> bool:
    try:
        form_of(file)
    except Fault:
        return False
    return file.is_file() and not file.name.startswith(HIDDEN) and file.name not in ABOUT_DATA


def bare_name(file: Path) -> str:
    """The name of a file without what says its form."""
    suffixes = file.suffixes
    packed = bool(suffixes) and suffixes[-1].lower() in PACKED
    return file.name.removesuffix("".join(suffixes[-2 if packed else -1 :])) if file.is_file() else file.name


def label(file: Path, others: Sequence[Path]) -> str:
    """What tells a file from the others: its bare name, with that of its folder where another has the same, or where
    the folder is called as a model and the file is not, as in what lm-eval writes."""
    name, folder = bare_name(file), file.parent.name
    if any(bare_name(other) == name and other != file for other in others):
        return f"{file.resolve().parent.name}-{name}"
    return f"{folder}-{name}" if SIZED.search(folder) and not SIZED.search(name) else name


def plan_links(files: Sequence[Path]) -> dict[Path, Path]:
    """Where each file is to be found: where it lies, if DVC watches that, else a link to it. Raises CurationError if a
    name is taken by another file."""
    places: dict[Path, Path] = {}
    for file in files:
        inside = Path(os.path.relpath(file))
        if WATCHED in inside.parents and inside.as_posix() == _plain(inside.as_posix()) and not _behind_link(inside):
            places[file] = inside
            continue
        place = WATCHED / (_plain(label(file, files)) + _plain(file.name.removeprefix(bare_name(file)), ""))
        taken = [other for other, own in places.items() if own == place]
        if taken or (place.exists() and place.resolve() != file.resolve()):
            other = taken[0] if taken else place.resolve()
            raise CurationError(
                one_line(f"{file}: {place} is another file's name ({other}); rename one of them, or move it away")
            )
        places[file] = place
    return places


def _behind_link(path: Path) -> bool:
    return any(folder.is_symlink() for folder in path.parents)


def _plain(name: str, empty: str = "file") -> str:
    """A name that a path of params may have: no blanks, no controls, no letters that other systems write otherwise,
    not hidden; `empty` where nothing is left."""
    plain = unicodedata.normalize("NFC", name)
    return re.sub(r"[^\w./+=@-]+", "_", plain).lstrip("_") or empty


def unlink(made: Sequence[Path]) -> None:
    """The links that `link` made are gone, and the folders that held nothing else."""
    for place in made:
        for inner in [] if place.is_symlink() else list(place.iterdir()):
            inner.unlink()
        place.unlink() if place.is_symlink() else place.rmdir()
    with suppress(OSError):  # of a folder that has something in it
        WATCHED.rmdir()
        WATCHED.parent.rmdir()


def link(places: dict[Path, Path]) -> list[Path]:
    """What `plan_links` planned is there. A folder is made anew, with links to its files, since DVC follows links to
    files and none to folders. Returns the links that were made. Raises CurationError where one cannot be."""
    made = []
    for file, place in places.items():
        if place.exists():
            continue
        with refused_writes(place):
            place.parent.mkdir(parents=True, exist_ok=True)
            if file.is_dir():
                place.mkdir()
                for inner in list_files(str(file)).files:
                    (place / inner.name).symlink_to(inner.resolve())
            else:
                place.symlink_to(file.resolve())
        made.append(place)
    return made
