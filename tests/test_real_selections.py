"""Selections of real pairs: 44 models' answers to GSM8K, and eight dimensions that people rated tutors on.

`pytest -s` prints what becomes of the candidates.
"""

import time
from collections import Counter
from functools import cache
from typing import Any

import numpy as np
import polars as pl
import pytest
import world
from published import published
from test_judged_data import judgments, sizes, traces

from curation.pairs import delta, pair
from curation.selection.candidates import Candidates, from_frames
from curation.selection.rules import Params
from curation.selection.select import select
from curation.tables import contracts, parquet

FAMILIES = 21  # in zeroeval_gsm
BUDGET = {"excerpt": 210, "full": 9600}
HOW = delta.Params(**world.DELTA | {"score": "sampled"})


def settings(**changes: Any) -> Params:
    return Params.model_validate(world.PLAIN | changes)


@cache
def answers(size: str) -> tuple[pl.DataFrame, pl.DataFrame, Candidates]:
    """All ordered pairs of the 44 models' traces of a problem, with what upstream says of their answers; the traces,
    the pairs, and the view of both."""
    written, own = traces(size, "zeroeval_gsm"), published(size, "zeroeval_gsm", "traces")
    right = pl.DataFrame({"trace_id": written["trace_id"], "score": own["is_correct"].cast(pl.Float64)})
    judged = right.select(
        "trace_id", "score", judge=pl.lit("answer"), dimension=pl.lit("correct"), repeat=pl.lit(0, pl.Int32),
        expected_score=pl.lit(None, pl.Float64), status=pl.lit("scored"),
    )  # fmt: skip
    started = time.perf_counter()
    pairs = pair.pair(world.pairing(), written)
    paired = time.perf_counter()
    wide = delta.deltas(HOW, pairs, judged, ["correct"])
    print(
        f"\nzeroeval_gsm: {written.height} traces, {pairs.height} pairs in {paired - started:.1f} s,"
        f" deltas in {time.perf_counter() - paired:.1f} s"
    )
    return (
        written.join(right, on="trace_id"),
        pairs,
        from_frames(pairs, {"answer": wide}, traces=written),
    )


def counted(rows: pl.DataFrame) -> dict[str, int]:
    return dict(rows.group_by(pl.col("reason").cast(pl.String)).len().sort("len", descending=True).rows())


@sizes
def test_every_two_models_answers_are_candidates_in_both_orders(size: str) -> None:
    written, pairs, _ = answers(size)
    models = written.group_by("prompt_id").len()["len"].to_numpy()
    wanted = {"excerpt": 15 * 44 * 43 + 14 * 43 * 42, "full": 681 * 44 * 43 + 638 * 43 * 42}[
        size
    ]  # one model answered about half of the problems
    assert pairs.height == int((models * (models - 1)).sum()) == wanted
    parquet.check(contracts.PAIRS, pairs, "pairs")
    texts = written.with_columns(pl.col("completion").str.strip_chars(" \t\r\n"))
    alike = texts.group_by("prompt_id", "completion").len()["len"].to_numpy()
    assert pairs["identical"].sum() == int((alike * (alike - 1)).sum())


@sizes
def test_right_over_wrong_with_equal_strata_of_the_chosen_models_family(size: str) -> None:
    """What is drawn is counted from the traces alone: a candidate is kept only if right over wrong, 40 a problem at
    most, as many for each family."""
    written, pairs, view = answers(size)
    wanted = settings(
        require={"right_over_wrong": "answer.delta_correct = 1"},
        budget={"pairs": BUDGET[size]},
        limits=world.LIMITS | {"per_prompt": 40},
        strata={"by": "chosen.family", "shares": "equal"},
    )  # fmt: skip
    started = time.perf_counter()
    rows = select("right_over_wrong", wanted, view).verdicts
    found = counted(rows)
    print(f"right_over_wrong in {time.perf_counter() - started:.1f} s: {found}")
    parquet.check(contracts.SELECTIONS, rows, "selections")
    by_problem = written.group_by("prompt_id").agg(
        pl.col("score").sum().alias("right"), (1 - pl.col("score")).sum().alias("wrong")
    )
    right, texts = pl.col("score") == 1, pl.col("text_id")
    distinct = written.group_by("prompt_id").agg(
        texts.filter(right).n_unique().alias("right"), texts.filter(~right).n_unique().alias("wrong")
    )
    of_traces = int((by_problem["right"] * by_problem["wrong"]).sum())
    cells = (distinct["right"] * distinct["wrong"]).to_numpy()
    within = int(np.minimum(cells, 40).sum())
    assert found["identical"] == int(pairs["identical"].sum())
    assert found["right_over_wrong"] == pairs.height - of_traces - found["identical"]
    assert found["repeated"] == of_traces - int(cells.sum())  # the same answer by two models
    assert found["per_prompt"] == int(cells.sum()) - within and found["over_budget"] == within - found["kept"]
    kept = (
        rows.filter("kept")
        .join(pairs, on="pair_id")
        .join(written.select("trace_id", "family", "score"), left_on="chosen_trace_id", right_on="trace_id")
    )
    kept = kept.join(
        written.select("trace_id", pl.col("score").alias("wrong")), left_on="rejected_trace_id", right_on="trace_id"
    )
    families = Counter(kept["family"].to_list())
    print(f"by family: {sorted(families.values())}")
    assert (
        set(kept["score"]) == {1.0}
        and set(kept["wrong"]) == {0.0}
        and int(kept.group_by("prompt_id").len()["len"].max()) <= 40
    )
    assert (
        found["kept"] == sum(families.values()) == BUDGET[size]
        and len(families) == FAMILIES
        and max(families.values()) <= min(families.values()) * 1.01 + 1
    )


