"""What the paper's hypotheses gave on the first study on a GPU: the contrasts of tests/data/gpu_study/params.yaml, by
the code that `compare` runs.

python -m bench.hypotheses              # the table of docs/contrasts.md
python -m bench.hypotheses forest.png   # and as a picture
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from bench.gpu_study import RESULTS, sound_results
from curation.core.params import read
from curation.core.study import Study
from curation.experiment.compare import declared_runs
from curation.experiment.contrast_table import declared_contrasts
from curation.experiment.forest import find_slopes, forest
from curation.experiment.properties import from_files
from curation.experiment.values import study_values

PARAMS = RESULTS.with_name("params.yaml")


def main() -> None:
    """Prints the table."""
    study = read(PARAMS)
    contrasts = answer(study)
    print("\n".join(tabulate(contrasts)))
    for file in sys.argv[1:]:
        forest(contrasts, find_slopes(study), Path(file))


def answer(study: Study) -> pl.DataFrame:
    """The rows of `contrasts` of a study of these runs."""
    values = study_values(declared_runs(study), sound_results())
    return declared_contrasts(study, values, from_files(study), {})


def tabulate(contrasts: pl.DataFrame) -> Iterator[str]:
    """A line for each contrast."""
    yield "| contrast | benchmark | estimate | 95 % | prompts |"
    yield "|---|---|---|---|---|"
    for row in contrasts.iter_rows(named=True):
        interval = "" if row["ci_low"] is None else f"{row['ci_low']:.3f} to {row['ci_high']:.3f}"
        yield f"| {row['contrast']} | {row['benchmark']} | {row['estimate']:+.3f} | {interval} | {row['n']} |"


if __name__ == "__main__":
    main()
