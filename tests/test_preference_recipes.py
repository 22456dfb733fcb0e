"""The two recipes of preference sets from their files to the audit: published ratings and votes, as the page shows
them, and counted anew from the files.

Kinds of fault: a figure of the page that is not the tables'; a label that is turned round on the way, or counted twice;
an audit that stops a sound set.
"""

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

from curation.core.params import read

ROOT = Path(__file__).parents[1]
SETS = ROOT / "tests/data/preference_sets"
TIMES = ("first", "second", "third")  # that a response was rated
PAGE = (ROOT / "docs/preference_sets.md").read_text()
SECTIONS = {"preference_votes": "What the labels are worth", "preference_set": "Choosing again"}


def section(recipe: str) -> str:
    """The section of the page that walks through a recipe."""
    (found,) = re.findall(rf"^## {SECTIONS[recipe]}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    return str(found)


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, str]]:
    """Of each recipe the folder of its tables up to the audit, and what was said on stderr."""
    made = {}
    weights = ROOT / ".curation/weights"  # unpacked once for all tests
    weights.mkdir(parents=True, exist_ok=True)
    for recipe in SECTIONS:
        folder = tmp_path_factory.mktemp(recipe)
        (folder / "data/import").mkdir(parents=True)
        for file in ("rated.jsonl.gz", "votes.parquet"):
            shutil.copy(SETS / file, folder / "data/import")
        shutil.copy(ROOT / "dvc.yaml", folder)
        shutil.copy(ROOT / f"recipes/{recipe}.yaml", folder / "params.yaml")
        (folder / ".curation").mkdir()
        (folder / ".curation/weights").symlink_to(weights)
        study = read(folder / "params.yaml")
        stages = [
            "collect", *(f"generate {name}" for name in study.generators), *(f"judge {name}" for name in study.judges),
            "renderings", "pair", *(f"prefer {name}" for name in study.pairwise_judges), "delta", "calibrate",
            "reliability", *(f"select {name}" for name in study.selections), "arms", "audit",
        ]  # fmt: skip
        said = ""
        for stage in stages:
            done = ran(folder, *f"stages.{stage}".split())
            assert done.returncode == 0, done.stderr
            said += done.stderr
        made[recipe] = folder, said
    return made


@pytest.mark.slow
@pytest.mark.parametrize("recipe", SECTIONS)
def test_what_the_page_shows_is_what_comes_out(recipe: str, studies: dict[str, tuple[Path, str]]) -> None:
    folder, said = studies[recipe]
    asked = COMMAND.findall(section(recipe))
    assert len(asked) >= 2
    for command, shown in asked:
        done = ran(folder, *shlex.split(command))
        assert (command, done.stdout) == (command, shown), done.stderr
    for shown in re.findall(r"^\$ dvc repro collect\n(.*?)^```", section(recipe), re.MULTILINE | re.DOTALL):
        assert shown and [line for line in shown.splitlines() if line not in said.splitlines()] == []


@pytest.mark.slow
def test_the_share_of_labels_that_a_model_reverses_is_that_of_the_file(
    studies: dict[str, tuple[Path, str]],
) -> None:
    """What most people say of two responses, and what each model says, counted from the file: by what is said of the
    text that comes first in the alphabet."""
    votes = pl.read_parquet(SETS / "votes.parquet")
    sides = [
        pl.concat_str(f"model_{side}", pl.col(f"response_{side}").str.strip_chars(), separator="\n") for side in "ab"
    ]
    texts = [pl.col(f"response_{side}").str.strip_chars() for side in "ab"]
    votes = votes.filter(texts[0] != "", texts[1] != "", texts[0] != texts[1])
    worth = {"model_a": 1, "model_b": -1, "tie": 0}
    sign = pl.when(sides[0] < sides[1]).then(1).otherwise(-1)
    said = votes.select(
        "prompt", pl.min_horizontal(sides).alias("one"), pl.max_horizontal(sides).alias("other"),
        *((sign * pl.col(name).replace_strict(worth, return_dtype=pl.Int64)).alias(name)
          for name in ("winner", "gpt_35", "pandalm_7b")),
    )  # fmt: skip
    pairs = said.group_by("prompt", "one", "other").agg(pl.col("winner", "gpt_35", "pandalm_7b").sum().sign())
    measured = pl.read_parquet(studies["preference_votes"][0] / "data/reliability.parquet")
    for model in ("gpt_35", "pandalm_7b"):
        rows = measured.filter(judge=model, measure="reversal_rate", against="people")
        decided = pairs.filter(pl.col("winner") != 0, pl.col(model) != 0)
        assert rows["n"].item() == decided.height > 400
        assert rows["value"].item() == pytest.approx((decided["winner"] != decided[model]).mean())


@pytest.mark.slow
def test_a_kept_pair_is_the_users_row(studies: dict[str, tuple[Path, str]]) -> None:
    """Every selection of the rated set: each side is a response to the prompt with the row's id, and the chosen one is
    rated higher where that was asked for."""
    folder, _ = studies["preference_set"]
    lines = pl.read_ndjson(SETS / "rated.jsonl.gz").explode("completions")
    fields = lines.select("id", "source", pl.col("completions").struct.unnest()).with_columns(
        pl.col("annotations").struct.field(name).struct.field("Rating").cast(pl.Float64).alias(name) for name in TIMES
    )
    responses = {(row["id"], row["response"].strip()): row for row in fields.rows(named=True)}
    counts = {}
    for name in read(folder / "params.yaml").selections:
        subset = pl.read_parquet(folder / f"data/subsets/{name}.parquet")
        counts[name] = subset.height
        for row in subset.rows(named=True):
            chosen, rejected = (responses[row["external_id"], row[side][0]["content"].strip()]
                                for side in ("chosen", "rejected"))  # fmt: skip
            assert row["carried"] == f'{{"source":"{chosen["source"]}"}}'
            higher = [number for number in TIMES if chosen[number] > rejected[number]]
            if name in ("as_listed", "against_the_label"):
                assert "first" in higher
            elif name == "agreed":
                assert higher == list(TIMES)
            else:
                assert sum(chosen[number] - rejected[number] for number in TIMES) > 0
    assert all(counts.values())


def test_the_page_has_the_settings_that_read_each_set() -> None:
    """As tests/test_preference_sets.py reads them."""
    published: dict[str, Any] = YAML(typ="safe", pure=True).load(SETS / "sets.yaml")
    wanted = [{key: value for key, value in one["settings"].items() if value} for one in published.values()]
    shown = []
    for row in re.findall(r"^\| [^|]+ \| (`layout: .*`) \|$", PAGE, re.MULTILINE):
        settings = "\n".join(re.findall(r"`([^`]+)`", row))
        shown.append(YAML(typ="safe", pure=True).load(settings))
    assert shown == wanted
