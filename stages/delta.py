"""Write data/deltas/<judge>.parquet, data/generator_deltas.parquet and their plots."""

import polars as pl

from curation import plots, tables
from curation.delta import deltas, generator_deltas
from curation.errors import run
from curation.metrics import write_metrics
from curation.params import read


def main() -> None:
    study = read()
    pairs = tables.read(tables.PAIRS, tables.path("pairs"))
    means, drawn = [tables.empty(tables.GENERATOR_DELTAS)], {}
    for name, judge in study.judges.items():
        judgments = tables.read(tables.JUDGMENTS, tables.path("judgments", name))
        wide = deltas(study.delta, pairs, judgments, judge.dimension_names)
        tables.write(tables.deltas(judge.dimension_names), wide, tables.path("deltas", name))
        means.append(generator_deltas(pairs, wide, name, judge.dimension_names))
        drawn[name] = wide
    table = pl.concat(means)
    tables.write(tables.GENERATOR_DELTAS, table, tables.path("generator_deltas"))
    plots.delta_histograms(drawn, {name: judge.dimension_names for name, judge in study.judges.items()}, tables.DATA / "plots/deltas.png")
    plots.generator_heat_map(table, tables.DATA / "plots/generator_deltas.png")
    write_metrics(tables.DATA / "metrics/delta.json", plots.summary(pairs, drawn))


if __name__ == "__main__":
    run(main)
