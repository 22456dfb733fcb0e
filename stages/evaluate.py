"""Write data/results/<run>.parquet of every run that was trained, here or elsewhere, and of `baseline`, the student."""

import sys

from curation.core.errors import Errors, run
from curation.core.params import BASELINE, read
from curation.experiment import registration
from curation.tables import contracts, measurements, parquet
from curation.training.evaluate_all import evaluate_all
from curation.training.given import find_given
from curation.training.run_store import RunStore, find_weights
from curation.training.workers import name_run


def main() -> None:
    study = read()
    for message in registration.messages(study):
        print(f"warning: evaluate: {message}", file=sys.stderr)
    prompts = parquet.read(contracts.PROMPTS, contracts.path("prompts"))
    runs = parquet.read(measurements.RUNS, contracts.path("runs"))
    folders = find_weights(RunStore.beside(study.ledger), runs) | find_given(study.models, runs)
    errors = []
    for run_name, results, error in evaluate_all(study, {BASELINE: None, **folders}, prompts):
        if error is None:
            parquet.write(measurements.RESULTS, results, contracts.path("results", run_name))
        else:
            errors.append(name_run(run_name, error))
    if errors:
        raise Errors(errors)


if __name__ == "__main__":
    run(main)
