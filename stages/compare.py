"""Write data/comparisons.parquet and its plots."""

import json

from curation.core import plots
from curation.core.errors import run
from curation.core.metrics import write_metrics
from curation.core.params import BASELINE, read
from curation.experiment.compare import compare, declared, figures
from curation.tables import contracts, parquet


def main() -> None:
    study = read()
    results = parquet.read_parts(contracts.RESULTS, [BASELINE, *study.runs])
    pairs = {
        name: json.loads((contracts.DATA / f"metrics/arm/{one.arm.name}.json").read_text())["pairs"]
        for name, one in study.runs.items()
    }
    comparisons = compare(study.compare, declared(study), results, pairs)
    parquet.write(contracts.COMPARISONS, comparisons, contracts.path("comparisons"))
    plots.gains(comparisons, contracts.DATA / "plots/gains.png")
    plots.efficiency(comparisons, contracts.DATA / "plots/efficiency.png")
    write_metrics(contracts.DATA / "metrics/compare.json", figures(comparisons))


if __name__ == "__main__":
    run(main)
