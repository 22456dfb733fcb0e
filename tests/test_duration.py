"""How long the runs will take: what there is to do is counted exactly, and its time follows the work."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import world
from ruamel.yaml import YAML
from served import ran
from server import endpoint
from stored import write_weights
from tiny import save_tiny_llama

from curation.calls.attempts import Attempt
from curation.calls.call import Call, OnReply, Reply
from curation.calls.ledger import Ledger
from curation.calls.store import insert_attempt
from curation.commands import duration, plan_time, to_come
from curation.commands.outstanding import known_calls
from curation.core.errors import CurationError
from curation.core.params import read
from curation.core.study import Study
from curation.models import weights
from curation.pairs.pair import pair
from curation.tables import contracts, measurements, parquet
from curation.training.run_store import RunStore
from curation.training.runs import plan_runs
from curation.training.student_calls import make_student_calls

pytestmark = pytest.mark.slow


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The small world, with a student that is there; its params file."""
    tiny = save_tiny_llama(tmp_path / "tiny")
    params = world.write(world.sound(), tmp_path)
    change(params, lambda body: body["student"].update(model=str(tiny), revision=weights.fingerprint(tiny)))
    monkeypatch.chdir(tmp_path)
    keep_runs()
    return params


def keep_runs(*names: str) -> None:
    """These runs alone were trained."""
    rows = world.runs().filter(pl.col("run").is_in(names))
    parquet.write(measurements.RUNS, rows, contracts.path("runs"))


def change(params: Path, edit: Any) -> None:
    yaml = YAML(typ="safe", pure=True)
    body = yaml.load(params)
    edit(body)
    with params.open("w") as file:
        yaml.dump(body, file)


def test_what_is_to_come_is_counted(study: Path) -> None:
    """A run that is to be trained again is answered again too, though its old answers are there."""
    trained, answered = duration.durations(read(study))
    assert (
        (trained.stage, trained.runs, trained.to_come) == ("train", 2, 2)
        and trained.seconds
        and trained.seconds > duration.START
    )
    assert (
        (answered.stage, answered.runs, answered.to_come) == ("evaluate", 3, 2)
        and answered.seconds
        and answered.seconds > duration.START
    )
    contracts.path("results", "baseline").unlink()
    keep_runs(world.TUNED)
    trained, answered = duration.durations(read(study))
    assert (trained.to_come, answered.to_come) == (1, 2)
    change(study, lambda body: body.update(models={"theirs": "tiny"}))
    trained, more = duration.durations(read(study))
    assert (trained.to_come, more.to_come, more.runs) == (1, 3, 4)


