"""The same bytes on however many threads. Kind of fault: a sum of floats that Polars, DuckDB or BLAS cuts into a part
for each thread, so that the last digit is by how many there are, or which ended first. What is printed here is not
rounded, as tables are: a rounding hides it on most values, and not on all."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import polars as pl
import pytest
import world

from curation.core import metrics
from curation.core.stats import stable_mean, stable_sum
from curation.experiment import values
from curation.experiment.contrast_rows import DeltaRow
from curation.experiment.properties import delta_slope
from curation.pairs import pairwise
from curation.pairs.delta import Params as DeltaParams
from curation.reliability import calibrate
from curation.selection.candidates import from_frames
from curation.tables import db
from curation.tables.contracts import ORDERS

ROWS, FEW = 300_000, 7  # of a table, and groups or generators that have them: few enough for Polars to cut a group
THREADS = ("1", "2", "7")


def sha(*columns: pl.Series) -> str:
    return hashlib.sha256(b"".join(column.to_numpy().tobytes() for column in columns)).hexdigest()[:12]


def uneven(source: np.random.Generator, count: int) -> np.ndarray:
    """Values of very different magnitude, most of whose sums have to be rounded."""
    return source.normal(size=count) * 10.0 ** source.integers(-6, 6, count)


def of_polars() -> Iterator[str]:
    source = np.random.default_rng(0)
    rows = pl.DataFrame({"of": source.integers(0, FEW, ROWS), "value": uneven(source, ROWS)})
    for stable in (stable_mean, stable_sum):
        yield sha(rows.group_by("of").agg(stable(pl.col("value"))).sort("of")["value"])
    yield repr(metrics.mean(rows.filter(pl.col("of") > 1)["value"]))  # as many pieces as threads


def of_duckdb(threads: int) -> Iterator[str]:
    source = np.random.default_rng(0)
    column = {"of": source.integers(0, FEW, ROWS), "value": uneven(source, ROWS), "small": source.normal(size=ROWS)}
    with db.connect(world.PARAMS) as connection:
        connection.execute(f"set threads = {threads}")
        connection.register("rows_here", pl.DataFrame(column | {"huge": column["value"] * 1e25}).to_arrow())
        for name in ("value", "small", "huge"):
            yield repr(
                connection.sql(f"select of, exact_mean({name}) from rows_here group by of order by of").fetchall()
            )


def of_answers() -> Iterator[str]:
    """A run that answers few prompts many times."""
    source = np.random.default_rng(0)
    sample = pl.Series(np.tile(np.arange(ROWS // FEW, dtype=np.int32), FEW))
    scores = {"score": uneven(source, len(sample)), "status": "scored", "finish_reason": "stop"}
    prompt = np.arange(FEW).repeat(ROWS // FEW)
    rows = pl.DataFrame({"run": "r", "benchmark": "b", "prompt_id": prompt, "sample_index": sample, **scores})
    yield sha(*values.prompt_values(rows).select(values.AVERAGE).get_columns())


def of_pairs() -> Iterator[str]:
    """Many pairs by few generators: their trend, and calibration."""
    source, count = np.random.default_rng(0), ROWS // 6
    ids = np.arange(count)
    by = source.integers(0, FEW, count)
    pairs = pl.DataFrame({
        "pair_id": ids, "prompt_id": ids // 4, "chosen_trace_id": 2 * ids, "rejected_trace_id": 2 * ids + 1,
        "chosen_model": [f"g{number}" for number in by], "rejected_model": "low", "identical": False,
    })  # fmt: skip
    delta = np.round(source.normal(by / FEW, 1.0, count), 9)
    wide = pl.DataFrame({"pair_id": ids, "delta_x": delta, "chosen_x": delta, "rejected_x": 0.0})
    right = np.where(source.random(count) < 1 / (1 + np.exp(-delta)), 1.0, -1.0)
    truth = pl.DataFrame({"pair_id": ids, "delta_t": right + by / 100})
    found = delta_slope(
        DeltaRow("x", "", "rubric.delta_x", "true", "truth.delta_t", None),
        from_frames(pairs, {"rubric": wide, "truth": truth}),
    )
    yield repr((found.value, found.standard_error, found.rungs))
    x = np.tile(delta[right > 0], 10)  # so many that BLAS adds them on several threads
    yield sha(pl.Series(calibrate._fit_platt(np.concatenate([x, -x]), np.repeat([1.0, 0.0], len(x)), delta)))


def of_verdicts() -> Iterator[str]:
    """Few pairs that are judged many times over, by probabilities."""
    source, study = np.random.default_rng(0), world.sound()
    ids = study.pairs.filter(~pl.col("identical"))["pair_id"].sort().head(FEW)
    asked = ids.to_frame().join(pl.DataFrame({"order": ORDERS}), how="cross")
    rows = asked.join(pl.DataFrame({"repeat": np.arange(3000, dtype=np.int32)}), how="cross")
    strength = pl.Series("strength", np.round(np.tanh(source.normal(0.2, 0.7, rows.height)) * 0.9, 9))
    rows = rows.with_columns(
        strength, judge=pl.lit("versus"), dimension=pl.lit("preference"), p_tie=pl.lit(0.05), status=pl.lit("scored"),
        verdict=pl.when(strength > 0).then(pl.lit("chosen")).otherwise(pl.lit("rejected")), rationale=pl.lit(None),
    )  # fmt: skip
    made = pairwise.pairwise_deltas(DeltaParams(**world.DELTA), study.pairs, rows, ["preference"])
    yield sha(*(made[f"{name}_preference"].drop_nulls() for name in ("chosen", "delta", "sd", "bias")))


@pytest.fixture(scope="module")
def printed() -> dict[str, list[str]]:
    """What this file prints in a process that has so many threads."""
    found = {}
    for threads in THREADS:
        own = dict.fromkeys(("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), threads)
        done = subprocess.run(
            [sys.executable, __file__, threads], env=os.environ | own | {"PYTHONHASHSEED": threads},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        found[threads] = done.stdout.splitlines()
    return found


def test_what_is_computed_is_the_same(printed: dict[str, list[str]]) -> None:
    one, *others = printed.values()
    assert len(one) == 10 and "nan" not in "".join(one)
    assert others == [one, one]


def test_a_mean_of_billionths_is_the_mean() -> None:
    with db.connect(world.PARAMS) as connection:
        for rows, mean in (
            ("(0.1), (0.2), (0.6)", 0.3), ("(1e25), (0.5)", 5e24), ("(null)", None), ("(2), (null)", 2.0),
            ("(9e18), (9e18), (9e18)", 9e18),
        ):  # fmt: skip
            asked = f"select exact_mean(x::double) from (values {rows}) as t(x)"
            assert connection.sql(asked).fetchall() == [(mean,)]


if __name__ == "__main__":
    for line in (*of_polars(), *of_duckdb(int(sys.argv[1])), *of_answers(), *of_pairs(), *of_verdicts()):
        print(line)
