"""Write data/results/<run>.parquet; the run `baseline` is the student as it is."""

from curation.calls.ledger import Ledger
from curation.core.errors import name_argument, run
from curation.core.params import BASELINE, read
from curation.tables import contracts, measurements, parquet
from curation.training.evaluate import evaluate


def main() -> None:
    study, name = read(), name_argument("runs")
    model = None if name == BASELINE else contracts.DATA / "models" / study.runs[name].name
    prompts = parquet.read(contracts.PROMPTS, contracts.path("prompts"))
    judge = None if study.evaluate.judge is None else study.judges[study.evaluate.judge]
    with Ledger(study.ledger, study.budget, study.execution.distribute) as ledger:
        results = evaluate(study.evaluate, name, study.student, model, judge, prompts, ledger)
    parquet.write(measurements.RESULTS, results, contracts.path("results", name))


if __name__ == "__main__":
    run(main)
