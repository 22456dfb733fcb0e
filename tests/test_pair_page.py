"""The page of a pair, in a real browser and at three widths: formulas, source and differences, scores and why.

Kinds of fault: a number that is not the table's; something that only a pointer, or a script, gets at; a page that is
wider than its window; a way that ends."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest
import world
from browser import launched, opened
from viewing import Viewed, viewing

from curation.core.params import read
from curation.explore.pairs import describe_pair
from curation.explore.scores import put_beside
from curation.explore.tables import Tables

if TYPE_CHECKING:
    from playwright.sync_api import Browser

LEFT = r"So \(x^2 = 4\), and" "\n```\nprint(2)\n```\n" + "a" * 3000 + r" $$\boxed{2}$$"


def written() -> world.World:
    """The sound world, whose first side of each pair writes formulas and code, and thinks."""
    made = world.sound()
    first = pl.col("generator") == "large"
    counts = {"reasoning_characters": 9, "completion_characters": len(LEFT), "characters": len(LEFT) + 9}
    traces = made.traces.with_columns(
        reasoning=pl.when(first).then(pl.lit("thought $y$")).otherwise("reasoning"),
        completion=pl.when(first & pl.col("completion").is_not_null()).then(pl.lit(LEFT)).otherwise("completion"),
        **{name: pl.when(first).then(pl.lit(count, pl.Int32)).otherwise(name) for name, count in counts.items()},
    )
    return replace(made, traces=traces)


def asked() -> int:
    """A pair of the large model's over another's, with two scores."""
    made = world.sound()
    scored = made.deltas["answer"].drop_nulls("delta_correct")["pair_id"].implode()
    pairs = made.pairs.filter(pl.col("pair_id").is_in(scored), ~pl.col("identical"), chosen_model="large")
    return int(pairs["pair_id"][0])


@pytest.fixture(scope="module")
def viewed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Viewed]:
    """The view of that world."""
    with viewing(world.write(written(), tmp_path_factory.mktemp("pair")).parent) as server:
        yield server


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    with launched() as running:
        yield running


def test_the_scores_beside_each_other_are_those_of_the_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(world.write(world.sound(), tmp_path).parent)
    for row in world.sound().deltas["answer"].to_dicts()[::6]:
        judges = put_beside(describe_pair(Tables(read()), row["pair_id"]))
        (found,) = (one for one in judges if one["judge"] == "answer")
        (beside,) = found["dimensions"]
        assert (beside["low"], beside["high"], found["kind"]) == (0, 1, "answer")
        assert [beside[f"{side}_mean"] for side in ("chosen", "rejected")] == [
            row["chosen_correct"],
            row["rejected_correct"],
        ]
        assert beside["delta"]["delta"] == row["delta_correct"]


def test_siblings_are_the_other_pairs_of_the_prompt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(world.write(world.sound(), tmp_path).parent)
    pairs = world.sound().pairs
    for row in pairs.to_dicts()[::6]:
        found = describe_pair(Tables(read()), row["pair_id"])
        others = pairs.filter(pl.col("pair_id") != row["pair_id"], prompt_id=row["prompt_id"])["pair_id"]
        assert {one["pair_id"] for one in [*found["others"], *found["siblings"]]} == set(others)


def test_a_pair_is_read_by_keyboard_and_by_pointer(viewed: Viewed, browser: "Browser") -> None:
    with opened(browser, viewed.first) as (page, heard):
        page.goto(f"{viewed.root}/pair/{asked()}")
        side = page.locator("section.chosen")
        read, source = side.locator(":scope > .read"), side.locator(":scope > .source")
        assert read.locator("math").count() == 2 and read.locator("pre code").inner_text() == "print(2)"
        assert read.is_visible() and not source.is_visible()
        page.get_by_label("as read").focus()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowRight")
        assert source.is_visible() and not read.is_visible() and source.inner_text() == LEFT
        colour = "element => getComputedStyle(element).backgroundColor"
        marked = source.locator("mark").first.evaluate(colour)
        page.get_by_label("source", exact=True).check()
        assert source.is_visible() and source.locator("mark").first.evaluate(colour) != marked
        thought = side.locator("details").first
        assert "Reasoning, 11 characters" in thought.inner_text() and not thought.locator(".source").is_visible()
        cell = page.locator(".scores .why").first
        said = page.locator(f"#{cell.get_attribute('aria-describedby')}")
        assert not said.is_visible()
        cell.focus()
        assert said.is_visible() and said.inner_text() == "compared"
        page.get_by_label("as read").focus()
        assert not said.is_visible()
        cell.hover()
        assert said.is_visible()
        page.emulate_media(media="print")
        page.mouse.move(0, 0)
        assert said.is_visible() and thought.locator(".source").is_visible() and not page.locator(".ways").is_visible()
        assert heard.dialogs == heard.console == []


def test_a_pair_leads_to_all_that_it_is_of(viewed: Viewed, browser: "Browser") -> None:
    with opened(browser, viewed.first) as (page, _):
        page.goto(f"{viewed.root}/pair/{asked()}")
        links = page.locator("main a").evaluate_all("all => all.map(one => one.getAttribute('href'))")
        assert {link.split("/")[1] for link in links} == {"prompt", "trace", "pair", "run", "selection", "arm"}
        for link in dict.fromkeys(links):
            said = page.goto(f"{viewed.root}{link}")
            assert said is not None and said.status == 200 and link.split("/")[1] in page.title()


def test_from_pair_to_pair_in_the_order_of_the_list_and_back(viewed: Viewed, browser: "Browser") -> None:
    with opened(browser, f"{viewed.first}&sort=chosen.characters&order=down") as (page, _):
        first = page.url
        listed = page.locator("tbody th a").all_inner_texts()
        page.get_by_role("link", name=listed[1], exact=True).click()
        shown = []
        while page.locator("a[rel=next]").count():
            shown.append(page.title())
            page.locator("a[rel=next]").click()
        assert [*shown, page.title()] == [f"pair {number}" for number in listed[1:]]
        page.locator("a[rel=prev]").click()
        assert page.title() == f"pair {listed[-2]}"
        page.get_by_role("link", name="Back to the list").click()
        assert page.url == first
        page.goto(f"{viewed.root}/pair/{listed[0]}?where=nonsense(&at=0")
        assert page.title() == f"pair {listed[0]}" and not page.locator("a[rel=next]").count()


def test_a_page_is_no_wider_than_its_window(viewed: Viewed, browser: "Browser") -> None:
    pair = world.sound().pairs.filter(pair_id=asked()).row(0, named=True)
    paths = [f"trace/{pair['chosen_trace_id']}", f"prompt/{pair['prompt_id']}", "run/baseline", f"pair/{asked()}"]
    with opened(browser, viewed.first, color_scheme="dark") as (page, _):
        for path in paths:
            page.goto(f"{viewed.root}/{path}")
            page.locator("details").evaluate_all("all => all.forEach(one => { one.open = true })")
            for width in (400, 900, 1400):
                page.set_viewport_size({"width": width, "height": 800})
                assert page.evaluate("document.documentElement.scrollWidth") <= width
        for width in (400, 900):
            page.set_viewport_size({"width": width, "height": 800})
            tops = {page.locator(f"section.{side}").evaluate("one => one.offsetTop") for side in ("chosen", "rejected")}
            assert len(tops) == (2 if width < 736 else 1)
