"""Write data/results/<run>.parquet of every run that was trained, here or elsewhere, and of `baseline`, the student."""

from curation.calls.ledger import Ledger
from curation.core.errors import run
from curation.core.params import BASELINE, read
from curation.tables import contracts, measurements, parquet
from curation.training.evaluate import evaluate
from curation.training.given import find_given
from curation.training.run_store import RunStore, find_weights


def main() -> None:
    study = read()
    prompts = parquet.read(contracts.PROMPTS, contracts.path("prompts"))
    judge = None if study.evaluate.judge is None else study.judges[study.evaluate.judge]
    runs = parquet.read(measurements.RUNS, contracts.path("runs"))
    folders = find_weights(RunStore.beside(study.ledger), runs) | find_given(study.models, runs)
    with Ledger(study.ledger, study.budget, study.execution.distribute) as ledger:
        for name in [BASELINE, *folders]:
            results = evaluate(study.evaluate, name, study.student, folders.get(name), judge, prompts, ledger)
            parquet.write(measurements.RESULTS, results, contracts.path("results", name))


if __name__ == "__main__":
    run(main)
