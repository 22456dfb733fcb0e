"""`data/report.html`: what it says is what the tables say, it draws nothing of what is not there, and texts in it do
nothing.

Kinds of fault: a figure that is not the table's; a heading over nothing; a judge graded by a point and not by its
interval; a page that asks for something, runs a text, or grows with the texts."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import flow
import polars as pl
import pytest
import world
from browser import launched, opened
from hostile import ALL, HALF, TEXTS, hostile_world, look
from hypothesis import given
from hypothesis import strategies as st

from curation.core.params import read
from curation.explore.report import scorecard
from curation.explore.report.asking import asking
from curation.explore.report.cells import Cell, Cells
from curation.explore.report.curves import Curve, Curves
from curation.explore.report.figures import Estimate, Figure, Panel, find_ticks, lay_out_intervals
from curation.explore.report.page import MOST_BYTES, draw, write_report
from curation.explore.report.shares import Shares
from curation.explore.report.sweep import sweep
from curation.explore.report.worth import choose_pairs
from curation.tables import measurements

JUDGING = Path(__file__).parents[1] / "docs/judging.md"
Parts = dict[str, str]  # a heading's id, and what stands under it


def made(folder: Path, body: world.World, params: dict[str, Any] | None = None) -> Path:
    """A folder with a world and its report."""
    file = world.write(body, folder)
    if params is not None:
        flow.write(params, file)
    write_report(read(file), folder / "data")
    return folder


def parts(folder: Path) -> Parts:
    page = (folder / "data/report.html").read_text()
    _, *found = re.split(r'<h2 id="(\w+)">', page)
    return dict(zip(found[::2], found[1::2], strict=True))


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("report"), world.sound())


def test_every_part_is_there_and_counts_are_those_of_the_tables(sound: Path) -> None:
    found, body = parts(sound), world.sound()
    assert list(found) == [
        "study", "flow", "generators", "judges", "deltas", "selections", "findings", "contrasts", "gains", "cost",
        "pairs",
    ]  # fmt: skip
    for name, n in body.traces["generator"].value_counts().rows():
        assert re.search(rf"<td>traces</td><td>{name}</td><td[^>]*>{n}</td>", found["flow"])
    for name, n in body.selections["selection"].value_counts().rows():
        assert re.search(rf"<td>selections</td><td>{name}</td><td[^>]*>{n}</td>", found["flow"])
    (primary,) = body.contrasts.filter("primary").iter_rows(named=True)
    assert found["contrasts"].index(primary["contrast"]) < found["contrasts"].index("As a table")
    assert f"{primary['estimate']:.3f}" in found["contrasts"]


def test_the_same_tables_give_the_same_bytes(sound: Path) -> None:
    files = [sound / "data/report.html", *sorted((sound / "data/figures").glob("*.svg"))]
    before = [file.read_bytes() for file in files]
    (sound / "data/figures/old.svg").write_text("of a figure that is no more")
    write_report(read(sound / "params.yaml"), sound / "data")
    assert [file.read_bytes() for file in files] == before and len(files) > 3
    assert not (sound / "data/figures/old.svg").exists()


def test_a_figure_is_a_file_of_its_own_that_says_what_it_shows(sound: Path) -> None:
    for file in (sound / "data/figures").glob("*.svg"):
        root = ElementTree.fromstring(file.read_text())  # we wrote it
        named = {child.tag.rsplit("}")[-1]: child for child in root}
        assert len(named["title"].text or "") > 5 and len(named["desc"].text or "") > 20
        assert root.attrib["aria-labelledby"].split() == [named["title"].attrib["id"], named["desc"].attrib["id"]]
        assert not re.search(r"href|url\(|@import", file.read_text())


MEASURED = ("reliability", "deltas/", "judgments/", "preferences/")
LACKS = {  # what is not there, by the beginnings of files in data/, and the parts that then are not there
    "contrasts": (("contrasts",), {"contrasts"}),
    "judges": (MEASURED, {"judges", "deltas", "generators"}),
    "training": (("contrasts", "comparisons", "examples"), {"contrasts", "gains"}),
    "pairs": (
        (*MEASURED, "pairs", "s", "unpaired", "arms", "co", "generator_deltas", "examples"),
        {"generators", "judges", "deltas", "selections", "contrasts", "gains", "pairs"},
    ),
}


@pytest.mark.parametrize("lacks", LACKS)
def test_nothing_is_drawn_of_what_is_not_there(tmp_path: Path, lacks: str) -> None:
    file, (drop, gone) = world.write(world.sound(), tmp_path), LACKS[lacks]
    for there in (tmp_path / "data").rglob("*.parquet"):
        if str(there.relative_to(tmp_path / "data")).startswith(drop):
            there.unlink()
    write_report(read(file), tmp_path / "data")
    page = (tmp_path / "data/report.html").read_text()
    assert not gone & parts(tmp_path).keys()
    assert set(re.findall(r'href="#(\w+)"', page)) == parts(tmp_path).keys()
    drawn = {file.stem for file in (tmp_path / "data/figures").iterdir()}
    assert not drawn & {"ladder" if name == "generators" else name for name in gone}


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_a_grade_is_by_the_interval(one: float, two: float, three: float, four: float) -> None:
    (low, high), (start, end) = sorted((one, two)), sorted((three, four))
    said = scorecard.grade(low, high, (start, end))
    inside, apart = start <= low and high <= end, high < start or low > end
    assert said == (scorecard.GOOD if inside else scorecard.BAD if apart else scorecard.DOUBTFUL)


def test_a_value_without_an_interval_is_doubtful() -> None:
    assert scorecard.grade(None, None, (0.0, 1.0)) == scorecard.DOUBTFUL


PEOPLE = {"kind": "imported", "path": "data/import/people.jsonl", "unmatched": "error"}


def carded(folder: Path, rows: list[tuple[str, str, str, float, float, float]]) -> dict[str, dict[str, Any]]:
    """The aspects of each judge of a study in which so much was measured; `people` and `voters` are from a file."""
    fields = ("judge", "dimension", "measure", "value", "ci_low", "ci_high")
    table = world.frame(measurements.RELIABILITY, [])
    named = [dict(zip(fields, row, strict=True)) for row in rows]
    said = [row | {"against": "", "n": 9, "clusters": 5, "suspect": False} for row in named]
    table = pl.DataFrame(said, schema_overrides=table.schema).select(
        pl.col(name) if name in said[0] else pl.lit(None, dtype).alias(name) for name, dtype in table.schema.items()
    )
    file, params = world.write(replace(world.sound(), reliability=table), folder), world.settings()
    params["judges"]["people"] = PEOPLE | {"trace_id": "trace_id", "dimensions": {"helpfulness": "helpful"}}
    params["pairwise_judges"]["voters"] = PEOPLE | {"pair_id": "pair_id", "verdict": "verdict"}
    flow.write(params, file)
    with asking(read(file)) as asked:
        cards = scorecard.scorecards(asked)
    return {card["judge"]: {aspect["name"]: aspect for aspect in card["aspects"]} for card in cards}


def test_the_worst_dimension_stands_for_a_judge_and_scales_widen_its_range(tmp_path: Path) -> None:
    """`rubric` scores from 1 to 5, so 0.05 of its scale is 0.2; a pairwise judge's deltas are from -1 to 1."""
    found = carded(tmp_path, [
        ("rubric", "logic", "auroc", 0.9, 0.8, 0.95), ("rubric", "brevity", "auroc", 0.6, 0.5, 0.69),
        ("rubric", "logic", "pairwise_accuracy", 0.1, 0.05, 0.2),
        ("rubric", "logic", "self_preference", 0.15, 0.12, 0.19),
        ("versus", "preference", "self_preference", 0.15, 0.12, 0.19),
        ("versus", "preference", "first_position_rate", 0.62, 0.55, 0.7),
    ])  # fmt: skip
    agreement = found["rubric"]["agreement with the truth"]
    assert (agreement["grade"], agreement["figure"]["dimension"]) == ("bad", "brevity")
    assert agreement["counts"] == {"good": 1, "bad": 1}  # and accuracy says nothing where there is an auroc
    assert found["rubric"]["self-preference"]["grade"] == "good"
    assert found["versus"]["self-preference"]["grade"] == "bad"
    assert found["versus"]["position"]["grade"] == "doubtful"
    assert found["rubric"]["noise"]["grade"] is None and "repeat" in found["rubric"]["noise"]["unknown"]


