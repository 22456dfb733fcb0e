"""What a run's results say: its value of each prompt, and how many of its answers the limit cut."""

from collections.abc import Iterable

import polars as pl

from curation.core.stats import pass_at_k

# measures, of k samples a prompt: avg@k is their mean, pass@k the chance that one is right
AVERAGE, BEST = "avg", "pass"


def per_prompt(results: pl.DataFrame) -> pl.DataFrame:
    """run, benchmark, prompt_id, measure, value: avg@k (the mean over the k samples) and pass@k of each prompt, where k
    is the benchmark's own. Samples without a score do not count."""
    k_of = pl.col("sample_index").max().over("benchmark") + 1
    scored = results.with_columns(k_of.alias("k")).filter(pl.col("score").is_not_null())
    grouped = scored.group_by("run", "benchmark", "prompt_id", "k").agg(
        pl.col("score").sum().alias("right"), pl.len().alias("samples")
    )
    passes = [
        pass_at_k(int(right), samples, min(k, samples))
        for right, samples, k in grouped.select("right", "samples", "k").rows()
    ]
    values = {AVERAGE: grouped["right"] / grouped["samples"], BEST: pl.Series(passes, dtype=pl.Float64)}
    measured = [
        grouped.with_columns(pl.format(f"{measure}@{{}}", "k").alias("measure"), value.alias("value"))
        for measure, value in values.items()
    ]
    return (
        pl.concat(measured)
        .select("run", "benchmark", "prompt_id", "measure", "value")
        .sort("run", "benchmark", "measure", "prompt_id")
    )


class Truncation:
    """How many answers of each run to each benchmark there are, calls that failed left out, and how many of them were
    cut off at the limit of tokens."""

    def __init__(self, results: pl.DataFrame) -> None:
        counted = results.filter(pl.col("finish_reason") != "error").group_by("run", "benchmark").agg(
            (pl.col("finish_reason") == "length").sum(), pl.len()
        )  # fmt: skip
        self.counts: dict[tuple[str, str], tuple[int, int]] = {
            (run, benchmark): (cut, answers) for run, benchmark, cut, answers in counted.rows()
        }

    def share(self, runs: Iterable[str], benchmark: str) -> float:
        """Of all answers of the runs, those that were cut."""
        counts = [self.counts[run, benchmark] for run in runs]
        return sum(cut for cut, _ in counts) / sum(answers for _, answers in counts)
