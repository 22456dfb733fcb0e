"""Memory, ledger size and calls per second through a long run of the HTTP engine with its ledger: 100 ms a call, 64 at
once.

python -m bench.memory [CALLS]
"""

import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.engine import LATENCY, Ratings, bench_endpoint, make_calls
from bench.server import running
from curation.calls.call import Call, OnReply
from curation.calls.chat import HttpEngine
from curation.calls.ledger import Ledger, Params

STEPS = 5


def megabytes() -> float:
    """Memory of this process now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    calls = make_calls(count)
    print(f"{count} calls in memory: {megabytes():.0f} MB")
    print(f"{'answered':>10} {'MB':>8} {'bytes a call':>13} {'calls/s':>9}")
    with running(LATENCY) as url, tempfile.TemporaryDirectory() as folder:
        file, started = Path(folder, "l.sqlite"), time.perf_counter()

        def show(answered: int) -> None:
            rate, size = answered / (time.perf_counter() - started), file.stat().st_size / answered
            print(f"{answered:10} {megabytes():8.0f} {size:13.0f} {rate:9.0f}", flush=True)

        def watch(missing: Iterator[Call]) -> Iterator[Call]:
            for number, call in enumerate(missing):
                if number and number % (count // STEPS) == 0:
                    show(number)
                yield call

        def engine(missing: Iterator[Call], on_reply: OnReply) -> None:
            HttpEngine(bench_endpoint(url), Ratings)(watch(missing), on_reply)

        with Ledger(Params(path=str(file), recorded=folder, offline=False, max_failed=0.0)) as ledger:
            answered = sum(reply.error is None for reply in ledger.fulfil(calls, engine, "judge", "bench"))
            ledger.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        show(answered)
    print(f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
