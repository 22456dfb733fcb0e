"""Published judgments, of people and of models, through pair, delta and reliability."""

import itertools
import json
import re
from collections.abc import Callable
from functools import cache

import numpy as np
import polars as pl
import pytest
import world
from conftest import RUBRIC, Serve
from published import SIZES, published
from server import Answer, Request, good

from curation.calls.ledger import Ledger
from curation.judging.judge import judge as judge_traces
from curation.judging.judges import process
from curation.judging.steps import split_steps
from curation.pairs import delta, pair, pairwise
from curation.reliability import reliability
from curation.tables import contracts, measurements, parquet
from curation.tables.ids import content_ids
from curation.traces import generate

sizes = pytest.mark.parametrize("size", SIZES)


def traces(size: str, name: str) -> pl.DataFrame:
    """The rows of `traces` that a data set's own are; some came without their text."""
    own = published(size, name, "traces")
    finish_reason = pl.when(pl.col("trace").is_null()).then(pl.lit("error")).otherwise(pl.lit("stop"))
    rows = own.select(
        content_ids(own.select("trace_id")).alias("trace_id"),
        content_ids(own.select("problem_id")).alias("prompt_id"),
        "generator",
        pl.col("sample_idx").cast(pl.Int32).alias("sample_index"),
        pl.col("generator_family").alias("family"),
        pl.col("generator_params_b").alias("scale_b"),
        pl.col("trace").alias("completion"),
        finish_reason.alias("finish_reason"),
        pl.lit(None, pl.Int32).alias("n_tokens"),
    )
    return generate.add_text_columns(rows)


@cache
def judgments(size: str, name: str) -> pl.DataFrame:
    """Its judgments of traces; a repeat is a `rep`."""
    own = published(size, name, "judgments").filter(target_kind="trace")
    return own.select(
        content_ids(own.select("target_id")).alias("trace_id"),
        "judge", pl.col("dimension").str.to_lowercase(), pl.col("rep").cast(pl.Int32).alias("repeat"), "score",
        pl.lit(None, pl.Float64).alias("expected_score"),
        pl.when(pl.col("score").is_null()).then(pl.lit("unparsable")).otherwise(pl.lit("scored")).alias("status"),
        pl.lit(None, pl.String).alias("rationale"),
    )  # fmt: skip


@cache
def measured(size: str, name: str) -> tuple[pl.DataFrame, pl.DataFrame, dict[str, pl.DataFrame]]:
    """reliability, pairs and deltas of a data set."""
    written, judged = traces(size, name), judgments(size, name)
    parquet.check(contracts.TRACES, written, name)
    parquet.check(contracts.JUDGMENTS, judged, name)
    dimensions = {
        judge: sorted(rows["dimension"].unique())
        for (judge,), rows in judged.sort("judge").group_by("judge", maintain_order=True)
    }
    pairs = pair.pair(world.pairing(order="both", ladder=[], within_generator=True, samples="all"), written)
    how = delta.Params(**world.DELTA | {"score": "sampled"})
    wide = {judge: delta.deltas(how, pairs, judged.filter(judge=judge), names) for judge, names in dimensions.items()}
    for judge, names in dimensions.items():
        parquet.check(contracts.deltas(names), wide[judge], name)
    seen = reliability.JudgeTables(
        {judge: judged.filter(judge=judge) for judge in dimensions},
        {},
        wide,
        contracts.empty(measurements.PROBABILITIES),
        dimensions,
    )
    table, _ = reliability.reliability(reliability.Params(truth=None, families={}), seen, pairs, written)
    parquet.check(measurements.RELIABILITY, table, name)
    return table, pairs, wide


@sizes
def test_prometheus_repeats_agree_as_its_file_says(size: str) -> None:
    """GPT-4 rated each trace three times; two of its ratings are equal as often as counted from the file, of all 640
    traces in 67 to 70 % of cases."""
    table, _, _ = measured(size, "prometheus_rubric")
    (found,) = table.filter(measure="repeat_agreement").rows(named=True)
    print(f"\nprometheus: repeats agree {found['value']:.3f} [{found['ci_low']:.3f}, {found['ci_high']:.3f}]")
    given = published(size, "prometheus_rubric", "judgments").pivot("rep", index="target_id", values="score")
    equal = [
        one == other for ratings in given.drop("target_id").rows() for one, other in itertools.combinations(ratings, 2)
    ]
    assert (found["n"], found["value"]) == (len(equal), pytest.approx(sum(equal) / len(equal)))
    assert size == "excerpt" or (found["n"] == 3 * 640 and 0.67 <= found["value"] <= 0.70)


