"""One run over many processes, which `accelerate launch` starts by a config of the user's own: several GPUs, FSDP,
DeepSpeed.

Every process reads the same batches and takes its part of each, so that `batch_size` is a step's, however many they
are, and the result is that of one process up to rounding.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import redirect_stderr, suppress
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, TextIO

import polars as pl

from curation.core.errors import CurationError, run
from curation.core.kinds import kind
from curation.models.faults import OutOfMemory, first_line
from curation.models.student import Params as Student
from curation.training.accelerate_config import count_processes, find_faults, read_config
from curation.training.train import made_whole, require_rows
from curation.training.trainers._memory import halve_until_it_fits
from curation.training.trainers._processes import Processes
from curation.training.trainers._training import Job

if TYPE_CHECKING:
    from curation.training.trainers._kind import Method

POLL = 0.2  # seconds between looks at a process
ROOT = Path(__file__).parents[2]


def train_over_processes(
    name: str, settings: "Method", seed: int, student: Student, rows: pl.DataFrame, out: Path, config: Path,
    threads: int | None = None,
) -> dict[str, float]:  # fmt: skip
    """`out` holds the run's weights, whole, trained by the processes of accelerate's `config`, on a CPU each with so
    many `threads`. Returns the metrics of training. What has no room in one of them is tried again as in one process.

    Raises CurationError where `find_faults` finds one, where there is nothing to train on, and where a process fails.
    """
    for line in find_faults(config, settings, student.device):
        raise CurationError(f"run {name}: {line}")
    require_rows(name, rows)
    world = count_processes(config)
    with made_whole(out) as partial:

        def attempt(micro_batch: int) -> dict[str, float]:
            with tempfile.TemporaryDirectory() as shared:
                rows.write_parquet(Path(shared, "rows.parquet"))
                job = {
                    "name": name, "kind": settings.kind, "settings": settings.model_dump(mode="json"), "seed": seed,
                    "student": student.model_dump(mode="json"), "out": str(partial.resolve()), "owner": os.getpid(),
                    "world": world, "micro_batch": micro_batch,
                }  # fmt: skip
                Path(shared, "job.json").write_text(json.dumps(job))
                return _launch(name, Path(shared), config, threads)

        return halve_until_it_fits(settings.batch_size // world, name, attempt)


def _launch(name: str, shared: Path, config: Path, threads: int | None) -> dict[str, float]:
    """The metrics of the job in the folder `shared`, done by accelerate's processes, which end with this one."""
    found = read_config(config)
    # what `accelerate config` writes for a CPU wants MPI; torch's own launcher starts processes without
    starter = ["--multi_gpu"] if found.get("distributed_type") == "MULTI_CPU" and not found.get("mpirun_config") else []
    command = [
        sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(config), *starter,
        "--module", "curation.training.launched", str(shared),
    ]  # fmt: skip
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    own = {"PYTHONPATH": os.pathsep.join(paths)} | ({"OMP_NUM_THREADS": str(threads)} if threads else {})
    with (shared / "log").open("wb") as log, (shared / "told").open("w+") as told:
        process = subprocess.Popen(command, env=os.environ | own, stdout=log, stderr=log, start_new_session=True)
        try:
            while process.poll() is None:
                time.sleep(POLL)
                _pass_on(told)
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        _pass_on(told)
    if (error := shared / "error.json").exists():
        body = json.loads(error.read_text())
        raise (OutOfMemory if body["memory"] else CurationError)(body["error"])
    if process.returncode or not (shared / "figures.json").exists():
        lines = (shared / "log").read_text("utf-8", "replace").splitlines()
        said = next((line for line in reversed(lines) if "Error" in line), lines[-1] if lines else "nothing")
        raise CurationError(
            f"run {name}: `accelerate launch --config_file {config}` ended with exit code {process.returncode}: "
            f"{' '.join(said.split())[:300]}"
        )
    figures: dict[str, float] = json.loads((shared / "figures.json").read_text())
    return figures


def _pass_on(told: TextIO) -> None:
    if text := told.read():
        print(text, end="", file=sys.stderr, flush=True)


def main() -> None:
    """What each process does: its part of the training in the folder that it is given."""
    shared = Path(sys.argv[1])
    job = json.loads((shared / "job.json").read_text())
    rank, world = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    Thread(target=_end_with, args=(job["owner"],), daemon=True).start()
    told = (shared / "told" if rank == 0 else Path(os.devnull)).open("a", buffering=1)
    with told, redirect_stderr(told):
        try:
            if world != job["world"]:
                raise CurationError(
                    f"run {job['name']}: accelerate started {world} processes, and its config says "
                    f"num_processes: {job['world']}; name a distributed_type there that starts them"
                )
            method, rows = kind("methods", job["kind"]), pl.read_parquet(shared / "rows.parquet")
            settings = method.Params.model_validate(job["settings"])
            processes = Processes(rank, world, shared, job["micro_batch"])
            figures = method.train(
                settings,
                Job(job["seed"], Student.model_validate(job["student"]), rows, job["name"], Path(job["out"]),
                    processes),
            )  # fmt: skip
        except Exception as error:
            _tell_first(shared, error)
            raise
    if rank == 0:
        (shared / "figures.json").write_text(json.dumps(figures))


def _tell_first(shared: Path, error: Exception) -> None:
    """The first process that fails says why; the others fail because it did."""
    said = str(error) if isinstance(error, CurationError) else f"{type(error).__name__}: {first_line(error)}"
    with suppress(FileExistsError), (shared / "error.json").open("x") as file:
        json.dump({"error": said, "memory": isinstance(error, OutOfMemory)}, file)


def _end_with(owner: int) -> None:
    """End this process once the process that had it started has ended, however it did."""
    while True:
        time.sleep(POLL)
        try:
            os.kill(owner, 0)
        except OSError:
            os._exit(1)


if __name__ == "__main__":
    run(main)
