"""The card of a release says what the tables and params.yaml say, in a form that the hub's own tools read.

Kinds of fault: a header that the hub reads otherwise, or a configuration that does not load; a figure that is not the
tables'; a section on what there is not.
"""

import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import world
import yaml
from flow import write as write_params
from markdown_it import MarkdownIt

from curation.calls.counts import NAMES
from curation.core.params import read
from curation.exchange.card import card, deltas, learnt, markdown
from curation.exchange.card.facts import Config, Facts, Licence
from curation.tables import contracts
from curation.tables.db import connect, views

ROOT = Path(__file__).parents[1]
LICENCES = [Licence("sources", "sums", "cc-by-4.0"), Licence("generators", "large", "apache-2.0")]
CALLS = [
    dict(zip(NAMES, ("this study", "judge", "rubric", "m", 3, 3, 2, 1, 0, 0, 1200, 34, 0.5), strict=True)),
    dict(zip(NAMES, ("other", "judge", "rubric", "m", 9, 9, 9, 9, 9, 9, 999_999, 9, 9.0), strict=True)),
]


def lay_out(study: Path, release: Path, *names: str) -> list[Config]:
    """`release` has the files of the arms and selections, as a release has them."""
    configs = []
    for name in names:
        for table, suffix in (("subsets", ""), ("unpaired", "-unpaired")):
            file = contracts.arm_path(table, name, study / "data")
            file = file if file.exists() else contracts.path(table, name, study / "data")
            config = Config(f"{name}{suffix}", name, table, f"data/{name}{suffix}/train-00000-of-00001.parquet")  # type: ignore[arg-type]
            (release / config.file).parent.mkdir(parents=True)
            shutil.copy(file, release / config.file)
            configs.append(config)
    return configs


def written(study: Path, release: Path, *names: str, **more: Any) -> str:
    """The card of a release of the arms and selections."""
    configs = lay_out(study, release, *names)
    card.write(release, read(study / "params.yaml"), configs, **more)
    return (release / card.CARD).read_text()


def body_of(text: str) -> str:
    return text.split("\n---\n", 1)[1]


def headings(text: str) -> list[str]:
    return [line.lstrip("# ") for line in body_of(text).splitlines() if line.startswith("#")]


def tables_of(text: str) -> list[list[list[str]]]:
    """The tables of a card as a reader of markdown sees them: rows of cells, the head first."""
    found: list[list[list[str]]] = []
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(body_of(text))
    for at, token in enumerate(tokens):
        if token.type == "table_open":
            found.append([])
        elif token.type == "tr_open":
            found[-1].append([])
        elif token.type in ("th_open", "td_open"):
            found[-1][-1].append(tokens[at + 1].content)
    return found


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    world.write(world.sound(), folder)
    return folder