def hannas(size: str, judge: str, other: str, dimension: str) -> pl.DataFrame:
    """Mean scores of two judges side by side, straight from the file."""
    own = judgments(size, "hanna").filter(pl.col("dimension") == dimension, pl.col("score").is_not_null())
    mean = {name: own.filter(judge=name).group_by("trace_id").agg(pl.col("score").mean()) for name in (judge, other)}
    return mean[judge].join(mean[other], on="trace_id", suffix="_other")


def _kappa(both: pl.DataFrame) -> float:
    from sklearn.metrics import cohen_kappa_score

    return float(
        cohen_kappa_score(both["score"].cast(pl.Int32), both["score_other"].cast(pl.Int32), weights="quadratic")
    )


def _alpha(both: pl.DataFrame) -> float:
    import krippendorff

    return float(krippendorff.alpha(np.stack([both["score"], both["score_other"]]), level_of_measurement="interval"))


@pytest.mark.slow
@sizes
@pytest.mark.parametrize(("measure", "library"), [("kappa", _kappa), ("alpha", _alpha)])
def test_hannas_judges_agree_as_the_libraries_say(
    measure: str, library: Callable[[pl.DataFrame], float], size: str
) -> None:
    """Six dimensions, three people; alpha also between people and the mean of a model's four prompts."""
    table, _, _ = measured(size, "hanna")
    people = [f"mturk_rater{number}" for number in (1, 2, 3)]
    others = (
        people if measure == "kappa" else [*people, "chatgpt", "mistral-7b"]
    )  # kappa of scikit-learn knows whole scores only
    seen = table.filter(pl.col("measure") == measure, pl.col("judge").is_in(others), pl.col("against").is_in(others))
    assert seen.height == 6 * len(others) * (len(others) - 1)
    for judge, dimension, other, value in seen.select("judge", "dimension", "against", "value").rows():
        assert value == pytest.approx(library(hannas(size, judge, other, dimension)), abs=1e-9)


@pytest.mark.slow
@sizes
def test_hanna_between_people_between_models_and_between_both(size: str) -> None:
    table, _, _ = measured(size, "hanna")
    sorts = [
        pl.when(pl.col(name).str.starts_with("mturk")).then(pl.lit("person")).otherwise(pl.lit("model"))
        for name in ("judge", "against")
    ]
    kinds = table.filter(measure="alpha").with_columns(pl.concat_str(sorts, separator=", ").alias("between"))
    means = kinds.group_by("between").agg(pl.col("value").mean().round(3), pl.len()).sort("between")
    print(f"\nhanna, mean alpha over dimensions: {means.rows()}")
    each = (
        kinds.filter(pl.col("between") != "person, model")
        .group_by("dimension", "between")
        .agg(pl.col("value").mean().round(3))
        .sort("dimension", "between")
    )
    print(each.pivot("between", index="dimension", values="value").rows())
    found = dict(means.select("between", "value").rows())
    assert found["model, person"] == found["person, model"] and -1 < found["person, person"] < 1


@pytest.mark.slow
def test_mrbenchs_eight_dimensions_are_deltas_of_all_its_pairs() -> None:
    """The full set alone: its licence, CC-BY-SA-4.0, lets no excerpt into this project."""
    _, pairs, wide = measured("full", "mrbench")
    (deltas,) = wide.values()
    assert pairs.height == deltas.height == 2 * 6040
    assert sum(name.startswith("delta_") for name in deltas.columns) == 8
    for name in (name for name in deltas.columns if name.startswith("delta_")):
        assert deltas[name].null_count() == 0 and deltas[name].sum() == pytest.approx(
            0, abs=1e-9
        )  # each pair stands in both orders


