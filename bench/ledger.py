"""The ledger at 100,000 calls: growth, look-ups per second, a re-run in which every call is kept already, and peak
memory.

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


def calls(count: int) -> list[Call]:
    return [
        Call(
            "m", "r", [SYSTEM, {"role": "user", "content": f"Solution {n}"}], {"temperature": 0.0, "max_tokens": 64}, 0
        )
        for n in range(count)
    ]


def answer(missing: Iterator[Call], heard: OnReply) -> None:
    for call in missing:
        heard(call, Reply('{"steps": 4, "sums": 5}', "stop", 200, 20, engine="bench"))


def refuse(missing: Iterator[Call], heard: OnReply) -> None:
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
                ledger.fulfil(calls(count // share), answer, "judge", "bench")
                made = count // share - before
                ledger.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                print(
                    f"{count // share:12} {made / (time.perf_counter() - started):12.0f} {file.stat().st_size / (count // share):13.0f}"
                )
            asked = calls(count)
            _ = [call.key for call in asked]
            started = time.perf_counter()
            found = sum(ledger.find(call) is not None for call in asked)
            print(f"look-ups: {found / (time.perf_counter() - started):.0f} a second")
        started = time.perf_counter()
        with Ledger(settings) as ledger:
            ledger.fulfil(calls(count), refuse, "judge", "bench")
        print(f"a re-run of {count} kept calls: {time.perf_counter() - started:.1f} s")
    print(f"peak memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