@pytest.fixture(scope="module")
def made(study: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A release of a selection and its reversed arm, and its card."""
    release = tmp_path_factory.mktemp("release")
    return release, written(study, release, "clear", world.BESIDE, licences=LICENCES, calls=CALLS)


@pytest.fixture
def facts(study: Path, made: tuple[Path, str]) -> Any:
    one = read(study / "params.yaml")
    configs = [Config(name, name, "subsets", "") for name in ("clear", world.BESIDE)]
    with connect(one) as connection:
        yield Facts(made[0], one, configs, LICENCES, CALLS, connection, frozenset(views(connection)))


def test_hubs_own_readers_take_the_header(made: tuple[Path, str]) -> None:
    from datasets import Features
    from huggingface_hub import DatasetCard

    release, text = made
    head = DatasetCard.load(release / card.CARD).data.to_dict()
    assert head == yaml.safe_load(text.split("---\n")[1])
    assert head["license"] == ["cc-by-4.0", "apache-2.0"]
    assert head["size_categories"] == ["n<1K"] and head["tags"][:2] == ["dpo", "kto"]
    assert [one["config_name"] for one in head["configs"]] == [one["config_name"] for one in head["dataset_info"]]
    for known, info in ((contracts.SUBSETS, head["dataset_info"][0]), (contracts.UNPAIRED, head["dataset_info"][1])):
        assert info["features"] == Features.from_arrow_schema(known.schema)._to_yaml_list()
        assert Features._from_yaml_list(info["features"]).arrow_schema.names == known.schema.names


def test_every_configuration_loads_as_it_lies(made: tuple[Path, str], tmp_path: Path) -> None:
    from datasets import load_dataset

    release, _ = made
    for name in ("clear", "clear-unpaired", world.BESIDE):
        rows = load_dataset(str(release), name, split="train", cache_dir=str(tmp_path))
        own = pl.read_parquet(next((release / "data" / name).iterdir()))
        assert rows.to_list() == own.to_dicts() and len(rows) == own.height > 0


def test_same_tables_give_the_same_bytes(study: Path, made: tuple[Path, str], tmp_path: Path) -> None:
    release, text = made
    assert written(study, tmp_path, "clear", world.BESIDE, licences=LICENCES, calls=CALLS) == text
    for file in (release / deltas.FOLDER).iterdir():
        assert file.read_bytes() == (tmp_path / deltas.FOLDER / file.name).read_bytes()


def test_tables_are_whole_and_say_nothing_that_is_not_there(made: tuple[Path, str]) -> None:
    release, text = made
    for rows in tables_of(text):
        assert {len(row) for row in rows} == {len(rows[0])} and len(rows) > 1
    for word in ("None", "nan", "null |", "{}", "[]"):
        assert not [row for rows in tables_of(text) for row in rows if word in row], word
    pictures = [line.split("](")[1].rstrip(")") for line in text.splitlines() if line.startswith("![")]
    assert pictures and sorted(pictures) == sorted(f"pictures/{file.name}" for file in (release / "pictures").iterdir())


def test_counts_are_those_of_the_tables(made: tuple[Path, str], study: Path) -> None:
    text = made[1]
    verdicts = pl.read_parquet(study / "data/selections/clear.parquet")["reason"].value_counts().rows()
    (shown,) = (rows for rows in tables_of(text) if rows[0] == ["reason", "is", "pairs"])
    assert {row[0].strip("`"): int(row[2]) for row in shown[1:-1]} == dict(verdicts)
    assert int(shown[-1][2]) == sum(n for _, n in verdicts)
    (cost,) = (rows for rows in tables_of(text) if rows[0][0] == "stage")
    assert cost[1:] == [["`judge`", "`rubric`", "`m`", "2", "1", "1,200", "34", "0.5000"],
                        ["**all**", "", "", "2", "1", "1,200", "34", "0.5000"]]  # fmt: skip


def test_first_sentence_counts_the_rows_own_pairs_answers_and_writers_once(made: tuple[Path, str], study: Path) -> None:
    """The reversed arm has the pairs of its selection, so that they stand in two configurations."""
    rows = [pl.read_parquet(file, glob=False) for file in made[0].glob("data/*/*.parquet")]
    pairs = [table for table in rows if "pair_id" in table.columns]
    answers = [table["trace_id"] for table in rows if "trace_id" in table.columns]
    ids = pl.concat(table["pair_id"] for table in pairs)
    assert ids.n_unique() < len(ids)
    sides = [table[f"{side}_trace_id"] for table in pairs for side in ("chosen", "rejected")]
    own = pl.concat([*(one.alias("trace_id") for one in sides), *answers])
    traces = pl.concat(pl.read_parquet(file) for file in (study / "data/traces").glob("*.parquet"))
    writers = traces.filter(pl.col("trace_id").is_in(own.implode()))["generator"].n_unique()
    said = f"{ids.n_unique()} preference pairs and {pl.concat(answers).n_unique()} labelled answers"
    assert f"\n{said}, written by {writers} generators, rated by" in made[1]


def test_delta_of_a_reversed_row_is_that_of_its_pair_turned_round(facts: Facts) -> None:
    own, turned = (deltas._means(facts, arm) for arm in ("clear", world.BESIDE))
    assert own and [-row["mean"] for row in own] == pytest.approx([row["mean"] for row in turned])
    for arm, rows in (("clear", own), (world.BESIDE, turned)):
        counts = deltas._bins(facts, arm)
        for row in rows:
            every, of_rows = counts[row["judge"], row["dimension"]]
            rated = facts.ask("deltas", "select count(delta) as n from deltas where judge = $j and dimension = $d",
                              j=row["judge"], d=row["dimension"])  # fmt: skip
            assert sum(of_rows) == row["n"] and sum(every) == rated[0]["n"]


def test_names_and_texts_of_others_change_no_part_of_the_card(made: tuple[Path, str], tmp_path: Path) -> None:
    odd = "<script>alert(1)</script> | `x` ![y](http://e.com) \n# z\n```\n</details>"
    world.write(world.sound(), tmp_path)
    body = world.settings()
    body["generators"]["large"] |= {"family": odd, "system": odd}
    body["sources"]["sums"]["instruction"] = odd
    rubric = body["judges"]["rubric"]
    rated = {"description": odd, "scores": {1: odd, 2: odd}}
    body["judges"]["rubric"] = rubric | {"instructions": odd, "dimensions": dict.fromkeys(rubric["dimensions"], rated)}
    write_params(body, tmp_path / "params.yaml")
    for file in (
        contracts.path("traces", "large", tmp_path / "data"),
        contracts.path("subsets", "clear", tmp_path / "data"),
    ):
        rows = pl.read_parquet(file)
        message = pl.concat_list(pl.struct(role=pl.lit("user"), content=pl.lit(odd)))
        renamed = (
            {"generator": pl.lit(odd), "family": pl.lit(odd)} if "generator" in rows.columns else {"prompt": message}
        )
        rows.with_columns(**renamed).write_parquet(file)
    text = written(tmp_path, tmp_path / "release", "clear", world.BESIDE, licences=LICENCES, calls=CALLS)
    page, sound = (MarkdownIt("gfm-like", {"linkify": False}).render(body_of(one)) for one in (text, made[1]))
    tags = [re.findall(r"</?(?:h\d|table|tr|details|summary|img|script|pre)\b", one) for one in (page, sound)]
    assert tags[0] == tags[1] and page.count("alert(1)") > 10


def test_primary_contrast_is_first_and_its_registration_is_said(tmp_path: Path) -> None:
    sound = world.sound()
    row = sound.contrasts.with_columns(registered=pl.lit("differs"))
    other = row.with_columns(contrast=pl.lit("a"), primary=False, registered=pl.lit(None, pl.String))
    world.write(replace(sound, contrasts=pl.concat([other, row])), tmp_path)
    text = written(tmp_path, tmp_path / "release", world.ARM)
    (shown,) = (rows for rows in tables_of(text) if rows[0][0] == "contrast")
    assert [row[0] for row in shown[1:]] == [f"**`{world.PRIMARY}`**", "`a`"]
    assert f"came to {markdown.number(row['estimate'][0], signed=True)}" in text
    assert "It is not the one that was registered." in text
    for standing, sentence in learnt.REGISTERED.items():
        (told,) = row.with_columns(registered=pl.lit(standing, pl.String)).to_dicts()
        assert sentence in " ".join(learnt._primary([told]))
    assert list(learnt._primary(other.to_dicts())) == ["No contrast was declared the primary one.", ""]
