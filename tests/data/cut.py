"""Cuts the excerpts beside this file: `python tests/data/cut.py FOLDER`, a folder of the full sets, each as
README.md describes it."""

import sys
from pathlib import Path

import polars as pl

HERE = Path(__file__).parent
WHOLE: dict[str, int] = {  # the traces and judgments of one problem in so many, in the order of problem_id
    "zeroeval_gsm": 46, "gsm8k_openai": 13, "prometheus_rubric": 8, "hanna": 8, "llmbar": 7, "pandalm": 5,
}  # fmt: skip
TEXTLESS = ("hanna", "llmbar", "pandalm")  # sets of which no test reads a text: theirs stay with their authors
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


def main(full: Path) -> None:
    for name, every in WHOLE.items():
        one_problem_in(every, name, full)
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
