"""Write data/reliability.parquet, data/calibration.parquet and their plots."""

from curation import parquet, plots, tables
from curation.errors import run
from curation.metrics import write_metrics
from curation.params import read
from curation.reliability import Judged, figures, reliability


def main() -> None:
    study = read()
    traces = parquet.read_parts(tables.TRACES, study.generators)
    pairs = parquet.read(tables.PAIRS, tables.path("pairs"))
    parquet.refuse_strays(tables.JUDGMENTS, study.judges)
    parquet.refuse_strays(tables.PREFERENCES, study.pairwise_judges)
    judged = Judged(
        {name: parquet.read(tables.JUDGMENTS, tables.path("judgments", name)) for name in study.judges},
        {name: parquet.read(tables.PREFERENCES, tables.path("preferences", name)) for name in study.pairwise_judges},
        {name: parquet.read(tables.deltas(rated), tables.path("deltas", name)) for name, rated in study.dimensions.items()},
        parquet.read(tables.PROBABILITIES, tables.path("probabilities")),
        study.dimensions,
    )
    table, curves = reliability(study.reliability, judged, pairs, traces)
    parquet.write(tables.RELIABILITY, table, tables.path("reliability"))
    parquet.write(tables.CALIBRATION, curves, tables.path("calibration"))
    plots.reliability(table, tables.DATA / "plots/reliability.png")
    plots.calibration(curves, tables.DATA / "plots/calibration.png")
    write_metrics(tables.DATA / "metrics/reliability.json", figures(table))


if __name__ == "__main__":
    run(main)
