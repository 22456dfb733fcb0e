"""The stage `reliability` on synthetic judgments, two judges of five dimensions, against a loop over prompts in pandas
and scipy. Seconds and peak memory.

python -m bench.reliability [TRACES]
"""

import resource
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
from scipy import stats

from curation.reliability.reliability import JudgeTables, Params, reliability
from curation.tables import contracts, measurements
from curation.tables.table import Table
from curation.traces.generate import add_text_columns

DIMENSIONS = {"answer": ["correct"], **{judge: [f"d{number}" for number in range(5)] for judge in ("a", "b")}}
EACH = 4  # traces of a prompt


def study(count: int) -> tuple[dict[str, pl.DataFrame], dict[str, pl.DataFrame], pl.DataFrame, pl.DataFrame]:
    """Judgments, deltas, pairs and traces: `count` traces, a pair of each two, a quality that every dimension sees
    with noise of its own."""
    source = np.random.default_rng(0)
    trace = np.arange(count)
    right = source.random(count) < 0.5
    texts = pl.Series(["x" * size for size in source.integers(20, 60, 997)])
    traces = add_text_columns(
        rows_of(
            contracts.TRACES,
            trace_id=trace,
            prompt_id=trace // EACH,
            generator="g",
            sample_index=trace % EACH,
            completion=texts.gather(trace % 997),
            finish_reason="stop",
        )
    )
    pairs = rows_of(
        contracts.PAIRS,
        pair_id=trace[::2],
        prompt_id=trace[::2] // EACH,
        chosen_trace_id=trace[::2],
        rejected_trace_id=trace[1::2],
        chosen_model="g",
        rejected_model="g",
        identical=False,
    )
    judgments, deltas = {}, {}
    for judge, dimensions in DIMENSIONS.items():
        parts = []
        wide = pairs.select("pair_id")
        for dimension in dimensions:
            score = (
                right.astype(float)
                if judge == "answer"
                else np.clip(np.round(3 + right + source.normal(size=count)), 1, 5)
            )
            rated = {"trace_id": trace, "judge": judge, "dimension": dimension, "repeat": 0, "score": score}
            parts.append(rows_of(contracts.JUDGMENTS, **rated, status="scored"))
            wide = wide.with_columns(
                pl.Series(f"delta_{dimension}", score[::2] - score[1::2]),
                pl.lit(1).alias(f"n_{dimension}"),
                pl.lit(None, pl.Float64).alias(f"sd_{dimension}"),
                pl.lit(None, pl.Boolean).alias(f"within_noise_{dimension}"),
            )
        judgments[judge], deltas[judge] = pl.concat(parts), wide
    return judgments, deltas, pairs, traces


def rows_of(table: Table, **columns: Any) -> pl.DataFrame:
    """Rows of `table`; a column that is not given is null."""
    schema = contracts.empty(table).schema
    return pl.DataFrame({name: columns.get(name) for name in schema}, schema=schema)


def measure(
    judgments: dict[str, pl.DataFrame], deltas: dict[str, pl.DataFrame], pairs: pl.DataFrame, traces: pl.DataFrame
) -> None:
    tables = JudgeTables(judgments, {}, deltas, contracts.empty(measurements.PROBABILITIES), DIMENSIONS)
    reliability(Params(truth="answer", families={}), tables, pairs, traces)


def loop_over_prompts(
    judgments: dict[str, pl.DataFrame], deltas: dict[str, pl.DataFrame], pairs: pl.DataFrame, traces: pl.DataFrame
) -> None:
    """The same means with their clustered errors, and the correlations and kappas without any, prompt by prompt."""
    length = traces["characters"].to_numpy()
    right = judgments["answer"].sort("trace_id")["score"].to_numpy()
    chosen, rejected = pairs["chosen_trace_id"].to_numpy(), pairs["rejected_trace_id"].to_numpy()
    for judge, dimensions in DIMENSIONS.items():
        for dimension in dimensions:
            scored = judgments[judge].filter(dimension=dimension).to_pandas()
            clustered_mean(
                scored.assign(value=(scored["status"] == "scored").astype(float), prompt=scored["trace_id"] // EACH)
            )
            delta = deltas[judge][f"delta_{dimension}"].to_numpy()
            frame = pd.DataFrame(
                {
                    "prompt": pairs["prompt_id"].to_numpy(),
                    "delta": delta,
                    "ratio": np.log(length[chosen] / length[rejected]),
                }
            )
            clustered_mean(frame.assign(value=(frame["delta"] == 0).astype(float)))
            stats.pearsonr(frame["ratio"], frame["delta"])
            labelled = frame[right[chosen] != right[rejected]]
            clustered_mean(labelled.assign(value=(labelled["delta"] > 0) + 0.5 * (labelled["delta"] == 0)))


def clustered_mean(frame: pd.DataFrame) -> tuple[float, float]:
    mean = frame["value"].mean()
    squares = sum((group["value"].to_numpy() - mean).sum() ** 2 for _, group in frame.groupby("prompt"))
    return float(mean), float(np.sqrt(squares)) / len(frame)


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    judgments, deltas, pairs, traces = study(count)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    mine = seconds(lambda: measure(judgments, deltas, pairs, traces))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{count} traces, {sum(rows.height for rows in judgments.values())} judgments, {pairs.height} pairs:"
        f" {mine:.1f} s, peak {peak:.0f} MB ({before:.0f} MB with the tables alone)"
    )
    small_count = min(count, 100_000)
    small = study(small_count)
    ours, loop = seconds(lambda: measure(*small)), seconds(lambda: loop_over_prompts(*small))
    print(
        f"{small_count} traces: {ours:.2f} s, loop over prompts {loop:.1f} s: {loop / ours:.1f} times as long,"
        " for fewer measures"
    )


if __name__ == "__main__":
    main()
