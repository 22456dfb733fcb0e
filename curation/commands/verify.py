"""`curation verify`: proof that the pure stages give the same bytes again. They run in an empty folder on the recorded
tables of this one."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from curation.commands.terminal import Parser
from curation.core.errors import CurationError, Errors
from curation.core.hashing import hash_file
from curation.core.params import read
from curation.core.progress import progress
from curation.experiment.registration import FILE
from curation.tables.contracts import ARMS, DATA, SELECTIONS, SUBSETS, UNPAIRED, deltas
from curation.tables.outdated import refuse_renamed
from curation.tables.parquet import refuse_orphans

RECORDED = (
    "prompts.parquet",
    "responses.parquet",
    "ratings.parquet",
    "listed_pairs.parquet",
    "traces",
    "renderings.parquet",
    "judgments",
    "preferences",
    "pair_scores",
    "runs.parquet",
    "results",
    "imported_results.parquet",
    "provenance.parquet",
)
PURE = (
    "pairs.parquet",
    "deltas",
    "generator_deltas.parquet",
    "probabilities.parquet",
    "reliability.parquet",
    "calibration.parquet",
    "selections",
    "subsets",
    "unpaired",
    ARMS,
    "comparisons.parquet",
    "contrasts.parquet",
)


def main(arguments: list[str]) -> None:
    """Print a line for each file that has the same bytes when rebuilt."""
    text = "Rebuild the pure tables elsewhere and compare the bytes."
    Parser(prog="curation verify", description=text).parse_args(arguments)
    print("\n".join(verify()))


def verify() -> list[str]:
    """A line per rebuilt file, `<file>: same bytes`. Raises CurationError on a file that params.yaml does not
    declare or that version 0.1 wrote, Errors naming each that differs or is missing on one side."""
    study = read()
    refuse_orphans(deltas([]), study.dimensions)
    for table in (SELECTIONS, SUBSETS, UNPAIRED):
        refuse_orphans(table, study.selections)
    for table in (SUBSETS, UNPAIRED):
        refuse_orphans(table, study.arms, DATA / ARMS)
    for file in _pure_files(DATA):
        refuse_renamed(file.relative_to(DATA).parts[0].removesuffix(".parquet"), file)
    stages = [
        ["pair"],
        ["delta"],
        ["calibrate"],
        ["reliability"],
        *(["select", name] for name in study.selections),
        ["arms"],
    ]
    if (DATA / "results").exists():
        stages.append(["compare"])
    with tempfile.TemporaryDirectory() as folder:
        elsewhere = Path(folder)
        for name in ("params.yaml", FILE):
            if Path(name).exists():
                (elsewhere / name).symlink_to(Path(name).resolve())
        (elsewhere / DATA).mkdir()
        for name in RECORDED:
            if (DATA / name).exists():
                (elsewhere / DATA / name).symlink_to((DATA / name).resolve())
        with progress("verify", len(stages), "stages") as shown:
            for stage in stages:
                _rebuild(stage, elsewhere)
                shown.advance(note=" ".join(stage))
        here, there = _digests(DATA), _digests(elsewhere / DATA)
    differing = sorted(name for name in here.keys() | there.keys() if here.get(name) != there.get(name))
    if differing:
        said = {True: "its bytes differ when rebuilt", False: "is not there"}
        raise Errors([f"{DATA / name}: {said[name in here]}; `dvc repro` brings it up to date" for name in differing])
    return [f"{DATA / name}: same bytes" for name in sorted(here)]


def _rebuild(stage: list[str], folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", f"stages.{stage[0]}", *stage[1:]],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
    )
    if done.returncode:
        said = done.stderr.strip().splitlines()[-1].removeprefix("error: ")
        raise CurationError(f"stage {' '.join(stage)} fails when rebuilt: {said}")


def _pure_files(data: Path) -> list[Path]:
    return [
        file
        for name in PURE
        for file in ([data / name] if name.endswith(".parquet") else sorted((data / name).rglob("*.parquet")))
        if file.exists()
    ]


def _digests(data: Path) -> dict[str, str]:
    return {str(file.relative_to(data)): hash_file(file) for file in _pure_files(data)}
