"""Single traces with a label of their own, in a pair or not, against a slow reference, and through the stages.

Kinds of fault: a labelled row that nothing learns from, or a row that is learnt from without a label, under both or
twice; a control that is not like its selection; a score of one trace that is not the score that it has in a pair; what
a method cannot learn from, found only when it runs.
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import flow
import numpy as np
import polars as pl
import pytest
import world
from served import ran

from curation.core.errors import CurationError, Errors
from curation.core.params import read
from curation.experiment import plots
from curation.experiment.arms import restrict
from curation.experiment.controls import Params as Control
from curation.experiment.drawing import control_traces
from curation.selection.labelled import Labelled, label_traces, labelled_messages
from curation.selection.rules import Params as Selection
from curation.selection.single_traces import SingleTraces, TraceReaders
from curation.tables import contracts, db, measurements, parquet
from curation.tables.checks import check
from curation.traces import generate

PROMPTS, EACH = 40, 6
TEXTS = ("yes", "no", "yes ", "perhaps", "a\r\nb", "a\nb", " ", "so it is")
LABEL = "case thumbs.good when 1 then true when 0 then false end"


def tables(seed: int = 3) -> dict[str, pl.DataFrame]:
    """Traces of few texts, which repeat, some failed or blank, rated up, down, between, or not at all."""
    draw = np.random.default_rng(seed)
    traces, scores = list[dict[str, Any]](), list[dict[str, Any]]()
    for number in range(PROMPTS * EACH):
        failed = draw.random() < 0.05
        traces.append({
            "trace_id": int(draw.integers(-(2**62), 2**62)), "prompt_id": number // EACH, "generator": "ab"[number % 2],
            "sample_index": number, "completion": None if failed else str(draw.choice(TEXTS)),
            "finish_reason": "error" if failed else "stop",
        })  # fmt: skip
        for repeat in range(int(draw.integers(0, 3))):
            scores.append({
                "trace_id": traces[-1]["trace_id"], "judge": "thumbs", "dimension": "good", "repeat": repeat,
                "score": float(draw.integers(0, 2)), "status": "scored",
            })  # fmt: skip
    prompts = [
        {"prompt_id": number, "source": f"s{number % 3}", "split": "in_domain" if number % 10 == 9 else "train"}
        for number in range(PROMPTS)
    ]
    return {
        "traces": generate.add_text_columns(world.rows_of(contracts.TRACES, traces)),
        "prompts": world.rows_of(contracts.PROMPTS, prompts),
        "judgments": world.rows_of(contracts.JUDGMENTS, scores),
    }


def view(of: Mapping[str, pl.DataFrame], empty: str = "drop") -> SingleTraces:
    traces, prompts, judgments = (of[name] for name in ("traces", "prompts", "judgments"))
    return SingleTraces(
        TraceReaders(
            traces.select, lambda columns: pytest.fail("no tokens are asked for"), prompts.select,
            {"thumbs": judgments.select}, of.get("responses", contracts.empty(contracts.RESPONSES)).select,
        ),
        empty, False,
    )  # fmt: skip


TABLES = tables()


def made(of: Mapping[str, pl.DataFrame] = TABLES, seed: int = 0, empty: str = "drop", **unpaired: Any) -> Labelled:
    settings = Selection.model_validate(world.PLAIN | {"seed": seed, "unpaired": {"label": LABEL} | unpaired})
    labelled = label_traces("s", settings, view(of, empty))
    assert labelled is not None and sum(labelled.reasons.values()) == labelled.traces.rows.height
    return labelled


def reference(empty: str = "drop", short: bool = False) -> tuple[dict[int, bool], Counter[str]]:
    """The label of each trace that can be taken, and how many there are of each reason, one trace after the other."""
    scores: dict[int, list[float]] = {}
    for trace, score in TABLES["judgments"].select("trace_id", "score").rows():
        scores.setdefault(trace, []).append(score)
    held_out = set(TABLES["prompts"].filter(split="in_domain")["prompt_id"])
    reasons, seen = Counter[str](), dict[tuple[int, str], list[tuple[int, bool]]]()
    for trace, prompt, text in TABLES["traces"].select("trace_id", "prompt_id", "completion").rows():
        if prompt in held_out or text is None or (not text.strip() and empty == "drop"):
            continue
        mean = sum(scores[trace]) / len(scores[trace]) if trace in scores else None
        if short and len(text) >= 4:
            reasons["short"] += 1
        elif mean not in (0, 1):
            reasons["unlabelled"] += 1
        else:
            seen.setdefault((prompt, text.replace("\r\n", "\n").strip()), []).append((trace, mean == 1))
    pool = {}
    for alike in seen.values():
        if len({label for _, label in alike}) > 1:
            reasons["both_labels"] += len(alike)
        else:
            reasons["repeated"] += len(alike) - 1
            trace, label = min(alike)
            pool[trace] = label
    return pool, reasons


def labels(examples: pl.DataFrame) -> dict[int, bool]:
    assert not examples["trace_id"].is_duplicated().any()
    return dict(examples.select("trace_id", "label").rows())


@pytest.mark.parametrize("empty", ["drop", "keep"])
@pytest.mark.parametrize("short", [False, True])
def test_they_are_exactly_the_labelled_traces(empty: str, short: bool) -> None:
    pool, reasons = reference(empty, short)
    labelled = made(empty=empty, require={"short": "characters < 4"} if short else {})
    assert labels(labelled.own) == pool and labelled.reasons == {**reasons, "kept": len(pool)}
    assert {"unlabelled", "both_labels", "repeated"} <= set(reasons) and 10 < sum(pool.values()) < len(pool) - 10
    said = labelled_messages(labelled)
    assert len(said) == 3 and all(line.endswith(": left out") for line in said)


def test_the_order_of_the_rows_decides_nothing() -> None:
    for budget in (None, {"traces": 30}, {"share": 0.25}):
        turned = {name: rows.reverse() for name, rows in TABLES.items()}
        one, other = made(budget=budget), made(turned, budget=budget)
        assert one.own.equals(other.own) and one.reasons == other.reasons


def test_a_budget_is_exact_and_drawn_by_the_seed_and_the_ids_alone() -> None:
    pool, _ = reference()
    for budget, count in (({"traces": 30}, 30), ({"share": 0.25}, len(pool) // 4), ({"traces": 0}, 0)):
        own = [labels(made(budget=budget, seed=seed).own) for seed in (0, 1)]
        assert [len(one) for one in own] == [count] * 2 and all(one.items() <= pool.items() for one in own)
        assert count == 0 or own[0] != own[1]
    few = labels(made(budget={"traces": 29}).own)
    assert few.items() < labels(made(budget={"traces": 30}).own).items(), "one more moves no other"
    short = made(budget={"traces": 1000})
    assert f"takes {len(pool)} of the 1000 traces of its budget: " in labelled_messages(short)[-1]


def test_all_of_one_label_is_said() -> None:
    (line,) = labelled_messages(made(label="characters >= 0 or null", require={"first": "trace_id > 0"}, budget=None))[
        -1:
    ]
    assert line.endswith("traces are desirable; KTO learns from both")


def test_windows_see_what_is_left_when_their_turn_comes() -> None:
    """The best of a prompt's traces that meet the requirement, and not of those that do not."""
    label = "thumbs.good = max(thumbs.good) over (partition by prompt_id)"
    labelled = made(label=label, require={"a": "generator = 'a'", "rated": "thumbs.good is not null"})
    rows = labelled.traces.values({"prompt": "prompt_id", "good": "thumbs.good", "by": "generator"})
    for row in labelled.pool.tolist():
        rated = rows.filter(pl.col("prompt") == rows["prompt"][row], by="a")
        assert rows["by"][row] == "a" and labelled.desirable[row] == (rows["good"][row] == rated["good"].max())


