"""A machine that only trains: what the stage `train` needs of this project's packages, and of its tables.

Kinds of fault: an import at the head of a module that training reads; a check that stops a machine which cannot make
it; a table read that no method learns from.
"""

import subprocess
import sys
from pathlib import Path

import pytest
from test_workers import study

from curation.tables import contracts, measurements, parquet

WITHOUT = """
import runpy, sys
for name in ("duckdb", "scipy", "sqlglot", "matplotlib"):
    sys.modules[name] = None
sys.argv = ["train"]
runpy.run_module("stages.train", run_name="__main__")
"""


@pytest.mark.slow
def test_it_needs_no_table_engine_and_no_other_methods_table(tmp_path: Path) -> None:
    study(tmp_path, 1, max_failed=1)
    for file in (tmp_path / "data/arms/unpaired").iterdir():  # KTO's, and no run here is
        file.unlink()
    root = {"PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT], cwd=tmp_path, env=root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    said = "warning: params.yaml: is not checked as a whole, for want of duckdb; `curation params` checks it where that"
    assert said in done.stderr
    assert sorted(parquet.read(measurements.RUNS, tmp_path / contracts.path("runs"))["status"]) == [
        "failed", "trained", "trained",
    ]  # fmt: skip
