"""Write data/reliability.parquet, data/calibration.parquet and their plots."""

from curation import plots, tables
from curation.errors import run
from curation.metrics import write_metrics
from curation.params import read
from curation.reliability import Judged, figures, reliability


def main() -> None:
    study = read()
    traces = tables.read_parts(tables.TRACES, study.generators)
    pairs = tables.read(tables.PAIRS, tables.path("pairs"))
    tables.refuse_strays(tables.JUDGMENTS, study.judges)
    tables.refuse_strays(tables.PREFERENCES, study.pairwise_judges)
    judged = Judged(
        {name: tables.read(tables.JUDGMENTS, tables.path("judgments", name)) for name in study.judges},
        {name: tables.read(tables.PREFERENCES, tables.path("preferences", name)) for name in study.pairwise_judges},
        {name: tables.read(tables.deltas(rated), tables.path("deltas", name)) for name, rated in study.dimensions.items()},
        tables.read(tables.PROBABILITIES, tables.path("probabilities")),
        study.dimensions,
    )
    table, curves = reliability(study.reliability, judged, pairs, traces)
    tables.write(tables.RELIABILITY, table, tables.path("reliability"))
    tables.write(tables.CALIBRATION, curves, tables.path("calibration"))
    plots.reliability(table, tables.DATA / "plots/reliability.png")
    plots.calibration(curves, tables.DATA / "plots/calibration.png")
    write_metrics(tables.DATA / "metrics/reliability.json", figures(table))


if __name__ == "__main__":
    run(main)
