"""Write data/deltas/<judge>.parquet, data/generator_deltas.parquet and their plots."""

import polars as pl

from curation import plots, tables
from curation.delta import delta_parts, figures, generator_deltas, panel, preferred
from curation.errors import run
from curation.metrics import write_metrics
from curation.params import Study, read
from curation.progress import progress
from curation.stats import Clusters


def main() -> None:
    study = read()
    tables.refuse_strays(tables.JUDGMENTS, study.judges)
    tables.refuse_strays(tables.PREFERENCES, study.pairwise_judges)
    pairs = tables.read(tables.PAIRS, tables.path("pairs"))
    models = Clusters(pairs.select("chosen_model", "rejected_model"), pairs["prompt_id"])
    everyone = Clusters(pairs.select(pl.repeat(0, pl.len()).alias("all")), pairs["prompt_id"])
    means, histograms, summary = [tables.empty(tables.GENERATOR_DELTAS)], {}, dict[str, dict[str, object]]()
    with progress("delta", sum(map(len, study.dimensions.values())), "dimensions") as shown:
        for name, rated in study.dimensions.items():
            table, file = tables.deltas(rated), tables.path("deltas", name)
            _write(study, name, pairs, table)
            for dimension in rated:
                values = tables.read(table, file, [f"delta_{dimension}"]).to_series()
                means.append(generator_deltas(models, values, name, dimension))
                histograms[name, dimension] = plots.histogram(values)
                summary.setdefault(name, {})[dimension] = figures(everyone, values)
                shown.advance(note=f"{name} {dimension}")
    tables.write(tables.GENERATOR_DELTAS, pl.concat(means), tables.path("generator_deltas"))
    plots.delta_histograms(histograms, tables.DATA / "plots/deltas.png")
    plots.generator_heat_map(pl.concat(means), tables.DATA / "plots/generator_deltas.png")
    write_metrics(tables.DATA / "metrics/delta.json", summary)


def _write(study: Study, name: str, pairs: pl.DataFrame, table: tables.Table) -> None:
    """The deltas of a judge, a pairwise judge, or a panel of those already written."""
    file = tables.path("deltas", name)
    if name in study.judges:
        columns = ("trace_id", "dimension", "repeat", "score", "expected_score", "status")
        judgments = tables.read(tables.JUDGMENTS, tables.path("judgments", name), columns)
        with tables.writing(table, file) as rows:
            for part in delta_parts(study.delta, pairs, judgments, study.dimensions[name]):
                rows.append(part)
    elif name in study.pairwise_judges:
        tables.write(table, preferred(study.delta, pairs, tables.read(tables.PREFERENCES, tables.path("preferences", name))), file)
    else:
        body, sides = study.delta.panels[name], dict[str, list[str]]()
        for member in body.members:
            sides.setdefault(member.judge, ["pair_id"]).extend(f"{side}_{member.dimension}" for side in ("chosen", "rejected"))
        wide = {judge: tables.read(tables.deltas(study.dimensions[judge]), tables.path("deltas", judge), columns) for judge, columns in sides.items()}
        tables.write(table, panel(study.delta, body, pairs, wide), file)


if __name__ == "__main__":
    run(main)
