"""Write data/comparisons.parquet and its plot."""

from curation import plots, tables
from curation.compare import compare, figures
from curation.errors import run
from curation.metrics import write_metrics
from curation.params import read


def main() -> None:
    study = read()
    comparisons = compare(study.compare, tables.read_parts(tables.RESULTS, study.runs))
    tables.write(tables.COMPARISONS, comparisons, tables.path("comparisons"))
    plots.accuracy_by_run(comparisons, tables.DATA / "plots/accuracy.png")
    write_metrics(tables.DATA / "metrics/compare.json", figures(comparisons))


if __name__ == "__main__":
    run(main)
