"""Write `deltas` of every judge, pairwise judge and panel of a study, two at a time, and sum each up."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import NamedTuple

import polars as pl

from curation.core.stats import Clusters, dense_rank
from curation.core.study import Study
from curation.pairs import plots
from curation.pairs.delta import TraceRows, delta_parts, generator_deltas, metrics, number_traces
from curation.pairs.pairwise import pairwise_deltas
from curation.pairs.panel import Panel, panel_deltas
from curation.tables import contracts, parquet
from curation.tables.contracts import SIDES

JUDGES_AT_ONCE = 2  # each takes memory for its judgments
RATINGS = ("trace_id", "dimension", "repeat", "score", "expected_score", "status")  # what deltas are made of


class Summary(NamedTuple):
    """Of one judge and dimension: its rows of `generator_deltas`, its histogram, its metrics."""

    generator_deltas: pl.DataFrame
    histogram: plots.Histogram
    metrics: dict[str, float | int]


class Groups(NamedTuple):
    """All pairs by pair_id, clustered by prompt: in groups by their two generators, and in one group."""

    generator_pairs: Clusters
    all_pairs: Clusters


def write_deltas(study: Study) -> Iterator[tuple[str, dict[str, Summary]]]:
    """Each judge's, pairwise judge's and panel's name and the summary of each of its dimensions, in their order in
    params.yaml; when it comes, `data/deltas/<name>.parquet` is there. The folder is there where there is no judge.

    Raises CurationError, or Errors, if a table that they are made of is not there or breaks its contract.
    """
    (contracts.DATA / "deltas").mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(JUDGES_AT_ONCE) as threads:
        pairs = parquet.read(contracts.PAIRS, contracts.path("pairs"))
        rows = number_traces(pairs)
        groups = threads.submit(_group, pairs.select("prompt_id", "chosen_model", "rejected_model"))
        del pairs  # what is left of them is a fraction
        write = partial(_write_and_sum_up, study, rows, groups)
        for names in (study.judges | study.pairwise_judges, study.delta.panels):  # a panel is made of the others' files
            yield from zip(names, threads.map(write, names), strict=True)


def _group(pairs: pl.DataFrame) -> Groups:
    prompts = dense_rank(pairs["prompt_id"])
    return Groups(
        Clusters(pairs.drop("prompt_id"), prompts), Clusters(pairs.select(pl.repeat(0, pl.len()).alias("all")), prompts)
    )


def _write_and_sum_up(study: Study, rows: TraceRows, groups: Future[Groups], name: str) -> dict[str, Summary]:
    dimensions = study.dimensions[name]
    table, file = contracts.judge_deltas(study, name), contracts.path("deltas", name)
    if name in study.judges:
        judgments = contracts.path("judgments", name)
        # no name holds the judgments, so that delta_parts frees them as soon as it can
        parts = delta_parts(study.delta, rows, parquet.read(contracts.JUDGMENTS, judgments, RATINGS), dimensions)
        with parquet.writing(table, file) as written:
            for part in parts:
                written.append(part)
    else:
        parquet.write(table, _whole_deltas(study, name), file)
    summaries = {}
    for dimension in dimensions:
        values = parquet.read(table, file, [f"delta_{dimension}"]).to_series()
        means = generator_deltas(groups.result().generator_pairs, values, name, dimension)
        summaries[dimension] = Summary(means, plots.histogram(values), metrics(groups.result().all_pairs, values))
    return summaries


def _whole_deltas(study: Study, name: str) -> pl.DataFrame:
    """The deltas of a pairwise judge, or of a panel whose members' are written."""
    pairs = parquet.read(contracts.PAIRS, contracts.path("pairs"))
    if name in study.pairwise_judges:
        preferences = parquet.read(contracts.PREFERENCES, contracts.path("preferences", name))
        return pairwise_deltas(study.delta, pairs, preferences, study.dimensions[name])
    panel = study.delta.panels[name]
    return panel_deltas(panel, pairs, _read_members(study, panel), study.delta.noise)


def _read_members(study: Study, panel: Panel) -> dict[str, pl.DataFrame]:
    """Of each judge of the panel the columns that its members are made of."""
    columns: dict[str, list[str]] = {}
    for member in panel.members:
        columns.setdefault(member.judge, ["pair_id"]).extend(f"{side}_{member.dimension}" for side in SIDES)
    return {
        judge: parquet.read(contracts.judge_deltas(study, judge), contracts.path("deltas", judge), names)
        for judge, names in columns.items()
    }
