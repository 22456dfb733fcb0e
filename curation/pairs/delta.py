"""Sample-level deltas (one per pair, judge and dimension) and generator-level deltas (their mean per generator
pair)."""

from collections.abc import Iterator
from typing import Annotated, Literal, NamedTuple

import numpy as np
import polars as pl
from pydantic import Field

from curation.core.params import NAME, Strict
from curation.core.stats import Clusters, only
from curation.pairs import davidson
from curation.pairs.noise import mark, marked, noise
from curation.pairs.panel import Panel, combine
from curation.tables import contracts
from curation.tables.contracts import GENERATOR_DELTAS, PREFERENCE
from curation.tables.db import query
from curation.tables.parquet import ROW_GROUP


class Params(Strict):
    """`delta` in params.yaml.

    `score` rates by the expected score, or a verdict's probabilities, where the judge gives them, or by what was
    sampled. A delta nearer to 0 than `noise` times its judge's own is marked. `prior` is the standard deviation of the
    log strengths of a prompt's traces before any verdict. `panels` combine judges.
    """

    score: Literal["expected", "sampled"]
    noise: Annotated[float, Field(ge=0)]
    prior: Annotated[float, Field(gt=0)]
    panels: dict[Annotated[str, Field(pattern=rf"^{NAME.pattern}$")], Panel]


class Sides(NamedTuple):
    """The pairs (pair_id and identical, by pair_id), their traces by trace_id, and the number of each pair's chosen
    and rejected trace among those: the same for every judge."""

    pairs: pl.DataFrame
    traces: pl.DataFrame
    chosen: pl.Series
    rejected: pl.Series


def sides(pairs: pl.DataFrame) -> Sides:
    """What `delta_parts` looks the ratings of each pair's traces up by."""
    pairs = pairs if pairs["pair_id"].is_sorted() else pairs.sort("pair_id")
    ids = [pairs[f"{side}_trace_id"] for side in ("chosen", "rejected")]
    traces = (
        pl.concat([one.unique() for one in ids]).unique().sort().alias("trace_id").to_frame().with_row_index("place")
    )
    chosen, rejected = (
        one.to_frame("trace_id").join(traces, on="trace_id", how="left", maintain_order="left")["place"] for one in ids
    )
    return Sides(pairs.select("pair_id", "identical"), traces, chosen, rejected)


def deltas(settings: Params, pairs: pl.DataFrame, judgments: pl.DataFrame, dimensions: list[str]) -> pl.DataFrame:
    """One judge's rows of `deltas`: per dimension chosen, rejected, delta = chosen - rejected, n, sd, each a mean over
    repeats, and the mark.

    delta is null where a side has no scored repeat; n is the smaller side's scored repeats, sd the root of the summed
    variances.
    """
    return pl.concat(delta_parts(settings, sides(pairs), judgments, dimensions))


def delta_parts(settings: Params, of: Sides, judgments: pl.DataFrame, dimensions: list[str]) -> Iterator[pl.DataFrame]:
    """`deltas`, a row group at a time, in the order of pair ids. A trace is rated once, and a pair's deltas are
    looked up by its traces' numbers."""
    rated = pl.concat(
        [_rated(judgments, dimension, of.traces, settings.score == "expected") for dimension in dimensions],
        how="horizontal",
    )
    del judgments  # they take more memory than all that is made of them
    unequal = of.pairs.select(~pl.col("identical")).to_series()
    levels = {
        dimension: noise(_variances(rated, dimension, of.chosen.filter(unequal), of.rejected.filter(unequal)))
        for dimension in dimensions
    }
    columns = [
        column for dimension in dimensions for column in _columns(dimension, f"variance_{dimension}" in rated.columns)
    ]
    marks = [mark(dimension, levels[dimension], settings.noise) for dimension in dimensions]
    for start in range(0, max(of.pairs.height, 1), ROW_GROUP):
        chosen, rejected = (rated[side[start : start + ROW_GROUP]] for side in (of.chosen, of.rejected))
        both = (
            of.pairs[start : start + ROW_GROUP]
            .select("pair_id")
            .hstack(chosen)
            .hstack(rejected.rename(lambda name: f"other_{name}"))
        )
        yield both.select("pair_id", *columns).with_columns(marks).select(contracts.deltas(dimensions).schema.names)


def _rated(judgments: pl.DataFrame, dimension: str, traces: pl.DataFrame, expected: bool) -> pl.DataFrame:
    """One dimension's ratings by trace number: the mean of the scored repeats (null without any), how many, and
    their variance (null below two), if any."""
    value = pl.coalesce("expected_score", "score") if expected else pl.col("score")
    scored = judgments.filter((pl.col("dimension") == dimension) & (pl.col("status") == "scored")).select(
        "trace_id", "repeat", value.alias("value")
    )
    known = traces.join(scored, on="trace_id").sort("place", "repeat")
    place, values = known["place"].to_numpy(), known["value"].to_numpy()
    n = np.bincount(place, minlength=traces.height).astype(np.int32)
    with np.errstate(invalid="ignore", divide="ignore"):
        score = np.bincount(place, values, traces.height) / n
        variance = np.bincount(place, (values - score[place]) ** 2, traces.height) / (n - 1)
    reals = {"score": score} | ({"variance": np.where(n > 1, variance, np.nan)} if (n > 1).any() else {})
    found = [pl.Series(f"{name}_{dimension}", column, nan_to_null=True) for name, column in reals.items()]
    return pl.DataFrame([*found, pl.Series(f"n_{dimension}", n)])


