"""Hostile texts on every page and on a terminal: they stand there as text and do nothing.

Kinds of fault: a text that a browser, a terminal or a query takes for more than text, wherever a model, a judge, a
user's file or an address says it; a page that is left out here."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

import flow
import pytest
import world
from browser import launched, opened
from hostile import ALL, TEXTS, hostile_world, look, shown
from served import ran
from viewing import Viewed
from viewing import viewed as viewed

from curation.explore.view.asked import FORMS

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ACTS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u200b\u200f\u2028\u202a-\u202e\u2060-\u2069\ufeff\U000e0041]")

BEGUN = {kind: text for kind, text in TEXTS.items() if kind == "script"}  # what the list shows of a prompt begins so


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study in which everyone says all of the texts, and a model is called by those that a name can have."""
    file, params = world.write(hostile_world(ALL), tmp_path_factory.mktemp("hostile")), world.settings()
    params["generators"]["large"]["model"] = " ".join(
        text for text in TEXTS.values() if text.isprintable() and "://" not in text
    )
    flow.write(params, file)
    return file.parent


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    with launched() as running:
        yield running


def entities() -> list[str]:
    """The pages of a pair, a trace, a prompt and a run."""
    pair = world.sound().pairs.row(0, named=True)
    numbers = {
        "pair": pair["pair_id"],
        "trace": pair["chosen_trace_id"],
        "prompt": pair["prompt_id"],
        "run": "baseline",
    }
    return [f"/{kind}/{number}" for kind, number in numbers.items()]


def test_no_page_of_the_view_acts(viewed: Viewed, browser: "Browser") -> None:
    with opened(browser, viewed.first) as (page, heard):
        places = page.locator("header nav a").evaluate_all("all => all.map(one => one.getAttribute('href'))")
        for path in [*places, *entities()]:
            said = page.goto(f"{viewed.root}{path}")
            assert said is not None and said.status == 200, path
            look(page, BEGUN if path == "/prompts" else {} if path in places or "/run/" in path else TEXTS)
            assert not ACTS.search(page.content())
        assert (heard.dialogs, heard.console) == ([], [])
        assert all(re.match(rf"{viewed.root}/(?!hit)|data:,$", address) for address in heard.requests)


def test_no_address_acts(viewed: Viewed, browser: "Browser") -> None:
    """What an address says is said again on the page that it leads to, or in its error."""
    names = ("where", "text", "sort", "column", "in", "page", "at")
    addresses = ["/find?" + urlencode({"id": text}) for text in [ALL, *list(TEXTS.values())[:3]]]
    forms = list(FORMS.values())
    asked = [
        *((form, ALL) for form in forms),
        *((forms[at % len(forms)], text) for at, text in enumerate(TEXTS.values())),
    ]
    addresses += [f"{form.path}?{urlencode(dict.fromkeys((*names, *form.facets), text))}" for form, text in asked]
    addresses += [f"/{kind}/{quote(TEXTS['script'], safe='')}" for kind in ("pair", "run", "own", "no")]
    with opened(browser, viewed.first) as (page, heard):
        for address in addresses:
            said = page.goto(f"{viewed.root}{address}")
            assert said is not None and said.status < 500, address
            look(page, {})
            assert not ACTS.search(page.content())
        assert heard.dialogs == []
        assert all(address.startswith((viewed.root, "data:,")) for address in heard.requests)


def test_the_page_of_why_does_not_act_and_a_terminal_reads_text(folder: Path, browser: "Browser") -> None:
    for path in entities():
        number = path.rpartition("/")[2]
        said = ran(folder, "curation", "why", number, "--full")
        assert said.returncode == 0 and not ACTS.search(said.stdout + said.stderr)
        assert ran(folder, "curation", "why", number, "--html", "page.html").returncode == 0
        with opened(browser, (folder / "page.html").as_uri()) as (page, heard):
            look(page, {} if number == "baseline" else TEXTS)
            assert (heard.requests, heard.dialogs, heard.console) == ([(folder / "page.html").as_uri()], [], [])


@pytest.mark.parametrize("table", ["pairs", "traces", "prompts", "judgments", "results", "listed_pairs"])
def test_a_table_on_a_terminal_reads_text(folder: Path, table: str) -> None:
    said = ran(folder, "curation", "sql", f"from {table}")
    assert said.returncode == 0 and not ACTS.search(said.stdout + said.stderr)
    assert max(map(len, said.stdout.splitlines())) < 1000


def test_nothing_was_run(folder: Path, viewed: Viewed) -> None:
    assert not list(folder.rglob("hit"))


def test_the_docs_show_what_the_texts_are_shown_as() -> None:
    page = (Path(__file__).parents[1] / "docs/view.md").read_text()
    assert "\n".join(shown()).strip() in page
