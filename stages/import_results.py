"""Write data/imported_results.parquet, what other harnesses measured of runs, and data/provenance.parquet, how."""

import sys

from curation.core.errors import run
from curation.core.metrics import write_metrics
from curation.core.params import read
from curation.exchange.measured import measure, measured_metrics
from curation.experiment.results import find_differences
from curation.tables import contracts, measurements, parquet


def main() -> None:
    results, provenance = measure(read())
    for message in find_differences(provenance):
        print(f"warning: import_results: {message}", file=sys.stderr)
    parquet.write(measurements.IMPORTED_RESULTS, results, contracts.path("imported_results"))
    parquet.write(measurements.PROVENANCE, provenance, contracts.path("provenance"))
    write_metrics(contracts.DATA / "metrics/import_results.json", measured_metrics(results))


if __name__ == "__main__":
    run(main)