def test_people_are_given_the_advice_of_people(tmp_path: Path) -> None:
    """Kind of fault: who has no max_tokens is told to raise it."""
    measures = [(one.name, next(iter(one.measures))) for one in scorecard.ASPECTS]
    judges = {"people": "helpfulness", "voters": "preference", "answer": "correct", "rubric": "logic"}
    rows = [(judge, name, measure, 9.0, 8.5, 9.5) for judge, name in judges.items() for _, measure in measures]
    found = carded(tmp_path / "bad", rows)
    said = {judge: {name: found[judge][name]["advice"] for name, _ in measures} for judge in judges}
    assert said["rubric"] == {one.name: one.advice for one in scorecard.ASPECTS}
    assert said["people"] == said["voters"] and not set(said["people"].values()) & set(said["rubric"].values())
    of_models = "max_tokens|temperature|model|prompt|repeats|format|family of"
    assert not [text for text in said["people"].values() if re.search(of_models, text)]
    assert "extraction" in said["answer"]["coverage"] and "max_tokens" not in said["answer"]["coverage"]
    found = carded(tmp_path / "unknown", [(judge, name, "kappa", 0.5, 0.4, 0.6) for judge, name in judges.items()])
    assert "raise repeats" not in found["people"]["noise"]["unknown"] == found["voters"]["noise"]["unknown"]
    assert found["voters"]["position"]["unknown"] != found["people"]["position"]["unknown"]


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6))
def test_ticks_hold_what_is_drawn(low: float, width: float) -> None:
    ticks = find_ticks(low, low + width)
    assert ticks[0] <= low + width * 1e-6 and ticks[-1] >= low + width * (1 - 1e-6)
    assert 2 <= len(ticks) <= 8 and ticks == sorted(ticks)


