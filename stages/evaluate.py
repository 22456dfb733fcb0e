"""Write data/results/<run>.parquet."""

import sys

from curation import tables
from curation.errors import run
from curation.evaluate import evaluate
from curation.ledger import Ledger
from curation.params import read


def main() -> None:
    study, name = read(), sys.argv[1]
    study.named("runs", name)
    prompts = tables.read(tables.PROMPTS, tables.path("prompts"))
    judge = study.judges[study.evaluate.judge]
    with Ledger(study.ledger) as ledger:
        results = evaluate(study.evaluate, name, study.student, tables.DATA / "models" / name, judge, prompts, ledger)
    tables.write(tables.RESULTS, results, tables.path("results", name))


if __name__ == "__main__":
    run(main)
