"""Write data/probabilities.parquet."""

import sys

from curation.core.errors import run
from curation.core.metrics import write_metrics
from curation.core.params import read
from curation.reliability.calibrate import MIN_LABELLED_PAIRS, calibrate, find_flat, metrics
from curation.tables import contracts, measurements, parquet


def main() -> None:
    study = read()
    pairs = parquet.read(contracts.PAIRS, contracts.path("pairs"))
    deltas = {
        name: parquet.read(contracts.judge_deltas(study, name), contracts.path("deltas", name))
        for name in study.dimensions
    }
    truth, preferences = study.calibrate.truth, None
    if truth in study.pairwise_judges:
        preferences = parquet.read(contracts.PREFERENCES, contracts.path("preferences", truth))
    probabilities, labels = calibrate(study.calibrate, pairs, deltas, study.dimensions, preferences)
    if probabilities.height and probabilities["probability"].null_count() == probabilities.height:
        print(
            f"calibrate: {truth} labels fewer than {MIN_LABELLED_PAIRS} pairs outside of each fold, so there are no"
            " probabilities; label more pairs, or raise calibrate.folds",
            file=sys.stderr,
        )
    for line in find_flat(probabilities):
        print(f"calibrate: {line}", file=sys.stderr)
    parquet.write(measurements.PROBABILITIES, probabilities, contracts.path("probabilities"))
    write_metrics(contracts.DATA / "metrics/calibrate.json", metrics(probabilities, labels))


if __name__ == "__main__":
    run(main)
