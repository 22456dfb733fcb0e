"""Labels that `curation view` wrote, among the files that `curation new` looks at: they are of the pairs of a study
that is there already, and lines of its params.yaml read them."""

import json
from collections.abc import Sequence
from pathlib import Path

from curation.core.errors import CurationError
from curation.core.text import neutralize, one_line, say_count

COLUMNS = {"labeller", "labelled", "pair_id", "action", "verdict", "order", "sample"}
MOST = 10_000_000  # characters of a line


def split_labels(files: Sequence[Path]) -> list[Path]:
    """The other files, once it is printed what reads those with labels. Raises CurationError if there is no other, or
    one with labels cannot be read."""
    labels = [file for file in files if _holds_labels(file)]
    for file in labels:
        _print_entries(file)
    if labels and len(labels) == len(files):
        said = "holds labels alone; these lines of the params.yaml of the study that was labelled read it"
        raise CurationError(one_line(f"{labels[0]}: {said}; for a new study name what models answered"))
    return [file for file in files if file not in labels]


def _holds_labels(file: Path) -> bool:
    if file.suffix != ".jsonl":
        return False
    try:
        with file.open(encoding="utf-8") as lines:
            row = json.loads(lines.readline(MOST))
    except (OSError, ValueError, RecursionError):  # whoever reads it says so
        return False
    return isinstance(row, dict) and row.keys() >= COLUMNS


def _print_entries(file: Path) -> None:
    from curation.core.params import read
    from curation.explore.labels.gold import Gold
    from curation.explore.labels.snippet import write_snippet

    gold = Gold(file, mend=False)
    try:
        study = read(Path("params.yaml"))
    except CurationError:  # none, or one that has to be put right first
        study = None
    labels = say_count(sum(map(len, gold.labels.values())), "label")
    by = ", ".join(sorted(gold.labels))
    print(one_line(f"{file}: {labels} of pairs, which `curation view` wrote for {by}; in params.yaml these read it:"))
    print(neutralize(write_snippet(gold, study)), end="")
