"""Cuts the excerpts beside this file: `python tests/data/cut.py FOLDER`, a folder of the full sets, each as
README.md describes it."""

import gzip
import json
import sys
from pathlib import Path

import polars as pl

HERE = Path(__file__).parent
WHOLE: dict[str, int] = {  # the traces and judgments of one problem in so many, in the order of problem_id
    "zeroeval_gsm": 46, "gsm8k_openai": 13, "prometheus_rubric": 8, "hanna": 8, "llmbar": 7, "pandalm": 5,
}  # fmt: skip
TEXTLESS = ("hanna", "llmbar", "pandalm")  # sets of which no test reads a text: theirs stay with their authors
TIMES = ("first", "second", "third")  # that GPT-4 was asked for a rating
TEXTS = ("problem", "reference_answer", "trace", "raw")


def save(rows: pl.DataFrame, name: str, file: str) -> None:
    (HERE / name).mkdir(exist_ok=True)
    rows.write_parquet(HERE / name / f"{file}.parquet", compression="zstd", compression_level=19, statistics=False)


def one_problem_in(every: int, name: str, full: Path) -> None:
    """The traces of every so-many-th problem, and the judgments of those traces and of pairs of them."""
    traces = pl.read_parquet(full / name / "traces.parquet")
    traces = traces.filter(
        pl.col("problem_id").is_in(traces["problem_id"].unique().sort().gather_every(every).implode())
    )
    files = {"traces": traces}
    if (full / name / "judgments.parquet").exists():
        there = traces["trace_id"].implode()
        judgments = pl.read_parquet(full / name / "judgments.parquet")
        files["judgments"] = judgments.filter(
            pl.col("target_id").is_in(there) | (pl.col("trace_a").is_in(there) & pl.col("trace_b").is_in(there))
        )
    for file, rows in files.items():
        unread = [one for one in rows.columns if one in (TEXTS if name in TEXTLESS else ("raw",))]
        save(rows.with_columns(pl.lit(None, pl.String).alias(one) for one in unread), name, file)


def rated_responses(full: Path) -> None:
    """One prompt in four of `prometheus_rubric` in the shape of UltraFeedback's file: its four responses, each with
    GPT-4's three ratings and the feedback of the first."""
    traces = pl.read_parquet(full / "prometheus_rubric/traces.parquet")
    judged = pl.read_parquet(full / "prometheus_rubric/judgments.parquet").sort("rep")
    ratings = {one: rows for (one,), rows in judged.group_by("target_id", maintain_order=True)}
    lines = []
    for (problem,), rows in sorted(traces.group_by("problem_id", maintain_order=True))[::4]:
        completions = [
            {
                "model": row["generator"],
                "response": row["trace"],
                "annotations": {
                    name: {"Rating": f"{rating['score']:g}"} | ({"Rationale": rating["raw"]} if name == "first" else {})
                    for name, rating in zip(TIMES, ratings[row["trace_id"]].rows(named=True), strict=True)
                },
            }
            for row in rows.sort("trace_id").rows(named=True)
        ]
        about = {"id": problem, "source": rows["source"][0], "instruction": rows["problem"][0]}
        lines.append(json.dumps(about | {"completions": completions}, ensure_ascii=False) + "\n")
    packed = gzip.compress("".join(lines).encode(), mtime=0)
    (HERE / "preference_sets/rated.jsonl.gz").write_bytes(packed)


def votes(full: Path) -> None:
    """One prompt in two of `pandalm`: a row for each of three people's votes on a pair, with both responses, and what
    two models say of the pair."""
    traces = pl.read_parquet(full / "pandalm/traces.parquet")
    problems = traces["problem_id"].unique().sort().gather_every(2).implode()
    texts = traces.filter(pl.col("problem_id").is_in(problems)).select("trace_id", "problem", "trace", "generator")
    judged = pl.read_parquet(full / "pandalm/judgments.parquet")
    rows = judged.select("target_id", "trace_a", "trace_b").unique()
    for side in "ab":
        named = texts.rename({"trace_id": f"trace_{side}", "trace": f"response_{side}", "generator": f"model_{side}"})
        rows = rows.join(named if side == "a" else named.drop("problem"), on=f"trace_{side}")
    winner = pl.col("score").replace_strict({1.0: "model_a", 0.0: "model_b", 0.5: "tie"}, return_dtype=pl.String)
    said = judged.select("target_id", "judge", "judge_kind", winner.alias("winner"))
    people = said.filter(judge_kind="human").drop("judge_kind").rename({"judge": "annotator"})
    models = said.filter(judge_kind="llm").pivot("judge", index="target_id", values="winner")
    rows = rows.join(people, on="target_id").join(models, on="target_id").drop("trace_a", "trace_b")
    rows = rows.rename({"target_id": "id", "problem": "prompt", "gpt-3.5-turbo": "gpt_35", "pandalm-7b": "pandalm_7b"})
    save(rows.sort("id", "annotator"), "preference_sets", "votes")


def main(full: Path) -> None:
    for name, every in WHOLE.items():
        one_problem_in(every, name, full)
    (HERE / "preference_sets").mkdir(exist_ok=True)
    rated_responses(full)
    votes(full)
    mistakes = pl.read_parquet(full / "big_bench_mistake/traces.parquet")
    save(mistakes.gather_every(mistakes.height // 60), "big_bench_mistake", "traces")
    problems = pl.read_parquet(full / "problems/problems.parquet").select("problem_id", "source", "problem")
    save(
        pl.concat([problems.filter(source="gsm8k/test").gather_every(8), problems.filter(source="svamp").head(250)]),
        "problems",
        "problems",
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
