"""What is measured of judges: by hand in the small world, and of planted judges whose faults are known, over a
socket and then in many draws."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import numpy as np
import planted
import polars as pl
import pytest
import world
from conftest import RUBRIC, Serve

from curation.calls.ledger import Ledger
from curation.core.metrics import mean
from curation.judging.judge import judge
from curation.judging.judges import rubric
from curation.judging.pairwise_judges import verdict
from curation.judging.prefer import prefer
from curation.pairs import delta, pair, pairwise
from curation.pairs.sides import join_sides
from curation.reliability import calibrate, measures, reliability
from curation.tables import contracts, measurements, parquet
from curation.tables.table import Table
from curation.traces import generate

# of 800 seeds from 2000 on, each interval covers in 0.935 to 0.960; a block of 200 may miss 0.93 by luck
FIRST_SEED = 2050
LEAST = {40: 0.85, 200: 0.93}  # by how many draws: the share of intervals that cover, and of verdicts that are right
FAMILIES = dict.fromkeys((*planted.REPEATS, *planted.PAIRWISE), "own")


def row(table: pl.DataFrame, judge: str, dimension: str, measure: str, against: str) -> dict[str, Any]:
    rows = table.filter(judge=judge, dimension=dimension, measure=measure, against=against)
    return rows.select("value", "n", "clusters", "suspect").rows(named=True)[0]


def test_the_small_world_by_hand() -> None:
    table = world.sound().reliability
    parquet.check(measurements.RELIABILITY, table, "reliability")
    assert row(table, "rubric", "logic", "coverage", "") == {
        "value": 17 / 20,
        "n": 20,
        "clusters": 3,
        "suspect": True,
    }
    assert row(table, "rubric", "logic", "repeat_agreement", "repeats") == {
        "value": 6 / 8,
        "n": 8,
        "clusters": 3,
        "suspect": False,
    }
    # exactly one right: plus, large and medium above small's first and small's second above its first, in either order;
    # times, large below medium; minus, small below both others
    wins = row(table, "rubric", "logic", "pairwise_accuracy", "answer")
    assert (round(wins["value"], 9), wins["n"]) == (round(4 / 7, 9), 7)
    # versus: of 16 verdicts on 8 pairs, 4 pairs have large's trace as the chosen one, which wins in both orders; in the
    # other 4 the first wins
    assert row(table, "versus", "preference", "position_inconsistency", "order") == {
        "value": 4 / 8,
        "n": 8,
        "clusters": 3,
        "suspect": True,
    }
    assert row(table, "versus", "preference", "first_position_rate", "order")["value"] == 12 / 16


def test_repeats_of_a_pairwise_judge_by_hand() -> None:
    """Asked again it calls every pair with chosen first a tie: half of its verdicts are the same, and their mean has
    gone down by half."""
    small = world.sound()
    tied = pl.when(pl.col("order") == "chosen_first").then(pl.lit("tie")).otherwise("verdict").alias("verdict")
    rows = pl.concat([small.preferences, small.preferences.with_columns(pl.lit(1, pl.Int32).alias("repeat"), tied)])
    how = delta.Params(**world.DELTA | {"score": "sampled"})
    wide = {"versus": pairwise.pairwise_deltas(how, small.pairs, rows, ["preference"])}
    seen = reliability.JudgeTables(
        {}, {"versus": rows}, wide, contracts.empty(measurements.PROBABILITIES), {"versus": ["preference"]}
    )
    table, _ = reliability.reliability(reliability.Params(truth=None, families={}), seen, small.pairs, small.traces)
    parquet.check(measurements.RELIABILITY, table, "reliability")
    found = {(row["measure"], row["against"]): row["value"] for row in table.rows(named=True)}
    assert (found["repeat_agreement", "repeats"], found["drift", "repeats"], found["verdict_tie_rate", ""]) == (
        0.5,
        -0.5,
        0.25,
    )
    # repeat 0 flips in 4 of 8 pairs; repeat 1 has a tie in one order and a verdict in the other in all
    assert found["position_inconsistency", "order"] == 12 / 16
    # standing first adds 0 and 1 in repeat 0, -1/2 and 1/2 in repeat 1; asked again with chosen first, each verdict
    # goes from 1 to 0, with rejected first none changes: a variance of (1/2 + 0) / 2, of a mean of four
    assert found["position_bias", "order"] == pytest.approx(1 / 4)
    assert found["noise", "repeats"] == pytest.approx((1 / 4 / 4) ** 0.5)
    reach = table.drop_nulls("value").filter(
        pl.col("measure").str.contains("rate|agreement|correlation|coverage|alpha")
    )
    assert reach["ci_high"].max() <= 1 and reach["ci_low"].min() >= -1


def test_each_dimension_of_a_pairwise_judge_is_measured_by_its_own_verdicts() -> None:
    """Turned round on another dimension, the verdicts are as often wrong there as they are right on the first; as the
    truth it is the first dimension that counts."""
    small = world.sound()
    turned = pl.col("verdict").replace({"chosen": "rejected", "rejected": "chosen"})
    other = small.preferences.with_columns(turned, pl.lit("other").alias("dimension"), -pl.col("strength"))
    rows, names = pl.concat([small.preferences, other]), ["preference", "other"]
    deltas = small.deltas | {"versus": pairwise.pairwise_deltas(delta.Params(**world.DELTA), small.pairs, rows, names)}
    table, _ = measured_as("answer", rows, names, deltas)
    alone, _ = measured_as("answer", small.preferences, names[:1], small.deltas)
    of_first = pl.col("dimension") == "preference"
    assert table.filter(judge="versus").filter(of_first).equals(alone.filter(judge="versus"))
    for measure in ("verdict_accuracy", "pairwise_accuracy", "first_position_rate"):
        first, second = (table.filter(judge="versus", measure=measure, dimension=name)["value"][0] for name in names)
        assert first + second == pytest.approx(1) and first != second
    as_truth = [measured_as("versus", *case)[0].filter(judge="rubric") for case in
                ((rows, names, deltas), (small.preferences, names[:1], small.deltas))]  # fmt: skip
    assert as_truth[0].equals(as_truth[1])


def measured_as(
    truth: str, preferences: pl.DataFrame, names: list[str], deltas: dict[str, pl.DataFrame]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    small = world.sound()
    judgments = {name: small.judgments.filter(judge=name) for name in world.DIMENSIONS}
    fit = calibrate.Params(truth=truth, method="platt", folds=5, seed=0)
    rated = world.RATED | {"versus": names}
    own = preferences if truth == "versus" else None
    probabilities, _ = calibrate.calibrate(fit, small.pairs, deltas, rated, own)
    seen = reliability.JudgeTables(judgments, {"versus": preferences}, deltas, probabilities, rated)
    return reliability.reliability(reliability.Params(truth=truth, families={}), seen, small.pairs, small.traces)


def test_two_judges_that_change_places_turn_round_the_same_pairs() -> None:
    """Of six pairs the labels call one a tie and lack one; the panel reverses one of the four others, leaves one
    undecided, and prefers the longer side in two of three. The kind of fault: a tie counted as half a reversal."""
    prompts, lengths = [0, 0, 1, 1, 2, 2], [10, 10, 30, 10, 10, 10, 20, 20, 20, 20, 20, 10]
    pairs = world.rows_of(contracts.PAIRS, [
        {"pair_id": number, "prompt_id": prompt, "chosen_trace_id": number, "rejected_trace_id": 6 + number,
         "chosen_model": "a", "rejected_model": "b", "identical": False}
        for number, prompt in enumerate(prompts)
    ])  # fmt: skip
    traces = generate.add_text_columns(world.rows_of(contracts.TRACES, [
        {"trace_id": number, "prompt_id": prompt, "generator": "a", "sample_index": number, "completion": "x" * length,
         "finish_reason": "stop"}
        for number, (prompt, length) in enumerate(zip(prompts * 2, lengths, strict=True))
    ]))  # fmt: skip
    verdicts = ["chosen", "rejected", "chosen", "chosen", "tie", None]
    labels = world.rows_of(contracts.PREFERENCES, [
        {"pair_id": number, "judge": "labels", "dimension": "preference", "order": contracts.UNKNOWN, "repeat": 0,
         "verdict": verdict, "status": "scored" if verdict else "missing"}
        for number, verdict in enumerate(verdicts)
    ])  # fmt: skip
    said = [0.5, 0.2, 1.5, 0.0, 1.0, 1.0]
    panel = pl.DataFrame({"pair_id": range(6), "delta_quality": said, "n_quality": [2] * 6, "sd_quality": [0.1] * 6,
                          "within_noise_quality": [False] * 6})  # fmt: skip
    how = delta.Params(**world.DELTA)
    deltas = {"labels": pairwise.pairwise_deltas(how, pairs, labels, ["preference"]), "panel": panel}
    tables = reliability.JudgeTables({}, {"labels": labels}, deltas, contracts.empty(measurements.PROBABILITIES),
                                     {"labels": ["preference"], "panel": ["quality"]})  # fmt: skip
    by_truth = [reliability.reliability(reliability.Params(truth=truth, families={}), tables, pairs, traces)[0]
                for truth in tables.dimensions]  # fmt: skip
    against_labels, against_panel = (
        row(table, judge, dimension, "reversal_rate", truth)
        for table, judge, dimension, truth in zip(by_truth, ("panel", "labels"), ("quality", "preference"),
                                                  ("labels", "panel"), strict=True)
    )  # fmt: skip
    assert against_labels == against_panel == {"value": pytest.approx(1 / 3), "n": 3, "clusters": 2, "suspect": False}
    assert row(by_truth[0], "panel", "quality", "undecided_rate", "labels")["value"] == 1 / 4
    assert row(by_truth[1], "labels", "preference", "undecided_rate", "panel")["value"] == 1 / 4
    longer = {judge: row(by_truth[0], judge, dimension, "longer_preferred_rate", "length")
              for judge, (dimension,) in tables.dimensions.items()}  # fmt: skip
    assert (longer["panel"]["value"], longer["panel"]["n"]) == (1 / 4, 4)  # that of the third pair
    assert (longer["labels"]["value"], longer["labels"]["n"]) == (2 / 4, 4)  # those of the second and third


def test_which_of_two_traces_is_called_chosen_changes_no_agreement() -> None:
    """Three people's votes on pairs that stand the better side first, as a preference set lists them, and the same with
    every second pair turned round. The kind of fault: an agreement that is chance's because all verdicts are alike."""
    import krippendorff

    source = np.random.default_rng(3)
    votes = np.where(source.random((60, 3)) < 0.85, 1.0, -1.0)
    scored = pl.DataFrame({
        "prompt_id": np.repeat(np.arange(60) // 2, 3), "slot": np.repeat(np.arange(60), 3),
        "repeat": np.tile(np.arange(3), 60), "score": votes.ravel(),
    })  # fmt: skip
    turned = scored.with_columns(
        pl.when(pl.col("slot") % 2 == 0).then(-pl.col("score")).otherwise("score").alias("score")
    )
    alphas, kappas = [], []
    for rows in (scored, turned):
        found = {one.measure: one for one in measures.measure_repeats(rows, "slot", both_ways=True)}
        alphas.append(found["repeat_alpha"].interval)
        first, second = (rows.filter(repeat=number).drop("repeat") for number in (0, 1))
        agreed = {one.measure: one for one in measures.measure_agreement(first, second, "slot", "x", both_ways=True)}
        kappas.append(agreed["kappa"].interval)
    assert alphas[0] is not None and kappas[0] is not None
    assert alphas[0] == alphas[1] and kappas[0] == kappas[1]
    library = krippendorff.alpha(np.vstack([votes, -votes]).T, level_of_measurement="interval")
    assert alphas[0].mean == pytest.approx(library) and alphas[0].mean > 0.4
    assert krippendorff.alpha(votes.T, level_of_measurement="interval") < 0.1


def pairs_of(written: pl.DataFrame) -> pl.DataFrame:
    return pair.pair(
        world.pairing(order="ladder", ladder=["ours", "theirs"], within_generator=False, samples="all"), written
    )


def measured(seed: int) -> pl.DataFrame:
    """`reliability` of every planted judge on one draw of traces."""
    written = planted.traces(FIRST_SEED + seed)
    pairs, how = pairs_of(written), delta.Params(**world.DELTA)
    judgments = {name: planted.judgments(name, written) for name in ("answer", *planted.REPEATS)}
    preferences = {name: planted.preferences(name, pairs, written) for name in planted.PAIRWISE}
    wide = {name: delta.deltas(how, pairs, rows, planted.DIMENSIONS[name]) for name, rows in judgments.items()}
    wide |= {name: pairwise.pairwise_deltas(how, pairs, rows, ["preference"]) for name, rows in preferences.items()}
    fit = calibrate.Params(truth="answer", method="platt", folds=5, seed=0)
    probabilities, _ = calibrate.calibrate(fit, pairs, wide, planted.DIMENSIONS)
    seen = reliability.JudgeTables(judgments, preferences, wide, probabilities, planted.DIMENSIONS)
    return reliability.reliability(reliability.Params(truth="answer", families=FAMILIES), seen, pairs, written)[0]


@pytest.fixture(scope="module", params=[40, pytest.param(200, marks=pytest.mark.long)])
def tables_of_seeds(request: pytest.FixtureRequest) -> pl.DataFrame:
    """Of so many draws."""
    with (
        pytest.MonkeyPatch.context() as patch,
        ProcessPoolExecutor(2, get_context("spawn")) as workers,
    ):  # Polars does not survive a fork
        patch.setenv("POLARS_MAX_THREADS", "1")
        found = list(workers.map(measured, range(request.param), chunksize=10))
    return pl.concat([rows.with_columns(pl.lit(seed).alias("seed")) for seed, rows in enumerate(found)])


@pytest.mark.slow
@pytest.mark.parametrize("case", planted.TRUE, ids=" ".join)
def test_a_planted_judge_is_measured_rightly(case: tuple[str, str, str], tables_of_seeds: pl.DataFrame) -> None:
    judge, measure, against = case
    truth = float(planted.TRUE[case])
    found = tables_of_seeds.filter(judge=judge, measure=measure, against=against)
    draws = tables_of_seeds["seed"].n_unique()
    assert found.height == draws
    covered = found.select(((pl.col("ci_low") - 1e-9 <= truth) & (truth <= pl.col("ci_high") + 1e-9)).mean()).item()
    print(f"| {judge} | {measure} | {truth:.3f} | {found['value'].mean():.3f} | {covered:.3f} |")
    assert covered >= LEAST[draws]
    error = float(found["value"].to_numpy().std(ddof=1)) / draws**0.5
    assert abs(found["value"].mean() - truth) < 4 * error + 0.01 * max(1.0, abs(truth))


SUSPECTS = {
    "random": "auroc",
    "wordy": "length_correlation_equally_right",
    "clan": "self_preference",
    "coarse": "zero_delta_rate",
    "forgetful": "auroc",
    "drifting": "drift",
    "first": "position_inconsistency",
    "leaning": "first_position_rate",
    "overconfident": "overconfidence",
}


@pytest.mark.slow
@pytest.mark.parametrize("judge", SUSPECTS)
def test_a_fault_is_suspect(judge: str, tables_of_seeds: pl.DataFrame) -> None:
    share = mean(tables_of_seeds.filter(judge=judge, measure=SUSPECTS[judge])["suspect"])
    print(f"| {judge} | {SUSPECTS[judge]} | {share:.3f} |")
    assert share is not None and share >= LEAST[tables_of_seeds["seed"].n_unique()]


@pytest.mark.slow
@pytest.mark.parametrize("judge", ["fine", "fair"])
def test_a_judge_without_a_fault_is_not_suspect(judge: str, tables_of_seeds: pl.DataFrame) -> None:
    rows = tables_of_seeds.filter(judge=judge)
    clean_of = rows.group_by("seed").agg(~pl.col("suspect").any())
    clean = clean_of["suspect"].mean()
    print(f"| {judge} | no suspect at all | {clean:.3f} |", rows.filter("suspect")["measure"].value_counts().rows())
    assert clean >= LEAST[clean_of.height]


PARTS = {"": "characters", "reasoning_": "reasoning_characters", "answer_": "completion_characters"}


def of_parts(liked: str, reasoning: bool = True) -> tuple[pl.DataFrame, dict[str, float]]:
    """`reliability` of a judge that likes one part of a trace long, on 120 prompts with two traces each, all of them
    right, whose reasoning and answer are as long as they happen to be; and numpy's correlation with each length."""
    source = np.random.default_rng(5)
    rows = [
        {"trace_id": 2 * prompt + side, "prompt_id": prompt, "generator": "ab"[side], "sample_index": 0,
         "reasoning": "r" * int(400 * np.exp(source.normal())) if reasoning and prompt % 4 else None,
         "completion": f"{2 * prompt + side} ".ljust(int(100 * np.exp(source.normal())) + 9, "x"),
         "finish_reason": "stop"}
        for prompt in range(120) for side in range(2)
    ]  # fmt: skip
    written = generate.add_text_columns(world.rows_of(contracts.TRACES, rows))
    liking = written[PARTS[liked]].cast(pl.Float64).log().fill_null(0.0)
    scores = {"quality": (liking.to_numpy() + source.normal(scale=0.3, size=240)).tolist(), "correct": [1.0] * 240}
    judged = {
        name: world.rows_of(contracts.JUDGMENTS, [
            {"trace_id": trace_id, "judge": name, "dimension": name, "repeat": 0, "score": score, "status": "scored"}
            for trace_id, score in enumerate(values)
        ])
        for name, values in scores.items()
    }  # fmt: skip
    pairs = pair.pair(world.pairing(order="ladder", ladder=["a", "b"]), written)
    dimensions = {name: [name] for name in judged}
    deltas = {name: delta.deltas(delta.Params(**world.DELTA), pairs, judged[name], [name]) for name in judged}
    tables = reliability.JudgeTables(judged, {}, deltas, contracts.empty(measurements.PROBABILITIES), dimensions)
    table, _ = reliability.reliability(reliability.Params(truth="correct", families={}), tables, pairs, written)
    parquet.check(measurements.RELIABILITY, table, "reliability")
    wide = join_sides(pairs, written.select("trace_id", *PARTS.values())).join(deltas["quality"], on="pair_id")
    correlations = {}
    for part, length in PARTS.items():
        both = wide.drop_nulls([f"{side}_{length}" for side in contracts.SIDES])
        ratio = both.select((pl.col(f"chosen_{length}") / pl.col(f"rejected_{length}")).log()).to_series()
        correlations[part] = float(np.corrcoef(ratio, both["delta_quality"])[0, 1]) if len(both) else 0.0
    return table, correlations


@pytest.mark.parametrize("liked", ["reasoning_", "answer_"])
def test_a_liking_for_the_length_of_one_part_is_told_from_the_other(liked: str) -> None:
    """The kind of fault: a judge that rewards long reasoning, and one that rewards long answers, which the length of
    both together does not tell apart."""
    table, expected = of_parts(liked)
    for part in PARTS:
        found = row(table, "quality", "quality", f"{part}length_correlation", "length")
        alike = row(table, "quality", "quality", f"{part}length_correlation_equally_right", "correct")
        assert found["value"] == alike["value"] == pytest.approx(expected[part])
        assert found["n"] == (90 if part == "reasoning_" else 120)
        if part:
            assert alike["suspect"] == (part == liked) and (alike["value"] > 0.9) == (part == liked)


def test_without_reasoning_nothing_is_measured_of_a_part() -> None:
    table, _ = of_parts("answer_", reasoning=False)
    assert not [measure for measure in table["measure"] if measure.startswith(("reasoning_", "answer_"))]
    assert row(table, "quality", "quality", "length_correlation", "length")["value"] > 0.9


@pytest.mark.slow
def test_the_planted_judges_are_the_same_over_a_socket(serve: Serve, ledger: Ledger) -> None:
    """Every one of them as a model behind a server, asked by the real judge kinds: the tables are those of the 200
    draws."""
    written = planted.traces(FIRST_SEED).filter(pl.col("prompt_id") < 12)
    pairs = pairs_of(written)
    texts = [[{"role": "user", "content": f"Problem {number}"}] for number in range(12)]
    common = {"source": "s", "task": "t", "split": "train"}
    prompts = world.rows_of(
        contracts.PROMPTS, [{"prompt_id": number, "prompt": text, **common} for number, text in enumerate(texts)]
    )
    server = serve(planted.answer)
    asking = {name: value for name, value in RUBRIC.items() if name not in ("kind", "calls", "dimensions")}
    asking |= {
        "endpoint": server.endpoint(concurrency=4).model_dump(),
        "sampling": RUBRIC["sampling"] | {"top_logprobs": 5},
    }
    for name, repeats in planted.REPEATS.items():
        quality = {
            planted.DIMENSIONS[name][0]: {"description": "How good?", "scores": dict.fromkeys(range(1, 100), "so")}
        }
        settings = rubric.Params.model_validate(
            asking | {"kind": "rubric", "calls": "together", "model": name, "repeats": repeats, "dimensions": quality}
        )
        assert same(
            judge(name, settings, written, prompts, ledger), planted.judgments(name, written), contracts.JUDGMENTS
        )
    for name in planted.PAIRWISE:
        settings = verdict.Params.model_validate(asking | {"kind": "verdict", "ties": True, "model": name})
        rows = prefer(name, settings, pairs, written, prompts, ledger).with_columns(
            pl.col("strength", "p_tie").round(5)
        )
        assert same(
            rows,
            planted.preferences(name, pairs, written).with_columns(pl.col("strength").round(5)),
            contracts.PREFERENCES,
        )


def same(rows: pl.DataFrame, wanted: pl.DataFrame, table: Table) -> bool:
    parquet.check(table, rows, table.name)
    return rows.sort(table.key).equals(wanted.sort(table.key))
