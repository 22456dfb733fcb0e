"""Fifty labels of the default study, given at the page by two people and read back by reliability and calibrate: prints
what these then say. The people are stand-ins that know the right answers; each errs, or calls it a tie, in some pairs.
Wants the study's tables, `dvc repro reliability`; nothing of it is changed."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import urllib.request
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import polars as pl
from ruamel.yaml import YAML

from curation.commands.rows import print_rows
from curation.core.params import read
from curation.core.progress import progress
from curation.explore.labels.gold import Gold
from curation.explore.labels.session import Session
from curation.explore.labels.snippet import write_snippet
from curation.explore.view.server import listen, make_server

LABELS, SLIPS = 50, {"ann": 0.05, "bo": 0.2}  # pairs that each labels, and the share in which they err
STAGES = (
    ["prefer", "people"],
    ["prefer", "person_ann"],
    ["prefer", "person_bo"],
    ["delta"],
    ["calibrate"],
    ["reliability"],
)
MEASURES = ("repeat_agreement", "repeat_alpha", "first_position_rate")


def main() -> None:
    """Label, read back, and print the measures."""
    root = Path.cwd()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for what in ("params.yaml", "data", "curation", "stages"):
            (shutil.copy if (root / what).is_file() else shutil.copytree)(root / what, folder / what)
        _label(folder)
        yaml = YAML()
        params = yaml.load(folder / "params.yaml")
        gold, study = _read(folder)
        for section, body in YAML(typ="safe").load(write_snippet(gold, study)).items():
            params[section] |= body
        yaml.dump(params, folder / "params.yaml")
        for stage in STAGES:
            command = [sys.executable, "-m", f"stages.{stage[0]}", *stage[1:]]
            subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        _print(folder)


def _read(folder: Path) -> tuple[Gold, Any]:
    return Gold(folder / "data/import/gold.jsonl"), read(folder / "params.yaml")


def _label(folder: Path) -> None:
    """Both people label at the page, which runs in `folder` as the command does."""
    scores = pl.read_parquet(folder / "data/judgments/answer.parquet", columns=["trace_id", "score"])
    right = dict(scores.fill_null(0).rows())
    pairs = pl.read_parquet(folder / "data/pairs.parquet")
    sides = {row[0]: row[1:] for row in pairs.select("pair_id", "chosen_trace_id", "rejected_trace_id").rows()}
    os.chdir(folder)
    with listen(0) as listening, progress("labels", LABELS * len(SLIPS), "labels") as shown:
        server, first, run = make_server(folder, listening)
        thread = threading.Thread(target=run)
        thread.start()
        try:
            opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
            opener.open(first.replace("/?", "/label?")).close()
            for who, slips in SLIPS.items():
                _label_as(who, slips, opener, first.partition("/?")[0], right, sides, shown.advance)
        finally:
            server.should_exit = True
            thread.join()


def _label_as(
    who: str, slips: float, opener: urllib.request.OpenerDirector, root: str, right: dict[int, float],
    sides: dict[int, tuple[int, int]], advance: Any,
) -> None:  # fmt: skip
    session, draw = Session(who), np.random.default_rng(len(who))
    address = f"{root}/label/pair?{urlencode(session.query())}"
    page = opener.open(address).read().decode()
    for _ in range(LABELS):
        hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page))
        pair_id = int(hidden["pair_id"])
        left, other = (right[one] for one in sides[pair_id][:: 1 if session.order(pair_id) == "chosen_first" else -1])
        answer = "left" if left > other else "right" if left < other else "tie" if left else "both_bad"
        if draw.random() < slips:
            answer = str(draw.choice(["left", "right", "tie"]))
        body = urlencode(hidden | {"answer": answer}).encode()
        request = urllib.request.Request(address, body, {"Origin": root})  # noqa: S310 (of this process's own server)
        page = opener.open(request).read().decode()
        advance()


def _print(folder: Path) -> None:
    found = pl.read_parquet(folder / "data/reliability.parquet")
    judged = pl.col("judge").is_in(["answer", "rubric", "pairwise"]) & (pl.col("measure") == "pairwise_accuracy")
    ours = pl.col("judge").is_in(["people", "person_ann", "person_bo"]) & pl.col("measure").is_in(MEASURES)
    two = (pl.col("judge") == "person_ann") & (pl.col("against") == "person_bo")
    rows = found.filter(judged | ours | two).drop_nulls("value").sort("judge", "dimension", "measure")
    print_rows(rows.select("judge", "dimension", "measure", "against", "value", "ci_low", "ci_high", "n"))
    fitted = pl.read_parquet(folder / "data/probabilities.parquet").drop_nulls("probability")
    print_rows(fitted.group_by("judge").agg(pl.len().alias("probabilities")).sort("judge"))


if __name__ == "__main__":
    main()
