"""Write data/deltas/<judge>.parquet, data/generator_deltas.parquet and their plots."""

import polars as pl

from curation import plots, tables
from curation.delta import deltas, generator_deltas, summary
from curation.errors import run
from curation.metrics import write_metrics
from curation.params import read
from curation.progress import progress


def main() -> None:
    study = read()
    dimensions = {name: judge.dimension_names for name, judge in study.judges.items()}
    pairs = tables.read(tables.PAIRS, tables.path("pairs"))
    tables.refuse_strays(tables.JUDGMENTS, study.judges)
    means, wide = [tables.empty(tables.GENERATOR_DELTAS)], {}
    with progress("delta", 2 * len(dimensions), "steps") as shown:
        for name, rated in dimensions.items():
            judgments = tables.read(tables.JUDGMENTS, tables.path("judgments", name))
            wide[name] = deltas(study.delta, pairs, judgments, rated)
            tables.write(tables.deltas(rated), wide[name], tables.path("deltas", name))
            shown.advance(note=name)
            means.append(generator_deltas(pairs, wide[name], name, rated))
            shown.advance(note=name)
    table = pl.concat(means)
    tables.write(tables.GENERATOR_DELTAS, table, tables.path("generator_deltas"))
    plots.delta_histograms(wide, dimensions, tables.DATA / "plots/deltas.png")
    plots.generator_heat_map(table, tables.DATA / "plots/generator_deltas.png")
    write_metrics(tables.DATA / "metrics/delta.json", summary(pairs, wide, dimensions))


if __name__ == "__main__":
    run(main)
