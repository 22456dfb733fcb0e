"""The first study on a GPU, of whose runs tests/data/gpu_study has every answer's verdict: what each gained over the
untrained student, whether the direction of the labels matters, and whether the gain grows with the generator-level
delta, by the code that `compare` runs.

python -m bench.gpu_study
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl

from curation.core.params import BASELINE
from curation.experiment.compare import compare
from curation.experiment.estimate import Estimate, estimate
from curation.experiment.values import AVERAGE, Answers, ArmKey, DeclaredRuns, study_values

RESULTS = Path(__file__).parents[1] / "tests/data/gpu_study/results.parquet"
IN_DOMAIN, OUT_OF_DOMAIN = "gsm8k_held_out", "out_of_domain"
ARMS = {  # method, selection, control: what it learnt from, and its delta in correctness, as the study noted
    ("dpo", "command_r", "itself"): ("command-r over gemma2-2b", 0.015),
    ("dpo", "qwen2_7b", "itself"): ("qwen2-7b over gemma2-2b", 0.284),
    ("dpo", "llama_70b", "itself"): ("llama-70b over gemma2-2b", 0.424),
    ("dpo", "llama_405b", "itself"): ("llama-405b over gemma2-2b", 0.442),
    ("dpo", "even_405b", "itself"): ("the same, lengths most equal", 0.442),
    ("dpo", "llama_405b", "reversed"): ("llama-405b, reversed", -0.442),
    ("dpo", "null_405b", "itself"): ("llama-405b on two hosts", -0.002),
    ("dpo", "cell_rw", "itself"): ("right over wrong", None),
    ("dpo", "cell_rr", "itself"): ("right over right", None),
    ("dpo", "cell_ww", "itself"): ("wrong over wrong", None),
    ("kto", "llama_405b", "itself"): ("KTO, llama-405b over gemma2-2b", 0.442),
}
RUNGS = ("command_r", "qwen2_7b", "llama_70b", "llama_405b")


def main() -> None:
    """Prints the gains as a table, then the two contrasts."""
    results = sound_results()
    print("\n".join(tabulate(compared(pooled(results)))))
    for name, contrast in contrasts(results):
        print(f"{name}: {show(contrast.value)}, {contrast.low:.3f} to {contrast.high:.3f}")


def sound_results() -> pl.DataFrame:
    """The results without those of weights that are not finite."""
    return pl.read_parquet(RESULTS).filter(~pl.col("nan_weights"))


def pooled(results: pl.DataFrame) -> pl.DataFrame:
    """The results with what is out of domain as one benchmark."""
    outside = pl.col("split") == OUT_OF_DOMAIN
    return results.with_columns(pl.when(outside).then("split").otherwise("benchmark").alias("benchmark"))


def declared_runs(results: pl.DataFrame) -> DeclaredRuns:
    """The runs by their names, which say what each is."""
    arms = {}
    for run in results["run"].unique().sort():
        if run != BASELINE:
            method, selection, *rest, _ = run.split("-")
            arms[run] = (method, selection, *rest)
    return DeclaredRuns(arms, dict.fromkeys(arms, 0), frozenset({"itself"}))


def compared(results: pl.DataFrame) -> pl.DataFrame:
    """The rows of `comparisons` of avg@1."""
    declared = declared_runs(results)
    values = study_values(declared, results)
    return compare(declared, values, Answers(results), {}, {}).filter(measure=f"{AVERAGE}@1")


def tabulate(comparisons: pl.DataFrame) -> Iterator[str]:
    """A line for each arm and the student, in the order of ARMS: values or gains over it, and what share of its answers
    was cut, in domain and out of it."""
    yield "| learnt from | delta | GSM8K gain | 95 % | cut | out of domain | 95 % | cut |"
    yield "|---|---|---|---|---|---|---|---|"
    for (method, selection, control), (name, delta) in ARMS.items():
        rows = comparisons.filter(method=method, selection=selection, control=control, against=BASELINE)
        cells = [name, "" if delta is None else show(delta)]
        for benchmark in (IN_DOMAIN, OUT_OF_DOMAIN):
            row = rows.row(by_predicate=pl.col("benchmark") == benchmark, named=True)
            interval = f"{row['ci_low']:.3f} to {row['ci_high']:.3f}"
            cells += [show(row["gain"]), interval, f"{row['truncated']:.0%}".replace("%", " %")]
        yield f"| {' | '.join(cells)} |"


def contrasts(results: pl.DataFrame) -> Iterator[tuple[str, Estimate]]:
    """Each of `declared`."""
    values = study_values(declared_runs(results), results)
    study = {benchmark: of for (benchmark, measure), of in values.items() if measure == AVERAGE}
    for name, arms, benchmark in declared():
        yield name, estimate(arms, {benchmark: 1.0}, study)


def declared() -> Iterator[tuple[str, dict[ArmKey, float], str]]:
    """The widest rung less its reverse, and the slope of the four rungs, per unit of the generator-level delta: the
    weights of arms, and the benchmark."""

    def arm(selection: str, control: str) -> ArmKey:
        return ("dpo", selection, "any", "own", control)

    direction = {arm("llama_405b", "itself"): 1.0, arm("llama_405b", "reversed"): -1.0}
    for benchmark in (IN_DOMAIN, "svamp", "math_easy"):
        yield f"llama-405b less its reverse, {benchmark}", direction, benchmark
    deltas = np.array([ARMS["dpo", rung, "itself"][1] for rung in RUNGS])
    centred = deltas - deltas.mean()
    slope = centred / (centred**2).sum()
    by_rung = {arm(rung, "itself"): float(weight) for rung, weight in zip(RUNGS, slope, strict=True)}
    yield f"gain a unit of delta over four rungs, {IN_DOMAIN}", by_rung, IN_DOMAIN


def show(value: float) -> str:
    """With its sign."""
    return f"{value:+.3f}"


if __name__ == "__main__":
    main()