def test_an_expression_that_fails_on_a_value_is_one_sentence() -> None:
    with pytest.raises(CurationError, match=r"params\.yaml: selections\.s\.unpaired\.label: .*Could not convert"):
        made(label="generator::int = 1")


def control(pairs: str, how: str = "as_is", seed: int = 0, of: Labelled | None = None) -> dict[int, bool]:
    one = Control.model_validate({"pairs": pairs, "match": [], "labels": how})
    return labels(control_traces(one, seed, of or made(budget={"traces": 40})))


def test_controls_are_as_many_of_each_label_and_flip_what_they_should() -> None:
    pool, own = reference()[0], control("own")
    assert own == labels(made(budget={"traces": 40}).own)
    drawn = [control("drawn", seed=seed) for seed in range(4)]
    assert all(Counter(one.values()) == Counter(own.values()) and one.items() <= pool.items() for one in drawn)
    assert len({frozenset(one) for one in (*drawn, own)}) == 5
    assert control("all") == pool
    for pairs, rows in (("own", own), ("drawn", drawn[0]), ("all", pool)):
        assert control(pairs, "reversed") == {trace: not label for trace, label in rows.items()}
        shuffled = control(pairs, "shuffled")
        flipped = sum(shuffled[trace] != label for trace, label in rows.items())
        assert shuffled.keys() == rows.keys() and 0.25 * len(rows) < flipped < 0.75 * len(rows)
    assert control("own", "shuffled", 0) != control("own", "shuffled", 1)


