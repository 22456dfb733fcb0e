"""Published judgments, of people and of models, through pair, delta and reliability."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import krippendorff
import numpy as np
import polars as pl
import pytest
import world
from sklearn.metrics import cohen_kappa_score

from curation import delta, pair, reliability, tables
from curation.tables import content_ids

SHARED = Path(__file__).parents[2] / "shared/data"


def given(name: str, file: str) -> pl.DataFrame:
    where = SHARED / name / f"{file}.parquet"
    if not where.exists():
        pytest.skip(f"{where} is not here")
    return pl.read_parquet(where)


def traces(name: str) -> pl.DataFrame:
    """The rows of `traces` that a data set's own are; some came without their text."""
    own = given(name, "traces")
    return own.select(
        content_ids(own.select("trace_id")).alias("trace_id"), content_ids(own.select("problem_id")).alias("prompt_id"),
        "generator", pl.col("sample_idx").cast(pl.Int32).alias("sample_index"),
        pl.col("generator_family").alias("family"), pl.col("generator_params_b").alias("scale_b"), pl.col("trace").alias("completion"),
        pl.when(pl.col("trace").is_null()).then(pl.lit("error")).otherwise(pl.lit("stop")).alias("finish_reason"), pl.lit(None, pl.Int32).alias("n_tokens"),
    )  # fmt: skip


def judgments(name: str) -> pl.DataFrame:
    """Its judgments of traces; a repeat is a `rep`."""
    own = given(name, "judgments").filter(target_kind="trace")
    return own.select(
        content_ids(own.select("target_id")).alias("trace_id"),
        "judge", pl.col("dimension").str.to_lowercase(), pl.col("rep").cast(pl.Int32).alias("repeat"), "score",
        pl.lit(None, pl.Float64).alias("expected_score"),
        pl.when(pl.col("score").is_null()).then(pl.lit("unparsable")).otherwise(pl.lit("scored")).alias("status"),
        pl.lit(None, pl.String).alias("rationale"),
    )  # fmt: skip


@cache
def measured(name: str) -> tuple[pl.DataFrame, pl.DataFrame, dict[str, pl.DataFrame]]:
    """reliability, pairs and deltas of a data set."""
    written, judged = traces(name), judgments(name)
    tables.check(tables.TRACES, written, name)
    tables.check(tables.JUDGMENTS, judged, name)
    dimensions = {judge: sorted(rows["dimension"].unique()) for (judge,), rows in judged.sort("judge").group_by("judge", maintain_order=True)}
    pairs = pair.pair(pair.Params(order="both", ladder=[], within_generator=True, samples="all"), written)
    how = delta.Params(**world.DELTA | {"score": "sampled"})
    wide = {judge: delta.deltas(how, pairs, judged.filter(judge=judge), names) for judge, names in dimensions.items()}
    for judge, names in dimensions.items():
        tables.check(tables.deltas(names), wide[judge], name)
    seen = reliability.Judged({judge: judged.filter(judge=judge) for judge in dimensions}, {}, wide, tables.empty(tables.PROBABILITIES), dimensions)
    table, _ = reliability.reliability(reliability.Params(truth=None, families={}), seen, pairs, written)
    tables.check(tables.RELIABILITY, table, name)
    return table, pairs, wide


def test_prometheus_repeats_agree_as_its_file_says() -> None:
    """GPT-4 rated each of 640 traces three times; two of its ratings are equal in 67 to 70 % of cases."""
    table, _, _ = measured("prometheus_rubric")
    (found,) = table.filter(measure="repeat_agreement").rows(named=True)
    print(f"\nprometheus: repeats agree {found['value']:.3f} [{found['ci_low']:.3f}, {found['ci_high']:.3f}]")
    assert found["n"] == 3 * 640 and 0.67 <= found["value"] <= 0.70


def hannas(judge: str, other: str, dimension: str) -> pl.DataFrame:
    """Mean scores of two judges side by side, straight from the file."""
    own = judgments("hanna").filter(pl.col("dimension") == dimension, pl.col("score").is_not_null())
    mean = {name: own.filter(judge=name).group_by("trace_id").agg(pl.col("score").mean()) for name in (judge, other)}
    return mean[judge].join(mean[other], on="trace_id", suffix="_other")


def _kappa(both: pl.DataFrame) -> float:
    return float(cohen_kappa_score(both["score"].cast(pl.Int32), both["score_other"].cast(pl.Int32), weights="quadratic"))


def _alpha(both: pl.DataFrame) -> float:
    return float(krippendorff.alpha(np.stack([both["score"], both["score_other"]]), level_of_measurement="interval"))


@pytest.mark.parametrize(("measure", "library"), [("kappa", _kappa), ("alpha", _alpha)])
def test_hannas_judges_agree_as_the_libraries_say(measure: str, library: Callable[[pl.DataFrame], float]) -> None:
    """Six dimensions, three people; alpha also between people and the mean of a model's four prompts."""
    table, _, _ = measured("hanna")
    people = [f"mturk_rater{number}" for number in (1, 2, 3)]
    others = people if measure == "kappa" else [*people, "chatgpt", "mistral-7b"]  # kappa of scikit-learn knows whole scores only
    seen = table.filter(pl.col("measure") == measure, pl.col("judge").is_in(others), pl.col("against").is_in(others))
    assert seen.height == 6 * len(others) * (len(others) - 1)
    for judge, dimension, other, value in seen.select("judge", "dimension", "against", "value").rows():
        assert value == pytest.approx(library(hannas(judge, other, dimension)), abs=1e-9)


def test_hanna_between_people_between_models_and_between_both() -> None:
    table, _, _ = measured("hanna")
    kinds = table.filter(measure="alpha").with_columns(
        pl.concat_str([pl.when(pl.col(name).str.starts_with("mturk")).then(pl.lit("person")).otherwise(pl.lit("model")) for name in ("judge", "against")],
                      separator=", ").alias("between"))  # fmt: skip
    means = kinds.group_by("between").agg(pl.col("value").mean().round(3), pl.len()).sort("between")
    print(f"\nhanna, mean alpha over dimensions: {means.rows()}")
    found = dict(means.select("between", "value").rows())
    assert found["model, person"] == found["person, model"] and -1 < found["person, person"] < 1


def test_mrbenchs_eight_dimensions_are_deltas_of_all_its_pairs() -> None:
    _, pairs, wide = measured("mrbench")
    (deltas,) = wide.values()
    assert pairs.height == deltas.height == 2 * 6040
    assert sum(name.startswith("delta_") for name in deltas.columns) == 8
    for name in (name for name in deltas.columns if name.startswith("delta_")):
        assert deltas[name].null_count() == 0 and deltas[name].sum() == pytest.approx(0, abs=1e-9)  # each pair stands in both orders
