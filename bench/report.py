"""The report of ten million pairs: seconds, memory at most, the page's size, and whether one core makes the same of it.

python -m bench.report [PAIRS ...] [--folder FOLDER] [--project FOLDER]

The project is that of `bench.tables`, made by the real stages; `--project` is one that is there. Each report is a
process of its own.
"""

import argparse
import hashlib
import json
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

from bench.diff import STAGES, log, run

MADE = ("report.html", "figures/*.svg")


def make(folder: Path, pairs: int) -> None:
    """The project, up to its selections and deltas."""
    log(f"{pairs:,} pairs: making the project")
    run(Path.cwd(), "bench.tables.data", str(folder), str(pairs))
    for stage, *name in STAGES:
        log(f"{stage} {' '.join(name)}")
        run(folder, f"stages.{stage}", *name)


def report(cores: str) -> None:
    """In a process of its own, in the project's folder, on all cores or on `one`: a JSON line with the seconds, those
    of CPU, the MiB, the page's bytes and a hash of all that was written."""
    if cores == "one":
        os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
    started = time.perf_counter()
    from stages.report import main

    main()
    files = [file for pattern in MADE for file in sorted(Path("data").glob(pattern))]
    print(json.dumps({
        "seconds": time.perf_counter() - started,
        "cpu": time.process_time(),
        "mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "bytes": files[0].stat().st_size,
        "hash": hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest(),
    }))  # fmt: skip


def main() -> None:
    if sys.argv[1:2] == ["report"]:
        return report(sys.argv[2])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", nargs="*", type=int, default=[10_000_000])
    parser.add_argument("--folder", help="where the data are made and removed again")
    parser.add_argument("--project", type=Path, help="one that is there, which stays")
    given = parser.parse_args()
    for pairs in [0] if given.project else given.pairs:
        with tempfile.TemporaryDirectory(dir=given.folder, prefix="report") as place:
            if not given.project:
                make(Path(place), pairs)
            folder = given.project or Path(place)
            first, second = (json.loads(run(folder, "bench.report", "report", cores)) for cores in ("all", "one"))
        same = "the same bytes" if first["hash"] == second["hash"] else "OTHER BYTES"
        took = f"{first['seconds']:.1f} s ({first['cpu']:.1f} of CPU), {first['mib']:,.0f} MiB"
        alone = f"on one core {second['seconds']:.1f} s, and {same}"
        print(f"{given.project or f'{pairs:,} pairs'}: {took}, {first['bytes']:,} bytes; {alone}", flush=True)


if __name__ == "__main__":
    main()
