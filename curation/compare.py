"""Runs against the baseline, prompt by prompt."""

from typing import Annotated

import polars as pl

from curation.metrics import Interval
from curation.params import Refers, Strict
from curation.stats import clustered_mean, paired_p, pass_at_k
from curation.tables import COMPARISONS, empty


class Params(Strict):
    """`compare` in params.yaml: the run that the others are compared with."""

    baseline: Annotated[str, Refers("runs")]


def per_prompt(results: pl.DataFrame) -> pl.DataFrame:
    """run, benchmark, prompt_id, measure, value: avg@k (mean over the k samples) and pass@k of each prompt; unscored samples do not count."""
    scored = results.filter(pl.col("status") == "scored")
    grouped = scored.group_by("run", "benchmark", "prompt_id").agg(pl.col("score").sum().alias("right"), pl.len().alias("samples"))
    k = max(results["sample_index"].to_list(), default=0) + 1
    average = grouped.with_columns(pl.lit(f"avg@{k}").alias("measure"), (pl.col("right") / pl.col("samples")).alias("value"))
    values = [pass_at_k(int(right), samples, min(k, samples)) for right, samples in grouped.select("right", "samples").rows()]
    best = grouped.with_columns(pl.lit(f"pass@{k}").alias("measure"), pl.Series("value", values, dtype=pl.Float64))
    return pl.concat([average, best]).select("run", "benchmark", "prompt_id", "measure", "value").sort("run", "benchmark", "measure", "prompt_id")


def compare(settings: Params, results: pl.DataFrame) -> pl.DataFrame:
    """The rows of `comparisons`: each run's value, and its mean gain over the baseline on the prompts both answered.

    A prompt is one observation: intervals are Student's over prompts, p is two-sided and not corrected for many comparisons.
    """
    values = per_prompt(results)
    base = values.filter(pl.col("run") == settings.baseline).select("benchmark", "measure", "prompt_id", pl.col("value").alias("before"))
    joined = values.join(base, on=["benchmark", "measure", "prompt_id"], maintain_order="left").with_columns((pl.col("value") - pl.col("before")).alias("gain"))
    rows = []
    for (run, benchmark, measure), group in joined.group_by("run", "benchmark", "measure", maintain_order=True):
        value = clustered_mean(group["value"], group["prompt_id"])
        gain = clustered_mean(group["gain"], group["prompt_id"])
        if value is not None and gain is not None:
            rows.append((run, benchmark, measure, settings.baseline, *value[:3], *gain, paired_p(group["gain"].drop_nulls().to_numpy())))
    return pl.DataFrame(rows, schema=empty(COMPARISONS).schema, orient="row")


def figures(comparisons: pl.DataFrame) -> dict[str, object]:
    """run → benchmark → measure, its interval, and its gain with interval, as metrics."""
    tree: dict[str, dict[str, dict[str, float | int]]] = {}
    for row in comparisons.sort("run", "benchmark", "measure").iter_rows(named=True):
        name = row["measure"].replace("@", "_at_")
        keys = Interval(row["value"], row["value_low"], row["value_high"], row["n"]).keys(name)
        keys |= Interval(row["gain"], row["ci_low"], row["ci_high"], row["n"]).keys(f"{name}_gain")
        tree.setdefault(row["run"], {}).setdefault(row["benchmark"], {}).update(keys)
    return dict(tree)
