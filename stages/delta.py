"""Write data/deltas/<judge>.parquet, data/generator_deltas.parquet and their plots."""

import polars as pl

from curation import plots, tables
from curation.delta import deltas, generator_deltas, panel, preferred, summary
from curation.errors import run
from curation.metrics import write_metrics
from curation.params import Study, read
from curation.progress import progress


def main() -> None:
    study = read()
    dimensions = study.dimensions
    pairs = tables.read(tables.PAIRS, tables.path("pairs"))
    tables.refuse_strays(tables.JUDGMENTS, study.judges)
    tables.refuse_strays(tables.PREFERENCES, study.pairwise_judges)
    means, wide = [tables.empty(tables.GENERATOR_DELTAS)], dict[str, pl.DataFrame]()
    with progress("delta", 2 * len(dimensions), "steps") as shown:
        for name, rated in dimensions.items():
            wide[name] = _deltas(study, name, pairs, wide)
            tables.write(tables.deltas(rated), wide[name], tables.path("deltas", name))
            shown.advance(note=name)
            means.append(generator_deltas(pairs, wide[name], name, rated))
            shown.advance(note=name)
    table = pl.concat(means)
    tables.write(tables.GENERATOR_DELTAS, table, tables.path("generator_deltas"))
    plots.delta_histograms(wide, dimensions, tables.DATA / "plots/deltas.png")
    plots.generator_heat_map(table, tables.DATA / "plots/generator_deltas.png")
    write_metrics(tables.DATA / "metrics/delta.json", summary(pairs, wide, dimensions))


def _deltas(study: Study, name: str, pairs: pl.DataFrame, wide: dict[str, pl.DataFrame]) -> pl.DataFrame:
    """The deltas of a judge, a pairwise judge, or a panel of those in `wide`."""
    if name in study.judges:
        judgments = tables.read(tables.JUDGMENTS, tables.path("judgments", name))
        return deltas(study.delta, pairs, judgments, study.dimensions[name])
    if name in study.pairwise_judges:
        return preferred(study.delta, pairs, tables.read(tables.PREFERENCES, tables.path("preferences", name)))
    return panel(study.delta, study.delta.panels[name], pairs, wide)


if __name__ == "__main__":
    run(main)
