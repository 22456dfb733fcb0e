"""A pair of ten million explained: seconds, and memory at most.

python -m bench.why [PAIRS ...] [--folder FOLDER] [--project FOLDER]

The project is that of `bench.tables`, made by the real stages, its arms with it; `--project` is one that is there.
The first pair is explained in a new process, as `curation why` does; two more follow in the same one, as a page does.
"""

import json
import resource
import sys
import time
from collections import Counter

import polars as pl

from bench.projects import list_projects, run
from curation.tables import contracts

AT = (0.5, 0.1, 0.9)  # of the pairs by their ids, which are explained


def explain_some() -> None:
    """In a process of its own, in the project: a JSON line with the seconds of each pair, the MiB and the reasons."""
    ids, seconds, reasons = pl.scan_parquet(contracts.path("pairs")).select("pair_id"), list[float](), Counter[str]()
    started = time.perf_counter()
    from curation.core.params import read
    from curation.explore.explain import explain
    from curation.explore.find import find
    from curation.explore.tables import Tables

    tables = Tables(read())
    count = ids.select(pl.len()).collect().item()
    for share in AT:
        (number,) = ids.slice(int(share * count), 1).collect().to_series()
        found = explain(tables, find(tables, str(number))[0])
        seconds.append(time.perf_counter() - started)
        reasons.update(row["reason"] for row in found["selections"])
        started = time.perf_counter()
    mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "mib": mib, "reasons": reasons}))


def main() -> None:
    if sys.argv[1:2] == ["explain"]:
        return explain_some()
    for what, project in list_projects(__doc__, ["arms"]):
        told = json.loads(run(project, "bench.why", "explain"))
        first, *others = told["seconds"]
        next_ones = ", ".join(f"{second:.1f}" for second in others)
        print(
            f"{what}: {first:.1f} s, the next ones {next_ones} s, {told['mib']:,.0f} MiB; {told['reasons']}", flush=True
        )


if __name__ == "__main__":
    main()
