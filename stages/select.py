"""Write data/selections/<selection>.parquet, data/subsets/<selection>.parquet and data/unpaired/<selection>.parquet."""

import sys
from concurrent.futures import ThreadPoolExecutor

from curation import parquet, tables
from curation.candidates import from_files
from curation.errors import name_argument, run
from curation.metrics import write_metrics
from curation.params import read
from curation.progress import progress
from curation.selecting import kept, select, short
from curation.subset import counts, from_tables, unpaired, written


def main() -> None:
    study, name = read(), name_argument("selections")
    settings, pairs = study.named("selections", name), from_files(study)
    with progress(f"select {name}", 3, "steps") as shown:
        verdicts = select(name, settings, pairs)
        shown.advance(note=f"{verdicts.height} verdicts")
        with ThreadPoolExecutor(1) as beside:  # writing millions of verdicts takes as long as finding the texts of what is kept
            files = [beside.submit(parquet.write, tables.SELECTIONS, verdicts, tables.path("selections", name))]
            rows = written(kept(settings, verdicts, pairs, study.dimensions), from_tables(study.generators))
            loose = unpaired(rows)
            files.append(beside.submit(parquet.write, tables.UNPAIRED, loose, tables.path("unpaired", name)))
            parquet.write(tables.SUBSETS, rows, tables.path("subsets", name))
            shown.advance(note=f"{rows.height} kept")
            for one in files:
                one.result()
        shown.advance(note=f"{rows.height} kept")
    found = counts(verdicts, rows, loose)
    if said := short(settings, verdicts):
        print(f"select {name}: {said}", file=sys.stderr)
    write_metrics(tables.DATA / f"metrics/select/{name}.json", found)


if __name__ == "__main__":
    run(main)
