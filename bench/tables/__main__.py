"""The whole table path, pair, delta and ten selections, on synthetic data, against the same work in bare DuckDB,
Polars, pandas and datasets.

python -m bench.tables [PAIRS ...] [--contenders ours duckdb polars pandas datasets] [--folder FOLDER] [--plot FILE]

Each contender works in a process of its own, from the same files to the same tables on disk, and what it wrote is
compared with ours. Seconds are of the work, without the start of Python. Without PAIRS: 1 million for all, 10 for all
but datasets, 3 and 30 for ours alone.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from bench.tables.report import OURS, Run, contenders, plot, scaling

JOBS = {OURS: "ours", **{name: f"{name}_job" for name in ("duckdb", "polars", "pandas", "datasets")}}
SIZES: dict[int, list[str]] = {1_000_000: list(JOBS), 3_000_000: [OURS], 10_000_000: list(JOBS)[:4], 30_000_000: [OURS]}
DISK = dict.fromkeys(JOBS, 600) | {"datasets": 4000}  # bytes a pair
MEMORY = dict.fromkeys(JOBS, 450) | {"pandas": 1200, "datasets": 1200}  # likewise


def log(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def start(module: str, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", f"bench.tables.{module}", *arguments], stdout=subprocess.PIPE, text=True
    )


def measure(name: str, folder: Path, pairs: int) -> Run | None:
    """One contender's run; None where it did not end well."""
    steps, cpu, mib = {}, 0.0, 0.0
    with start(JOBS[name], str(folder), str(pairs)) as child:
        for line in child.stdout or ():
            step = json.loads(line)
            steps[step["step"]], cpu, mib = step["seconds"], cpu + step["cpu"], step["mib"]
            log(f"{name}, {pairs:,} pairs: {step['step']} {step['seconds']:.1f} s, {mib:.0f} MiB")
    if child.returncode:
        log(f"{name}, {pairs:,} pairs: ended with {child.returncode}")
    return None if child.returncode else Run(name, pairs, steps, cpu, mib)


def check_agreement(name: str, folder: Path) -> None:
    """Exits with what the contender has differently from ours, if it has."""
    with start("agree", str(folder), name) as child:
        differences = (child.stdout.read() if child.stdout else "").strip()
    if child.returncode or differences:
        sys.exit(f"{name} and ours do not agree:\n{differences}")
    log(f"{name} and ours agree")


def bench(pairs: int, names: Iterable[str], at: str | None) -> list[Run]:
    """Every contender's run on one set of data, which is gone afterwards."""
    runs = []
    with tempfile.TemporaryDirectory(dir=at, prefix="tables") as place:
        folder = Path(place)
        log(f"{pairs:,} pairs: making the data")
        with start("data", str(folder), str(pairs)) as child:
            pass
        if child.returncode:
            sys.exit(child.returncode)
        warm()
        for name in names:
            if lack := shortage(name, pairs, folder):
                log(f"{name}, {pairs:,} pairs: left out, {lack}")
                continue
            if run := measure(name, folder, pairs):
                runs.append(run)
            if run and name != OURS and (folder / "data/pairs.parquet").exists():
                check_agreement(name, folder)
            shutil.rmtree(folder / name, ignore_errors=True)
    return runs


def warm() -> None:
    """Write out what was made, and use half of the memory once, which a virtual machine's host may hand out at its
    first use only: the first contender would pay for both."""
    os.sync()
    pages = available() // 2 // 4096
    subprocess.run([sys.executable, "-c", f"bytearray({4096 * pages})[::4096] = bytes({pages})"], check=True)


def available() -> int:
    """Bytes of memory that are free."""
    return next(
        int(line.split()[1]) * 1024
        for line in Path("/proc/meminfo").read_text().splitlines()
        if line.startswith("MemAvailable")
    )


def shortage(name: str, pairs: int, folder: Path) -> str | None:
    """What the machine has too little of for a run, if there is such a thing."""
    for what, free, needed in (
        ("disk", shutil.disk_usage(folder).free, DISK[name] * pairs),
        ("memory", available(), MEMORY[name] * pairs),
    ):
        if free < needed:
            return f"{free / 1e9:.0f} GB of {what} are free, and it needs about {needed / 1e9:.0f}"
    return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", nargs="*", type=lambda text: int(float(text)), help="how many, as 1000000 or 1e6")
    parser.add_argument(
        "--contenders", nargs="+", choices=list(JOBS), help="by default those that the size is for, or all"
    )
    parser.add_argument("--folder", help="where the data are made and removed again, by default the system's own place")
    parser.add_argument("--plot", type=Path, help="a PNG, by default in a new temporary folder")
    arguments = parser.parse_args()
    runs: list[Run] = []
    busy = os.getloadavg()[0]
    print(f"{os.cpu_count()} processors, {busy:.1f} of them busy before; of ours: the total in units of ours")
    for pairs in arguments.pairs or SIZES:
        new = bench(pairs, arguments.contenders or SIZES.get(pairs, JOBS), arguments.folder)
        if new:
            print(contenders(new), flush=True)
        runs += new
    if runs:
        where = arguments.plot or Path(tempfile.mkdtemp(prefix="bench")) / "tables.png"
        plot(runs, where)
        print(f"{scaling(runs)}\n\nPlot: {where}")


if __name__ == "__main__":
    main()