def test_each_benchmark_is_counted_at_its_own_limit(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keep_runs(world.TUNED, world.TURNED)
    change(study, lambda body: body["evaluate"].update(benchmarks={"letters": {"max_tokens": 6400}}))
    contracts.path("results", "baseline").unlink()
    _, answered = duration.durations(read(study))
    duration.print_durations(read(study), as_json=False)
    assert "replies counted at 64 to 6400 tokens each" in capsys.readouterr().out
    change(study, lambda body: body["evaluate"].update(benchmarks=None))
    _, before = duration.durations(read(study))
    assert answered.seconds and before.seconds and answered.seconds > before.seconds > duration.START


def test_what_dvc_finds_changed_is_to_come(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or the word before a whole grid is trained again would be that there is nothing to wait for."""
    keep_runs(world.TUNED, world.TURNED)
    loaded: list[Any] = []
    load = weights.load
    monkeypatch.setattr(weights, "load", lambda *what, **how: loaded.append(what) or load(*what, **how))
    assert [(one.to_come, one.seconds) for one in duration.durations(read(study))] == [(0, 0.0), (0, None)]
    assert loaded == []
    monkeypatch.setattr(to_come, "find_changed_stages", lambda folder: {"evaluate"})
    assert [one.to_come for one in duration.durations(read(study))] == [0, 3]


def test_what_the_stores_have_is_not_to_come(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After an edit DVC finds all of a stage changed: what was bought before costs nothing, and what two runs share is
    bought once."""
    monkeypatch.setattr(to_come, "find_changed_stages", lambda folder: {"train", "evaluate"})
    change(study, lambda body: body.update(contrasts={}, compare={"primary": None}))
    change(study, lambda body: body["controls"].update(itself_again=body["controls"]["itself"]))
    change(study, lambda body: body["grid"]["controls"].append("itself_again"))
    for table in ("subsets", "unpaired"):
        again = world.ARM.replace("itself", "itself_again")
        shutil.copy(contracts.arm_path(table, world.ARM), contracts.arm_path(table, again))
    Path("data/metrics").mkdir(exist_ok=True)
    Path("data/metrics/arms.json").write_text("{}")
    assert [(one.runs, one.to_come) for one in duration.durations(read(study))] == [(3, 2), (4, 3)]
    store, plan = RunStore.beside(read(study).ledger), plan_runs(read(study))[world.TUNED]
    stored = store.keep(plan.key, write_weights(store.new(plan.key)), plan.identify(plan.sizes[0])[1], {})
    assert [one.to_come for one in duration.durations(read(study))] == [1, 3]
    for model in (None, stored.folder):
        buy_answers(read(study), model)
    assert [one.to_come for one in duration.durations(read(study))] == [1, 1]


def test_what_was_seen_here_says_how_long_it_takes(study: Path) -> None:
    """By hand: a run of two steps of two examples took 8 s, and those to come read as many; answers come a second
    after each other. The kind of fault: a grid whose end nobody knows, since a clock that ran was not read."""
    change(study, lambda body: body["methods"]["dpo"].update(batch_size=2, accumulation=1, epochs=1.0, max_steps=2))
    Path("data/metrics").mkdir(exist_ok=True)
    Path("data/metrics/arms.json").write_text("{}")
    params = read(study)
    known = known_calls(params)._replace(prompts=world.prompts())  # which this world's sources do not give
    before = {one.stage: one for one in plan_time.times(params, known, probe=False)}
    assert before["train"].seconds is None and "--probe" in before["train"].basis
    store, plan = RunStore.beside(params.ledger), plan_runs(params)[world.TUNED]
    made_of = plan.identify(plan.sizes[0])[1]
    store.keep(plan.key, write_weights(store.new(plan.key)), made_of, {"steps": 2.0}, 8.0)
    prompts = world.prompts().filter(pl.col("split") != "train")
    calls = make_student_calls(params.evaluate, params.student, "other weights", prompts)
    with Ledger(params.ledger) as ledger:
        for second in range(7):
            at = f"2026-11-01T00:00:{second:02}.000000+00:00"
            insert_attempt(ledger.db, Attempt(calls[0], Reply(f"{second}", "stop"), "evaluate", "other", at))
    after = {one.stage: one for one in plan_time.times(params, known, probe=False)}
    assert (after["train"].seconds, after["train"].basis) == (8.0 * 2, "1 run trained here")
    assert (after["evaluate"].seconds, after["evaluate"].basis) == (2 * len(calls), "6 answers here")


def buy_answers(study: Study, model: Path | None) -> None:
    """The ledger has a reply to whatever the evaluation of these weights asks."""
    revision = study.student.pinned + (f"+{weights.fingerprint(model)}" if model else "")
    calls = make_student_calls(
        study.evaluate, study.student, revision, world.prompts().filter(pl.col("split") != "train")
    )

    def answer(asked: Iterator[Call], on_reply: OnReply) -> None:
        for call in asked:
            on_reply(call, Reply("9", "stop"))

    with Ledger(study.ledger) as ledger:
        list(ledger.fulfil(calls, answer, "evaluate", "a run"))


def test_time_follows_the_work(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock that moves a second whenever it is read."""
    from itertools import count

    from curation.traces.sampling import make_calls

    clock = count()
    monkeypatch.setattr(duration.time, "perf_counter", lambda: next(clock))
    student, how = read(study).student, read(study).evaluate.sampling.model_copy(update={"samples": 4})
    network, tokenizer = weights.load(student.model, student.revision, "float32")
    assert duration._seconds_a_token(network) == 1 / (8 * 128)
    calls = make_calls(world.prompts(), student.model, student.revision, None, how)
    assert duration._seconds_of_replies(network, tokenizer, calls, 4, student.template) == 3  # 8 of 24 are timed
    assert duration._seconds_of_replies(network, tokenizer, calls[:8], 4, student.template) == 1
    assert duration._seconds_of_replies(network, tokenizer, [], 4, student.template) == 0
    monkeypatch.setattr(duration, "count_tokens_read", lambda *what: 8 * 128 * 25.0)
    assert duration.durations(read(study))[0].seconds == duration.START + 2 * 25


def test_a_prompt_is_read_once_however_long_the_reply() -> None:
    """By hand: 3 s to the first token, 15 more in 6 s, so that 61 take 3 + 60 x 0.4. The kind of fault: what is done
    once counted with each token, and a time that is four times what it will be."""
    assert duration.extend(3.0, 9.0, 16, 61.0) == pytest.approx(27.0)
    assert duration.extend(3.0, 9.0, 16, 16.0) == pytest.approx(9.0)
    assert duration.extend(3.0, 2.0, 16, 61.0) == 3.0, "the clock's own noise is no speed"


def test_what_is_read_follows_the_method(study: Path) -> None:
    """Counted, not timed: each side as long as the longest of its batch, once by the reference and in every update,
    passes back in passes forth; what is dropped is not read."""
    file = contracts.path("examples")
    rows = parquet.read(contracts.EXAMPLES, file)

    def tokens(edit: Any) -> float:
        change(study, edit)
        params = read(study)
        (reading,) = to_come.find_readings(params, [world.TUNED]).values()
        return duration.count_tokens_read(reading)

    of_arm = rows.filter(arm=world.ARM, method="dpo").sort("row_id")
    longest = of_arm.select((pl.col("prompt_tokens") + pl.col("target_tokens")).max()).item()
    pairs = of_arm["row_id"].n_unique()
    said = pairs * 2 * longest
    whole = {"lora": None, "batch_size": pairs, "accumulation": 1, "max_steps": None, "precompute": True}
    assert tokens(lambda body: body["methods"]["dpo"].update(whole, epochs=1.0)) == said * (1 + 3)
    assert tokens(lambda body: body["methods"]["dpo"].update(epochs=2.0)) == said * (1 + 2 * 3)
    assert tokens(lambda body: body["methods"]["dpo"].update(precompute=False)) == said * (2 + 2 * 3)
    assert tokens(lambda body: body["methods"]["dpo"].update(precompute=True, max_steps=5)) == said * (1 + 5 * 3)
    first = pl.col("row_id") == of_arm["row_id"][0]
    dropped = pl.when(first).then(pl.lit("identical")).otherwise("dropped").alias("dropped")
    parquet.write(contracts.EXAMPLES, rows.with_columns(dropped), file)
    fewer = tokens(lambda body: body["methods"]["dpo"].update(batch_size=1, max_steps=None, epochs=1.0))
    left = of_arm.filter(~first).with_columns(whole=pl.col("prompt_tokens") + pl.col("target_tokens"))
    assert fewer == sum(2 * longest for longest in left.group_by("row_id").agg(pl.col("whole").max())["whole"]) * 4


def test_before_the_arms_are_there_a_budget_says_how_much_is_read(study: Path) -> None:
    """A whole study is foreseen before its first call is made: at most as many pairs as are declared, or as there can
    be. The kind of fault: a plan that can say how long it takes once half of it was paid for."""
    change(study, lambda body: body["selections"]["clear"].update(budget={"pairs": 2}))
    change(study, lambda body: body["methods"]["dpo"].update(batch_size=2, accumulation=1, epochs=2.0, max_steps=None))
    shutil.rmtree("data")
    params = read(study)
    known = known_calls(params)
    readings = to_come.find_readings(params, list(params.runs), known)
    assert {(one.examples, one.updates, one.at_most) for one in readings.values()} == {(2, 2, True)}
    change(study, lambda body: body["selections"]["clear"].update(budget=None))
    everything = {one.examples for one in to_come.find_readings(read(study), list(params.runs), known).values()}
    assert everything == {pair(params.pair, known.drafts, known.listed_pairs).height}
    found = {one.stage: one for one in plan_time.times(read(study), known, probe=True)}
    assert "at most" in found["train"].work and found["train"].seconds
    assert found["evaluate"].work == "3 runs" and found["evaluate"].seconds


def test_a_served_student_takes_as_long_as_its_server(study: Path) -> None:
    served = {"kind": "openai", "endpoint": endpoint("http://127.0.0.1:9/v1").model_dump()}
    change(study, lambda body: body["evaluate"].update(engine=served))
    contracts.path("results", "baseline").unlink()
    done = ran(study.parent, "curation", "plan", "--runs", "--json")
    assert [one["seconds"] is None for one in json.loads(done.stdout)] == [False, True]
    assert (
        "evaluate: 3 of 3 runs to come, not timed here: engine openai"
        in ran(study.parent, "curation", "plan", "--runs").stdout
    )


def test_before_the_subsets_are_there_the_way_to_them_is_said(study: Path) -> None:
    contracts.arm_path("subsets", world.ARM).unlink()
    with pytest.raises(
        CurationError,
        match=r"data/arms/subsets/clear-any-own-itself.parquet: does not exist; run `dvc repro audit` first",
    ):
        duration.durations(read(study))
