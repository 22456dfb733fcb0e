"""Write data/subsets/<arm>.parquet and data/unpaired/<arm>.parquet."""

import sys

from curation import parquet, tables
from curation.arm import arm, counts
from curation.candidates import from_files
from curation.errors import name_argument, run
from curation.metrics import write_metrics
from curation.params import read
from curation.progress import progress
from curation.subset import from_tables, unpaired, written


def main() -> None:
    study, name = read(), name_argument("arms")
    cell = study.named("arms", name)
    with progress(f"arm {name}", 2, "steps") as shown:
        made = arm(cell, study, from_files(study))
        rows = written(made.rows, from_tables(study.generators))
        shown.advance(note=f"{rows.height} pairs")
        loose = unpaired(rows)
        parquet.write(tables.SUBSETS, rows, tables.path("subsets", name))
        parquet.write(tables.UNPAIRED, loose, tables.path("unpaired", name))
        shown.advance(note=f"{rows.height} pairs")
    if made.short:
        print(f"arm {name}: {made.short}", file=sys.stderr)
    if rows.height < made.own.height:
        print(f"arm {name}: {rows.height} pairs beside {made.own.height} of the selection; match fewer values, or loosen limits.per_prompt", file=sys.stderr)
    write_metrics(tables.DATA / f"metrics/arm/{name}.json", counts(rows, loose, made.own))


if __name__ == "__main__":
    run(main)
