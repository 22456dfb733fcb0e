"""A data version: what params.yaml, dvc.yaml and dvc.lock of a revision say, and where its tables lie on this machine.

Nothing is checked out: tables of a revision are read where DVC's cache has them.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from curation.core import parsed
from curation.core.errors import CurationError
from curation.core.git_files import find_commit, read_file
from curation.core.lock_file import LOCK, PARAMS, find_changed, parse_stages
from curation.core.messages import first_names
from curation.core.text import one_line
from curation.explore.changes.cache import Cache
from curation.tables import contracts

PIPELINE = Path("dvc.yaml")
HERE = "the working tree"
RELEASED = "study"  # the folder of a release that has what its rows were made of
MOST_NAMED = 5  # settings in a message
SECTIONS = {  # of params.yaml, whose names are those of a table's parts
    "traces": ("generators",), "judgments": ("judges",), "preferences": ("pairwise_judges",),
    "deltas": ("judges", "pairwise_judges"), "pair_scores": ("scorers",),
    **dict.fromkeys(("selections", "subsets", "unpaired"), ("selections",)),
}  # fmt: skip
EACH = {  # by stage, the section of params.yaml of which there is one for each name
    "generate": "generators", "judge": "judges", "prefer": "pairwise_judges", "score_pairs": "scorers",
    "select": "selections",
}  # fmt: skip
FOLDERS = (*contracts.TABLES, "deltas", contracts.ARMS)  # of data/, of tables that are kept in parts


class File(NamedTuple):
    """A table of a version: where it lies, None where it is not on this machine, and its MD5, None where nobody knows
    it."""

    path: Path | None
    md5: str | None


@dataclass
class Version:
    """`stages` are the entries of dvc.lock that dvc.yaml and params.yaml still declare, `outs` what they wrote by its
    name, as `data/pairs.parquet`, and `files` where the tables among these lie. `notes` say what is odd about it."""

    name: str
    params: dict[str, Any]
    stages: dict[str, Any]
    outs: dict[str, "Out"]
    files: dict[str, File] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def parts(self, table: str) -> list[str]:
        """The names of the parts of a table that is kept in parts, as of judges."""
        start = f"data/{table}/"
        inside = (file.removeprefix(start) for file in self.files if file.startswith(start))
        return sorted(name.removesuffix(".parquet") for name in inside)

    def may_have(self, name: str) -> bool:
        """Whether a file is in a folder that a stage wrote and of which DVC's cache does not tell what is in it."""
        return any(str(folder) in self.outs for folder in PurePosixPath(name).parents)

    def names(self, place: str) -> list[str]:
        """The files of a table, or of the folder of its parts."""
        return [name for name in self.files if name == place or name.startswith(f"{place}/")]

    def lacks(self, place: str) -> list[str]:
        """The files of a table, or of the folder of its parts, that are not on this machine; a folder itself, where it
        is not known what is in it."""
        absent = [name for name in self.names(place) if self.files[name].path is None]
        return absent + [path for path in self.untold() if path == place or place.startswith(f"{path}/")]

    def untold(self) -> list[str]:
        """Such folders of tables, of which there is no file here either."""
        folders = [path for path in self.outs if path.removeprefix(f"{contracts.DATA}/") in FOLDERS]
        return [path for path in folders if not any(name.startswith(f"{path}/") for name in self.files)]


