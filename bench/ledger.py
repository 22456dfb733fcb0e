"""The ledger at 100,000 calls: growth, look-ups, a re-run in which every call is kept already, and peak memory. What no
server is waited for in is counted in CPU seconds, which the machine's load changes little.

python -m bench.ledger [CALLS]
"""

import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.engine import RUBRIC
from curation.calls.call import Call, OnReply, Reply
from curation.calls.ledger import Ledger, Params

SYSTEM = {"role": "system", "content": RUBRIC}


def make_calls(count: int) -> list[Call]:
    sampling = {"temperature": 0.0, "max_tokens": 64}
    return [Call("m", "r", [SYSTEM, {"role": "user", "content": f"Solution {n}"}], sampling, 0) for n in range(count)]


def answer(missing: Iterator[Call], on_reply: OnReply) -> None:
    for call in missing:
        on_reply(call, Reply('{"steps": 4, "sums": 5}', "stop", 200, 20, engine="bench"))


def refuse(missing: Iterator[Call], on_reply: OnReply) -> None:
    assert next(missing, None) is None, "a kept call was asked again"


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "ledger.sqlite")
        settings = Params(path=str(file), recorded=folder, offline=False, max_failed=0.0)
        print(f"{'calls kept':>12} {'appended/s':>12} {'bytes a call':>13}")
        with Ledger(settings) as ledger:
            for share in (10, 4, 2, 1):
                before = ledger.spending().calls
                started = time.perf_counter()
                kept = count // share
                ledger.fulfil(make_calls(kept), answer, "judge", "bench")
                rate = (kept - before) / (time.perf_counter() - started)
                ledger.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                print(f"{kept:12} {rate:12.0f} {file.stat().st_size / kept:13.0f}")
            calls = make_calls(count)
            _ = [call.key for call in calls]
            started = time.process_time()
            hits = sum(ledger.find(call) is not None for call in calls)
            print(f"look-ups: {hits / (time.process_time() - started):.0f} a CPU second")
        started = time.process_time()
        with Ledger(settings) as ledger:
            ledger.fulfil(make_calls(count), refuse, "judge", "bench")
        print(f"a re-run of {count} kept calls: {time.process_time() - started:.1f} CPU s")
    print(f"peak memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
