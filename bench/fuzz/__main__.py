"""What hostile input comes to: `python -m bench.fuzz KIND [COUNT] [SEED]` prints how often each outcome came.

An outcome that should not be (a traceback, an invented score, a row that cannot be kept) ends it with that input.
"""

import importlib
import sys
import time
from pathlib import Path

KINDS = sorted(file.stem for file in Path(__file__).parent.glob("[!_]*.py"))


def main() -> None:
    kind, *numbers = sys.argv[1:] or [""]
    if kind not in KINDS:
        sys.exit(f"bench.fuzz: name one of {', '.join(KINDS)}")
    count, seed = [*map(int, numbers), *(5000, 0)[len(numbers) :]]
    began = time.perf_counter()
    outcomes = importlib.import_module(f"bench.fuzz.{kind}").run(count, seed)
    print(f"| {kind} | of {count} |\n|---|---:|")
    for outcome, times in outcomes.most_common():
        print(f"| {outcome} | {times} |")
    print(f"\n{time.perf_counter() - began:.1f} s, seed {seed}")


if __name__ == "__main__":
    main()
