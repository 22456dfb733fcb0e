"""Two versions of ten million pairs compared: seconds, and memory at most.

python -m bench.diff [PAIRS ...] [--folder FOLDER]

The earlier version is the project of `bench.tables`, made by the real stages. In the later one a judge has scored all
traces again: its deltas differ, and so do the selections that rank by them. Each comparison is a process of its own.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

from bench.tables.cases import SELECTIONS
from curation.tables import contracts, parquet

JUDGE, SHIFT = "a", 0.4  # whose scores move, by the standard deviation of this many points
STAGES = [["pair"], ["delta"], *(["select", name] for name in SELECTIONS)]


def log(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def run(folder: Path, *arguments: str) -> str:
    """What `python -m …` prints in `folder`."""
    environment = os.environ | {"PYTHONPATH": str(Path.cwd())}
    done = subprocess.run(
        [sys.executable, "-m", *arguments], cwd=folder, env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    return done.stdout


def make(folder: Path, pairs: int) -> tuple[Path, Path]:
    """The two versions."""
    before, after = folder / "before", folder / "after"
    log(f"{pairs:,} pairs: making the earlier version")
    run(Path.cwd(), "bench.tables.data", str(before), str(pairs))
    for stage, *name in STAGES:
        run(before, f"stages.{stage}", *name)
    log(f"{pairs:,} pairs: making the later one")
    shutil.copytree(before, after, copy_function=os.link)
    file = contracts.path("judgments", JUDGE, after / "data")
    judged, source = parquet.read(contracts.JUDGMENTS, file), np.random.default_rng(1)
    moved = pl.col("expected_score") + pl.Series(source.normal(0, SHIFT, judged.height)).round(contracts.DECIMALS)
    file.unlink()
    parquet.write(contracts.JUDGMENTS, judged.with_columns(moved.alias("expected_score")), file)
    for stage, *name in STAGES[1:]:
        run(after, f"stages.{stage}", *name)
    return before, after


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
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", nargs="*", type=int, default=[10_000_000])
    parser.add_argument("--folder", help="where the data are made and removed again")
    given = parser.parse_args()
    for pairs in given.pairs:
        with tempfile.TemporaryDirectory(dir=given.folder, prefix="diff") as place:
            folder = Path(place)
            before, after = make(folder, pairs)
            (folder / "elsewhere").mkdir()
            told = json.loads(run(folder / "elsewhere", "bench.diff", "compare", str(before), str(after)))
        seconds = f"{told['seconds']:.1f} s, {told['processor']:.1f} s of the processors"
        print(f"{pairs:,} pairs: {seconds}, {told['mib']:,.0f} MiB", *told["found"], sep="\n", flush=True)


if __name__ == "__main__":
    main()
