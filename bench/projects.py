"""Projects of many pairs for the benches that read one: that of `bench.tables`, made by the real stages."""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.tables.cases import SELECTIONS
from curation.core.progress import progress

JUDGED = [["delta"], *(["select", name] for name in SELECTIONS)]  # stages that follow from what judges say
STAGES = [["pair"], *JUDGED]


def list_projects(about: str, *more: list[str]) -> Iterator[tuple[str, Path]]:
    """What to call each project that the command line asks for, and where it is: of so many pairs, up to its selections
    and the stages `more`, removed once it is measured; or one that is there, which stays. `about` is told by --help."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", nargs="*", type=int, default=[10_000_000])
    parser.add_argument("--folder", help="where the data are made and removed again")
    parser.add_argument("--project", type=Path, help="one that is there, which stays")
    given = parser.parse_args()
    if given.project:
        yield str(given.project), given.project.absolute()
        return
    for pairs in given.pairs:
        with tempfile.TemporaryDirectory(dir=given.folder, prefix="bench") as place:
            folder = Path(place) / "project"
            log(f"{pairs:,} pairs: making the project")
            run(Path.cwd(), "bench.tables.data", str(folder), str(pairs))
            run_stages(folder, [*STAGES, *more])
            yield f"{pairs:,} pairs", folder


def run_stages(folder: Path, stages: list[list[str]]) -> None:
    """Each stage of the project, in order."""
    with progress("bench: stages", len(stages), "stages") as shown:
        for stage, *name in stages:
            run(folder, f"stages.{stage}", *name)
            shown.advance()


def run(folder: Path, *arguments: str) -> str:
    """What `python -m …` prints in `folder`."""
    environment = os.environ | {"PYTHONPATH": str(Path.cwd())}
    done = subprocess.run(
        [sys.executable, "-m", *arguments], cwd=folder, env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    return done.stdout


def log(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