@pytest.mark.parametrize(("low", "high"), [(-1.6e-18, 6.5e-19), (0.0, 1e-300), (1e9, 1e9 + 1e-4), (-3e-13, -1e-13)])
def test_what_differs_by_no_more_than_a_float_s_error_still_has_an_axis(low: float, high: float) -> None:
    """The mean delta of pairs that stand in both orders is no exact 0; its axis had no width, and the stage fell."""
    ticks = find_ticks(low, high)
    assert ticks[0] < ticks[-1] and sorted(set(ticks)) == ticks
    assert ticks[0] <= low + 1e-9 and high - 1e-9 <= ticks[-1]
    line = Estimate("mean", (low + high) / 2, low, high)
    assert lay_out_intervals(Figure("deltas", "", "", [Panel("judge", [line], "score")]))["panels"]


def test_panels_of_one_unit_have_one_scale() -> None:
    small, large = Estimate("a", 0.1, 0.0, 0.2), Estimate("b", 4.0, 3.0, 5.0)
    panels = [Panel("one", [small], "score"), Panel("two", [large], "score"), Panel("three", [small], "other")]
    placed: Any = lay_out_intervals(Figure("f", "F", "f", panels))["panels"]
    assert placed[0]["ticks"] == placed[1]["ticks"] != placed[2]["ticks"]


@pytest.mark.parametrize("name", [*TEXTS.values(), HALF])
def test_a_name_in_a_figure_is_text(name: str) -> None:
    line = Estimate(name, 0.1, says=name)
    step = {"step": name, "many": 1, "parts": [{"name": name, "n": 1, "reasons": {name: 1}}]}
    for figure in (
        Figure("f", name, name, [Panel(name, [line], "")]),
        Curves("f", name, name, name, name, [Curve(name, name, [1], [line])]),
        Cells("f", name, name, [name], [name], {(name, name): Cell(0.5, name, name)}),
        Shares("f", name, name, [step]),
    ):
        root = ElementTree.fromstring(draw(figure, alone=True))  # we wrote it
        assert {one.tag.rsplit("}")[-1] for one in root.iter()} <= {
            "svg", "g", "title", "desc", "style", "rect", "line", "polyline", "circle", "text"}  # fmt: skip
        assert not any(key.startswith("on") or key == "href" for one in root.iter() for key in one.attrib)


