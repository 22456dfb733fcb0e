"""Sample-level deltas (one per pair, judge and dimension) and generator-level deltas (their mean per generator
pair)."""

from collections.abc import Iterator
from typing import Annotated, Literal, NamedTuple

import numpy as np
import polars as pl
from pydantic import Field

from curation.core.params import NAME, Strict
from curation.core.stats import Clusters, only_interval
from curation.pairs.noise import flag_within_noise, pool_noise
from curation.pairs.panel import Panel
from curation.pairs.sides import join_sides
from curation.pairs.traces import rate_traces
from curation.tables import contracts
from curation.tables.contracts import SIDES
from curation.tables.measurements import GENERATOR_DELTAS
from curation.tables.parquet import ROW_GROUP


class Params(Strict):
    """`delta` in params.yaml.

    `score` rates by the expected score, or a verdict's probabilities, where the judge gives them, or by what was
    sampled. A delta nearer to 0 than `noise` times its judge's own is within_noise; of pairs that are equal to the
    judge 1.0 leaves 32 % beyond it, 1.64 10 % and 1.96 5 %. `prior` is the standard deviation of the log strengths of
    a prompt's traces before any verdict. `panels` combine judges.
    """

    score: Literal["expected", "sampled"]
    noise: Annotated[
        float,
        Field(ge=0, le=1e6, description="times a judge's noise; 1.0 leaves 32 % of equal pairs beyond it, 1.96 5 %"),
    ]
    prior: Annotated[float, Field(ge=1e-3, le=1000, description="a standard deviation of log strengths")]
    panels: dict[Annotated[str, Field(pattern=rf"^{NAME.pattern}$")], Panel]

    @property
    def expected(self) -> bool:
        """Whether probabilities count where there are some."""
        return self.score == "expected"


class TraceRows(NamedTuple):
    """Which traces the pairs are of: the same for every judge, so looked up once.

    pairs: frame of P rows, pair_id and identical, by pair_id. traces: frame of T rows, trace_id by itself and its
    number `row` from 0. chosen, rejected: P numbers, the row in `traces` of each pair's side.
    """

    pairs: pl.DataFrame
    traces: pl.DataFrame
    chosen: pl.Series
    rejected: pl.Series


def number_traces(pairs: pl.DataFrame) -> TraceRows:
    """What `delta_parts` looks the ratings of each pair's traces up by."""
    pairs = pairs if pairs["pair_id"].is_sorted() else pairs.sort("pair_id")
    ids = pl.concat([pairs[f"{side}_trace_id"].unique() for side in SIDES]).unique().sort()
    traces = ids.alias("trace_id").to_frame().with_row_index("row")
    rows = join_sides(pairs.select("chosen_trace_id", "rejected_trace_id"), traces)
    return TraceRows(pairs.select("pair_id", "identical"), traces, rows["chosen_row"], rows["rejected_row"])


def deltas(settings: Params, pairs: pl.DataFrame, judgments: pl.DataFrame, dimensions: list[str]) -> pl.DataFrame:
    """One judge's rows of `deltas`, by pair_id: for each of `dimensions` chosen and rejected (the mean of a trace's
    scored repeats), delta = chosen - rejected, n, sd and within_noise.

    delta is null where a side has no scored repeat; n is the smaller side's scored repeats, sd the root of the summed
    variances of both sides' repeats, null where a side has fewer than two.
    """
    return pl.concat(delta_parts(settings, number_traces(pairs), judgments, dimensions))


