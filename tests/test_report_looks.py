"""How the report looks in a real browser. Kinds of fault: what can hardly be read, in either scheme; what is folded and
so lacks on paper; a link that leads out of the page, or nowhere; what is wider than the screen; what no keyboard
reaches."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import world
from browser import FOUND, launched, opened
from contrast import find_faint, look, ratio
from test_report import made

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ROOT = Path(__file__).parents[1]
UNFOLD = "document.querySelectorAll('details').forEach(one => one.open = true)"


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    with launched() as running:
        yield running


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("looks"), world.sound()) / "data/report.html"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_can_be_told_from_what_is_behind(browser: "Browser", page_file: Path, scheme: str) -> None:
    with opened(browser, page_file.as_uri(), color_scheme=scheme) as (page, _):
        page.evaluate(UNFOLD)
        seen = look(page)
        assert find_faint(seen) == []
        shown = " ".join(one["name"] for one in seen)
        for part in ("grade", "dim", "text says", "text in", "circle point", "summary", "BUTTON"):
            assert part.lower() in shown.lower(), part


def test_faint_text_is_found(browser: "Browser", page_file: Path) -> None:
    assert ratio([0, 0, 0], [255, 255, 255]) == pytest.approx(21)
    with opened(browser, page_file.as_uri()) as (page, _):
        page.add_style_tag(content=".dim { color: #9a9a9a } text.says { fill: #aaaaaa !important }")
        found = " ".join(find_faint(look(page)))
        assert "dim" in found and "text says" in found


def test_what_is_folded_is_there_on_paper(browser: "Browser", page_file: Path) -> None:
    with opened(browser, page_file.as_uri()) as (page, _):
        inside = page.locator("details:not([open]) table")
        assert inside.count() > 3 and not any(one.is_visible() for one in inside.all())
        page.emulate_media(media="print")
        heights = inside.evaluate_all("all => all.map(one => one.getBoundingClientRect().height)")
        assert min(heights) > 0
        assert page.locator("nav").is_hidden() and page.pdf().startswith(b"%PDF")


def test_every_link_leads_to_a_place_on_the_page(browser: "Browser", page_file: Path) -> None:
    text = page_file.read_text()
    links, places = re.findall(r'href="([^"]*)"', text), re.findall(r' id="([^"]*)"', text)
    assert len(links) > 15 and {link.removeprefix("#") for link in links} <= set(places)
    assert len(places) == len(set(places))
    with opened(browser, page_file.as_uri(), viewport={"width": 900, "height": 700}) as (page, heard):
        for aspect, grade in enumerate(page.locator(".cards tbody tr").first.locator("a.grade").all()):
            grade.press("Enter")
            assert page.locator(":target").is_visible(), aspect  # though it was folded
        assert len(heard.requests) == 1


@pytest.mark.parametrize("width", [400, 900, 1400])
def test_nothing_is_wider_than_the_screen(browser: "Browser", page_file: Path, width: int) -> None:
    with opened(browser, page_file.as_uri(), viewport={"width": width, "height": 900}) as (page, _):
        page.evaluate(UNFOLD)
        assert page.evaluate("document.documentElement.scrollWidth") == width
        wide = page.locator(".scroll, .figure").evaluate_all("""all => all
            .filter(one => one.scrollWidth > one.clientWidth && one.tabIndex < 0).map(one => one.textContent)""")
        assert wide == []  # what scrolls by itself can be reached by a keyboard


@pytest.mark.parametrize("width", [400, 1400])
def test_names_in_figures_are_not_cut(browser: "Browser", page_file: Path, width: int) -> None:
    with opened(browser, page_file.as_uri(), viewport={"width": width, "height": 900}) as (page, _):
        cut = page.locator(".figure svg text").evaluate_all("""all => all.filter(one => {
            const [mine, whole] = [one.getBoundingClientRect(), one.closest("svg").getBoundingClientRect()];
            return mine.left < whole.left - 1 || mine.right > whole.right + 1 || mine.top < whole.top - 1;
        }).map(one => one.textContent)""")
        assert cut == []


def test_the_picture_of_the_scorecard_is_made(page_file: Path, tmp_path: Path) -> None:
    if FOUND is None:
        pytest.skip("no Chromium here")

    def make() -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "bench.pictures"]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    assert "`dvc repro report` makes it" in make().stderr
    (tmp_path / "data").mkdir()
    shutil.copy(page_file, tmp_path / "data")
    assert make().returncode == 0
    assert (tmp_path / "docs/img/report.png").read_bytes().startswith(b"\x89PNG")
