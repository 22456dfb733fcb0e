"""The metrics of a data version: those of the files in data/metrics, as they are or as git has them at a revision."""

import json
import math
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

from curation.core.errors import CurationError, require_existing
from curation.core.git_files import find_commit, list_files, read_file
from curation.core.messages import first_names, show_value

MOST_NAMED = 5  # files in a message
NEAREST = 3  # names in a message


class Metrics(NamedTuple):
    """By file, as `compare` or `judge/rubric`, its metrics by name, as `contrasts.direction.ci_low`. `place` is what
    messages call the data version."""

    place: str
    files: dict[str, dict[str, Any]]

    def find(self, name: str) -> tuple[float | None, str]:
        """The value of `NAME` or `FILE:NAME`; or None, and why there is none."""
        wanted, _, key = name.rpartition(":")
        found = {file: self.files[file][key] for file in self.files_of(name)}
        if len(found) > 1:
            return (
                None,
                f"is in {first_names(found, MOST_NAMED)} of {self.place}; say which, as in {next(iter(found))}:{key}",
            )
        if not found:
            known = list(dict.fromkeys(key for file, of in self.files.items() for key in of if wanted in ("", file)))
            nearest = get_close_matches(key, known, NEAREST) or get_close_matches(key, known, NEAREST, cutoff=0)
            return None, f"is no metric of {self.place}; the nearest: {', '.join(nearest) or 'it has none'}"
        value = next(iter(found.values()))
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            return None, f"is {show_value(value)} in {self.place}, which is no number"
        return float(value), ""

    def files_of(self, name: str) -> list[str]:
        """The files that have `NAME` or `FILE:NAME`."""
        wanted, _, key = name.rpartition(":")
        return [file for file, of in self.files.items() if key in of and wanted in ("", file)]


def read_metrics(folder: Path) -> Metrics:
    """Those of the files in `folder`. Raises CurationError if there is none, or one is no JSON."""
    require_existing(folder, "`dvc repro` makes it")
    files = {file.relative_to(folder).as_posix(): file.read_bytes() for file in sorted(folder.rglob("*.json"))}
    return _parse(files, folder.as_posix())


def read_metrics_of(revision: str, folder: Path, place: str) -> Metrics:
    """Those that git has at a revision. `place` is what a message begins with. Raises CurationError if there is no such
    revision, or it has none."""
    commit = find_commit(revision, place)
    names = [name for name in list_files(commit, folder, place) if name.endswith(".json")]
    if not names:
        raise CurationError(f"{place}: has no {folder}/*.json; commit the metrics with dvc.lock")
    files = {name.removeprefix(f"{folder.as_posix()}/"): read_file(commit, name, place) or b"" for name in names}
    return _parse(files, revision)


def _parse(files: Mapping[str, bytes], place: str) -> Metrics:
    parsed = dict[str, dict[str, Any]]()
    for name, body in files.items():
        try:
            parsed[name.removesuffix(".json")] = dict(_flatten(json.loads(body)))
        except ValueError as error:
            raise CurationError(f"{place}: {name}: is no JSON: {error}; `dvc repro` makes it again") from None
    return Metrics(place, parsed)


def _flatten(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flatten(inner, f"{name}.{key}" if name else key)
    else:
        yield name, value
