"""What an edit of params.yaml leaves behind: DVC forgets a stage that is gone, and its files stay where they were."""

import shutil
from pathlib import Path

from curation.params import BASELINE, Study
from curation.tables import DATA


def strays(study: Study) -> list[Path]:
    """The files and folders under `data`, of those kept by name, whose name the study does not declare."""
    subsets, runs = {*study.selections, *study.arms}, {BASELINE, *study.runs}
    declared = {
        "traces": study.generators, "judgments": study.judges, "preferences": study.pairwise_judges, "pair_scores": study.scorers,
        "deltas": study.dimensions, "selections": study.selections, "subsets": subsets, "unpaired": subsets, "models": runs, "results": runs,
        "metrics/generate": study.generators, "metrics/judge": study.judges, "metrics/prefer": study.pairwise_judges,
        "metrics/score_pairs": study.scorers, "metrics/select": study.selections, "metrics/arm": study.arms, "metrics/train": runs,
    }  # fmt: skip
    data = study.path.parent / DATA
    there = [(file, names) for folder, names in declared.items() for file in sorted((data / folder).glob("[!.]*"))]
    return [file for file, names in there if (file.name if file.is_dir() else file.stem) not in names]


def delete(files: list[Path]) -> None:
    """They are gone; what DVC has of them in its cache stays there."""
    for file in files:
        shutil.rmtree(file) if file.is_dir() else file.unlink()
