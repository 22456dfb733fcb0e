"""The stage `reliability` on synthetic judgments, two judges of five dimensions, against a loop over prompts in pandas
and scipy. Seconds and peak memory.

python -m bench.reliability [TRACES]
"""

import resource
import sys
import time
from collections.abc import Callable

import numpy as np
import pandas as pd
import polars as pl
from scipy import stats

from curation.reliability.reliability import JudgeTables, Params, reliability
from curation.tables import contracts

DIMENSIONS = {"answer": ["correct"], **{judge: [f"d{number}" for number in range(5)] for judge in ("a", "b")}}
EACH = 4  # traces of a prompt


def study(count: int) -> tuple[dict[str, pl.DataFrame], dict[str, pl.DataFrame], pl.DataFrame, pl.DataFrame]:
    """Judgments, deltas, pairs and traces: `count` traces, a pair of each two, a quality that every dimension sees
    with noise of its own."""
    source = np.random.default_rng(0)
    trace = np.arange(count)
    right = source.random(count) < 0.5
    schema = contracts.empty(contracts.TRACES).schema
    traces = pl.DataFrame({"trace_id": trace, "prompt_id": trace // EACH, "generator": "g", "sample_index": trace % EACH, "family": None, "scale_b": None,
                           "completion": pl.Series(["x" * size for size in source.integers(20, 60, 997)]).gather(trace % 997), "finish_reason": "stop",
                           "n_tokens": None}, schema=schema)  # fmt: skip
    pairs = pl.DataFrame({"pair_id": trace[::2], "prompt_id": trace[::2] // EACH, "chosen_trace_id": trace[::2], "rejected_trace_id": trace[1::2],
                          "chosen_model": "g", "rejected_model": "g", "identical": False}, schema=contracts.empty(contracts.PAIRS).schema)  # fmt: skip
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
            parts.append(pl.DataFrame({"trace_id": trace, "judge": judge, "dimension": dimension, "repeat": 0, "score": score, "expected_score": None,
                                       "status": "scored", "rationale": None}, schema=contracts.empty(contracts.JUDGMENTS).schema))  # fmt: skip
            wide = wide.with_columns(pl.Series(f"delta_{dimension}", score[::2] - score[1::2]), pl.lit(1).alias(f"n_{dimension}"),
                                     pl.lit(None, pl.Float64).alias(f"sd_{dimension}"),
                                     pl.lit(None, pl.Boolean).alias(f"within_noise_{dimension}"))  # fmt: skip
        judgments[judge], deltas[judge] = pl.concat(parts), wide
    return judgments, deltas, pairs, traces


def measured(
    judgments: dict[str, pl.DataFrame], deltas: dict[str, pl.DataFrame], pairs: pl.DataFrame, traces: pl.DataFrame
) -> None:
    tables = JudgeTables(judgments, {}, deltas, contracts.empty(contracts.PROBABILITIES), DIMENSIONS)
    reliability(Params(truth="answer", families={}), tables, pairs, traces)


def by_loop(
    judgments: dict[str, pl.DataFrame], deltas: dict[str, pl.DataFrame], pairs: pl.DataFrame, traces: pl.DataFrame
) -> None:
    """The same means with their clustered errors, and the correlations and kappas without any, prompt by prompt."""
    length = traces["completion"].str.len_chars().to_numpy()
    right = judgments["answer"].sort("trace_id")["score"].to_numpy()
    chosen, rejected = pairs["chosen_trace_id"].to_numpy(), pairs["rejected_trace_id"].to_numpy()
    for judge, dimensions in DIMENSIONS.items():
        for dimension in dimensions:
            scored = judgments[judge].filter(dimension=dimension).to_pandas()
            clustered(
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
            clustered(frame.assign(value=(frame["delta"] == 0).astype(float)))
            stats.pearsonr(frame["ratio"], frame["delta"])
            told = frame[right[chosen] != right[rejected]]
            clustered(told.assign(value=(told["delta"] > 0) + 0.5 * (told["delta"] == 0)))


def clustered(frame: pd.DataFrame) -> tuple[float, float]:
    mean = frame["value"].mean()
    squares = sum((group["value"].to_numpy() - mean).sum() ** 2 for _, group in frame.groupby("prompt"))
    return float(mean), float(np.sqrt(squares)) / len(frame)


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    made = study(count)
    judgments, deltas, pairs, traces = made
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    mine = seconds(lambda: measured(judgments, deltas, pairs, traces))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{count} traces, {sum(one.height for one in judgments.values())} judgments, {pairs.height} pairs: {mine:.1f} s, "
        f"peak {peak:.0f} MB ({before:.0f} MB with the tables alone)"
    )
    few = min(count, 100_000)
    small = study(few)
    ours, loop = seconds(lambda: measured(*small)), seconds(lambda: by_loop(*small))
    print(
        f"{few} traces: {ours:.2f} s, loop over prompts {loop:.1f} s: {loop / ours:.1f} times as long, for fewer figures"
    )


if __name__ == "__main__":
    main()
