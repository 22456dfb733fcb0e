"""Write data/probabilities.parquet."""

import sys

from curation import parquet, tables
from curation.calibrate import ENOUGH, calibrate, counts
from curation.errors import run
from curation.metrics import write_metrics
from curation.params import read


def main() -> None:
    study = read()
    pairs = parquet.read(tables.PAIRS, tables.path("pairs"))
    deltas = {name: parquet.read(tables.deltas(rated), tables.path("deltas", name)) for name, rated in study.dimensions.items()}
    truth = study.calibrate.truth
    verdicts = parquet.read(tables.PREFERENCES, tables.path("preferences", truth)) if truth in study.pairwise_judges else None
    probabilities, labels = calibrate(study.calibrate, pairs, deltas, study.dimensions, verdicts)
    if probabilities.height and probabilities["probability"].null_count() == probabilities.height:
        print(f"calibrate: {truth} says which side is right of fewer than {ENOUGH} pairs to fit on, so there are no probabilities", file=sys.stderr)
    parquet.write(tables.PROBABILITIES, probabilities, tables.path("probabilities"))
    write_metrics(tables.DATA / "metrics/calibrate.json", counts(probabilities, labels))


if __name__ == "__main__":
    run(main)
