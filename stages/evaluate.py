"""Write data/results/<run>.parquet of every run that was trained, and of `baseline`, the student as it is."""

from pathlib import Path

from curation.calls.ledger import Ledger
from curation.core.errors import run
from curation.core.params import BASELINE, read
from curation.tables import contracts, measurements, parquet
from curation.training.evaluate import evaluate


def main() -> None:
    study = read()
    prompts = parquet.read(contracts.PROMPTS, contracts.path("prompts"))
    judge = None if study.evaluate.judge is None else study.judges[study.evaluate.judge]
    trained = parquet.read(measurements.RUNS, contracts.path("runs")).filter(status="trained")
    store = Path(study.ledger.path).parent / "runs"
    folders = {run: store / key for run, key in trained.select("run", "key").rows()}
    with Ledger(study.ledger, study.budget, study.execution.distribute) as ledger:
        for name in [BASELINE, *folders]:
            results = evaluate(study.evaluate, name, study.student, folders.get(name), judge, prompts, ledger)
            parquet.write(measurements.RESULTS, results, contracts.path("results", name))


if __name__ == "__main__":
    run(main)
