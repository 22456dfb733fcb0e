"""The process judge on BIG-Bench Mistake (github.com/WHGTyen/BIG-Bench-Mistake), whose first wrong steps people marked:
how often it finds them.

python -m bench.mistakes traces.parquet URL MODEL [TRACES A TASK]

`traces.parquet` has source, problem, trace, and meta with n_steps and mistake_index. Replies are kept in
.curation/bench.sqlite.
"""

import sys
from pathlib import Path

import polars as pl

from curation.calls.ledger import Ledger, Params
from curation.core.stats import clustered_mean
from curation.judging.judge import judge
from curation.judging.judges import process
from curation.tables import contracts
from curation.tables.ids import content_ids

INSTRUCTIONS = """You check a solution step by step. For each step say whether it follows from the problem and the \
steps before it: valid, neutral
(neither right nor wrong, such as a restatement), or invalid (a mistake). Reply with JSON only."""


def settings(url: str, model: str) -> process.Params:
    endpoint = {
        "base_url": url,
        "engine": "local",
        "api_key_env": None,
        "concurrency": 2,
        "timeout_s": 900.0,
        "max_retries": 1,
        "validation_retries": 0,
    }
    return process.Params.model_validate({
        "kind": "process", "model": model, "revision": "local", "endpoint": endpoint, "repeats": 1,
        "sampling": {"temperature": 0.0, "max_tokens": 512, "seed": 0, "top_logprobs": 0},
        "reference": False, "rationale": False, "instructions": INSTRUCTIONS, "separator": r"\n+", "max_steps": 40,
    })  # fmt: skip


def study(file: str, each: int) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Traces and prompts of every task's first `each` short traces, by a hash, and the truth: task, first bad step,
    whether there is one."""
    own = pl.read_parquet(file).with_columns(
        content_ids(pl.read_parquet(file).select("trace_id")).alias("id"),
        pl.col("source").str.split("/").list.last().alias("task"),
        pl.col("meta").str.json_path_match("$.n_steps").cast(pl.Float64).alias("steps"),
        pl.col("meta").str.json_path_match("$.mistake_index").cast(pl.Float64).alias("mistake"),
    )
    own = (
        own.filter(pl.col("trace").str.len_chars() < 1500)
        .sort("id")
        .group_by("task", maintain_order=True)
        .head(each)
        .sort("id")
    )
    truth = own.select(
        pl.col("id").alias("trace_id"),
        "task",
        pl.coalesce("mistake", "steps").alias("bad"),
        pl.col("mistake").is_not_null().alias("wrong"),
    )
    columns = {
        "trace_id": own["id"], "prompt_id": own["id"], "generator": "palm-2-l-unicorn", "sample_index": 0,
        "family": "palm-2", "scale_b": None, "completion": own["trace"], "finish_reason": "stop", "n_tokens": None,
    }  # fmt: skip
    traces = pl.DataFrame(columns, schema=contracts.empty(contracts.TRACES).schema)
    rows = [
        {
            "prompt_id": trace,
            "source": "bbm",
            "task": task,
            "split": "train",
            "prompt": [{"role": "user", "content": problem}],
        }
        for trace, task, problem in own.select("id", "task", "problem").rows()
    ]
    return traces, pl.DataFrame(rows, schema=contracts.empty(contracts.PROMPTS).schema), truth


def main() -> None:
    file, url, model = sys.argv[1:4]
    traces, prompts, truth = study(file, int(sys.argv[4]) if len(sys.argv) > 4 else 8)
    Path(".curation").mkdir(exist_ok=True)
    with Ledger(
        Params(path=".curation/bench.sqlite", recorded=".curation/none", offline=False, max_failed=1.0)
    ) as ledger:
        rows = judge("steps", settings(url, model), traces, prompts, ledger)
    judged = (
        rows.pivot("dimension", index=["trace_id", "status"], values="score")
        .join(truth, on="trace_id")
        .sort("trace_id")
    )
    scored = judged.filter(status="scored")
    print(f"{scored.height} of {judged.height} traces scored")
    exact, flagged = pl.col("first_bad_step") == pl.col("bad"), pl.col("worst_step") < 0
    for what, subset, holds in (
        ("first bad step, or none, found exactly", scored, exact),
        ("the same of traces with a mistake", scored.filter("wrong"), exact),
        ("traces with a mistake that are called bad", scored.filter("wrong"), flagged),
        ("traces without one that are called bad", scored.filter(~pl.col("wrong")), flagged),
        ("if it always said the first step", scored, pl.col("bad") == 0),
        ("if it always said none", scored, ~pl.col("wrong")),
    ):
        share = clustered_mean(subset.select(holds.cast(pl.Float64).alias("x"))["x"], subset["trace_id"])
        interval = f"{share.mean:.3f} [{share.low:.3f}, {share.high:.3f}]" if share else "-"
        print(f"{what}: {interval}, n = {subset.height}")
    print(scored.group_by("task").agg(exact.mean().round(3).alias("exact"), pl.len()).sort("task").rows())


if __name__ == "__main__":
    main()
