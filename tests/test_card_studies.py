"""The card of studies of every sort: it says what is declared and measured there, and nothing of what is not.

Kinds of fault: a kind of source, generator or judge that a card cannot be made of; a section on what there is not; a
path of this machine.
"""

import shutil
from dataclasses import replace
from pathlib import Path

import exporting
import pytest
import world
from flow import write as write_params
from ruamel.yaml import YAML
from test_card import ROOT, headings, tables_of, written

from curation.core.params import read
from curation.prompts.collect import collect
from curation.tables import contracts, parquet


def test_study_without_contrasts_has_the_gains_of_its_arms(tmp_path: Path) -> None:
    sound = world.sound()
    world.write(replace(sound, contrasts=sound.contrasts.clear()), tmp_path)
    params = world.settings() | {"contrasts": {}, "compare": {"primary": None}}
    write_params(params, tmp_path / "params.yaml")
    text = written(tmp_path, tmp_path / "release", world.ARM)
    assert "No contrast was declared. These are the gains" in text and "contrasts.png" not in text


def test_card_of_a_study_without_tables_says_what_params_say(tmp_path: Path) -> None:
    exporting.save_study(tmp_path, exporting.PLAIN + exporting.THOUGHT + exporting.CALLED, reasoning="inline")
    for file in (tmp_path / "data").rglob("*.parquet"):
        if file.parent.name not in ("subsets", "unpaired"):
            file.unlink()
    text = written(tmp_path, tmp_path / "release", exporting.NAME)
    told = {"Deltas by dimension", "What was learnt with it", "How far the judges can be believed", "Cost", "Licenses"}
    assert not told & set(headings(text)) and "8 preference pairs and 16 labelled answers" in text


@pytest.mark.parametrize(
    "recipe",
    [
        pytest.param(file, id=file.stem, marks=() if file.stem == "judging" else pytest.mark.slow)
        for file in sorted((ROOT / "recipes").glob("*.yaml"))
    ],
)
def test_card_of_every_recipe_says_what_is_declared(recipe: Path, tmp_path: Path) -> None:
    shutil.copy(recipe, tmp_path / "params.yaml")
    study = read(tmp_path / "params.yaml")
    names = [*study.selections, *study.arms]
    for name in names:
        for table in (contracts.SUBSETS, contracts.UNPAIRED):
            parquet.write(table, contracts.empty(table), contracts.path(table.name, name, tmp_path / "data"))
    text = written(tmp_path, tmp_path / "release", *names)
    assert {f"`{name}`" for name in names} <= set(headings(text))
    for rows in tables_of(text):
        assert {len(row) for row in rows} == {len(rows[0])} and not [row for row in rows if "None" in row]
    for name in (*study.judges, *study.pairwise_judges, *study.delta.panels, *study.sources):
        assert f"`{name}`" in text


def test_preference_set_has_no_word_on_models_that_nobody_asked(tmp_path: Path) -> None:
    body = YAML(typ="safe", pure=True).load(ROOT / "recipes/preference_set.yaml")
    body["sources"]["rated"]["path"] = str(ROOT / "tests/data/preference_sets/rated.jsonl.gz")
    write_params({name: part for name, part in body.items() if not name.startswith("x-")}, tmp_path / "params.yaml")
    made = collect({"rated": read(tmp_path / "params.yaml").sources["rated"]}, exporting.NOTHING_DROPPED)
    for name, rows in made.tables.items():
        parquet.write(contracts.TABLES[name], rows, contracts.path(name, data=tmp_path / "data"))
    for table, rows in zip((contracts.SUBSETS, contracts.UNPAIRED), exporting.subset_of(made), strict=True):
        parquet.write(table, rows, contracts.path(table.name, "as_listed", tmp_path / "data"))
    text = written(tmp_path, tmp_path / "release", "as_listed")
    assert "a preference set" in text and "what the preference set says, `rated`" in text
    assert not {"Generators", "Deltas by dimension", "Cost"} & set(headings(text)) and "temperature" not in text
    assert str(ROOT) not in text and str(tmp_path) not in text
