"""Studies that are very wide, or not whole. Kinds of fault: a page too large to send or to read, where something is
left out and nobody is told; time that grows with the square of judges; a part that is drawn of nothing, or left out
without a word."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import flow
import polars as pl
import pytest
import world
from ruamel.yaml import YAML
from test_report import parts

from curation.core.params import read
from curation.explore.report.page import MOST_BYTES, MOST_CARDS, write_report

JUDGES, DIMENSIONS, SELECTIONS = 102, 4, 60


def raw_of(file: Path) -> dict[str, Any]:
    return dict(YAML(typ="safe", pure=True).load(file))


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The parts of the report of a study with over 100 judges of several dimensions, and many selections."""
    folder = tmp_path_factory.mktemp("wide")
    file, data = world.write(world.sound(), folder), folder / "data"
    raw, dimensions = raw_of(file), [f"dimension_{number}" for number in range(DIMENSIONS)]
    rubric = raw["judges"]["rubric"]
    many = rubric | {"dimensions": dict.fromkeys(dimensions, rubric["dimensions"]["logic"])}
    deltas = pl.read_parquet(data / "deltas/rubric.parquet").select("pair_id", pl.col("^.*_logic$"))
    of_each = [deltas.drop("pair_id").rename(lambda name, to=name: name.replace("logic", to)) for name in dimensions]
    deltas = pl.concat([deltas.select("pair_id"), *of_each], how="horizontal")
    measured = {name: pl.read_parquet(data / f"{name}.parquet") for name in ("reliability", "generator_deltas")}
    made = {name: [table] for name, table in measured.items()}
    for judge in (f"judge-of-a-long-name-{number:03}" for number in range(JUDGES)):
        raw["judges"][judge] = many
        deltas.write_parquet(data / f"deltas/{judge}.parquet")
        for name, table in measured.items():
            rows = table.filter(judge="rubric", dimension="logic").with_columns(judge=pl.lit(judge))
            made[name] += [rows.with_columns(dimension=pl.lit(dimension)) for dimension in dimensions]
    for name, tables in made.items():
        pl.concat(tables).write_parquet(data / f"{name}.parquet")
    for selection in (f"clear_{number:03}" for number in range(SELECTIONS)):
        raw["selections"][selection] = raw["selections"]["clear"]
        for table in ("selections", "subsets", "unpaired"):
            rows = pl.read_parquet(data / table / "clear.parquet")
            named = rows.with_columns(selection=pl.lit(selection)) if table == "selections" else rows
            named.write_parquet(data / table / f"{selection}.parquet")
    with file.open("w") as written:  # what is the same is written once
        YAML(typ="safe", pure=True).dump(raw, written)
    write_report(read(file), data)
    return parts(folder) | {"folder": str(folder)}


@pytest.mark.slow
def test_a_page_of_many_judges_is_small_and_says_what_it_leaves_out(wide: dict[str, str]) -> None:
    page = (Path(wide["folder"]) / "data/report.html").read_text()
    assert len(page.encode()) < MOST_BYTES
    open_cards, folded = wide["judges"].split("<details", 1)
    judges = len(read(Path(wide["folder"]) / "params.yaml").dimensions)
    assert open_cards.count('<th scope="row">') == MOST_CARDS
    assert f"<summary>{judges - MOST_CARDS} more judges</summary>" in folded
    assert wide["judges"].count('<th scope="row">') == judges  # none is lost
    assert re.search(r'[\d,]+ more rows: <code>curation sql "from reliability"</code>', wide["judges"])
    assert "panels are left out" in wide["deltas"]
    assert re.search(r"\d+ more: <code>curation why", wide["pairs"])


@pytest.mark.slow
def test_a_figure_of_many_judges_can_be_looked_at(wide: dict[str, str]) -> None:
    for file in (Path(wide["folder"]) / "data/figures").glob("*.svg"):
        root = ElementTree.parse(file).getroot()  # we wrote it
        assert float(root.attrib["height"]) < 10_000, file.name


EMPTIED = ("pairs", "deltas/", "subsets/", "selections/", "arms/subsets", "generator_deltas", "reliability",
           "preferences/")  # fmt: skip
