"""Write data/subsets/<arm>.parquet and data/unpaired/<arm>.parquet."""

import sys

from curation.core.errors import name_argument, run
from curation.core.metrics import write_metrics
from curation.core.params import read
from curation.core.progress import progress
from curation.experiment.arms import arm, arm_metrics, shared_pairs_message, shortfall_messages
from curation.selection.candidates import from_files
from curation.selection.own_rows import several_rows_message
from curation.selection.subset import add_messages, from_tables, unpair
from curation.tables import contracts, parquet
from curation.tables.checks import examine


def main() -> None:
    study, name = read(), name_argument("arms")
    coordinates = study.arms[name]
    with progress(f"arm {name}", 2, "steps") as shown:
        pairs = arm(coordinates, study, from_files(study))
        texts = from_tables(study.generators)
        subset = add_messages(pairs.rows, texts)
        shown.advance(note=f"{subset.height} pairs")
        traces = unpair(subset, texts)
        parquet.write(contracts.SUBSETS, subset, contracts.path("subsets", name))
        parquet.write(contracts.UNPAIRED, traces, contracts.path("unpaired", name))
        shown.advance(note=f"{subset.height} pairs")
    # its findings stand in the metrics of audit: runs depend on this stage's own
    shared = shared_pairs_message(pairs, coordinates.control, study.controls[coordinates.control])
    told = filter(None, [shared, several_rows_message(subset, texts)])
    messages = [*shortfall_messages(pairs, coordinates.control), *told, *pairs.notes]
    for message in [*messages, *examine(study, name).messages]:
        print(f"arm {name}: {message}", file=sys.stderr)
    write_metrics(contracts.DATA / f"metrics/arm/{name}.json", arm_metrics(subset, traces, pairs.selection_rows))


if __name__ == "__main__":
    run(main)
