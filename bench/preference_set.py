"""Time and memory of each stage that takes a preference set of four rated responses a row from its file to a subset,
in a process of its own, as DVC runs it.

python -m bench.preference_set [ROWS]
"""

import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from bench.imports import DIMENSIONS, SETTINGS, write

ROOT = Path(__file__).parents[1]
STAGES = (
    "collect", "generate set", "judge ratings", "judge answer", "renderings", "pair", "prefer labels", "delta",
    "calibrate", "reliability", "select as_listed",
)  # fmt: skip


def main() -> None:
    """A line for each stage."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 60_000
    print(f"{rows} rows\n{'stage':17} {'seconds':>7} {'CPU s':>6} {'peak MB':>8}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "data/import").mkdir(parents=True)
        with ProcessPoolExecutor(1, get_context("spawn")) as writer:  # or its memory would count as the stages'
            writer.submit(write, folder / "data/import", rows).result()
        with (folder / "params.yaml").open("w") as file:
            YAML(typ="safe", pure=True).dump(_params(), file)
        (folder / "dvc.yaml").write_bytes((ROOT / "dvc.yaml").read_bytes())
        for stage in STAGES:
            print(f"{stage:17} {_measure(stage, folder)}", flush=True)


def _params() -> dict[str, Any]:
    """The recipe's study of the benchmark's set, with one selection: the pairs as they are listed."""
    study: dict[str, Any] = YAML(typ="safe", pure=True).load(ROOT / "recipes/preference_set.yaml")
    study = {name: section for name, section in study.items() if not name.startswith("x-")}
    study["sources"]["set"] = SETTINGS | {"path": "data/import/set"}
    del study["sources"]["rated"]
    study["generators"] = {"set": {"kind": "listed", "source": "set", "family": None, "scale_b": None}}
    scale = {name: [1.0, 5.0] for name in DIMENSIONS}
    study["judges"] = {
        "ratings": {"kind": "listed", "source": "set", "scale": scale}, "answer": study["judges"]["answer"],
    }  # fmt: skip
    study["pairwise_judges"] = {"labels": {"kind": "listed", "source": "set"}}
    study["reliability"]["families"] = study["delta"]["panels"] = {}
    study["renderings"] = {"count": False}
    study["selections"] = {"as_listed": study["selections"]["as_listed"]}
    study["grid"]["selections"] = ["as_listed"]
    study["contrasts"], study["compare"]["primary"] = {}, None
    return study


def _measure(stage: str, folder: Path) -> str:
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", *f"stages.{stage}".split()], cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)},
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{stage} failed")
    return f"{time.perf_counter() - began:7.1f} {used.ru_utime + used.ru_stime:6.1f} {used.ru_maxrss / 1e3:8.0f}"


if __name__ == "__main__":
    main()
