"""Write data/reliability.parquet and its plot."""

from curation import plots, tables
from curation.errors import run
from curation.metrics import write_metrics
from curation.params import read
from curation.reliability import figures, reliability


def main() -> None:
    study = read()
    dimensions = {name: judge.dimension_names for name, judge in study.judges.items()}
    traces = tables.read_parts(tables.TRACES, study.generators)
    tables.refuse_strays(tables.JUDGMENTS, study.judges)
    judgments = {name: tables.read(tables.JUDGMENTS, tables.path("judgments", name)) for name in study.judges}
    pairs = tables.read(tables.PAIRS, tables.path("pairs"))
    deltas = {name: tables.read(tables.deltas(rated), tables.path("deltas", name)) for name, rated in dimensions.items()}
    table = reliability(study.reliability, judgments, deltas, pairs, traces, dimensions)
    tables.write(tables.RELIABILITY, table, tables.path("reliability"))
    plots.reliability(table, tables.DATA / "plots/reliability.png")
    write_metrics(tables.DATA / "metrics/reliability.json", figures(table))


if __name__ == "__main__":
    run(main)
