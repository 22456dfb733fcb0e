"""Write data/reliability.parquet, data/calibration.parquet and a plot of the curves."""

from curation.core.errors import run
from curation.core.metrics import write_metrics
from curation.core.params import read
from curation.reliability import plots
from curation.reliability.reliability import TRACE_COLUMNS, JudgeTables, metrics, reliability
from curation.tables import contracts, measurements, parquet


def main() -> None:
    study = read()
    traces = parquet.read_parts(contracts.TRACES, study.generators, TRACE_COLUMNS)
    pairs = parquet.read(contracts.PAIRS, contracts.path("pairs"))
    parquet.refuse_orphans(contracts.JUDGMENTS, study.judges)
    parquet.refuse_orphans(contracts.PREFERENCES, study.pairwise_judges)
    tables = JudgeTables(
        {name: parquet.read(contracts.JUDGMENTS, contracts.path("judgments", name)) for name in study.judges},
        {
            name: parquet.read(contracts.PREFERENCES, contracts.path("preferences", name))
            for name in study.pairwise_judges
        },
        {
            name: parquet.read(contracts.judge_deltas(study, name), contracts.path("deltas", name))
            for name in study.dimensions
        },
        parquet.read(measurements.PROBABILITIES, contracts.path("probabilities")),
        study.dimensions,
    )
    table, curves = reliability(study.reliability, tables, pairs, traces)
    parquet.write(measurements.RELIABILITY, table, contracts.path("reliability"))
    parquet.write(measurements.CALIBRATION, curves, contracts.path("calibration"))
    plots.calibration(curves, contracts.DATA / "plots/calibration.png")
    write_metrics(contracts.DATA / "metrics/reliability.json", metrics(table))


if __name__ == "__main__":
    run(main)
