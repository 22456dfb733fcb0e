"""Write data/deltas/<judge>.parquet, data/generator_deltas.parquet and their plots."""

import polars as pl

from curation.core.errors import run
from curation.core.metrics import write_metrics
from curation.core.params import read
from curation.core.progress import progress
from curation.pairs import plots
from curation.pairs.write import Summary, write_deltas
from curation.tables import contracts, measurements, parquet


def main() -> None:
    study = read()
    parquet.refuse_orphans(contracts.JUDGMENTS, study.judges)
    parquet.refuse_orphans(contracts.PREFERENCES, study.pairwise_judges)
    summaries: dict[str, dict[str, Summary]] = {}
    with progress("delta", len(study.dimensions), "judges") as shown:
        for name, by_dimension in write_deltas(study):
            summaries[name] = by_dimension
            shown.advance(note=name)
    rated = {(name, dimension): summary for name, body in summaries.items() for dimension, summary in body.items()}
    none = contracts.empty(measurements.GENERATOR_DELTAS)
    means = pl.concat([none, *(summary.generator_deltas for summary in rated.values())])
    parquet.write(measurements.GENERATOR_DELTAS, means, contracts.path("generator_deltas"))
    histograms = {key: summary.histogram for key, summary in rated.items()}
    plots.delta_histograms(histograms, contracts.DATA / "plots/deltas.png")
    plots.generator_heat_map(means, contracts.DATA / "plots/generator_deltas.png")
    metrics = {
        name: {dimension: summary.metrics for dimension, summary in body.items()} for name, body in summaries.items()
    }
    write_metrics(contracts.DATA / "metrics/delta.json", metrics)


if __name__ == "__main__":
    run(main)