def test_pairs_to_look_at_are_what_is_said_of_them(sound: Path) -> None:
    with asking(read(sound / "params.yaml")) as asked:
        chosen = list(choose_pairs(asked, sweep(asked)))
        verdicts = {row["pair_id"]: row for row in asked.ask("selections", "from selections where selection = 'clear'")}
        truth = {row["pair_id"]: row for row in asked.ask("truth", "from truth")}
    by_sort = {sort: pair_id for sort, _, pair_id in chosen}
    ranked = [row for row in verdicts.values() if row["reason"] == "kept"]
    assert verdicts[by_sort["First in the ranking of clear"]]["margin"] == max(row["margin"] for row in ranked)
    assert verdicts[by_sort["Last kept in the ranking of clear"]]["margin"] == min(row["margin"] for row in ranked)
    against = truth[by_sort["A judge against the truth"]]
    assert against["chosen"] != against["rejected"]
    assert {"Longest against shortest", "Flips between orders"} <= by_sort.keys()


def test_a_curve_is_drawn_of_what_was_trained_with_several_numbers_of_pairs(tmp_path: Path) -> None:
    body = world.sound()
    trained = body.comparisons.filter(against="baseline", control="itself")
    more = trained.with_columns(budget=pl.lit("9"), pairs=pl.col("pairs") * 10, gain=pl.col("gain") + 0.1)
    assert trained.height and "efficiency" not in {file.stem for file in made(tmp_path, body).rglob("*.svg")}
    made(tmp_path, replace(body, comparisons=pl.concat([body.comparisons, more])))
    root = ElementTree.parse(tmp_path / "data/figures/efficiency.svg").getroot()  # we wrote it
    panels = root.findall("{*}g")
    assert len(panels) == trained.height
    for panel in panels:
        points = [one.attrib for one in panel.findall("{*}circle")]
        assert len(points) == 2 and float(points[0]["cx"]) < float(points[1]["cx"])
        assert float(points[0]["cy"]) > float(points[1]["cy"])  # the larger gain stands higher
    assert 'class="curve"' in parts(tmp_path)["gains"]


def test_a_page_stays_small_whatever_is_in_it(tmp_path: Path) -> None:
    made(tmp_path, hostile_world('\u202e<&"' * 100_000))
    assert (tmp_path / "data/report.html").stat().st_size < MOST_BYTES
    assert "more characters" in (tmp_path / "data/report.html").read_text()


def test_in_a_browser_texts_do_nothing_and_tables_sort(tmp_path: Path) -> None:
    made(tmp_path, hostile_world(ALL))
    address = (tmp_path / "data/report.html").as_uri()
    with launched() as browser, opened(browser, address, viewport={"width": 400, "height": 800}) as (page, heard):
        assert page.title() == "Report of a study"
        assert (heard.requests, heard.dialogs, heard.console) == ([address], [], [])
        assert page.evaluate("document.documentElement.scrollWidth") == 400
        look(page, TEXTS)
        flow_table = page.locator("#flow ~ details").first
        flow_table.locator("summary").press("Enter")
        cells, head = flow_table.locator("tbody tr td:nth-child(3)"), flow_table.locator("th").nth(2)
        for order in ("ascending", "descending"):
            head.get_by_role("button").press("Enter")
            shown = [int(text.replace(",", "")) for text in cells.all_inner_texts()]
            assert head.get_attribute("aria-sort") == order
            assert shown == sorted(shown, reverse=order == "descending") and len(set(shown)) > 1


def test_the_page_on_judges_has_the_ranges_of_the_code() -> None:
    held = {
        measure: f"{low:g} to {high:g}" for one in scorecard.ASPECTS for measure, (low, high) in one.measures.items()
    }
    table = JUDGING.read_text().split("## The scorecard")[1].split("\n\n## ")[0]
    stated = dict(re.findall(r"^\| (\w+) \| (-?[\d.]+ to [\d.]+) \|", table, re.MULTILINE))
    assert stated == held
    reasons = dict(re.findall(r"^\| (\w+) \| -?[\d.]+ to [\d.]+ \| (.*) \|$", table, re.MULTILINE))
    assert reasons == scorecard.BECAUSE
