"""What two edits of the default study change, as docs/diff.md shows it: a generator dropped, and a word put into a
rubric, there in a study of three prompts a task.

python -m bench.changes [dropped] [word]

Each is made in a project of its own, by git and DVC, offline: all calls are recorded, those of the edited rubric in
data/recorded/rubric_word. Some two minutes each.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]
PARTS = ("curation", "stages", "data", "dvc.yaml", "params.yaml", "registered.yaml", ".dvcignore", ".gitignore")
RECORDED = Path("data/recorded")
OLD, NEW = "used as they are given?", "used exactly as they are given?"
YAML_TEXT = YAML()
YAML_TEXT.width = 1000


def main(names: list[str]) -> None:
    """Prints what `curation diff` says of each edit."""
    for name in names or EDITS:
        with tempfile.TemporaryDirectory(prefix="changes") as folder:
            print(f"{name}\n\n{show(Path(folder), *EDITS[name])}", flush=True)


def show(folder: Path, begin: Callable[[Any], None], edit: Callable[[Any], None]) -> str:
    """What `curation diff` says, but for its first line, of the study as `begin` leaves params.yaml, and as `edit` does
    then. `folder` is empty, and holds that project afterwards."""
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard", *PARTS]
    for name in _run(ROOT, *listing).splitlines():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    for file in (folder / RECORDED / "rubric_word").iterdir():
        shutil.copy(file, folder / RECORDED / f"rubric_word-{file.name}")
    _run(folder, "git", "init", "-q")
    _run(folder, "dvc", "init", "-q")
    _change(folder, begin)
    _make(folder)
    _run(folder, "git", "add", "-A")
    _run(folder, "git", "-c", "user.name=bench", "-c", "user.email=bench@localhost", "commit", "-qm", "before")
    _change(folder, edit)
    _run(folder, "curation", "orphans", "--delete")
    _make(folder)
    return _run(folder, "curation", "diff").partition("\n")[2]


def drop_generator(params: Any) -> None:
    """Takes one of three generators out of all that names it."""
    del params["generators"]["qwen-500m"], params["licenses"]["generators"]["qwen-500m"]
    params["pair"]["ladder"].remove("qwen-500m")


def keep_three(params: Any) -> None:
    """Three prompts of each task to learn from: so many the judge was asked about again."""
    for task in params["sources"]["arithmetic"]["tasks"].values():
        task["prompts"] = 3


def add_word(params: Any) -> None:
    """A word more in what the rubric's judge is asked; the judge of 0.5B is asked as before."""
    rubric, other = (params["judges"][name] for name in ("rubric", "rubric-500m"))
    other["dimensions"] = deepcopy(rubric["dimensions"])
    asked = rubric["dimensions"]["factuality"]["description"]
    assert OLD in asked
    rubric["dimensions"]["factuality"]["description"] = asked.replace(OLD, NEW)


EDITS = {"dropped": (lambda _: None, drop_generator), "word": (keep_three, add_word)}


def _change(folder: Path, edit: Callable[[Any], None]) -> None:
    """params.yaml after an edit; whatever it says, no call is made."""
    params = YAML_TEXT.load(folder / "params.yaml")
    params["ledger"]["offline"] = True
    edit(params)
    YAML_TEXT.dump(params, folder / "params.yaml")


def _make(folder: Path) -> None:
    _run(folder, "dvc", "repro", "select", "arms")


def _run(folder: Path, *command: str) -> str:
    """What a command prints in the project."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "PYTHONPATH": str(folder), "COLUMNS": "100"}
    done = subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout


if __name__ == "__main__":
    main(sys.argv[1:])