def read_versions(before: str | None, after: str | None) -> tuple[Version, Version]:
    """The two versions: each a folder, or a revision of git, or None: HEAD before, the working tree after. A table that
    both have is read where either has it; one that neither the cache nor a remote of DVC has is without a path. Raises
    CurationError if there is no such revision or it has no dvc.lock."""
    cache = Cache()
    versions = _read("HEAD" if before is None else before, cache), _read(after, cache)
    known = {file.md5: file.path for version in versions for file in version.files.values() if file.path and file.md5}
    for version in versions:
        for name, file in version.files.items():
            if file.path is None and file.md5 is not None:
                version.files[name] = File(known.get(file.md5), file.md5)
    wanted = {file.md5 for version in versions for file in version.files.values() if file.path is None and file.md5}
    cache.fetch(wanted)
    for version in versions:
        for name, file in version.files.items():
            if file.path is None and file.md5 is not None:
                version.files[name] = File(cache.path(file.md5), file.md5)
        absent = [*(name for name, file in version.files.items() if file.path is None), *version.untold()]
        if absent:
            what = f"{version.name}: {first_names(absent, MOST_NAMED)}: in neither DVC's cache nor a remote"
            version.notes.append(f"{what}, so left out; {cache.way_out}")
    return versions


def _read(place: str | None, cache: Cache) -> Version:
    if place is None:
        return _read_folder(Path(), cache)
    folder = Path(place)
    if os.path.isdir(folder):  # noqa: PTH112  unlike is_dir(), False of what no folder can be called
        return _read_folder(folder / RELEASED if (folder / RELEASED / PARAMS).is_file() else folder, cache)
    if place.startswith(("/", "./", "../")):  # as no revision of git does
        raise CurationError(f"{one_line(place)}: there is no such folder")
    return _read_revision(place, cache)


def _read_revision(revision: str, cache: Cache) -> Version:
    """What git has of it, and its tables in DVC's cache."""
    commit = find_commit(revision, revision)
    name = revision if commit.startswith(revision) else f"{revision} ({commit[:7]})"
    bodies = {file: read_file(commit, file.as_posix(), revision) for file in (PARAMS, LOCK, PIPELINE)}
    if bodies[LOCK] is None or bodies[PARAMS] is None:
        missing = next(file for file in (LOCK, PARAMS) if bodies[file] is None)
        raise CurationError(f"{revision}: has no {missing}; name a revision where it was committed")
    version = _declared(name, bodies[PARAMS], bodies[LOCK], bodies[PIPELINE], cache)
    for path, out in version.outs.items():
        if path.endswith(".parquet"):
            version.files[path] = File(cache.path(out.md5), out.md5)
    return version


def _read_folder(folder: Path, cache: Cache) -> Version:
    """The working tree, or a folder elsewhere that holds params.yaml, dvc.lock and data/, as a release does."""
    here = folder == Path()
    lock, pipeline = ((folder / file).read_bytes() if (folder / file).is_file() else None for file in (LOCK, PIPELINE))
    version = _declared(HERE if here else str(folder), parsed.read_bytes(folder / PARAMS), lock, pipeline, cache)
    listed = {path: out.md5 for path, out in version.outs.items() if path.endswith(".parquet")}
    on_disk = {file.relative_to(folder).as_posix(): file for file in _tables_in(folder / contracts.DATA)}
    for name in sorted(on_disk):
        if lock is not None and here and name not in listed and not version.may_have(name):
            continue  # of a name that params.yaml has no more
        hashed = cache.hash(on_disk[name]) if here else _hash(on_disk[name]) if name in listed else None
        version.files[name] = File(on_disk[name], hashed)
    version.notes += (note if here else f"{folder}: {note}" for note in _find_edits(version, listed, here))
    version.files |= {name: File(cache.path(md5), md5) for name, md5 in listed.items() if name not in on_disk}
    return version


def _tables_in(data: Path) -> Iterator[Path]:
    for place in (data, *(data / name for name in FOLDERS)):
        yield from sorted(place.rglob("*.parquet") if place != data else place.glob("*.parquet"))


def _hash(file: Path) -> str:
    """The MD5 that DVC would give it: a release has fewer prompts than its dvc.lock tells of."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _find_edits(version: Version, listed: Mapping[str, str], here: bool) -> Iterator[str]:
    """What of a folder's tables is not what dvc.lock tells of; of the working tree also what is not there."""
    if here and (lacking := sorted(listed.keys() - version.files.keys())):
        named = first_names(lacking, MOST_NAMED)
        yield f"{named}: in {LOCK}, and not there, so read as that tells of it; `dvc repro` or `dvc checkout` makes it"
    edited = sorted(name for name, file in version.files.items() if listed.get(name) not in (None, file.md5))
    if edited:
        yield f"{first_names(edited, MOST_NAMED)}: is not the file that {LOCK} tells of; causes are of that one"


