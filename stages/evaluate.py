"""Write data/results/<run>.parquet; the run `baseline` is the student as it is."""

from curation import parquet, tables
from curation.calls.ledger import Ledger
from curation.errors import name_argument, run
from curation.evaluate import evaluate
from curation.params import BASELINE, read


def main() -> None:
    study, name = read(), name_argument("runs")
    model = None if name == BASELINE else tables.DATA / "models" / study.named("runs", name).name
    prompts = parquet.read(tables.PROMPTS, tables.path("prompts"))
    judge = study.judges[study.evaluate.judge]
    with Ledger(study.ledger, study.budget, study.execution.spread) as ledger:
        results = evaluate(study.evaluate, name, study.student, model, judge, prompts, ledger)
    parquet.write(tables.RESULTS, results, tables.path("results", name))


if __name__ == "__main__":
    run(main)