def test_a_budget_of_the_grid_is_twice_as_many_labelled_traces() -> None:
    for budget, pairs in (({"pairs": 0}, 0), ({"share": 0.5}, 8), (None, 8)):
        own = Selection.model_validate(world.PLAIN | {"budget": budget, "unpaired": {"label": LABEL}})
        assert restrict(own, "true", "own").unpaired == own.unpaired and restrict(own, "true", "own").budget == budget
        of_grid = restrict(own, "true", "8")
        assert of_grid.budget == {"pairs": pairs} and of_grid.unpaired is not None, "of none, none is wanted still"
        assert (of_grid.unpaired.label, of_grid.unpaired.budget) == (LABEL, {"traces": 16})


SINGLE = world.PLAIN | {
    "budget": {"pairs": 0},
    "unpaired": {
        "label": "rubric.logic >= 4.6",
        "require": {"rated": "rubric.logic is not null", "sums": "prompt.source = 'sums'"},
    },
}  # fmt: skip
REVERSED = "single-any-own-reversed"


def settings(**grid: Any) -> dict[str, Any]:
    """The small world with a selection of single traces in its grid, which KTO learns from."""
    raw = world.settings()
    raw["selections"] = raw["selections"] | {"single": SINGLE}
    raw["methods"] = raw["methods"] | {"kto": world.own()["methods"]["kto"]}
    raw["grid"] = raw["grid"] | {"methods": ["kto"], "selections": ["single"], **grid}
    raw["contrasts"], raw["compare"] = {}, {"primary": None}
    return raw


@pytest.mark.slow
def test_the_stages_write_them_and_every_check_holds(tmp_path: Path) -> None:
    """A judge's score of a trace is the mean of its repeats, by `delta.score`, as on a side of a pair."""
    tables = replace(world.sound(), traces=world.sound().traces.with_columns(external_id=pl.lit("t1")))
    params = world.write(tables, tmp_path)
    flow.write(settings(), params)
    for stage in (["select", "single"], ["arms"]):
        done = ran(tmp_path, f"stages.{stage[0]}", *stage[1:])
        assert done.returncode == 0, done.stderr
    rated = pl.read_parquet(tmp_path / "data/deltas/rubric.parquet").join(world.sound().pairs, on="pair_id")
    scores = {
        trace: score for side in contracts.SIDES
        for trace, score in rated.select(f"{side}_trace_id", f"{side}_logic").drop_nulls().rows()
    }  # fmt: skip
    one = pl.read_parquet(tmp_path / "data/unpaired/single.parquet")
    assert labels(one).items() <= {trace: score >= 4.6 for trace, score in scores.items()}.items()
    assert one.height == len(scores) - 1 == 8, "medium says what large says of minus"
    assert set(one["external_id"]) == {"t1"} and pl.read_parquet(tmp_path / "data/subsets/single.parquet").is_empty()
    turned = pl.read_parquet(tmp_path / f"data/arms/unpaired/{REVERSED}.parquet")
    assert labels(turned) == {trace: not label for trace, label in labels(one).items()}
    metrics = json.loads((tmp_path / "data/metrics/arms.json").read_text())[REVERSED]
    assert metrics["unpaired"] == one.height and metrics["pairs"] == 0
    assert metrics["shared"] == {"labelled": {"number": one.height, "of_control": 1.0, "of_selection": 1.0}}


def refused(tmp_path: Path, raw: dict[str, Any]) -> list[str]:
    flow.write(raw, tmp_path / "params.yaml")
    with pytest.raises(Errors) as caught:
        read(tmp_path / "params.yaml")
    return [str(line).partition("grid.")[2] for line in caught.value.lines]


