"""Many runs side by side: the bytes of runs done alone, each failure its own, and nothing that outlives its parent.

Kinds of fault: a run that depends on what its process did before, or on how many are trained beside it; a failure, or
the death of a process, that costs another run, or none that is told; workers that go on when whoever started them is
gone; a copy of the student whose training changes the next one; half a run taken for one.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any

import flow
import psutil
import pytest
import world
from conftest import OpenLedger
from errand import Errand
from served import ran, started
from tiny import save_tiny_llama

from curation.calls.execution import ONE_WORKER, Runs
from curation.core import progress
from curation.core.errors import CurationError
from curation.core.kinds import kind
from curation.models import kept, weights
from curation.models.student import Params as Student
from curation.selection.subset import unpair
from curation.tables import contracts, parquet
from curation.training.run_store import RunStore
from curation.training.train_all import ToTrain
from curation.training.worker import Place
from curation.training.workers import count_threads, one_by_one, side_by_side

ROOT = Path(__file__).parents[1]
STUDENT = Student(model="none", revision="sha256:0", dtype="float32", device="cpu")
PARAMS = world.own()
LORA = {"rank": 2, "alpha": 4, "dropout": 0.0, "modules": ["q_proj", "v_proj"], "layers": 1}
TOY = {"max_steps": 3, "bf16": False, "batch_size": 2, "accumulation": 1, "lora": LORA}


def many(parallel: int, **more: Any) -> Runs:
    return Runs(parallel=parallel, engine="local", max_failed=0, **more)


@pytest.mark.slow
def test_every_job_has_its_own_outcome(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Also where its process is killed, as a system does that has no memory left: another one takes its place. A job
    may share its work among processes, as grading does where it takes long."""
    jobs = [Errand(name, tmp_path) for name in ("killed", "mistaken", "good", "odd", "well", "shared")]
    found = {run: (value, error) for run, value, error in side_by_side("do", jobs, many(1, threads=3), STUDENT)}
    assert found["good"] == (("3", "good"), None) and found["well"] == (("3", "well"), None)
    assert found["shared"] == ("SHARED", None)
    assert found["mistaken"] == (None, "run mistaken: nothing to learn;\\nwiden it")
    assert found["odd"] == (None, "TypeError: no such thing")
    assert found["killed"] == (
        None,
        "its process was killed (SIGKILL), as a system does that has no memory left; lower "
        "execution.runs.parallel, or the method's batch_size",
    )
    assert not (tmp_path / "killed").exists() and (tmp_path / "good").exists()
    assert "resource_tracker" not in capfd.readouterr().err


def test_a_worker_that_is_killed_between_two_jobs_costs_none(tmp_path: Path) -> None:
    """As it is while a run that it has trained is kept."""
    found, jobs = [], [Errand(name, tmp_path) for name in ("last", "good")]
    for outcome in side_by_side("do", jobs, many(1, threads=3), STUDENT):
        found.append(outcome)
        if outcome.run == "last":
            worker = psutil.Process(int((tmp_path / "last").read_text()))
            (tmp_path / "heard").touch()
            until(lambda worker=worker: worker.status() == psutil.STATUS_ZOMBIE)
    assert found == [("last", ("3", "last"), None), ("good", ("3", "good"), None)]


def pids(folder: Path, runs: list[str]) -> list[int]:
    """The processes of jobs, once each has begun."""
    until(lambda: all((folder / run).exists() and (folder / run).read_text() for run in runs))
    return [int(number) for run in runs for number in (folder / run).read_text().split()]


