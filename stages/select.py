"""Write data/selections/<selection>.parquet, data/subsets/<selection>.parquet and data/unpaired/<selection>.parquet."""

import sys
from concurrent.futures import ThreadPoolExecutor

from curation.core.errors import name_argument, run
from curation.core.metrics import write_metrics
from curation.core.params import read
from curation.core.progress import progress
from curation.selection.candidates import from_files
from curation.selection.select import kept, select, short
from curation.selection.subset import counts, from_tables, unpaired, written
from curation.tables import contracts, parquet


def main() -> None:
    study, name = read(), name_argument("selections")
    settings, pairs = study.selections[name], from_files(study)
    with progress(f"select {name}", 3, "steps") as shown:
        verdicts = select(name, settings, pairs)
        shown.advance(note=f"{verdicts.height} verdicts")
        with ThreadPoolExecutor(
            1
        ) as beside:  # writing millions of verdicts takes as long as finding the texts of what is kept
            files = [beside.submit(parquet.write, contracts.SELECTIONS, verdicts, contracts.path("selections", name))]
            rows = written(kept(settings, verdicts, pairs, study.dimensions), from_tables(study.generators))
            loose = unpaired(rows)
            files.append(beside.submit(parquet.write, contracts.UNPAIRED, loose, contracts.path("unpaired", name)))
            parquet.write(contracts.SUBSETS, rows, contracts.path("subsets", name))
            shown.advance(note=f"{rows.height} kept")
            for one in files:
                one.result()
        shown.advance(note=f"{rows.height} kept")
    found = counts(verdicts, rows, loose)
    if said := short(settings, verdicts):
        print(f"select {name}: {said}", file=sys.stderr)
    write_metrics(contracts.DATA / f"metrics/select/{name}.json", found)


if __name__ == "__main__":
    run(main)