def _variances(rated: pl.DataFrame, dimension: str, chosen: pl.Series, rejected: pl.Series) -> np.ndarray:
    """As noise.variances, before the deltas are there."""
    if f"variance_{dimension}" not in rated.columns:
        return np.zeros(0)
    n, variance = rated[f"n_{dimension}"], rated[f"variance_{dimension}"]
    sums = variance.gather(chosen) + variance.gather(rejected)
    both, least = (
        pl.DataFrame({"one": n.gather(chosen), "other": n.gather(rejected), "sum": sums}),
        pl.min_horizontal("one", "other"),
    )
    return both.filter(least > 1).select(pl.col("sum") / least).to_series().to_numpy()


def _columns(dimension: str, repeated: bool) -> list[pl.Expr]:
    """The columns of one dimension but for its mark, from those of `_rated` of chosen, and of rejected under names
    that begin with `other_`."""
    better, worse = pl.col(f"score_{dimension}"), pl.col(f"other_score_{dimension}")
    found = {
        "chosen": better, "rejected": worse, "delta": better - worse, "n": pl.min_horizontal(f"n_{dimension}", f"other_n_{dimension}"),
        "sd": (pl.col(f"variance_{dimension}") + pl.col(f"other_variance_{dimension}")).sqrt() if repeated else pl.lit(None, pl.Float64),
    }  # fmt: skip
    return [column.alias(f"{name}_{dimension}") for name, column in found.items()]


def preferred(settings: Params, pairs: pl.DataFrame, preferences: pl.DataFrame) -> pl.DataFrame:
    """One pairwise judge's rows of `deltas`: chosen and rejected are the probabilities that each is better (what they
    lack to 1 is a tie's), by strengths fitted to all verdicts on a prompt's traces; n the verdicts on the pair
    itself and sd their standard deviation.

    A pair without a verdict of its own has no delta.
    """
    shown = query("verdicts", {"pairs": pairs.drop("chosen_model", "rejected_model"), "preferences": preferences.drop("rationale")},
                  expected=settings.score == "expected")  # fmt: skip
    fitted = shown.unique(["low", "high", "shown_first", "repeat"], keep="first", maintain_order=True)
    sums = fitted.group_by("low", "high", maintain_order=True).agg(pl.col("low_better", "high_better", "tie").sum())
    ids = pl.concat([sums["low"], sums["high"]]).unique().sort()
    theta, tie = np.zeros(len(ids)), 0.0
    if sums.height:
        first, second = (ids.search_sorted(sums[side]).to_numpy() for side in ("low", "high"))
        theta, tie = davidson.strengths(
            first, second, sums.select("low_better", "high_better", "tie").to_numpy(), settings.prior
        )
    strength = pl.DataFrame({"trace_id": ids, "strength": theta})
    own = shown.group_by("pair_id").agg(
        pl.len().cast(pl.Int32).alias("n"), pl.col("value").sort_by("order", "repeat").std().alias("sd")
    )
    rows = (
        pairs.select("pair_id", "chosen_trace_id", "rejected_trace_id")
        .sort("pair_id")
        .join(own, on="pair_id", how="left", maintain_order="left")
    )
    for side in ("chosen", "rejected"):
        rows = rows.join(
            strength.rename({"trace_id": f"{side}_trace_id", "strength": side}),
            on=f"{side}_trace_id",
            how="left",
            maintain_order="left",
        )
    chance = davidson.chances((rows["chosen"] - rows["rejected"]).fill_null(0.0).to_numpy(), tie)
    known = pl.col("n").is_not_null()
    wide = rows.with_columns(pl.Series("chosen", chance[:, 0]), pl.Series("rejected", chance[:, 1])).select(
        "pair_id",
        pl.when(known).then("chosen").alias(f"chosen_{PREFERENCE}"),
        pl.when(known).then("rejected").alias(f"rejected_{PREFERENCE}"),
        pl.when(known).then(pl.col("chosen") - pl.col("rejected")).alias(f"delta_{PREFERENCE}"),
        pl.col("n").fill_null(0).alias(f"n_{PREFERENCE}"),
        pl.col("sd").alias(f"sd_{PREFERENCE}"),
    )
    return marked(settings.noise, pairs, wide, [PREFERENCE])


def panel(settings: Params, one: Panel, pairs: pl.DataFrame, wide: dict[str, pl.DataFrame]) -> pl.DataFrame:
    """One panel's rows of `deltas`, from its members'."""
    return marked(settings.noise, pairs, combine(one, pairs, wide), one.dimension_names)


def generator_deltas(groups: Clusters, values: pl.Series, judge: str, dimension: str) -> pl.DataFrame:
    """The rows of `generator_deltas` of one judge and dimension: the mean of the deltas `values` of each ordered
    generator pair, by which `groups` has the pairs; the interval is clustered by prompt."""
    named = (
        groups.means(values)
        .rename({"clusters": "prompts"})
        .with_columns(pl.lit(judge).alias("judge"), pl.lit(dimension).alias("dimension"))
    )
    return named.select(GENERATOR_DELTAS.schema.names)


def figures(prompts: Clusters, values: pl.Series) -> dict[str, float | int]:
    """Of one judge and dimension, with all pairs in one group of `prompts`: scored pairs, the mean delta with its
    interval, and the shares with a positive, a zero and a negative delta."""
    scored = values.drop_nulls().round(9)
    mean = only(prompts.means(values))
    signs = {"positive": (scored > 0).sum(), "zero": (scored == 0).sum(), "negative": (scored < 0).sum()}
    shares = {name: int(count) / len(scored) for name, count in signs.items()} if len(scored) else {}
    return {"scored": len(scored), **(mean.keys("delta") if mean else {}), **shares}
