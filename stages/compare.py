"""Write data/comparisons.parquet and its plots."""

import json

from curation.core.errors import run
from curation.core.metrics import write_metrics
from curation.core.params import BASELINE, read
from curation.experiment import plots
from curation.experiment.compare import compare, comparison_metrics, declared_runs
from curation.tables import contracts, measurements, parquet


def main() -> None:
    study = read()
    results = parquet.read_parts(measurements.RESULTS, [BASELINE, *study.runs])
    of_arm = json.loads((contracts.DATA / "metrics/arms.json").read_text())
    pairs_of_run = {name: of_arm[trained.arm.name]["pairs"] for name, trained in study.runs.items()}
    comparisons = compare(study.compare, declared_runs(study), results, pairs_of_run)
    parquet.write(measurements.COMPARISONS, comparisons, contracts.path("comparisons"))
    plots.gains(comparisons, contracts.DATA / "plots/gains.png")
    plots.efficiency(comparisons, contracts.DATA / "plots/efficiency.png")
    write_metrics(contracts.DATA / "metrics/compare.json", comparison_metrics(comparisons))


if __name__ == "__main__":
    run(main)