def until(true: Callable[[], bool]) -> None:
    """Returns once that is so."""
    for _ in range(6000):
        if true():
            return
        time.sleep(0.01)
    raise AssertionError("it never was so")


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_workers_end_with_their_parent(tmp_path: Path, how: signal.Signals) -> None:
    """A killed parent cannot end them: they see that it is gone, and end what they share their work with. Ctrl-C
    reaches all, and is the parent's to hear."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\nfrom pathlib import Path\n"
        "from curation.core.errors import run\n"
        "from test_workers import *\njobs = [Errand(name, Path(sys.argv[2])) for name in ('long', 'nested', 'well')]\n"
        "run(lambda: list(side_by_side('do', jobs, many(2), STUDENT)))\n"
    )
    command = [sys.executable, "-c", code, str(ROOT / "tests"), str(tmp_path)]
    parent = subprocess.Popen(
        command, env=os.environ | {"PYTHONPATH": str(ROOT)}, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    workers = pids(tmp_path, ["long", "nested"])
    os.killpg(parent.pid, how) if how == signal.SIGINT else parent.send_signal(how)
    _, said = parent.communicate(timeout=60)
    until(lambda: not any(psutil.pid_exists(pid) for pid in workers))
    assert len(workers) == 3
    assert said == ("interrupted\n" if how == signal.SIGINT else "")
    assert sorted(file.name for file in tmp_path.iterdir()) == ([] if how == signal.SIGINT else ["long", "nested"])


def test_a_worker_sees_one_gpu_of_those_that_its_parent_sees(monkeypatch: pytest.MonkeyPatch) -> None:
    for named, device, seen in (
        ("", "cuda:1", "1"),
        ("3,GPU-5f", "cuda:1", "GPU-5f"),
        ("3,GPU-5f", "cuda", "3,GPU-5f"),
    ):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)
        assert Place(device, None).enter() == "cuda"
        assert os.environ["CUDA_VISIBLE_DEVICES"] == seen


def test_threads_are_those_of_the_params_or_what_openmp_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    assert count_threads(many(2, threads=3), "cpu") == 3
    assert count_threads(ONE_WORKER, "cpu") == 5
    assert count_threads(many(2, threads=3), "cuda:0") is None
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert count_threads(ONE_WORKER, "cpu") == len(psutil.Process().cpu_affinity())


def test_progress_that_is_heard_is_not_shown(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
    told: list[str] = []
    with progress.heard(lambda shown: told.append(shown.describe())), progress.progress("train a", 3, "steps") as shown:
        shown.advance(0)
        shown.advance(note="loss 0.5")
    assert told[0] == "train a: 0/3 steps in 0 s"  # there is no pace yet
    assert told[1].startswith("train a: 1/3 steps in 0 s, ") and told[1].endswith(" s left, loss 0.5")
    assert capsys.readouterr().err == ""
    with progress.progress("train b", 3, "steps") as shown:
        shown.advance(0)
    assert capsys.readouterr().err == "train b: 0/3 steps in 0 s\n"


def test_one_by_one_tells_of_all_runs_and_a_failure_costs_no_other(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where workers train them: how many are done, and how far the one under way is."""
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)

    def work() -> str:
        with progress.progress("train a", 2, "steps") as shown:
            shown.advance(note="loss 0.5")
        return "done"

    def fail() -> None:
        raise CurationError("nothing to\nlearn")

    outcomes = list(one_by_one("train", {"a": work, "b": fail, "c": work, "d": partial(sys.exit, 3)}, None))
    assert outcomes == [
        ("a", "done", None), ("b", None, "nothing to\\nlearn"), ("c", "done", None), ("d", None, "SystemExit: 3")
    ]  # fmt: skip
    said = capsys.readouterr().err.splitlines()
    lines = [line for line in said if line.startswith("train: ") and "4/4" not in line]  # the last after two seconds
    done = [line.partition(" in ")[0] for line in lines]
    assert done == ["train: 0/4 runs", "train: 1/4 runs", "train: 2/4 runs", "train: 2/4 runs", "train: 3/4 runs"]
    assert all("train a: 1/2 steps" in line and line.endswith("loss 0.5") for line in lines)


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> Student:
    tiny = save_tiny_llama(tmp_path_factory.mktemp("tiny"))
    return Student(model=str(tiny), revision=weights.fingerprint(tiny), dtype="float32", device="cpu")


