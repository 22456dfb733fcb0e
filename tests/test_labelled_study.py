"""A set for KTO from its file to a trained run, as docs/preference_sets.md says it: what `curation new` writes, with
the page's own sections in the place of those that train nothing.

Kinds of fault: a page that the commands have outgrown; a labelled row that is lost on the way to training; a stage that
a study without a single pair stops; a byte that hangs on the order of the file's rows.
"""

import json
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from ruamel.yaml import YAML
from served import ran
from test_shown import COMMAND
from tiny import save_tiny_llama

from curation.models.weights import fingerprint

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
FILE = ROOT / "tests/data/preference_sets/kto_mix.jsonl"
PAGE = (ROOT / "docs/preference_sets.md").read_text()
(SECTION,) = re.findall(r"^## One response a row\n(.*?)(?=^## )", PAGE, re.MULTILINE | re.DOTALL)
SHOWN, TO_TRAIN = (
    YAML(typ="safe", pure=True).load(text) for text in re.findall(r"```yaml\n(.*?)```", SECTION, re.DOTALL)
)
RUN = "kto-labelled-any-own-{}-0"


def drafted(folder: Path, file: Path) -> dict[str, Any]:
    """`folder` holds the file and what `curation new` makes of it; returned is its params.yaml."""
    shutil.copy(ROOT / "dvc.yaml", folder)
    if file.parent != folder:
        shutil.copy(file, folder)
    (command, shown) = COMMAND.findall(SECTION)[0]
    words = shlex.split(command.replace("kto_mix.jsonl", file.name))
    done = ran(folder, *words)
    assert done.returncode == 0, done.stderr
    assert file.name != "kto_mix.jsonl" or done.stdout == shown
    (folder / "bench.jsonl").write_text('{"question": "What is 3 + 4?", "answer": "7"}\n')
    done = ran(folder, *words, "--benchmark", "bench.jsonl")
    assert done.returncode == 0, done.stderr
    return dict(YAML(typ="safe", pure=True).load(folder / "params.yaml"))


def build(folder: Path, raw: dict[str, Any], *more: str) -> str:
    """What the stages up to the arms said, and then `more` of them; all must succeed."""
    tiny = save_tiny_llama(folder / "tiny")
    raw |= TO_TRAIN | {"student": raw["student"] | {"model": "./tiny", "revision": fingerprint(tiny)}}
    YAML().dump(raw, folder / "params.yaml")
    said = ""
    stages = [
        "collect", *(f"generate {name}" for name in raw["generators"]), *(f"judge {name}" for name in raw["judges"]),
        "renderings", "pair", "prefer labels", "delta", "calibrate", "reliability",
        *(f"select {name}" for name in raw["selections"]), "arms", *more,
    ]  # fmt: skip
    for stage in stages:
        done = ran(folder, *f"stages.{stage}".split())
        assert done.returncode == 0, f"{stage}: {done.stderr}"
        said += done.stderr
    return said


def unpaired(folder: Path, name: str = "unpaired/labelled") -> dict[str, bool]:
    """The label of each text that is learnt from."""
    rows = pl.read_parquet(folder / f"data/{name}.parquet")
    assert rows["completion"].list.len().to_list() == [1] * rows.height
    return dict(zip(rows["completion"].list.first().struct["content"], rows["label"], strict=True))


def test_every_row_of_the_set_is_learnt_from(tmp_path: Path) -> None:
    rows = [json.loads(line) for line in FILE.read_text().splitlines()]
    raw = drafted(tmp_path, FILE)
    assert raw["selections"]["labelled"].items() >= SHOWN["selections"]["labelled"].items()
    raw["selections"] = {"labelled": raw["selections"]["labelled"]}
    build(tmp_path, raw, "audit", "train")
    command, shown = COMMAND.findall(SECTION)[1]
    assert ran(tmp_path, *shlex.split(command)).stdout == shown
    wanted = {row["completion"][0]["content"]: row["label"] for row in rows}
    assert unpaired(tmp_path) == unpaired(tmp_path, "arms/unpaired/labelled-any-own-itself") == wanted
    runs = pl.read_parquet(tmp_path / "data/runs.parquet")
    assert dict(runs.select("run", "status").rows()) == {
        RUN.format(name): "trained" for name in ("itself", "shuffled-0")
    }
    assert [json.loads(figures)["examples"] for figures in runs["figures"]] == [4, 4]
    assert ran(tmp_path, "curation", "verify").returncode == 0


def test_a_set_without_a_single_pair_and_its_rows_turned_round(tmp_path: Path) -> None:
    """One row a prompt; one said again by another model, and one said again under the other label."""
    rows = [
        {"id": f"r{number}", "prompt": f"What is {number} + 1?", "lang": "en" if number % 2 else "de", "model": "a",
         "completion": f"It is {number + 1}." if number % 3 else "No.", "label": bool(number % 3)}
        for number in range(20)
    ]  # fmt: skip
    rows += [rows[1] | {"id": "again", "model": "b"}, rows[2] | {"id": "other", "model": "b", "label": False}]
    folders = [tmp_path / name for name in ("one", "other")]
    for folder, turned in zip(folders, (rows, rows[::-1]), strict=True):
        folder.mkdir()
        (folder / "thumbs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in turned))
        said = build(folder, drafted(folder, folder / "thumbs.jsonl"))
        assert "select labelled: unpaired: 2 of 22 traces say what another of their prompt says under the " in said
        assert "select labelled: unpaired: 1 of 22 traces say what another of their prompt says under the same" in said
    own = pl.read_parquet(folders[0] / "data/unpaired/labelled.parquet")
    metrics = json.loads((folders[0] / "data/metrics/select/labelled.json").read_text())
    assert metrics["unpaired_reason"] == {"both_labels": 2, "kept": 19, "repeated": 1} and own.height == 19
    carried = {row["id"]: row["lang"] for row in rows}
    assert all(
        json.loads(text) == {"lang": carried[row_id]} for row_id, text in own.select("external_id", "carried").rows()
    )
    files = [str(file.relative_to(folders[0])) for file in sorted((folders[0] / "data").rglob("*.parquet"))]
    same = [file for file in files if (folders[0] / file).read_bytes() == (folders[1] / file).read_bytes()]
    assert len(files) > 15 and same == files