OF_JUDGES = ("judges", "deltas", "generators")


def keep(*starts: str) -> Callable[[Path], None]:
    """Only tables whose files begin so are there."""

    def do(data: Path) -> None:
        for file in data.rglob("*.parquet"):
            if not str(file.relative_to(data)).startswith(starts or ("no such",)):
                file.unlink()

    return do


def cut(rows: int, *starts: str) -> Callable[[Path], None]:
    """Tables whose files begin so have only so many rows."""

    def do(data: Path) -> None:
        for file in data.rglob("*.parquet"):
            if str(file.relative_to(data)).startswith(starts):
                pl.read_parquet(file).head(rows).write_parquet(file)

    return do


def fail_judges(data: Path) -> None:
    """No judge's reply could be read."""
    for file in (data / "judgments").glob("*.parquet"):
        rows = pl.read_parquet(file)
        none = [pl.lit(None, pl.Float64).alias(name) for name in ("score", "expected_score")]
        rows.with_columns(*none, status=pl.lit("error")).write_parquet(file)
    for file in (data / "deltas").glob("*.parquet"):
        rows = pl.read_parquet(file)
        known = [name for name in rows.columns if name != "pair_id" and not name.startswith("n_")]
        rows.with_columns(pl.lit(None, rows.schema[name]).alias(name) for name in known).write_parquet(file)
    cut(0, "reliability", "generator_deltas")(data)


NOT_WHOLE = {  # what is done to the tables, and the parts that then are left out
    "nothing": (keep(), {"selections", "contrasts", "gains", "costs", "pairs", *OF_JUDGES}),
    "traces only": (keep("prompts", "traces/"), {"selections", "contrasts", "gains", "costs", "pairs", *OF_JUDGES}),
    "one pair": (cut(1, "pairs", "deltas/", "selections/", "subsets/", "arms/subsets"), set()),
    "no pairs": (cut(0, *EMPTIED), {"judges", "deltas", "pairs", "selections"}),
    "failed judges": (fail_judges, set(OF_JUDGES)),
}


@pytest.mark.parametrize("name", NOT_WHOLE)
def test_a_page_says_what_it_has_nothing_of(tmp_path: Path, name: str) -> None:
    file, (do, gone) = world.write(world.sound(), tmp_path), NOT_WHOLE[name]
    do(tmp_path / "data")
    write_report(read(file), tmp_path / "data")
    found = parts(tmp_path)
    said = re.search(r"Left out, as no table has anything of it: (.*)\.</p>", found["study"])
    absent = set(said[1].split(", ")) if said else set()
    assert absent == gone
    shown = {"costs" if part == "cost" else part for part in found}
    assert not absent & shown and shown | absent == {
        "study", "flow", "generators", "judges", "deltas", "selections", "findings", "contrasts", "gains", "costs",
        "pairs",
    }  # fmt: skip
    for svg in (tmp_path / "data/figures").glob("*.svg"):
        assert "nan" not in svg.read_text().lower().replace("finance", "")


def test_selections_of_single_traces_stand_on_their_own(tmp_path: Path) -> None:
    file = world.write(world.sound(), tmp_path)
    raw = raw_of(file)
    raw["grid"] |= {"methods": [], "selections": [], "controls": []}
    raw["contrasts"], raw["compare"]["primary"] = {}, None
    raw["selections"] = {"all": raw["selections"]["all"] | {
        "budget": {"pairs": 0}, "unpaired": {"label": "true", "budget": None},
    }}  # fmt: skip
    flow.write(raw, file)
    cut(0, "subsets/", "selections/")(tmp_path / "data")
    write_report(read(file), tmp_path / "data")
    rows = pl.read_parquet(tmp_path / "data/unpaired/all.parquet")
    row = re.search(r'<td class="long">all</td>(.*?)</tr>', parts(tmp_path)["selections"], re.DOTALL)
    assert row and re.findall(r">([\d,]+)</td>", row[1])[:3] == [
        str(number) for number in (rows.height, int(rows["label"].sum()), rows["prompt_id"].n_unique())
    ]