def delta_parts(
    settings: Params, rows: TraceRows, judgments: pl.DataFrame, dimensions: list[str]
) -> Iterator[pl.DataFrame]:
    """`deltas`, a row group at a time, in the order of pair ids. A trace is rated once, and a pair's deltas are
    looked up by its traces' numbers."""
    rated = pl.concat(
        [rate_traces(judgments, dimension, rows.traces, settings.expected) for dimension in dimensions],
        how="horizontal",
    )
    del judgments  # they take more memory than all that is made of them
    unequal = rows.pairs.select(~pl.col("identical")).to_series()
    ends = rows.chosen.filter(unequal), rows.rejected.filter(unequal)
    columns, flags = [], []
    for dimension in dimensions:
        columns += _delta_columns(dimension, f"variance_{dimension}" in rated.columns)
        noise = pool_noise(_delta_variances(rated, dimension, *ends))
        flags.append(flag_within_noise(dimension, noise, settings.noise))
    names = contracts.deltas(dimensions).schema.names
    for start in range(0, max(rows.pairs.height, 1), ROW_GROUP):
        part = slice(start, start + ROW_GROUP)
        chosen, rejected = (
            rated[row[part]].select(pl.all().name.prefix(f"{side}_"))
            for side, row in zip(SIDES, (rows.chosen, rows.rejected), strict=True)
        )
        both = rows.pairs[part].select("pair_id").hstack(chosen).hstack(rejected)
        yield both.select("pair_id", *columns).with_columns(flags).select(names)


def _delta_variances(rated: pl.DataFrame, dimension: str, chosen: pl.Series, rejected: pl.Series) -> np.ndarray:
    """As noise.variances, before the deltas are there: sd^2 / n = (variance of chosen + of rejected) / n."""
    if f"variance_{dimension}" not in rated.columns:
        return np.zeros(0)
    n, variance = rated[f"n_{dimension}"], rated[f"variance_{dimension}"]
    both = pl.DataFrame(
        {
            "chosen_n": n.gather(chosen),
            "rejected_n": n.gather(rejected),
            "variance": variance.gather(chosen) + variance.gather(rejected),
        }
    )
    least = pl.min_horizontal("chosen_n", "rejected_n")
    return both.filter(least > 1).select(pl.col("variance") / least).to_series().to_numpy()


def _delta_columns(dimension: str, repeated: bool) -> list[pl.Expr]:
    """The columns of one dimension but for within_noise, from those of `rate_traces`, which come twice: with chosen_
    and with rejected_ before their names."""
    chosen, rejected = (pl.col(f"{side}_score_{dimension}") for side in SIDES)
    variances = [pl.col(f"{side}_variance_{dimension}") for side in SIDES]
    columns = {
        "chosen": chosen,
        "rejected": rejected,
        "delta": chosen - rejected,
        "n": pl.min_horizontal(f"{side}_n_{dimension}" for side in SIDES),
        "sd": (variances[0] + variances[1]).sqrt() if repeated else pl.lit(None, pl.Float64),
    }
    return [column.alias(f"{name}_{dimension}") for name, column in columns.items()]


def generator_deltas(generator_pairs: Clusters, values: pl.Series, judge: str, dimension: str) -> pl.DataFrame:
    """The rows of `generator_deltas` of one judge and dimension: the mean of the deltas `values` of each ordered
    generator pair, by which `generator_pairs` groups the pairs; the interval is clustered by prompt."""
    means = generator_pairs.means(values).rename({"clusters": "prompts"})
    names = means.with_columns(pl.lit(judge).alias("judge"), pl.lit(dimension).alias("dimension"))
    return names.select(GENERATOR_DELTAS.schema.names)


def metrics(all_pairs: Clusters, values: pl.Series) -> dict[str, float | int]:
    """Of one judge and dimension, with all pairs in one group: scored pairs, the mean delta with its interval, and the
    shares with a positive, a zero and a negative delta."""
    scored = values.drop_nulls().round(9)
    mean = only_interval(all_pairs.means(values))
    signs = {"positive": (scored > 0).sum(), "zero": (scored == 0).sum(), "negative": (scored < 0).sum()}
    shares = {name: int(count) / len(scored) for name, count in signs.items()} if len(scored) else {}
    return {"scored": len(scored), **(mean.keys("delta") if mean else {}), **shares}
