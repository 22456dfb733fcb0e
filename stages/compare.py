"""Write data/comparisons.parquet and its plots."""

import json

from curation import parquet, plots, tables
from curation.compare import compare, declared, figures
from curation.errors import run
from curation.metrics import write_metrics
from curation.params import BASELINE, read


def main() -> None:
    study = read()
    results = parquet.read_parts(tables.RESULTS, [BASELINE, *study.runs])
    pairs = {name: json.loads((tables.DATA / f"metrics/arm/{one.arm.name}.json").read_text())["pairs"] for name, one in study.runs.items()}
    comparisons = compare(study.compare, declared(study), results, pairs)
    parquet.write(tables.COMPARISONS, comparisons, tables.path("comparisons"))
    plots.gains(comparisons, tables.DATA / "plots/gains.png")
    plots.efficiency(comparisons, tables.DATA / "plots/efficiency.png")
    write_metrics(tables.DATA / "metrics/compare.json", figures(comparisons))


if __name__ == "__main__":
    run(main)
