"""Write data/runs.parquet; the weights of every run of the grid lie in the run store."""

from curation.core.errors import run
from curation.core.metrics import write_metrics
from curation.core.params import read
from curation.tables import contracts, measurements, parquet
from curation.training.runs import refuse_failures, run_metrics, train_runs


def main() -> None:
    study = read()
    runs = train_runs(study)
    parquet.write(measurements.RUNS, runs, contracts.path("runs"))
    write_metrics(contracts.DATA / "metrics/train.json", run_metrics(runs))
    refuse_failures(runs, study.execution.of_runs.max_failed)


if __name__ == "__main__":
    run(main)
