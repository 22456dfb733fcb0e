"""How long the default study was said to take beside how long it took: in a fresh clone, where nothing was trained or
answered here, by the student's probe; and by what that clone has seen once the study is done.

python -m bench.clock [FOLDER]     FOLDER keeps the clone; some fifteen minutes
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
OTHERS = "all stages beside that"
STAGE = "Running stage '"


def main(arguments: Sequence[str]) -> None:
    """Prints a row for training, evaluating and all other stages."""
    with tempfile.TemporaryDirectory() as made:
        clone = Path(arguments[0]) if arguments else Path(made) / "study"
        subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)  # noqa: S607
        probed = planned(clone, "--probe")
        clock = reproduce(clone)
        params = clone / "params.yaml"
        params.write_text(params.read_text().replace("seeds: [0]", "seeds: [1]"))  # as much work, not done yet
        (clone / "dvc.lock").unlink()
        seen = planned(clone)
    print("| | the clock | by the probe | by what was seen |\n|---|---|---|---|")
    clock[OTHERS] = sum(seconds for stage, seconds in clock.items() if stage not in probed)
    for stage in ("train", "evaluate", OTHERS):
        print(f"| {stage} | {clock[stage]:.0f} s | {probed[stage]:.0f} s | {seen[stage]:.0f} s |")
    sums = [sum(times[stage] for stage in probed) for times in (clock, probed, seen)]
    print("| in all | " + " | ".join(f"{seconds / 60:.1f} min" for seconds in sums) + " |")


def planned(clone: Path, *options: str) -> dict[str, float]:
    """The seconds that `curation plan time` says, by row."""
    command = [sys.executable, "-m", "curation", "plan", "time", "--json", *options]
    done = subprocess.run(command, cwd=clone, env=_env(clone), capture_output=True, check=True)
    return {row["stage"]: float(row["seconds"]) for row in json.loads(done.stdout)["time"]}


def reproduce(clone: Path) -> dict[str, float]:
    """The seconds from the start of each stage to that of the next, as `dvc repro` runs them."""
    command = [sys.executable, "-m", "dvc", "repro"]
    starts, last = list[tuple[str, float]](), time.monotonic()
    with subprocess.Popen(command, cwd=clone, env=_env(clone), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith(STAGE):
                starts.append((line.removeprefix(STAGE).partition("'")[0], time.monotonic()))
        last = time.monotonic()
    if process.returncode:
        raise SystemExit("dvc repro failed")
    ends = [*(began for _, began in starts[1:]), last]
    return {stage: end - began for (stage, began), end in zip(starts, ends, strict=True)}


def _env(clone: Path) -> dict[str, str]:
    """Stages run by the clone's modules and this Python."""
    return os.environ | {
        "PYTHONPATH": str(clone), "PYTHONUNBUFFERED": "1",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }  # fmt: skip


if __name__ == "__main__":
    main(sys.argv[1:])
