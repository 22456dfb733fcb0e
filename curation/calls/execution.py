"""Where calls are made and runs are trained: by processes of this machine, or by workers on a Ray cluster. Of this
`runs.threads` alone decides anything, the last digits of what is trained on a CPU; the rest changes no key and no
table."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from curation.calls import cluster
from curation.calls.call import Engine
from curation.core.devices import Device, find_device_fault
from curation.core.needs import find_uninstalled
from curation.core.params import Strict
from curation.core.ranges import FilePath, Natural
from curation.core.study import Study

Processes = Annotated[int, Field(ge=1, le=1000, description="each loads the student")]
Threads = Annotated[int, Field(ge=1, le=1024, description="of one machine")]


class Runs(Strict):
    """`execution.runs`: how runs are trained and evaluated, `parallel` at once.

    `local`: by processes that keep the student loaded, on a CPU each with so many `threads` (null: as many as torch
    takes), on `devices` by turns (null: student.device). `ray`: a run is a task with the CPUs and GPUs of
    `execution.ray`. `accelerate`: one run after the other, each over the processes of its `config`. The stage fails
    where more than `max_failed` runs did.
    """

    parallel: Processes
    engine: Literal["local", "ray", "accelerate"]
    max_failed: Natural
    threads: Threads | None = None
    devices: Annotated[list[Device], Field(min_length=1)] | None = None
    config: FilePath | None = None


ONE_WORKER = Runs(parallel=1, engine="local", max_failed=0)


class Params(Strict):
    """`execution` in params.yaml. `ray` is read where an `engine` is ray; without `runs` one is trained at a time."""

    engine: Literal["local", "ray"]
    ray: cluster.Params
    runs: Runs | None = None

    @property
    def of_runs(self) -> Runs:
        """How runs are trained and evaluated."""
        return self.runs or ONE_WORKER

    def mistakes(self, study: Study) -> Iterator[str]:
        """Parts of GPUs that no worker can have; what `runs` says and nobody would read, or could not be done."""
        if self.ray.gpus > 1 and self.ray.gpus != int(self.ray.gpus):
            yield f"ray.gpus: {self.ray.gpus:g} is more than one and no whole number, which Ray refuses; round it"
        if self.runs:
            yield from (f"runs.{line}" for line in _unread(self.runs))
            yield from (f"runs.{line}" for line in _unfit(self.runs, self.ray, study.student.device))

    def unmet(self, study: Study) -> Iterator[str]:
        """Ray or accelerate, where they are named; a device or a file that is not there."""
        if self.engine == "ray":
            yield from (f"engine: {line}" for line in find_uninstalled("ray"))
        runs = self.of_runs
        if runs.engine != "local":
            yield from (f"runs.engine: {line}" for line in find_uninstalled(runs.engine))
        for device in runs.devices or ():
            if fault := find_device_fault(device, study.student.dtype):
                yield f"runs.devices: {device}: {fault}"
        if runs.config and not Path(runs.config).is_file():
            yield f"runs.config: {runs.config}: does not exist; `accelerate config --config_file` writes one"

    def warnings(self, study: Study) -> Iterator[str]:
        """Runs that wait for one another's cores."""
        runs, cores = self.of_runs, os.cpu_count() or 1
        wanted = runs.parallel * (runs.threads or cores)
        if runs.engine == "local" and runs.parallel > 1 and study.student.device == "cpu" and wanted > cores:
            yield (
                f"runs.threads: {runs.parallel} runs at once of {runs.threads or 'all'} threads each are more than "
                f"the {cores} cores that this machine has; lower threads or parallel"
            )

    def distribute(self, engine: Engine) -> Engine:
        """What answers the calls that `engine` would, on this machine or on the cluster."""
        return cluster.RayEngine(self.ray, engine) if self.engine == "ray" else engine


def _unread(runs: Runs) -> Iterator[str]:
    """Settings that another engine reads."""
    if runs.config and runs.engine != "accelerate":
        yield f"config: {runs.config}: engine {runs.engine} reads none; leave it out, or name engine: accelerate"
    if runs.devices and runs.engine != "local":
        who = "Ray places runs itself" if runs.engine == "ray" else "its config says where"
        yield f"devices: {', '.join(runs.devices)}: engine {runs.engine} reads none, {who}; leave them out"


def _unfit(runs: Runs, ray: cluster.Params, device: str) -> Iterator[str]:
    """What the engine, the devices and the student are not made for together."""
    kind = device.partition(":")[0]
    named = set(runs.devices or ())
    if others := sorted(name for name in named if name.partition(":")[0] != kind):
        yield f"devices: {others[0]}: runs are trained on student.device, {device}; name devices of one kind there"
    elif runs.engine == "local" and len(named) > runs.parallel:
        yield f"parallel: {runs.parallel} leaves some of the {len(named)} devices unused; raise it, or name fewer"
    if runs.engine == "accelerate" and runs.config is None:
        yield "config: null, but engine is accelerate; name the file that `accelerate config --config_file` writes"
    if runs.engine == "accelerate" and runs.parallel > 1:
        yield f"parallel: {runs.parallel}, but accelerate gives each run all processes of its config; write 1"
    if runs.engine == "ray" and kind == "cpu" and runs.threads is None:
        yield "threads: null would be another number on another node, and other last digits; write it"
    if runs.engine == "ray" and kind == "cuda" and not ray.gpus:
        yield "engine: ray, but execution.ray.gpus is 0 and student.device is cuda; say how much of a GPU a run gets"
