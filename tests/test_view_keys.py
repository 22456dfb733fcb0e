"""The view by keyboard alone, in a browser.

Kinds of fault: a stop of the tab key that nobody sees or that lies out of sight; a page that keeps the focus; the
content, or the answers, behind dozens of stops; a single key that acts where somebody types."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import to_label
import world
from browser import launched, opened
from viewing import Viewed, viewing

from curation.explore.labels.gold import GOLD

if TYPE_CHECKING:
    from playwright.sync_api import Page

LABEL = "/label/pair?labeller=ann&blind=yes&keys=yes&dimension=logic"
PAGES = ("/", "/?where=nonsense", "/traces", "/prompts", "/label", LABEL, "/label/done?labeller=ann", "/compare", "/x")
STOP = """() => {
  const at = document.activeElement, style = getComputedStyle(at), box = at.getBoundingClientRect();
  if (at === document.body) return null;
  const seen = box.width > 0 && box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
  return {name: at.outerHTML.slice(0, 80), id: at.id, seen, outlined: style.outlineStyle === "solid"};
}"""
MOST = 200  # stops of a page


@pytest.fixture(scope="module")
def viewed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Viewed]:
    folder = tmp_path_factory.mktemp("keys")
    to_label.write(folder)
    for stale in ("deltas", "selections", "subsets"):  # of other pairs
        for file in (folder / "data").glob(f"{stale}/*.parquet"):
            file.unlink()
    with viewing(folder) as server:
        yield server


def walk(page: "Page") -> Iterator[dict[str, Any]]:
    """What the tab key stops at, until it leaves the page."""
    for _ in range(MOST):
        page.keyboard.press("Tab")
        if (stop := page.evaluate(STOP)) is None:
            return
        yield stop
    raise AssertionError(f"{page.url}: the tab key does not leave it")


@pytest.mark.slow
@pytest.mark.parametrize("width", [400, 1400])
def test_every_stop_is_seen_and_the_first_leads_past_the_head(viewed: Viewed, width: int) -> None:
    with (
        launched() as browser,
        opened(browser, viewed.first, viewport={"width": width, "height": 700}) as (page, heard),
    ):
        pages = [*PAGES, page.locator("tbody a").first.get_attribute("href")]
        for path in pages:
            page.goto(f"{viewed.root}{path}")
            stops = list(walk(page))
            assert [one["name"] for one in stops if not (one["seen"] and one["outlined"])] == [], path
            page.goto(f"{viewed.root}{path}")
            page.keyboard.press("Tab")
            page.keyboard.press("Enter")
            assert page.evaluate("document.activeElement.id") == "main"
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        assert [line for line in heard.console if "status of 40" not in line] == []


def test_the_answers_are_three_keys_away_and_single_keys_are_a_fields_own(viewed: Viewed) -> None:
    with launched() as browser, opened(browser, viewed.first) as (page, heard):
        page.goto(f"{viewed.root}{LABEL}")
        page.locator("#find").focus()
        page.keyboard.type("1s2u4")
        assert page.locator("#find").input_value() == "1s2u4"
        page.locator("select").first.focus()
        page.keyboard.press("s")
        page.keyboard.press("u")
        page.keyboard.press("Control+1")
        assert "saved=" not in page.url and not GOLD.exists()
        page.keyboard.press("Escape")
        assert page.evaluate("document.activeElement === document.body")
        page.goto(f"{viewed.root}{LABEL}")
        for key in ("Tab", "Tab", "Enter", "Tab"):
            page.keyboard.press(key)
        assert page.evaluate("document.activeElement.value") == "left"
        page.keyboard.press("Space")
        page.wait_for_url("**saved=**")
        assert page.get_by_role("status").inner_text().startswith("Saved: left is better")
        assert heard.console == heard.dialogs == []


def test_what_a_judge_says_opens_at_focus_and_closes_with_escape(tmp_path: Path) -> None:
    world.write(world.sound(), tmp_path)
    with viewing(tmp_path) as server, launched() as browser, opened(browser, server.first) as (page, _):
        for number in world.sound().pairs["pair_id"]:
            page.goto(f"{server.root}/pair/{number}")
            if page.locator(".why").count():
                break
        reason, said = page.locator(".why").first, page.locator(".said").first
        reason.focus()
        assert said.is_visible()
        page.keyboard.press("Escape")
        assert not said.is_visible()
