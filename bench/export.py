"""Time and memory of `curation export` of many pairs to each format, in a process of its own.

python -m bench.export [PAIRS]
"""

import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

ROOT = Path(__file__).parents[1]
WORDS = [
    "the",
    "sum",
    "of",
    "two",
    "and",
    "three",
    "is",
    "five",
    "because",
    "one",
    "more",
    "than",
    "four",
    "comes",
    "next",
    "and",
    "so",
    "we",
    "are",
    "done",
    "here",
]


def main() -> None:
    """A line for each format."""
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with ProcessPoolExecutor(1, get_context("spawn")) as writer:  # or its memory would count as the export's
            size = writer.submit(write, folder, pairs).result()
        print(
            f"{pairs} pairs, {size / 1e6:.0f} MB of Parquet\n{'format':14} {'seconds':>7} {'CPU s':>6} {'peak MB':>8}"
        )
        for to in ("trl", "llama-factory", "axolotl", "ms-swift", "openrlhf", "nemo-rl", "open-instruct", "openai"):
            print(f"{to:14} {_measure(to, folder)}", flush=True)


def write(folder: Path, pairs: int) -> int:
    """`folder` holds a study whose selection `clear` has so many pairs, of some 600 characters a side. Returns the
    bytes of its table."""
    sys.path.insert(0, str(ROOT / "tests"))
    import exporting
    import polars as pl
    from numpy.random import default_rng

    from curation.tables import contracts, parquet

    few, _ = exporting.save_study(folder, exporting.PLAIN)
    draws = default_rng(0).integers(0, len(WORDS), (pairs, 2, 130))
    texts = [[" ".join(WORDS[at] for at in side) for side in pair] for pair in draws]
    many = pl.concat([few] * (pairs // few.height + 1)).head(pairs).with_columns(
        pair_id=pl.int_range(pairs, dtype=pl.Int64),
        **{name: pl.Series([[{"role": "assistant", "content": f"{number} {pair[side]}"}]
                            for number, pair in enumerate(texts)], dtype=few.schema[name])
           for side, name in enumerate(("chosen", "rejected"))},
    )  # fmt: skip
    file = contracts.path("subsets", exporting.NAME, folder / "data")
    parquet.write(contracts.SUBSETS, many.select(few.columns), file)
    return file.stat().st_size


def _measure(to: str, folder: Path) -> str:
    words = [sys.executable, "-m", "curation", "export", "clear", "--to", to, "--method", "dpo", "--out", f"out-{to}"]
    began = time.perf_counter()
    child = subprocess.Popen(words, cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)},
                             stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)  # fmt: skip
    _, status, used = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - began
    if status:
        raise SystemExit(child.stderr.read() if child.stderr else f"{to}: exit {status}")
    return f"{seconds:7.1f} {used.ru_utime + used.ru_stime:6.1f} {used.ru_maxrss / 1024:8.0f}"


if __name__ == "__main__":
    main()