def compared(size: str, name: str) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """traces, pairs and preferences of a data set of verdicts; trace_a is the chosen one, a second `rep` of a model
    the other order."""
    own, written = published(size, name, "judgments").filter(target_kind="pair"), traces(size, name)
    prompt = dict(written.select("trace_id", "prompt_id").rows())
    ends = own.select(
        content_ids(own.select("trace_a")).alias("chosen_trace_id"),
        content_ids(own.select("trace_b")).alias("rejected_trace_id"),
    )
    ids = content_ids(ends)
    pairs = ends.with_columns(
        ids.alias("pair_id"), pl.col("chosen_trace_id").replace_strict(prompt).alias("prompt_id"),
        identical=False, same_texts_as=pl.lit(None, pl.Int64), chosen_model=pl.lit("a"), rejected_model=pl.lit("b"),
    ).unique("pair_id", maintain_order=True).select(contracts.PAIRS.schema.names)  # fmt: skip
    verdict = pl.col("score").replace_strict(
        {1.0: "chosen", 0.0: "rejected", 0.5: "tie"}, default=None, return_dtype=pl.String
    )
    order = pl.when(pl.col("rep") == 0).then(pl.lit("chosen_first")).otherwise(pl.lit("rejected_first"))
    status = pl.when(pl.col("score").is_null()).then(pl.lit("unparsable")).otherwise(pl.lit("scored"))
    preferences = own.select(
        ids.alias("pair_id"),
        "judge",
        pl.lit("preference").alias("dimension"),
        order.alias("order"),
        pl.lit(0, pl.Int32).alias("repeat"),
        verdict.alias("verdict"),
        pl.lit(None, pl.Float64).alias("strength"),
        pl.lit(None, pl.Float64).alias("p_tie"),
        status.alias("status"),
        pl.lit(None, pl.String).alias("rationale"),
    )
    parquet.check(contracts.PAIRS, pairs, name)
    parquet.check(contracts.PREFERENCES, preferences, name)
    return written, pairs, preferences


def reliability_of(
    judges: list[str], truth: str | None, written: pl.DataFrame, pairs: pl.DataFrame, preferences: pl.DataFrame
) -> pl.DataFrame:
    rows = {judge: preferences.filter(judge=judge) for judge in judges}
    wide = {
        judge: pairwise.pairwise_deltas(delta.Params(**world.DELTA), pairs, rows[judge], ["preference"])
        for judge in judges
    }
    seen = reliability.JudgeTables(
        {}, rows, wide, contracts.empty(measurements.PROBABILITIES), {judge: ["preference"] for judge in judges}
    )
    return reliability.reliability(reliability.Params(truth=truth, families={}), seen, pairs, written)[0]


@sizes
def test_llmbars_judges_are_as_right_and_as_steady_as_its_files_say(size: str) -> None:
    """65 judges, 419 pairs, both orders, against people's verdict: accuracy and position inconsistency of each as
    counted from the file itself."""
    written, pairs, preferences = compared(size, "llmbar")
    own = published(size, "llmbar", "judgments")
    gold = own.filter(judge="gold").select("target_id", pl.col("score").alias("gold"))
    own = own.filter(pl.col("judge") != "gold").join(gold, on="target_id")
    accuracy = (
        own.drop_nulls("score").group_by("judge").agg((pl.col("score") == pl.col("gold")).mean().alias("accuracy"))
    )
    orders = own.pivot("rep", index=["judge", "target_id"], values="score").drop_nulls(["0", "1"])
    wanted = accuracy.join(
        orders.group_by("judge").agg((pl.col("0") != pl.col("1")).mean().alias("inconsistency")), on="judge"
    ).sort("judge")
    assert wanted.height == 65
    for judge, right, inconsistency in wanted.gather_every(13 if size == "excerpt" else 1).rows():
        table = reliability_of(["gold", judge], "gold", written, pairs, preferences).filter(judge=judge)
        found = dict(table.select("measure", "value").rows())
        assert (found["verdict_accuracy"], found["position_inconsistency"]) == (
            pytest.approx(right, abs=1e-9),
            pytest.approx(inconsistency, abs=1e-9),
        )
    family = (
        wanted.group_by(pl.col("judge").str.split("/").list.first().alias("family"))
        .agg(pl.col("accuracy", "inconsistency").mean().round(3))
        .sort("accuracy")
    )
    print(f"\nllmbar, mean accuracy and position inconsistency of a model's prompts: {family.rows()}")
    means = dict(family.select("family", "accuracy").rows())
    if size == "full":  # as the data's own notes give them
        assert (means["GPT-4"], means["PaLM2"]) == (pytest.approx(0.835, abs=1e-3), pytest.approx(0.686, abs=1e-3))


