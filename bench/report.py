"""The report of ten million pairs: seconds, memory at most, the page's size, and whether one core makes the same of it.

python -m bench.report [PAIRS ...] [--folder FOLDER] [--project FOLDER]

The project is that of `bench.tables`, made by the real stages; `--project` is one that is there. Each report is a
process of its own.
"""

import hashlib
import json
import os
import resource
import sys
import time
from pathlib import Path

from bench.projects import list_projects, run

MADE = ("report.html", "figures/*.svg")


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
    for what, project in list_projects(__doc__):
        first, second = (json.loads(run(project, "bench.report", "report", cores)) for cores in ("all", "one"))
        same = "the same bytes" if first["hash"] == second["hash"] else "OTHER BYTES"
        took = f"{first['seconds']:.1f} s ({first['cpu']:.1f} of CPU), {first['mib']:,.0f} MiB"
        alone = f"on one core {second['seconds']:.1f} s, and {same}"
        print(f"{what}: {took}, {first['bytes']:,} bytes; {alone}", flush=True)


if __name__ == "__main__":
    main()