@pytest.fixture(scope="module")
def arm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tables of an arm of seven pairs."""
    folder = tmp_path_factory.mktemp("arm")

    def said(role: str, text: str) -> list[dict[str, str]]:
        return [{"role": role, "content": text}]

    pairs = world.rows_of(contracts.SUBSETS, [
        {
            "pair_id": i, "prompt_id": i, "chosen_trace_id": 100 + i, "rejected_trace_id": 200 + i,
            "prompt": said("user", f"{i} + {i}?"), "chosen": said("assistant", f"It is {2 * i}." + " So." * i),
            "rejected": said("assistant", f"{i} " * (1 + i % 4)), "margin": 1.0, "chosen_rating": 1.0,
            "rejected_rating": 0.0, "chosen_truncated": False, "rejected_truncated": False,
        }
        for i in range(7)
    ])  # fmt: skip
    parquet.write(contracts.SUBSETS, pairs, folder / "subsets.parquet")
    parquet.write(contracts.UNPAIRED, unpair(pairs), folder / "unpaired.parquet")
    return folder


def settings(method: str, **changes: Any) -> Any:
    base = PARAMS["methods"]["kto" if method == "kto" else "dpo"] | TOY | {"kind": method} | changes
    of_sft = {name: value for name, value in base.items() if name not in ("beta", "precompute", "loss")}
    return kind("methods", method).Params.model_validate(of_sft if method == "sft" else base)


CASES = {
    "dpo": settings("dpo"),
    "dpo-full": settings("dpo", lora=None, precompute=False),
    "dpo-again": settings("dpo", accumulation=2, checkpointing=True),
    "kto": settings("kto"),
    "sft-dropout": settings("sft", lora=LORA | {"dropout": 0.3}),
    "sft-bf16": settings("sft", bf16=True),
    "kto-full": settings("kto", lora=None),
}


@pytest.mark.slow
def test_a_run_is_the_same_whatever_was_trained_before_it(student: Student, arm: Path, tmp_path: Path) -> None:
    """LoRA and all weights, with dropout, checkpointing, in half precision: by this process, which loads the student
    each time, and in the other order by a worker, which copies the one that it keeps."""
    import torch

    def to_train(run: str, way: str) -> ToTrain:
        table = kind("methods", CASES[run].kind).READS
        return ToTrain(run, CASES[run], 5, student, arm / f"{table}.parquet", tmp_path / way / run)

    ways = {"here": list(CASES), "there": list(CASES)[::-1]}
    threads = torch.get_num_threads()
    here = one_by_one("train", {run: to_train(run, "here").do for run in ways["here"]}, 1)
    there = side_by_side("train", [to_train(run, "there") for run in ways["there"]], many(1, threads=1), student)
    for _, figures, error in (*here, *there):
        assert error is None and figures["micro_batch"] == 2
    torch.set_num_threads(threads)
    here_hash, there_hash = ({run: weights.fingerprint(tmp_path / way / run) for run in CASES} for way in ways)
    assert here_hash == there_hash
    assert len(set(here_hash.values())) == len(CASES)


@pytest.mark.long
@pytest.mark.slow
def test_a_process_that_keeps_the_student_copies_it(student: Student, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is frozen shares its values, and whether it is trained is its own; what is not has values of its own."""
    import torch

    plain, _ = weights.load(student.model, student.pinned, "float32")
    monkeypatch.setattr(kept, "_kept", None)
    kept.keep(student.model, student.pinned)
    frozen, again, free = (
        weights.load(student.model, student.pinned, "float32", frozen=frozen)[0] for frozen in (True, True, False)
    )
    (one, *_), (other, *_), (own, *_) = (list(network.parameters()) for network in (frozen, again, free))
    assert one.data_ptr() == other.data_ptr() != own.data_ptr()
    one.requires_grad_(False)
    assert other.requires_grad and own.requires_grad
    with torch.no_grad():
        own.fill_(7.0)
    ids = torch.arange(12).reshape(1, 12)
    assert torch.equal(frozen(ids).logits, plain(ids).logits) and torch.equal(again(ids).logits, plain(ids).logits)
    tied = free.config.tie_word_embeddings
    assert (free.get_output_embeddings().weight is free.get_input_embeddings().weight) == bool(tied)
    half, _ = weights.load(student.model, student.pinned, "bfloat16")
    assert half.dtype == torch.bfloat16 and one.dtype == torch.float32


def study(folder: Path, seeds: int, steps: int = 3, max_failed: int = 0, **runs: Any) -> None:
    """The small world's study is in `folder` up to its arms: a student of two layers, trained with so many seeds by a
    method, which has two names, and by one whose max_length no prompt fits in."""
    body = deepcopy(world.settings())  # which other tests share
    if not (folder / "tiny").exists():
        world.write(world.sound(), folder)
        save_tiny_llama(folder / "tiny")
        (folder / "data/runs.parquet").unlink()
        shutil.rmtree(folder / "data/results")
        (folder / "data/metrics").mkdir(exist_ok=True)
        (folder / "data/metrics/arms.json").write_text(json.dumps({world.ARM: {"own_pairs": 3, "own_unpaired": 6}}))
    body["student"] |= {"model": "./tiny", "revision": weights.fingerprint(folder / "tiny")}
    dpo = body["methods"]["dpo"] | TOY | {"max_steps": steps, "epochs": 1000.0}
    body["methods"] = {"dpo": dpo, "again": dpo, "short": dpo | {"max_length": 2}}
    body["grid"] |= {"methods": list(body["methods"]), "controls": ["itself"], "seeds": list(range(seeds))}
    body["contrasts"], body["compare"]["primary"] = {}, None
    body["evaluate"]["sampling"] |= {"samples": 2, "max_tokens": 4}
    execution = {"engine": "local", "parallel": 1, "max_failed": max_failed} | runs
    body["execution"] = body["execution"] | ({"runs": execution} if runs or max_failed else {})
    flow.write(body, folder / "params.yaml")


