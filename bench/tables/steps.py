"""A contender's steps, each measured and told to whoever started it: a JSON line a step on stdout."""

import json
import os
import resource
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from bench.tables.cases import JUDGES, SELECTIONS


def enter(folder: str, out: str) -> None:
    """Work in `folder`, where `out` is to hold the tables."""
    os.chdir(folder)
    for name in ("deltas", "selections", "subsets"):
        Path(out, name).mkdir(parents=True, exist_ok=True)


def step(name: str, *work: Callable[[], object]) -> None:
    """Do the work; say how long it took by the clock and on the processors, and how much memory this process has had
    at most."""
    wall, cpu = time.perf_counter(), time.process_time()
    for each in work:
        each()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        json.dumps(
            {"step": name, "seconds": time.perf_counter() - wall, "cpu": time.process_time() - cpu, "mib": peak}
        ),
        flush=True,
    )


def run(
    pair: Callable[[], object],
    delta: Callable[[str], object],
    select: Callable[[str, int], object],
    subset: Callable[[str], object],
    pairs: str,
) -> None:
    """The whole path: the pairs, each judge's deltas, and each selection with its texts."""
    step("pair", pair)
    step("delta", *(partial(delta, judge) for judge in JUDGES))
    for name in SELECTIONS:
        step(name, partial(select, name, int(pairs)), partial(subset, name))
