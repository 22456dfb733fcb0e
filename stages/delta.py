"""Write data/deltas/<judge>.parquet, data/generator_deltas.parquet and their plots."""

from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import polars as pl

from curation.core import plots
from curation.core.errors import run
from curation.core.metrics import write_metrics
from curation.core.params import read
from curation.core.progress import progress
from curation.core.stats import Clusters, numbered
from curation.core.study import Study
from curation.pairs.delta import Sides, delta_parts, figures, generator_deltas, panel, preferred, sides
from curation.tables import contracts, parquet

AT_ONCE = 2  # judges; each takes memory for its judgments


class Found(NamedTuple):
    """Of one dimension: its rows of `generator_deltas`, its histogram, its metrics."""

    means: pl.DataFrame
    histogram: tuple[np.ndarray, np.ndarray, float]
    figures: dict[str, float | int]


def main() -> None:
    study = read()
    parquet.refuse_orphans(contracts.JUDGMENTS, study.judges)
    parquet.refuse_orphans(contracts.PREFERENCES, study.pairwise_judges)
    pairs = parquet.read(contracts.PAIRS, contracts.path("pairs"))
    of, named = sides(pairs), pairs.select("prompt_id", "chosen_model", "rejected_model")
    del pairs

    def grouped() -> tuple[Clusters, Clusters]:
        prompts = numbered(named["prompt_id"])
        return Clusters(named.drop("prompt_id"), prompts), Clusters(
            named.select(pl.repeat(0, pl.len()).alias("all")), prompts
        )

    def rated(name: str) -> dict[str, Found]:
        table, file = contracts.deltas(study.dimensions[name]), contracts.path("deltas", name)
        _write(study, name, of, table)
        found, (models, everyone) = {}, groups.result()
        for dimension in study.dimensions[name]:
            values = parquet.read(table, file, [f"delta_{dimension}"]).to_series()
            found[dimension] = Found(
                generator_deltas(models, values, name, dimension), plots.histogram(values), figures(everyone, values)
            )
        return found

    found: dict[str, dict[str, Found]] = {}
    with progress("delta", len(study.dimensions), "judges") as shown, ThreadPoolExecutor(AT_ONCE) as beside:
        groups = beside.submit(grouped)
        for names in (
            study.judges | study.pairwise_judges,
            study.delta.panels,
        ):  # a panel is made of what the others have said
            for name, one in zip(names, beside.map(rated, names), strict=True):
                found[name] = one
                shown.advance(note=name)
    means = pl.concat(
        [contracts.empty(contracts.GENERATOR_DELTAS), *(one.means for body in found.values() for one in body.values())]
    )
    parquet.write(contracts.GENERATOR_DELTAS, means, contracts.path("generator_deltas"))
    histograms = {(name, dimension): one.histogram for name, body in found.items() for dimension, one in body.items()}
    plots.delta_histograms(histograms, contracts.DATA / "plots/deltas.png")
    plots.generator_heat_map(means, contracts.DATA / "plots/generator_deltas.png")
    write_metrics(
        contracts.DATA / "metrics/delta.json",
        {name: {dimension: one.figures for dimension, one in body.items()} for name, body in found.items()},
    )


def _write(study: Study, name: str, of: Sides, table: contracts.Table) -> None:
    """The deltas of a judge, a pairwise judge, or a panel of those already written."""
    file = contracts.path("deltas", name)
    if name in study.judges:
        columns = ("trace_id", "dimension", "repeat", "score", "expected_score", "status")
        parts = delta_parts(
            study.delta,
            of,
            parquet.read(contracts.JUDGMENTS, contracts.path("judgments", name), columns),
            study.dimensions[name],
        )
        with parquet.writing(table, file) as rows:
            for part in parts:
                rows.append(part)
    elif name in study.pairwise_judges:
        pairs = parquet.read(contracts.PAIRS, contracts.path("pairs"))
        parquet.write(
            table,
            preferred(study.delta, pairs, parquet.read(contracts.PREFERENCES, contracts.path("preferences", name))),
            file,
        )
    else:
        body, sides = study.delta.panels[name], dict[str, list[str]]()
        for member in body.members:
            sides.setdefault(member.judge, ["pair_id"]).extend(
                f"{side}_{member.dimension}" for side in ("chosen", "rejected")
            )
        wide = {
            judge: parquet.read(contracts.deltas(study.dimensions[judge]), contracts.path("deltas", judge), columns)
            for judge, columns in sides.items()
        }
        parquet.write(
            table, panel(study.delta, body, parquet.read(contracts.PAIRS, contracts.path("pairs")), wide), file
        )


if __name__ == "__main__":
    run(main)
