"""Write data/results/<run>.parquet of every run that was trained, here or elsewhere, and of `baseline`, the student;
and data/metrics/evaluate.json, what the replies took: each call once, of the first run with its weights."""

import sys

from curation.core.errors import Errors, run
from curation.core.metrics import write_metrics
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
    models, served, errors = {BASELINE: None, **folders}, dict[str, object](), []
    first = {folder: name for name, folder in reversed(models.items())}
    for run_name, evaluated, error in evaluate_all(study, models, prompts):
        if error is None:
            parquet.write(measurements.RESULTS, evaluated.results, contracts.path("results", run_name))
            if first[models[run_name]] == run_name:
                served[run_name] = evaluated.served
        else:
            errors.append(name_run(run_name, error))
    if errors:
        raise Errors(errors)
    write_metrics(contracts.DATA / "metrics/evaluate.json", served)


if __name__ == "__main__":
    run(main)
