"""The metrics of a data version: those of the files in data/metrics, as they are or as git has them at a revision."""

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

from curation.core.errors import CurationError, require_existing
from curation.core.messages import first_names, show_value
from curation.core.text import shorten

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
        if isinstance(value, bool) or not isinstance(value, int | float):
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


def read_metrics_of(revision: str, folder: Path) -> Metrics:
    """Those that git has at a revision. Raises CurationError if there is no such revision, or it has none."""
    commit = _git(revision, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}").strip()
    listed = _git(revision, "ls-tree", "-r", "-z", "--name-only", commit, "--", f"{folder.as_posix()}/").split("\0")
    names = [name for name in listed if name.endswith(".json")]
    if not names:
        raise CurationError(f"--against {revision}: has no {folder}/*.json; commit the metrics with dvc.lock")
    files = {
        name.removeprefix(f"{folder.as_posix()}/"): _git(revision, "show", f"{commit}:./{name}").encode()
        for name in names
    }
    return _parse(files, revision)


def _git(revision: str, *arguments: str) -> str:
    git = shutil.which("git")
    if git is None:
        raise CurationError(f"--against {revision}: there is no git; install it")
    done = subprocess.run([git, *arguments], capture_output=True, check=False)
    if done.returncode:
        said = shorten(done.stderr.decode(errors="replace").strip()) or "git knows no such revision"
        raise CurationError(f"--against {revision}: {said}; name a commit, a branch or a tag")
    return done.stdout.decode(errors="replace")


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