@sizes
def test_pandalms_judges_agree_as_its_file_says(size: str) -> None:
    """999 pairs, three people and two models, one order: verdicts that are equal, and how often a model says what
    the first person says."""
    written, pairs, preferences = compared(size, "pandalm")
    people, models = ["annotator1", "annotator2", "annotator3"], ["gpt-3.5-turbo", "pandalm-7b"]
    table = reliability_of([*people, *models], "annotator1", written, pairs, preferences)
    wide = published(size, "pandalm", "judgments").pivot("judge", index="target_id", values="score")
    for one in (*people, *models):
        for other in (*people, *models):
            if one != other:
                value = table.filter(judge=one, against=other, measure="agreement")["value"].item()
                assert value == pytest.approx(
                    wide.drop_nulls([one, other]).select((pl.col(one) == pl.col(other)).mean()).item(), abs=1e-9
                )
    between = (
        table.filter(pl.col("measure") == "agreement", pl.col("judge") < pl.col("against"))
        .select("judge", "against", pl.col("value").round(3))
        .rows()
    )
    print(f"\npandalm, equal verdicts: {between}")
    decided = wide.filter(pl.col("annotator1") != 0.5).drop_nulls("pandalm-7b")
    right = decided.select(
        pl.when(pl.col("pandalm-7b") == 0.5)
        .then(0.5)
        .otherwise((pl.col("pandalm-7b") == pl.col("annotator1")).cast(pl.Float64))
        .mean()
    ).item()
    assert table.filter(judge="pandalm-7b", measure="verdict_accuracy")["value"].item() == pytest.approx(
        right, abs=1e-9
    )
    assert table.filter(measure="position_inconsistency")["value"].null_count() == 5  # one order only


def steps_of(trace: str) -> list[str]:
    return split_steps(process.Params.model_validate(PROCESS).separator, [trace])[0]


PROCESS = {name: value for name, value in RUBRIC.items() if name not in ("kind", "calls", "dimensions")} | {
    "kind": "process", "separator": r"\n+", "max_steps": 60}  # fmt: skip


@pytest.mark.slow
def test_big_bench_mistakes_steps_are_its_own_and_a_judge_that_knows_finds_the_first_bad_one(
    serve: Serve, ledger: Ledger
) -> None:
    """A model behind a server that says what people said of each step: worst_step and first_bad_step are then
    people's."""
    said = {
        name: pl.col("meta").str.json_path_match(f"$.{path}").cast(pl.Int64)
        for name, path in (("steps", "n_steps"), ("bad", "mistake_index"))
    }
    own = published("excerpt", "big_bench_mistake", "traces").with_columns(**said)
    assert [len(steps_of(trace)) for trace in own["trace"]] == own["steps"].to_list()
    bad = {tuple(steps_of(trace)): first for trace, first in own.select("trace", "bad").rows()}

    def people(request: Request) -> Answer:
        steps = tuple(re.findall(r"(?ms)^Step \d+:\n(.*?)(?=\nStep \d+:\n|\n</trace)", request.last_message))
        first = bad[steps]
        return good(
            json.dumps(
                {
                    f"step_{number}": "valid" if first is None or number <= first else "invalid"
                    for number in range(1, len(steps) + 1)
                }
            )
        )

    written = traces("excerpt", "big_bench_mistake")
    common = {"source": "s", "task": "t", "split": "train", "prompt": [{"role": "user", "content": "p"}]}
    prompt_ids = written["prompt_id"].unique()
    prompts = world.rows_of(contracts.PROMPTS, [{"prompt_id": prompt_id, **common} for prompt_id in prompt_ids])
    settings = process.Params.model_validate(PROCESS | {"endpoint": serve(people).endpoint(concurrency=4).model_dump()})
    rows = judge_traces("steps", settings, written, prompts, ledger)
    parquet.check(contracts.JUDGMENTS, rows, "judgments")
    found = rows.filter(dimension="first_bad_step").select("trace_id", "score")
    wanted = own.select(
        content_ids(own.select("trace_id")).alias("trace_id"),
        pl.coalesce("bad", "steps").cast(pl.Float64).alias("score"),
    )
    assert found.sort("trace_id").equals(wanted.sort("trace_id"))
    assert rows.filter(dimension="worst_step")["score"].to_list().count(1.0) == own["bad"].null_count()
