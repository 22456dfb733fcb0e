"""This toolkit beside its peers: calls per second, and the calls bought again after a kill at half, one more row, and
an edited rubric line.

python -m bench.peers [NAME=PYTHON …], as in `distilabel=/opt/distilabel/bin/python curator=/opt/curator/bin/python`
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from bench.server import running

ROWS, LATENCY = 1000, 0.1
RUBRIC = "Rate the solution from 1 (bad) to 5 (good)."
ENDS = {0: "", 3: "old rows"}  # 3: a job got another number of rows than it asked for
FOLDER = Path(__file__).parent
LIMIT = 120  # seconds for a run


class Job:
    """One toolkit's job on one server, with a cache of its own."""

    def __init__(self, command: list[str], url: str, cache: str) -> None:
        self.command, self.url, self.cache = command, url, cache

    def start(self, rows: int = ROWS, rubric: str = RUBRIC) -> "subprocess.Popen[bytes]":
        with Path(f"{self.cache}.log").open("ab") as log:
            return subprocess.Popen(
                [*self.command, self.url, str(rows), rubric, self.cache], stdout=log, stderr=log, start_new_session=True
            )

    def calls_made(self) -> int:
        with urllib.request.urlopen(f"{self.url}/count") as reply:  # noqa: S310 (it is ours)
            return int(json.load(reply))

    def bought(self, rows: int = ROWS, rubric: str = RUBRIC) -> str:
        """Calls that a whole run makes."""
        before, child = self.calls_made(), self.start(rows, rubric)
        try:
            code = ENDS.get(status := child.wait(LIMIT), f"exit {status}")
        except subprocess.TimeoutExpired:
            code = "hangs"
            end(child)
        return str(self.calls_made() - before) + (f", {code}" if code else "")


def end(child: "subprocess.Popen[bytes]") -> None:
    """Kill a run with all that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def killed_at_half(job: Job) -> str:
    """Calls beyond the distinct ones that a run killed at half of them, and one after it, make together."""

    before, child = job.calls_made(), job.start()
    while job.calls_made() - before < ROWS and child.poll() is None:  # half of answers and judgments
        time.sleep(0.02)
    end(child)
    time.sleep(2 * LATENCY)  # what is in flight arrives
    _, *failed = job.bought().split(", ")
    return failed[0] if failed else str(job.calls_made() - before - 2 * ROWS)


def main() -> None:
    jobs = {"this toolkit": [sys.executable, "-m", "bench.peers.ours"]}
    for name, python in (argument.split("=", 1) for argument in sys.argv[1:]):
        jobs[name] = [python, str(FOLDER / f"{name}_job.py")]
    print(f"{ROWS} answers and {ROWS} judgments of them, {1000 * LATENCY:.0f} ms a call, 64 at once.")
    print(f"Calls bought beyond the {2 * ROWS} distinct ones after a kill, and by each re-run:")
    columns = {
        "calls/s": 9,
        "start, s": 10,
        "kill at half": 14,
        "same again": 12,
        "one more row": 14,
        "rubric line": 13,
    }
    print(" " * 16 + "".join(f"{name:>{width}}" for name, width in columns.items()))
    for name, command in jobs.items():
        with running(LATENCY) as url, tempfile.TemporaryDirectory() as cache, tempfile.TemporaryDirectory() as other:
            started = time.perf_counter()
            job = Job(command, url, cache)
            child = job.start()
            while not job.calls_made() and child.poll() is None:
                time.sleep(0.02)
            first = time.perf_counter()
            child.wait(LIMIT)
            rate = job.calls_made() / (time.perf_counter() - first)
            again, row, line = job.bought(), job.bought(ROWS + 1), job.bought(ROWS, RUBRIC.replace("bad", "poor"))
            killed = killed_at_half(Job(command, url, other))
        print(f"{name:16}{rate:9.0f}{first - started:10.1f}{killed:>14}{again:>12}{row:>14}{line:>13}", flush=True)


if __name__ == "__main__":
    main()
