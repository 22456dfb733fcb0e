"""Calls over a Ray cluster of two nodes on this machine: the tables of a local run, and what a node costs that goes
away midway."""

import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import world
from conftest import OpenLedger, Serve
from flow import write
from ruamel.yaml import YAML
from served import Held, answering, line_with, ran, rebuilt, save, served_params, started
from server import Answer, Request, endpoint, failing
from test_workers import settings
from test_workers import study as train_study
from tiny import save_tiny_llama

from curation.calls.call import Call
from curation.calls.chat import HttpEngine
from curation.calls.cluster import Params as Ray
from curation.calls.cluster import RayEngine
from curation.calls.execution import ONE_WORKER, Runs
from curation.core.errors import CurationError
from curation.models import weights
from curation.models.engines import transformers
from curation.models.student import Params as Student
from curation.training.over_ray import train_over_ray
from curation.training.train_all import ToTrain
from curation.training.workers import count_threads

pytestmark = pytest.mark.slow

WORKERS, BATCH, CONCURRENCY, PROMPTS = 2, 12, 4, 80
MEMORY = 80_000_000  # bytes, of each node's object store


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two nodes, of room for one worker each. Ray would otherwise want an address that is not this machine's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
        from ray.cluster_utils import Cluster

        running = Cluster(
            initialize_head=True,
            head_node_args={"num_cpus": 1, "include_dashboard": False, "object_store_memory": MEMORY},
        )
        running.add_node(num_cpus=1, object_store_memory=MEMORY)
        yield running
        running.shutdown()


def over(cluster: Any, **changes: Any) -> dict[str, Any]:
    return {"address": cluster.address, "workers": WORKERS, "cpus": 1.0, "gpus": 0.0, "batch": BATCH} | changes


def over_ray(folder: Path, url: str, cluster: Any, prompts: int, **budget: Any) -> None:
    """`folder` holds a served study whose calls go over the cluster."""
    params = served_params(folder, url, prompts, concurrency=CONCURRENCY)
    params["execution"] = {"engine": "ray", "ray": over(cluster)}
    params["budget"] |= budget
    save(params, folder)


def test_a_node_that_goes_away_costs_the_calls_under_way_on_it(serve: Serve, tmp_path: Path, cluster: Any) -> None:
    both, gone, lock, held = threading.Event(), threading.Event(), threading.Lock(), list[str]()
    calm, lossy = tmp_path / "calm", tmp_path / "lossy"
    served_params(calm, serve(answering).url, PROMPTS)
    expected = rebuilt(calm)

    def holding(request: Request) -> Answer:
        """From half of generate's calls on, none is answered before both workers wait and one of them is gone."""
        if len(server.requests) > PROMPTS and not gone.is_set():
            with lock:
                held.append(request.last_message)
            if len(held) == WORKERS * CONCURRENCY:
                both.set()
            gone.wait(60)
        return answering(request)

    server = serve(holding)
    over_ray(lossy, server.url, cluster, PROMPTS)
    assert ran(lossy, "stages.collect").returncode == 0
    child = started(lossy, "stages.generate", "writer")
    assert both.wait(60)
    cluster.remove_node(next(node for node in cluster.worker_nodes), allow_graceful=False)
    said = []
    for line in child.stderr or ():
        said.append(line)
        if line.startswith("a worker was lost with "):
            gone.set()
    assert child.wait(60) == 0, said
    lost = next(line for line in said if line.startswith("a worker was lost with "))
    bought = len(server.requests)
    # those it held, and what it was answered a moment before and had not handed on
    assert 0 < bought - 2 * PROMPTS <= int(lost.split()[5]) <= BATCH
    cluster.add_node(num_cpus=1, object_store_memory=MEMORY)
    assert rebuilt(lossy) == expected
    assert len(server.requests) - bought == 2 * PROMPTS  # the judge's
    print(f"\n2 nodes, one removed after {PROMPTS} of {2 * PROMPTS} calls: {bought - 2 * PROMPTS} bought twice; {lost}")


def test_an_engine_that_gives_up_ends_the_run_with_its_reason(serve: Serve, tmp_path: Path, cluster: Any) -> None:
    server = serve([failing(401, "no such key")])
    over_ray(tmp_path, server.url, cluster, 8)
    assert ran(tmp_path, "stages.collect").returncode == 0
    done = ran(tmp_path, "stages.generate", "writer")
    assert done.returncode == 1
    assert done.stderr.endswith(f"error: {server.url}: writer: HTTP 401: no such key; check model and api_key_env\n")
    assert not (tmp_path / "data/traces").exists()


def test_a_cap_holds_and_the_run_goes_on_when_it_is_raised(serve: Serve, tmp_path: Path, cluster: Any) -> None:
    server = serve(answering)
    over_ray(tmp_path, server.url, cluster, 20, max_calls=30)
    assert ran(tmp_path, "stages.collect").returncode == 0
    done = ran(tmp_path, "stages.generate", "writer")
    assert done.returncode == 1 and "10 of 40 calls have no reply" in done.stderr
    assert len(server.requests) == 30
    over_ray(tmp_path, server.url, cluster, 20)
    assert ran(tmp_path, "stages.generate", "writer").returncode == 0
    assert len(server.requests) == 40


