"""Write data/probabilities.parquet."""

import sys

from curation.core.errors import run
from curation.core.metrics import write_metrics
from curation.core.params import read
from curation.reliability.calibrate import ENOUGH, calibrate, counts
from curation.tables import contracts, parquet


def main() -> None:
    study = read()
    pairs = parquet.read(contracts.PAIRS, contracts.path("pairs"))
    deltas = {
        name: parquet.read(contracts.deltas(rated), contracts.path("deltas", name))
        for name, rated in study.dimensions.items()
    }
    truth = study.calibrate.truth
    verdicts = (
        parquet.read(contracts.PREFERENCES, contracts.path("preferences", truth))
        if truth in study.pairwise_judges
        else None
    )
    probabilities, labels = calibrate(study.calibrate, pairs, deltas, study.dimensions, verdicts)
    if probabilities.height and probabilities["probability"].null_count() == probabilities.height:
        print(
            f"calibrate: {truth} says which side is right of fewer than {ENOUGH} pairs to fit on, so there are no probabilities",
            file=sys.stderr,
        )
    parquet.write(contracts.PROBABILITIES, probabilities, contracts.path("probabilities"))
    write_metrics(contracts.DATA / "metrics/calibrate.json", counts(probabilities, labels))


if __name__ == "__main__":
    run(main)
