"""What dvc.lock says: of each stage, and of a file in `data/metrics` by which settings it was made, and which bytes DVC
wrote."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

from ruamel.yaml import YAML

from curation.core import parsed
from curation.core.errors import CurationError
from curation.core.messages import first_names

LOCK = Path("dvc.lock")
PARAMS = Path("params.yaml")
MOST_NAMED = 5  # settings in a message
ABSENT = object()
WAY_OUT = "run `dvc repro`, and commit data/metrics with dvc.lock"


def find_outdated(files: Iterable[Path]) -> Iterator[str]:
    """A sentence for each of these files that is not the one that dvc.lock has, or whose stage had other settings than
    params.yaml has now. None where there is no dvc.lock, and of a file that is no stage's. Raises CurationError where
    params.yaml or dvc.lock is no YAML."""
    wanted = list(files)
    if not LOCK.exists() or not wanted:
        return
    stages = read_stages()
    params = parsed.parse_yaml(parsed.read_bytes(PARAMS), lambda why: CurationError(f"{PARAMS}:{why}"))
    made = {out["path"]: (stage, out) for stage in stages.values() for out in stage.get("outs") or []}
    for file in wanted:
        stage, out = made.get(file.as_posix(), ({}, {}))
        if changed := find_changed(stage, params):
            yield f"{file}: was made by other settings than {PARAMS} has: {first_names(changed, MOST_NAMED)}; {WAY_OUT}"
        elif out.get("hash") == "md5" and out.get("md5") != _md5(file):
            yield f"{file}: is not the file that {LOCK} tells of; {WAY_OUT}"


def find_changed(stage: Mapping[str, Any], params: Mapping[str, Any]) -> list[str]:
    """The settings by which a stage of dvc.lock was run that `params` has otherwise, or no more."""
    return [name for name, value in settings_of(stage).items() if _look_up(params, name) != value]


def settings_of(stage: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of params.yaml by which a stage of dvc.lock was run, by their names, as `judges.rubric`."""
    return dict((stage.get("params") or {}).get(str(PARAMS)) or {})


def find_others(lock: Path, files: Mapping[str, Path]) -> Iterator[str]:
    """A sentence for each of these files, by the name that a stage writes it under, that is not the one that the lock
    tells of, or that it tells nothing of. Of a file in a folder that is written as a whole it tells no more than that.
    Raises CurationError where the lock is none."""
    outs = [out for stage in read_stages(lock).values() for out in stage.get("outs") or []]
    told = {out["path"]: out.get("md5") if out.get("hash") == "md5" else None for out in outs}
    for name, file in files.items():
        if not told.keys() & {name, *map(str, PurePosixPath(name).parents)}:
            yield f"{lock}: tells nothing of {name}; run `dvc repro`"
        elif told.get(name) not in (None, _md5(file)):
            yield f"{lock}: tells of another {name} than is there; run `dvc repro`"


def read_stages(lock: Path = LOCK) -> dict[str, Any]:
    """What dvc.lock says of each stage, by its name. Raises CurationError where it is none."""
    return parse_stages(lock.read_bytes(), str(lock))


@lru_cache(maxsize=2)  # to read one takes a second, and a page of the view reads it each time
def parse_stages(body: bytes, place: str) -> dict[str, Any]:
    """The same of the bytes of a dvc.lock that messages call `place`. Nobody changes what it gives."""
    try:
        stages = dict((YAML(typ="safe", pure=True).load(body) or {}).get("stages") or {})
    except Exception as error:  # the library's parser has faults of its own, as a merge that left its marks
        raise CurationError(f"{place}: cannot be read: {type(error).__name__}; {WAY_OUT}") from None
    for name, stage in stages.items():
        outs = (stage.get("outs") or []) if isinstance(stage, Mapping) else None
        if not isinstance(outs, list) or not all(isinstance(out, Mapping) and "path" in out for out in outs):
            raise CurationError(f"{place}: stages.{name}: is no stage that ran; {WAY_OUT}")
    return stages


def _look_up(params: Mapping[str, Any], name: str) -> Any:
    """The value at `name`, as `judges.rubric`."""
    found: Any = params
    for key in name.split("."):
        found = found.get(key, ABSENT) if isinstance(found, Mapping) else ABSENT
    return found


def _md5(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
