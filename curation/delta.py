"""Sample-level deltas (one per pair, judge and dimension) and generator-level deltas (their mean per generator pair)."""

from typing import Annotated, Literal

import numpy as np
import polars as pl
from pydantic import Field

from curation import davidson
from curation.db import query
from curation.noise import marked
from curation.panel import Panel, combine
from curation.params import NAME, Strict
from curation.stats import clustered_mean, clustered_means
from curation.tables import GENERATOR_DELTAS, PREFERENCE, empty


class Params(Strict):
    """`delta` in params.yaml.

    `score` rates by the expected score, or a verdict's probabilities, where the judge gives them, or by what was sampled. A delta nearer to 0 than
    `noise` times its judge's own is marked. `prior` is the standard deviation of the log strengths of a prompt's traces before any verdict. `panels`
    combine judges.
    """

    score: Literal["expected", "sampled"]
    noise: Annotated[float, Field(ge=0)]
    prior: Annotated[float, Field(gt=0)]
    panels: dict[Annotated[str, Field(pattern=rf"^{NAME.pattern}$")], Panel]


def deltas(settings: Params, pairs: pl.DataFrame, judgments: pl.DataFrame, dimensions: list[str]) -> pl.DataFrame:
    """One judge's rows of `deltas`: per dimension chosen, rejected, delta = chosen - rejected, n, spread, each a mean over repeats, and the mark."""
    wide = pairs.select("pair_id").sort("pair_id")
    frames = {"pairs": pairs.select("pair_id", "chosen_trace_id", "rejected_trace_id"), "judgments": judgments.drop("rationale")}
    for dimension in dimensions:
        one = query("deltas", frames, dimension=dimension, expected=settings.score == "expected")
        wide = wide.hstack(one.select(pl.exclude("pair_id").name.suffix(f"_{dimension}")))
    return marked(settings.noise, pairs, wide, dimensions)


def preferred(settings: Params, pairs: pl.DataFrame, preferences: pl.DataFrame) -> pl.DataFrame:
    """One pairwise judge's rows of `deltas`: chosen and rejected are the probabilities that each is better (what they lack to 1 is a tie's), by
    strengths fitted to all verdicts on a prompt's traces; n the verdicts on the pair itself and spread their standard deviation.

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
        theta, tie = davidson.strengths(first, second, sums.select("low_better", "high_better", "tie").to_numpy(), settings.prior)
    strength = pl.DataFrame({"trace_id": ids, "strength": theta})
    own = shown.group_by("pair_id").agg(pl.len().cast(pl.Int32).alias("n"), pl.col("value").sort_by("order", "repeat").std().alias("spread"))
    rows = pairs.select("pair_id", "chosen_trace_id", "rejected_trace_id").sort("pair_id").join(own, on="pair_id", how="left", maintain_order="left")
    for side in ("chosen", "rejected"):
        rows = rows.join(strength.rename({"trace_id": f"{side}_trace_id", "strength": side}), on=f"{side}_trace_id", how="left", maintain_order="left")
    chance = davidson.chances((rows["chosen"] - rows["rejected"]).fill_null(0.0).to_numpy(), tie)
    known = pl.col("n").is_not_null()
    wide = rows.with_columns(pl.Series("chosen", chance[:, 0]), pl.Series("rejected", chance[:, 1])).select(
        "pair_id",
        pl.when(known).then("chosen").alias(f"chosen_{PREFERENCE}"),
        pl.when(known).then("rejected").alias(f"rejected_{PREFERENCE}"),
        pl.when(known).then(pl.col("chosen") - pl.col("rejected")).alias(f"delta_{PREFERENCE}"),
        pl.col("n").fill_null(0).alias(f"n_{PREFERENCE}"),
        pl.col("spread").alias(f"spread_{PREFERENCE}"),
    )
    return marked(settings.noise, pairs, wide, [PREFERENCE])


def panel(settings: Params, one: Panel, pairs: pl.DataFrame, wide: dict[str, pl.DataFrame]) -> pl.DataFrame:
    """One panel's rows of `deltas`, from its members'."""
    return marked(settings.noise, pairs, combine(one, pairs, wide), one.dimension_names)


def generator_deltas(pairs: pl.DataFrame, wide: pl.DataFrame, judge: str, dimensions: list[str]) -> pl.DataFrame:
    """One judge's rows of `generator_deltas`: the mean delta of each ordered generator pair, interval clustered by prompt."""
    joined = pairs.select("pair_id", "prompt_id", "chosen_model", "rejected_model").join(wide, on="pair_id")
    groups = ["chosen_model", "rejected_model"]
    everyone = pairs.select(groups).unique()
    parts = [empty(GENERATOR_DELTAS)]
    for dimension in dimensions:
        means = clustered_means(joined, groups, f"delta_{dimension}", "prompt_id").rename({"clusters": "prompts"})
        rows = everyone.join(means, on=groups, how="left").with_columns(
            pl.col("n", "prompts").fill_null(0), pl.lit(judge).alias("judge"), pl.lit(dimension).alias("dimension")
        )
        parts.append(rows.select(GENERATOR_DELTAS.schema.names))
    return pl.concat(parts)


def summary(pairs: pl.DataFrame, wide: dict[str, pl.DataFrame], dimensions: dict[str, list[str]]) -> dict[str, object]:
    """judge → dimension → mean delta with its interval, and the shares of scored pairs with a positive, a zero and a negative delta."""
    found: dict[str, object] = {}
    for judge, table in wide.items():
        joined = pairs.select("pair_id", "prompt_id").join(table, on="pair_id", maintain_order="left")
        found[judge] = {d: _figures(joined[f"delta_{d}"], joined["prompt_id"]) for d in dimensions[judge]}
    return found


def _figures(values: pl.Series, prompts: pl.Series) -> dict[str, float | int]:
    scored = values.drop_nulls().round(9)
    mean = clustered_mean(values, prompts)
    signs = {"positive": (scored > 0).sum(), "zero": (scored == 0).sum(), "negative": (scored < 0).sum()}
    shares = {name: int(count) / len(scored) for name, count in signs.items()} if len(scored) else {}
    return {"scored": len(scored), **(mean.keys("delta") if mean else {}), **shares}
