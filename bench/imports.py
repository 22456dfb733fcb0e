"""Time and memory of reading a preference set of four responses a row, of some 1,500 characters each and rated on four
dimensions: its rows alone, and all that `collect` makes of them.

python -m bench.imports [ROWS]
"""

import gzip
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from curation.prompts.collect import read_sources
from curation.prompts.sources import pairs
from curation.tables.user_fields import take

RESPONSES, CHARACTERS, SHARDS = 4, 1500, 4
DIMENSIONS = ("helpfulness", "honesty", "instruction_following", "truthfulness")
WORDS = ("the", "of", "and", "question", "because", "answer", "first", "a", "number", "then", "it", "follows")
FORMS = ("set.jsonl", "set.jsonl.gz", "set")
WHERE = "source = 'en'"  # a half of the rows
SETTINGS: dict[str, Any] = {
    "kind": "pairs", "split": "train",
    "layout": {
        "kind": "responses", "each": "completions", "text": "response", "model": "model", "order_by": "helpfulness",
        "ratings": {name: f"annotations.{name}.Rating" for name in DIMENSIONS},
    },
    "columns": {"prompt": "instruction", "row_id": "id", "carried": ["source"]},
}  # fmt: skip


def main() -> None:
    """A line for each form; or what one form takes, in a process of its own, since only that has a peak of its own."""
    if len(sys.argv) == 4:
        _measure(*sys.argv[1:])
        return
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 60_000
    print(f"{rows} rows of {RESPONSES} responses of {CHARACTERS} characters")
    print(f"{'file':13} {'MB':>5}  {'work':22} {'seconds':>7} {'CPU s':>6} {'peak MB':>8}")
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), rows)
        for form in FORMS:
            path = Path(folder, form)
            size = sum(file.stat().st_size for file in ([path] if path.is_file() else path.iterdir())) / 1e6
            for work in ("read", "read where", "collect"):
                done = subprocess.run(
                    [sys.executable, "-m", "bench.imports", str(path), work, "here"],
                    check=True, capture_output=True, text=True,
                )  # fmt: skip
                name = form if path.is_file() else f"{SHARDS} Parquet"
                print(f"{name:13} {size:5.0f}  {work:22} {done.stdout.strip()}", flush=True)


def _measure(path: str, work: str, _: str) -> None:
    settings = pairs.Params.model_validate(SETTINGS | {"path": path} | ({"where": WHERE} if "where" in work else {}))
    began = time.perf_counter()
    if work == "collect":
        read_sources({"set": settings})
    else:
        names = [f"annotations.{name}.Rating" for name in DIMENSIONS]
        for block in settings.open().blocks({"prompt": "instruction", "each": "completions", "row_id": "id"}):
            for listed in block.values("each"):
                for response in listed:
                    for name in names:
                        take(response, name)
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = time.perf_counter() - began
    status = Path("/proc/self/status").read_text()  # ru_maxrss begins with the parent's
    peak = int(status.partition("VmHWM:")[2].split()[0]) * 1024
    print(f"{seconds:7.1f} {used.ru_utime + used.ru_stime:6.1f} {peak / 1e6:8.0f}")


def write(folder: Path, count: int) -> None:
    """The same rows in each of the forms."""
    (folder / "set").mkdir()
    with (folder / "set.jsonl").open("w") as lines:
        rows = _rows(count)
        for number in range(SHARDS):
            part = list(islice(rows, -(-count // SHARDS)))
            pq.write_table(pa.Table.from_pylist(part), folder / f"set/{number}.parquet")
            lines.writelines(json.dumps(row) + "\n" for row in part)
    (folder / "set.jsonl.gz").write_bytes(gzip.compress((folder / "set.jsonl").read_bytes(), 1))


def _rows(count: int) -> Iterator[dict[str, Any]]:
    source = random.Random(0)  # noqa: S311 (no secret)
    text = " ".join(source.choices(WORDS, k=1_000_000))

    def piece(most: int) -> str:
        start = source.randrange(len(text) - most)
        return text[start : start + most]

    for number in range(count):
        completions = [
            {
                "model": f"model-{source.randrange(9)}",
                "response": piece(CHARACTERS),
                "annotations": {
                    name: {"Rating": str(source.randint(1, 5)), "Rationale": piece(80)} for name in DIMENSIONS
                },
            }
            for _ in range(RESPONSES)
        ]
        yield {
            "id": f"row-{number}", "source": source.choice(["en", "de"]), "instruction": f"{number}: {piece(200)}",
            "completions": completions,
        }  # fmt: skip


if __name__ == "__main__":
    main()
