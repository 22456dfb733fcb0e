"""`curation orphans`: what an edit of params.yaml leaves behind. DVC forgets a stage that is gone, and its files stay
where they were."""

import shutil
from pathlib import Path

from curation.commands.terminal import Parser
from curation.core import renamed
from curation.core.params import read
from curation.core.study import Study
from curation.tables.contracts import ARMS, DATA, path
from curation.tables.db import OF_SUBSETS, PARTS, part_files

MEASURED = {
    "generate": "traces",
    "judge": "judgments",
    "prefer": "preferences",
    "score_pairs": "pair_scores",
    "select": "selections",
}  # stage: what it makes
FORMER = ("models", "metrics/arm", "metrics/train")  # of earlier versions, which made a run by stages of its own


def main(arguments: list[str]) -> None:
    """List the orphans, or delete them."""
    parser = Parser(prog="curation orphans", description="Files of names that params.yaml no longer declares.")
    parser.add_argument("--delete", action="store_true", help="delete them; DVC's cache keeps what it has of them")
    deleting = parser.parse_args(arguments).delete
    files = orphans(read())
    if deleting:
        delete(files)
    print("\n".join(f"{file}{': deleted' if deleting else ''}" for file in files) or "there are none")


def orphans(study: Study) -> list[Path]:
    """The files and folders under `data`, of those kept by name, whose name the study does not declare; and what
    earlier versions called otherwise."""
    data = study.path.parent / DATA
    declared = [file for table in PARTS for file in part_files(study, table, data)]
    declared += [path("deltas", name, data) for name in study.dimensions]
    declared += [
        data / f"metrics/{stage}/{file.stem}.json" for stage, table in MEASURED.items()
        for file in part_files(study, table, data)
    ]  # fmt: skip
    of_arms = [f"{ARMS}/{table}" for table in OF_SUBSETS]
    folders = [*PARTS, "deltas", *of_arms, *(f"metrics/{stage}" for stage in MEASURED), *FORMER]
    there = [file for folder in folders for file in sorted((data / folder).glob("[!.]*"))]
    old = [file for table in renamed.TABLES if (file := path(table, data=data)).exists()]
    return old + [file for file in there if file not in set(declared)]


def delete(files: list[Path]) -> None:
    """They are gone; what DVC has of them in its cache stays there."""
    for file in files:
        shutil.rmtree(file) if file.is_dir() else file.unlink()
