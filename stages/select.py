"""Write data/selections/<selection>.parquet, data/subsets/<selection>.parquet and data/unpaired/<selection>.parquet."""

import sys
from concurrent.futures import ThreadPoolExecutor

from curation.core.errors import name_argument, run
from curation.core.metrics import write_metrics
from curation.core.params import read
from curation.core.progress import progress
from curation.selection import single_traces
from curation.selection.candidates import from_files
from curation.selection.labelled import label_traces, labelled_metrics
from curation.selection.messages import selection_messages
from curation.selection.select import select
from curation.selection.subset import add_messages, from_tables, kept_rows, subset_metrics, unpaired_rows
from curation.tables import contracts, parquet
from curation.tables.checks import examine


def main() -> None:
    study, name = read(), name_argument("selections")
    with progress(f"select {name}", 2, "steps") as shown, ThreadPoolExecutor(1) as writer:
        selection = select(name, study.selections[name], from_files(study))
        labelled = label_traces(name, study.selections[name], single_traces.from_files(study))
        verdicts = selection.verdicts
        shown.advance(note=f"{verdicts.height} verdicts")
        # millions of verdicts take as long to write as the texts of the kept pairs take to find
        writes = [writer.submit(parquet.write, contracts.SELECTIONS, verdicts, contracts.path("selections", name))]
        texts = from_tables(study.generators)
        subset = add_messages(kept_rows(selection, study.dimensions), texts)
        traces = unpaired_rows(subset, labelled and labelled.own, texts)
        writes.append(writer.submit(parquet.write, contracts.UNPAIRED, traces, contracts.path("unpaired", name)))
        parquet.write(contracts.SUBSETS, subset, contracts.path("subsets", name))
        for write in writes:
            write.result()
        shown.advance(note=f"{subset.height} kept")
    findings = examine(study, [name])[name]
    for message in [*selection_messages(selection, labelled, subset, texts, study.delta.noise), *findings.messages]:
        print(f"select {name}: {message}", file=sys.stderr)
    metrics = subset_metrics(verdicts, subset, traces) | labelled_metrics(labelled) | {"findings": findings.metrics}
    write_metrics(contracts.DATA / f"metrics/select/{name}.json", metrics)


if __name__ == "__main__":
    run(main)
