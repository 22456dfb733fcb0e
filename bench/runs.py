"""CPU seconds and wall clock of a grid of runs of the project's own student: a process each, as stages of DVC's were,
one by one in the stage, and side by side. All give the same bytes.

python -m bench.runs [RUNS] [AT_ONCE]

Each run is of 12 pairs of made-up texts, trained as params.yaml says, with one thread.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl

from curation.calls.execution import Params as Execution
from curation.calls.execution import Runs
from curation.core.kinds import kind
from curation.core.params import read
from curation.core.study import Study
from curation.models import weights
from curation.selection.subset import unpair
from curation.tables import contracts, parquet
from curation.training.train_all import ToTrain, train_all

PAIRS = 12


def write_arm(folder: Path) -> None:
    """`folder` holds the tables of an arm of sums, each answered at length rightly and wrongly."""

    def said(role: str, text: str) -> list[dict[str, str]]:
        return [{"role": role, "content": text}]

    rows = [
        {
            "pair_id": number, "prompt_id": number, "chosen_trace_id": 100 + number, "rejected_trace_id": 200 + number,
            "prompt": said("user", f"Work it out step by step: {number} + {number} * {number}?"),
            "chosen": said("assistant", f"First {number} * {number}, then {number} more. " * 3 + f"It is {right}."),
            "rejected": said("assistant", f"{number} and {number} are {2 * number}, " * 3 + f"so {2 * right + 1}."),
            "margin": 1.0, "chosen_rating": 1.0, "rejected_rating": 0.0, "chosen_truncated": False,
            "rejected_truncated": False,
        }
        for number, right in ((number, number + number * number) for number in range(PAIRS))
    ]  # fmt: skip
    empty = contracts.empty(contracts.SUBSETS)
    pairs = pl.concat([empty, pl.DataFrame(rows, {name: empty.schema[name] for name in rows[0]})], how="diagonal")
    parquet.write(contracts.SUBSETS, pairs, folder / "subsets.parquet")
    parquet.write(contracts.UNPAIRED, unpair(pairs), folder / "unpaired.parquet")


def jobs(study: Study, arm: Path, out: Path, count: int) -> list[ToTrain]:
    """`count` runs: the study's methods by turns, each with the next seed."""
    methods = [study.methods[name] for name in study.grid.methods]
    return [
        ToTrain(f"run-{seed}", method, seed, study.student, arm / f"{kind('methods', method.kind).READS}.parquet",
                out / f"run-{seed}")
        for seed, method in ((seed, methods[seed % len(methods)]) for seed in range(count))
    ]  # fmt: skip


def train(study: Study, wanted: list[ToTrain], at_once: int | None) -> None:
    runs = Runs(parallel=at_once, threads=1, engine="local", max_failed=0) if at_once else None
    execution = Execution(engine="local", ray=study.execution.ray, runs=runs)
    for run, _, error in train_all(wanted, execution, study.student):
        if error:
            raise SystemExit(f"{run}: {error}")


def timed(what: str, work: Callable[[Path], None]) -> dict[str, str]:
    """The hashes of the runs that `work` trains into a folder; the time it takes is printed."""
    with tempfile.TemporaryDirectory() as folder:
        before, began = _cpu(), time.perf_counter()
        work(Path(folder))
        print(f"{what}: {_cpu() - before:.0f} s of CPU, {time.perf_counter() - began:.0f} s", flush=True)
        return {run.name: weights.fingerprint(run) for run in sorted(Path(folder).iterdir())}


def _cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def main() -> None:
    os.environ["OMP_NUM_THREADS"] = "1"
    study = read()
    if sys.argv[1:2] == ["alone"]:
        arm, out, number = sys.argv[2:]
        train(study, jobs(study, Path(arm), Path(out), int(number) + 1)[-1:], None)
        return
    count, at_once = (int(sys.argv[place]) if len(sys.argv) > place else default for place, default in ((1, 8), (2, 2)))
    weights.resolve(study.student.model, study.student.pinned)  # unpacked, if it is not yet
    print(f"{count} runs of {PAIRS} pairs on {os.cpu_count()} cores, a thread each", flush=True)
    with tempfile.TemporaryDirectory() as arm:
        write_arm(Path(arm))

        def alone(out: Path) -> None:
            for number in range(count):
                command = [sys.executable, "-m", "bench.runs", "alone", arm, str(out), str(number)]
                subprocess.run(command, check=True)

        hashes = [
            timed("a process each", alone),
            timed("one worker", lambda out: train(study, jobs(study, Path(arm), out, count), 1)),
            timed(f"{at_once} workers", lambda out: train(study, jobs(study, Path(arm), out, count), at_once)),
        ]
    print("the same bytes" if hashes[0] == hashes[1] == hashes[2] else "OTHER BYTES")


if __name__ == "__main__":
    main()