def _find_outdated(version: Version) -> Iterator[str]:
    """Which stages ran by other settings than params.yaml has, or read other tables than there are."""
    changed = {stage: find_changed(body, version.params) for stage, body in version.stages.items()}
    if names := {name for found in changed.values() for name in found}:
        verbs = _name_verbs(stage for stage, found in changed.items() if found)
        yield (
            f"{PARAMS} has other settings than the tables of {verbs} were made by: "
            f"{first_names(sorted(names), MOST_NAMED)}; `dvc repro` makes them again"
        )
    late = [
        stage for stage, body in version.stages.items()
        for dep in body.get("deps") or []
        if (out := version.outs.get(dep["path"])) is not None and out.md5 != dep.get("md5")
    ]  # fmt: skip
    if late:
        yield f"{_name_verbs(late)} read other tables than there are now; `dvc repro` runs it again"


def _name_verbs(stages: Iterable[str]) -> str:
    return first_names(dict.fromkeys(map(_verb, stages)), MOST_NAMED)


def _verb(stage: str) -> str:
    return stage.partition("@")[0]


def _declared(name: str, params: bytes | None, lock: bytes | None, pipeline: bytes | None, cache: Cache) -> Version:
    """A version without files. dvc.lock has its stages in the order of their first run, and keeps those of names that
    params.yaml no longer has: here they are in the order of dvc.yaml, and those are left out."""
    settings = parsed.parse_yaml(params or b"", lambda why: CurationError(f"{name}: {PARAMS}:{why}"))
    stages = {} if lock is None else parse_stages(lock, f"{name}: {LOCK}")
    refuse = lambda why: CurationError(f"{name}: {PIPELINE}:{why}")  # noqa: E731
    graph = {} if pipeline is None else parsed.parse_yaml(pipeline, refuse).get("stages") or {}
    place = {verb: number for number, verb in enumerate(graph)}
    declared = (stage for stage in stages if _is_declared(stage, graph, settings))
    kept = {stage: stages[stage] for stage in sorted(declared, key=lambda one: place.get(_verb(one), 0))}
    version = Version(name, settings, kept, dict(_list_outs(kept, cache)))
    version.notes += (note if name == HERE else f"{name}: {note}" for note in _find_outdated(version))
    return version


def _is_declared(stage: str, graph: Mapping[str, Any], params: Mapping[str, Any]) -> bool:
    """Whether dvc.yaml has this stage: of `foreach: ${judges}` there is one for each name in that section. A release
    has no dvc.yaml, and of its stages those are declared that ours would have."""
    verb, _, part = stage.partition("@")
    if not graph:
        return not part or verb not in EACH or part in (params.get(EACH[verb]) or {})
    body = graph.get(verb)
    each = body.get("foreach") if isinstance(body, Mapping) else None
    if not isinstance(each, str):
        return body is not None
    return part in (params.get(each.removeprefix("${").removesuffix("}")) or {})


class Out(NamedTuple):
    """What a stage wrote under some name."""

    stage: str
    md5: str


def _list_outs(stages: Mapping[str, Any], cache: Cache) -> Iterator[tuple[str, Out]]:
    """Every file that the stages wrote: of a folder those in it, as far as the cache knows them, else the folder."""
    for stage, body in stages.items():
        for out in body.get("outs") or []:
            path, md5 = str(out["path"]), str(out.get("md5"))
            inside = cache.list_folder(md5) if md5.endswith(".dir") else None
            if inside is None:
                yield path, Out(stage, md5)
            else:
                yield from ((str(PurePosixPath(path, name)), Out(stage, one)) for name, one in inside.items())