def test_what_a_method_cannot_learn_from_is_refused_in_params(tmp_path: Path) -> None:
    flow.write(settings(), tmp_path / "params.yaml")
    assert read(tmp_path / "params.yaml").selections["single"].takes_no_pair
    assert refused(tmp_path, settings(methods=["kto", "dpo"], budgets=["own", 8])) == [
        "selections: 'single' keeps no pair, and 'dpo' learns from pairs; raise its budget, or leave it to kto"
    ]
    raw = settings(controls=["itself", "lengths"], generator_pairs=["large"])
    raw["controls"]["lengths"] = {"pairs": "drawn", "match": ["chosen_model"], "labels": "as_is"}
    raw["generator_pairs"]["large"] = {"where": "chosen_model = 'large'"}
    way_out = "and 'single' labels single traces (unpaired), which 'kto' learns from; leave one of the two out"
    assert refused(tmp_path, raw) == [
        f"generator_pairs: 'large' is of pairs, {way_out}, and say it in unpaired.require",
        f"controls: 'lengths' matches pairs, {way_out}",
    ]
    raw = settings()
    raw["selections"]["single"] = SINGLE | {"unpaired": {"label": "true", "budget": {"traces": 0}}}
    assert refused(tmp_path, raw) == [
        "selections: 'single' takes no trace, and 'kto' learns from traces; raise its unpaired.budget"
    ]
    del raw["selections"]["single"]["unpaired"]
    assert refused(tmp_path, raw)[0].startswith("selections: 'single' keeps no pair, so its arms have nothing to train")


def change(rows: pl.DataFrame, **values: Any) -> pl.DataFrame:
    """The rows with other values in the first of them."""
    first = pl.int_range(pl.len()) == 0
    return rows.with_columns(pl.when(first).then(value).otherwise(name).alias(name) for name, value in values.items())


MADE_UP = pl.lit(pl.Series([[{"role": "assistant", "content": "It was compared with the reference"}]]))
PLANTED: dict[str, tuple[Callable[[pl.DataFrame], pl.DataFrame], str]] = {  # check: what is wrong, and what is said
    "subset_of_held_out_prompt": (
        lambda rows: change(rows, prompt_id=pl.lit(world.prompt_id("held_a"))), "split in_domain"
    ),
    "unpaired_text_not_its_traces": (lambda rows: change(rows, completion=MADE_UP), f"selection {REVERSED}"),
    "judge_text_in_subset": (lambda rows: change(rows, completion=MADE_UP), "judge answer"),
    "control_of_another_size": (lambda rows: rows.head(-1), "labelled 7, labelled_of_selection 8"),
    "one_generators_share": (lambda rows: rows, "side desirable"),
    "length_imbalance": (lambda rows: rows, "of 8 labelled traces the desirable are "),
    "truncated_side": (lambda rows: change(rows, truncated=pl.lit(True)), "1 of 8 labelled traces were cut off"),
    "run_without_pairs": (lambda rows: rows.clear(), f"run kto-{REVERSED}-0"),
    "kto_balance": (lambda rows: rows.filter("label"), "undesirable 0"),
    "control_is_its_selection": (lambda rows: rows, "what labelled traces, drawn 8, shared 8"),
}  # fmt: skip


@pytest.mark.slow
def test_the_audit_looks_at_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each check finds what is wrong with labelled traces alone, though there is no pair; and nothing in sound ones."""
    sound = world.sound()
    said = sound.judgments.with_columns(rationale=pl.lit("It was compared with the reference"))
    params = world.write(replace(sound, judgments=said), tmp_path)
    raw = settings()
    raw["selections"] = {"single": SINGLE}
    raw["audit"] = raw["audit"] | {"generator": 0.5, "length": 1.1}
    flow.write(raw, params)
    for stage in (["select", "single"], ["arms"]):
        assert ran(tmp_path, f"stages.{stage[0]}", *stage[1:]).returncode == 0
    file = tmp_path / f"data/arms/unpaired/{REVERSED}.parquet"
    rows = pl.read_parquet(file)
    for name, (plant, found) in PLANTED.items():
        monkeypatch.setattr("curation.tables.checks.checks", lambda name=name: {name: db.checks()[name]})
        if name == "control_is_its_selection":
            raw["controls"]["reversed"] = {"pairs": "all", "match": [], "labels": "as_is"}
            flow.write(raw, params)
            assert ran(tmp_path, "stages.arms").returncode == 0
        parquet.write(contracts.UNPAIRED, plant(pl.read_parquet(file) if name.startswith("control_is") else rows), file)
        try:
            check("before_training", params)
            told = capsys.readouterr().err
        except Errors as errors:
            told = "\n".join(errors.lines)
        assert f"check {name}: " in told and found in told, (name, told)


@pytest.mark.slow
def test_what_learns_from_no_pair_is_not_on_the_curve_of_pairs(
    tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    shown = {"method": "kto", "against": "baseline", "benchmark": "b", "measure": "accuracy", "pairs": 0, "gain": 0.1,
             "ci_low": 0.0, "ci_high": 0.2, "generator_pairs": "any", "selection": "s", "control": "c"}  # fmt: skip
    plots.efficiency(world.rows_of(measurements.COMPARISONS, [shown]), tmp_path / "curve.png")
    assert (tmp_path / "curve.png").exists() and not recwarn.list