@sizes
def test_the_same_model_on_three_hosts_is_a_generator_delta_of_almost_nothing(size: str) -> None:
    written, pairs, view = answers(size)
    hosts = [
        "Llama-3.1-405B-Inst@sambanova",
        "Llama-3.1-405B-Instruct-Turbo",
        "Meta-Llama-3.1-405B-Instruct@hyperbolic",
    ]
    named = ", ".join(f"'{host}'" for host in hosts)
    rows = select(
        "hosts",
        settings(
            require={
                "hosts": f"chosen_model in ({named}) and rejected_model in ({named})",
                "differ": "answer.delta_correct <> 0",
            }
        ),
        view,
    ).verdicts
    kept = rows.filter("kept").height
    all_of_them = pairs.filter(pl.col("chosen_model").is_in(hosts) & pl.col("rejected_model").is_in(hosts)).height
    print(f"one 405B model on three hosts: {kept} of {all_of_them // 2} pairs differ in correctness")
    right, texts = pl.col("score") == 1, pl.col("text_id")
    of_hosts = written.filter(pl.col("generator").is_in(hosts)).group_by("prompt_id")
    cells = of_hosts.agg(texts.filter(right).n_unique() * texts.filter(~right).n_unique())["text_id"]
    assert kept == int(cells.sum()) and (size == "excerpt" or kept / (all_of_them / 2) < 0.04)


@cache
def tutors() -> tuple[pl.DataFrame, list[str], Candidates]:
    """All ordered pairs of the tutors' replies to a student, and what people said of each on eight dimensions."""
    written, judged = traces("full", "mrbench"), judgments("full", "mrbench")
    names = sorted(judged["dimension"].unique())
    pairs = pair.pair(world.pairing(), written)
    return (
        pairs,
        names,
        from_frames(pairs, {"people": delta.deltas(HOW, pairs, judged, names)}, traces=written),
    )


DIMENSIONS = [
    "actionability", "coherence", "humanlikeness", "mistake_identification", "mistake_location", "providing_guidance",
    "revealing_of_the_answer", "tutor_tone",
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_a_selection_by_each_of_eight_human_dimensions(dimension: str) -> None:
    """The full set alone: its licence, CC-BY-SA-4.0, lets no excerpt into this project."""
    pairs, names, view = tutors()
    assert pairs.height == 2 * 6040 and names == DIMENSIONS
    rows = select(
        dimension, settings(value=f"people.delta_{dimension}", keep={"kind": "top"}, budget={"pairs": 500}), view
    ).verdicts
    found = counted(rows)
    margins = rows.filter("kept")["margin"]
    print(f"\nmrbench {dimension}: {found}, margins of the kept {margins.min():g} to {margins.max():g}")
    scores = {
        row[0]: row[1]
        for row in judgments("full", "mrbench").filter(dimension=dimension).select("trace_id", "score").rows()
    }
    ends = pairs.filter(~pl.col("identical")).select("chosen_trace_id", "rejected_trace_id").rows()
    gaps = sorted(
        (scores[one] - scores[other] for one, other in ends if scores[one] is not None and scores[other] is not None),
        reverse=True,
    )
    assert found["kept"] == 500 and sorted(rows.filter("kept")["margin"].to_list(), reverse=True) == pytest.approx(
        gaps[:500]
    )
    assert (
        found["reversed"] == sum(rows["reason"].cast(pl.String).is_in(["kept", "over_budget"]))
        and sum(found.values()) == pairs.height
    )