def in_store(folder: Path) -> dict[str, tuple[str, int]]:
    """By the seed of every run in the store the hash of its weights, and the folder that it was made in."""
    store = RunStore(folder / ".curation/runs")
    return {
        str(one.made_of["seed"]): (store.verify(one.key).weights, (store.folder / one.key).stat().st_ino)
        for one in store.stored()
    }


@pytest.mark.slow
def test_tables_do_not_depend_on_how_many_runs_are_trained_at_once(tmp_path: Path, open_ledger: OpenLedger) -> None:
    """Trained and evaluated by the stage itself, and by two workers. Each call is bought once, of two runs with the
    same weights too, and runs that fail are named and cost no other."""
    threads, made, said = count_threads(ONE_WORKER, "cpu"), {}, {}
    for name, runs in (("one", {}), ("two", {"parallel": 2, "threads": threads})):
        (tmp_path / name).mkdir()
        study(tmp_path / name, 2, **runs)
        trained, evaluated = ran(tmp_path / name, "stages.train"), ran(tmp_path / name, "stages.evaluate")
        assert (trained.returncode, evaluated.returncode) == (1, 0), (trained.stderr, evaluated.stderr)
        said[name] = [line for line in trained.stderr.splitlines() if line.startswith("error: ")]
        files = [tmp_path / name / "data/runs.parquet", *sorted((tmp_path / name / "data/results").iterdir())]
        made[name] = {file.name: file.read_bytes() for file in files}
        shutil.copy(tmp_path / name / ".curation/ledger.sqlite", tmp_path / f"{name}.sqlite")
    assert made["one"] == made["two"] and len(made["one"]) == 1 + 5
    assert said["one"] == said["two"]
    assert [line.partition(": max_length")[0] for line in said["two"]] == [
        f"error: run short-{world.ARM}-{seed}" for seed in range(2)
    ]
    keys = "SELECT key, count(*) FROM calls WHERE bought GROUP BY key ORDER BY key"
    one, two = (open_ledger(name).db.execute(keys).fetchall() for name in made)
    assert one == two and {count for _, count in two} == {1}
    study(tmp_path / "one", 2, max_failed=2, threads=threads)
    assert ran(tmp_path / "one", "stages.train").returncode == 0


def workers_of(parent: subprocess.Popen[str]) -> list[psutil.Process]:
    """The workers that train, by the memory that torch takes."""
    children = psutil.Process(parent.pid).children()
    return [child for child in children if child.memory_info().rss > 200 * 2**20]


@pytest.mark.slow
def test_a_kill_costs_the_runs_under_way(tmp_path: Path) -> None:
    """First a worker is killed, whose run fails alone, and then the stage. What was trained by then is there, and the
    next run of the stage trains what is missing and nothing else."""
    study(tmp_path, 9, steps=60, max_failed=9, parallel=2, threads=count_threads(ONE_WORKER, "cpu"))
    child = started(tmp_path, "stages.train")
    until(lambda: len(in_store(tmp_path)) > 0 and len(workers_of(child)) == 2)
    workers_of(child)[0].kill()
    lost = next(line for line in child.stderr or () if "its process was killed (SIGKILL)" in line)
    first = in_store(tmp_path)
    until(lambda: len(in_store(tmp_path)) > len(first))
    workers = workers_of(child)
    child.kill()
    child.communicate()
    until(lambda: not any(worker.is_running() for worker in workers))
    second = in_store(tmp_path)
    assert len(first) < len(second) < 9 and first.items() <= second.items()
    assert lost.startswith(f"run dpo-{world.ARM}-") and lost.split(": ")[0][-1] not in second
    study(tmp_path, 9, steps=60, max_failed=9, threads=count_threads(ONE_WORKER, "cpu"))
    done = ran(tmp_path, "stages.train")
    assert done.returncode == 0, done.stderr
    third = in_store(tmp_path)
    assert sorted(third) == [str(seed) for seed in range(9)] and second.items() <= third.items()
    assert not list((tmp_path / ".curation/runs").glob("*.partial"))
