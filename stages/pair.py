"""Write data/pairs.parquet."""

import sys

from curation import parquet, tables
from curation.errors import run
from curation.metrics import write_metrics
from curation.pair import READ, counts, pair
from curation.params import read
from curation.progress import progress


def main() -> None:
    study = read()
    traces = parquet.read_parts(tables.TRACES, study.generators, READ)
    with progress("pair", 2, "steps") as shown:
        pairs = pair(study.pair, traces)
        shown.advance(note=f"{pairs.height} pairs")
        parquet.write(tables.PAIRS, pairs, tables.path("pairs"))
        shown.advance(note=f"{pairs.height} pairs")
    if pairs.is_empty():
        print("pair: no candidate; see params.yaml: pair (order, ladder, chosen, rejected)", file=sys.stderr)
    write_metrics(tables.DATA / "metrics/pair.json", counts(pairs))


if __name__ == "__main__":
    run(main)
