"""Write data/pairs.parquet."""

import sys

from curation.core.errors import run
from curation.core.metrics import write_metrics
from curation.core.params import read
from curation.core.progress import progress
from curation.pairs.listed import LISTED_COLUMNS
from curation.pairs.pair import TRACE_COLUMNS, count_empty, metrics, pair
from curation.tables import contracts, parquet


def main() -> None:
    study = read()
    traces = parquet.read_parts(contracts.TRACES, study.generators, TRACE_COLUMNS)
    listed = parquet.read(contracts.LISTED_PAIRS, contracts.path("listed_pairs"), LISTED_COLUMNS)
    with progress("pair", 2, "steps") as shown:
        pairs = pair(study.pair, traces, listed)
        shown.advance(note=f"{pairs.height} pairs")
        parquet.write(contracts.PAIRS, pairs, contracts.path("pairs"))
        shown.advance(note=f"{pairs.height} pairs")
    empty = count_empty(traces)
    if empty and study.pair.empty == "drop":
        print(f"pair: {empty} of {traces.height} traces are empty, so in no pair (pair.empty: drop)", file=sys.stderr)
    if pairs.is_empty():
        print(
            "pair: no candidate; see params.yaml: pair (order, ladder, chosen, rejected, within_generator)",
            file=sys.stderr,
        )
    write_metrics(contracts.DATA / "metrics/pair.json", metrics(pairs) | {"empty_traces": empty})


if __name__ == "__main__":
    run(main)