def test_ctrl_c_keeps_what_is_under_way(serve: Serve, tmp_path: Path, cluster: Any) -> None:
    held = Held()
    server = serve(held)
    over_ray(tmp_path, server.url, cluster, 100)
    assert ran(tmp_path, "stages.collect").returncode == 0
    child = started(tmp_path, "stages.generate", "writer")
    assert held.begun.wait(60)
    child.send_signal(signal.SIGINT)
    line = line_with(child, "waiting for ")
    threading.Timer(6.0, held.go.set).start()  # long after the workers know
    _, said = child.communicate(timeout=60)
    assert line.startswith("waiting for the calls under way on ")
    assert child.returncode == 130, said
    before = len(server.requests)
    assert before <= 11 + WORKERS * CONCURRENCY
    assert ran(tmp_path, "stages.generate", "writer").returncode == 0
    assert len(server.requests) == 200


def test_local_weights_answer_there_as_here(
    tmp_path: Path, open_ledger: OpenLedger, cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a process of its own, because Ray is one for a process."""
    tiny = save_tiny_llama(tmp_path / "tiny")
    settings = transformers.Params(kind="transformers", dtype="float32", device="cpu", batch_size=4)
    engine = settings.engine(weights.Weights(str(tiny), weights.fingerprint(tiny)))
    sampling = {"temperature": 1.0, "top_p": 1.0, "top_k": 0, "max_tokens": 20}
    calls = [
        Call("tiny", "0", [{"role": "user", "content": f"What is {n} + 1?"}], {**sampling, "seed": n}, 0)
        for n in range(20)
    ]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    here = [reply.text for reply in open_ledger("here").fulfil(calls, engine, "generate", "g")]
    try:
        there = [
            reply.text
            for reply in open_ledger(
                "there", distribute=lambda ask: RayEngine(Ray(**over(cluster, batch=5)), ask)
            ).fulfil(calls, engine, "g", "g")
        ]
    finally:
        import ray

        ray.shutdown()
    assert there == here and len(set(here)) > 1


def test_runs_are_trained_where_there_is_room_and_again_where_a_node_goes_away(tmp_path: Path, cluster: Any) -> None:
    """One run a node, each with the bytes of a run here. The node that is removed had one under way, which the other
    trains too; what failed on a node is told here."""
    threads = count_threads(ONE_WORKER, "cpu")
    (tmp_path / "here").mkdir()
    train_study(tmp_path / "here", 2, steps=60)
    done = ran(tmp_path / "here", "stages.train")
    assert done.returncode == 1 and f"error: run short-{world.ARM}-0: max_length 2: no prompt" in done.stderr

    (tmp_path / "there").mkdir()
    train_study(tmp_path / "there", 2, steps=60, engine="ray", parallel=2, threads=threads)
    params = YAML(typ="safe", pure=True).load(tmp_path / "there/params.yaml")
    params["execution"]["ray"] = over(cluster)
    write(params, tmp_path / "there/params.yaml")
    child = started(tmp_path / "there", "stages.train")
    said = []
    for line in child.stderr or ():
        said.append(line)
        if line.startswith("train: ") and "2 handed to the cluster" in line and cluster.worker_nodes:
            cluster.remove_node(next(node for node in cluster.worker_nodes), allow_graceful=False)
    assert child.wait(120) == 1, said
    cluster.add_node(num_cpus=1, object_store_memory=MEMORY)
    assert sum(line.startswith("a worker was lost with run ") for line in said) == 1, said
    one, two = (folder / "data/runs.parquet" for folder in (tmp_path / "here", tmp_path / "there"))
    assert one.read_bytes() == two.read_bytes()


def test_what_goes_wrong_on_a_node_is_that_runs_failure(tmp_path: Path, cluster: Any) -> None:
    """Also outside the training: here torch refuses the threads."""
    import ray

    (tmp_path / "rows.parquet").touch()
    student = Student(model="none", revision="sha256:0", dtype="float32", device="cpu")
    jobs = [ToTrain(run, settings("dpo"), 0, student, tmp_path / "rows.parquet", tmp_path / run) for run in "ab"]
    runs = Runs.model_construct(engine="ray", parallel=2, threads=-1, max_failed=0)
    outcomes = list(train_over_ray(jobs, runs, Ray.model_validate(over(cluster))))
    ray.shutdown()  # this process is no part of the cluster any more
    said = "on a node of the cluster: RuntimeError: set_num_threads expects a positive integer"
    assert sorted(outcomes) == [("a", None, said), ("b", None, said)]


def test_no_key_travels(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker reads it from its own node's environment."""
    from ray import cloudpickle

    monkeypatch.setenv("PLANTED", "sk-planted-key")
    assert b"sk-planted-key" not in cloudpickle.dumps(
        HttpEngine(endpoint("http://127.0.0.1:9/v1", api_key_env="PLANTED"))
    )


def test_no_cluster_is_said() -> None:
    nowhere = Ray(address="127.0.0.1:1", workers=1, cpus=1.0, gpus=0.0, batch=1)
    with pytest.raises(
        CurationError,
        match=r"execution.ray.address: 127.0.0.1:1: no cluster answers; start one with `ray start --head`",
    ):
        RayEngine(nowhere, lambda calls, heard: None)(iter([]), lambda call, reply: None)
