"""Where what is shown comes from: lines of params.yaml, the revision of git, and the entries of dvc.lock."""

import shutil
import subprocess
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.nodes import Node

from curation.core.errors import CurationError
from curation.core.lock_file import LOCK, PARAMS, find_changed, read_stages
from curation.core.parsed import parse_yaml, read_bytes
from curation.core.rewriting import entries_of
from curation.explore.tables import Row


def find_lines(path: Path, places: Iterable[str]) -> dict[str, str]:
    """`params.yaml:12` for each place, such as `judges.rubric`, that the file has, by the line of its key."""
    root = _compose(path.read_text(encoding="utf-8-sig"))
    lines = {place: _line(root, place.split(".")) for place in dict.fromkeys(places)}
    return {place: f"{path}:{line}" for place, line in lines.items() if line is not None}


@lru_cache(maxsize=1)
def _compose(text: str) -> Node:
    root: Node = YAML(typ="safe", pure=True).compose(text)
    return root


def _line(node: Node, place: list[str]) -> int | None:
    line = None
    for part in place:
        key, value = next(((key, value) for key, value in entries_of(node) if key.value == part), (None, node))
        if key is None:
            return None
        line, node = key.start_mark.line + 1, value
    return line


def read_revision(folder: Path) -> Row | None:
    """The commit that is checked out in `folder`, and which of params.yaml and dvc.lock were edited since; None where
    there is no git."""
    commit = _git(folder, "rev-parse", "--verify", "--quiet", "HEAD")
    if commit is None:
        return None
    edited = _git(folder, "status", "--porcelain", "--", "params.yaml", str(LOCK)) or ""
    return {"commit": commit.strip(), "edited": [line[3:] for line in edited.splitlines()]}


def _git(folder: Path, *arguments: str) -> str | None:
    if (git := shutil.which("git")) is None:
        return None
    done = subprocess.run([git, *arguments], cwd=folder, capture_output=True, check=False)
    return done.stdout.decode(errors="replace") if done.returncode == 0 else None


def find_lock_entries(files: Iterable[Path]) -> list[Row]:
    """Of each file that a stage of dvc.lock wrote, alone or in a folder: the stage, the hash of it or of the folder,
    and the settings that params.yaml has otherwise since; none where there is no dvc.lock."""
    if not LOCK.exists():
        return []
    stages = read_stages()
    params = parse_yaml(read_bytes(PARAMS), lambda why: CurationError(f"{PARAMS}:{why}"))
    outs = {out["path"]: (name, out) for name, stage in stages.items() for out in _outs(stage)}
    entries = []
    for file in files:
        for path in (file, *file.parents):
            if path.as_posix() in outs:
                name, out = outs[path.as_posix()]
                changed = find_changed(stages[name], params)
                entries.append({"file": file.as_posix(), "stage": name, "md5": out.get("md5"), "changed": changed})
                break
    return entries


def _outs(stage: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [out for out in stage.get("outs") or [] if "path" in out]
