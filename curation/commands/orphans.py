"""`curation orphans`: what an edit of params.yaml leaves behind. DVC forgets a stage that is gone, and its files stay
where they were."""

import shutil
from pathlib import Path

from curation.commands.terminal import Parser
from curation.core import renamed
from curation.core.params import read
from curation.core.study import Study
from curation.tables.contracts import DATA, path
from curation.tables.db import PARTS, parts

MEASURED = {
    "generate": "traces",
    "judge": "judgments",
    "prefer": "preferences",
    "score_pairs": "pair_scores",
    "select": "selections",
}  # stage: what it makes


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
    """The files and folders under `data`, of those kept by name, whose name the study does not declare; and tables
    that version 0.1 called otherwise."""
    declared = {table: parts(study, table) for table in PARTS}
    declared |= {f"metrics/{stage}": declared[table] for stage, table in MEASURED.items()}
    declared |= {
        "deltas": list(study.dimensions),
        "metrics/arm": list(study.arms),
        "models": list(study.runs),
        "metrics/train": list(study.runs),
    }
    data = study.path.parent / DATA
    old = [file for table in renamed.TABLES if (file := path(table, data=data)).exists()]
    there = [(file, names) for folder, names in declared.items() for file in sorted((data / folder).glob("[!.]*"))]
    return old + [file for file, names in there if (file.name if file.is_dir() else file.stem) not in names]


def delete(files: list[Path]) -> None:
    """They are gone; what DVC has of them in its cache stays there."""
    for file in files:
        shutil.rmtree(file) if file.is_dir() else file.unlink()
