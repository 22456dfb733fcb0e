"""Sample-level deltas (one per pair, judge and dimension) and generator-level deltas (their mean per generator pair)."""

from typing import Literal

import polars as pl

from curation.db import query
from curation.params import Strict
from curation.stats import clustered_mean, clustered_means
from curation.tables import GENERATOR_DELTAS, empty


class Params(Strict):
    """`delta` in params.yaml: rate a trace by its expected score where the judge gives one, or by the sampled score."""

    score: Literal["expected", "sampled"]


def deltas(settings: Params, pairs: pl.DataFrame, judgments: pl.DataFrame, dimensions: list[str]) -> pl.DataFrame:
    """One judge's rows of `deltas`: per dimension chosen, rejected, delta = chosen - rejected, n and spread, each a mean over repeats."""
    wide = pairs.select("pair_id").sort("pair_id")
    frames = {"pairs": pairs.select("pair_id", "chosen_trace_id", "rejected_trace_id"), "judgments": judgments.drop("rationale")}
    for dimension in dimensions:
        one = query("deltas", frames, dimension=dimension, expected=settings.score == "expected")
        wide = wide.hstack(one.select(pl.exclude("pair_id").name.suffix(f"_{dimension}")))
    return wide


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
