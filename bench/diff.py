"""Two versions of ten million pairs compared: seconds, and memory at most.

python -m bench.diff [PAIRS ...] [--folder FOLDER] [--project FOLDER]

The earlier version is the project of `bench.tables`, made by the real stages. In the later one a judge has scored all
traces again: its deltas differ, and so do the selections that rank by them. Each comparison is a process of its own.
"""

import json
import os
import resource
import shutil
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

from bench.projects import JUDGED, list_projects, log, run, run_stages
from curation.tables import contracts, parquet

JUDGE, SHIFT = "a", 0.4  # whose scores move, by the standard deviation of this many points


def make(before: Path, after: Path) -> None:
    """The later version."""
    log("making the later version")
    shutil.copytree(before, after, copy_function=os.link)
    file = contracts.path("judgments", JUDGE, after / "data")
    judged, source = parquet.read(contracts.JUDGMENTS, file), np.random.default_rng(1)
    moved = pl.col("expected_score") + pl.Series(source.normal(0, SHIFT, judged.height)).round(contracts.DECIMALS)
    file.unlink()
    parquet.write(contracts.JUDGMENTS, judged.with_columns(moved.alias("expected_score")), file)
    run_stages(after, JUDGED)


def compare(before: str, after: str) -> None:
    """In a process of its own: a JSON line with the seconds, those of the processors, the MiB, and what was found."""
    started = time.perf_counter()
    from curation.commands.fitting import WIDEST, list_lines
    from curation.explore.changes.diff import diff
    from curation.explore.changes.summary import summarize
    from curation.explore.changes.version import read_versions

    found = list(list_lines(list(summarize(diff(*read_versions(before, after)))), WIDEST))
    used = resource.getrusage(resource.RUSAGE_SELF)
    told = {"seconds": time.perf_counter() - started, "processor": used.ru_utime + used.ru_stime}
    print(json.dumps(told | {"mib": used.ru_maxrss / 1024, "found": found}))


def main() -> None:
    if sys.argv[1:2] == ["compare"]:
        return compare(*sys.argv[2:4])
    for what, before in list_projects(__doc__):
        with tempfile.TemporaryDirectory(dir=before.parent, prefix="diff") as place:
            after, elsewhere = Path(place, "after"), Path(place, "elsewhere")
            make(before, after)
            elsewhere.mkdir()
            told = json.loads(run(elsewhere, "bench.diff", "compare", str(before), str(after)))
        seconds = f"{told['seconds']:.1f} s, {told['processor']:.1f} s of the processors"
        print(f"{what}: {seconds}, {told['mib']:,.0f} MiB", *told["found"], sep="\n", flush=True)


if __name__ == "__main__":
    main()
