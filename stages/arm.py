"""Write data/subsets/<arm>.parquet and data/unpaired/<arm>.parquet."""

import sys

from curation.core.errors import name_argument, run
from curation.core.metrics import write_metrics
from curation.core.params import read
from curation.core.progress import progress
from curation.experiment.arms import arm, counts
from curation.selection.candidates import from_files
from curation.selection.subset import from_tables, unpaired, written
from curation.tables import contracts, parquet


def main() -> None:
    study, name = read(), name_argument("arms")
    cell = study.arms[name]
    with progress(f"arm {name}", 2, "steps") as shown:
        made = arm(cell, study, from_files(study))
        rows = written(made.rows, from_tables(study.generators))
        shown.advance(note=f"{rows.height} pairs")
        loose = unpaired(rows)
        parquet.write(contracts.SUBSETS, rows, contracts.path("subsets", name))
        parquet.write(contracts.UNPAIRED, loose, contracts.path("unpaired", name))
        shown.advance(note=f"{rows.height} pairs")
    if made.short:
        print(f"arm {name}: {made.short}", file=sys.stderr)
    if rows.height < made.own.height:
        print(
            f"arm {name}: {rows.height} pairs beside {made.own.height} of the selection; match fewer values, or loosen limits.per_prompt",
            file=sys.stderr,
        )
    write_metrics(contracts.DATA / f"metrics/arm/{name}.json", counts(rows, loose, made.own))


if __name__ == "__main__":
    run(main)
