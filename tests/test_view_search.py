"""A text searched from the list: what has it is found, in any case and as it is; how far a scan is; and its end.

Kinds of fault: a text that is taken for a pattern; a pair that has it and is not shown; a scan that goes on for
nobody."""

import pytest
import world
from browser import launched, opened
from viewing import Viewed
from viewing import folder as folder
from viewing import pairs as pairs
from viewing import viewed as viewed

from curation.explore.view import searching
from curation.explore.view.asked import PAIRS, Asked
from curation.explore.view.listed import Listed
from curation.explore.view.searching import Searching

TEXTS = ("7 - 9", "WHAT", "i think", "2 + 3", ".", "", "%", "(?i)", "[a-z]", "é", "no such", "\0", "\\", "5")


@pytest.mark.parametrize("inside", PAIRS.inside)
def test_the_pairs_found_are_those_whose_texts_have_it(pairs: Listed, inside: str) -> None:
    made = world.sound()
    said = {row["trace_id"]: f"{row['reasoning'] or ''}\n{row['completion'] or ''}" for row in made.traces.to_dicts()}
    asked = {row["prompt_id"]: row["prompt"][0]["content"] for row in made.prompts.to_dicts()}
    for text in filter(None, TEXTS):
        wanted = []
        for row in made.pairs.to_dicts():
            texts = {
                "prompt": asked[row["prompt_id"]],
                "chosen": said[row["chosen_trace_id"]],
                "rejected": said[row["rejected_trace_id"]],
            }
            if any(text.lower() in own.lower() for where, own in texts.items() if inside in ("", where)):
                wanted.append(row["pair_id"])
        assert pairs.page(Asked(text=text, inside=inside)).ids == wanted, text


def test_a_search_that_nobody_waits_for_ends_and_one_asked_for_again_is_made(
    pairs: Listed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "SECONDS_AT_ONCE", 0.0)
    with searching.TURN:
        with pytest.raises(Searching) as under_way:
            pairs.page(Asked(text="What is"))
        monkeypatch.setattr(searching, "SECONDS_WAITED", -1.0)
    assert under_way.value.search.ended.wait(30) and under_way.value.search.stopped
    monkeypatch.setattr(searching, "SECONDS_WAITED", 60.0)
    monkeypatch.setattr(searching, "SECONDS_AT_ONCE", 60.0)
    assert pairs.page(Asked(text="What is")).found == pairs.columns.height


def test_a_text_that_is_too_long_is_said_beside_its_field(viewed: Viewed) -> None:
    said = viewed.ask(f"/?text={'x' * 1001}")
    assert said.status == 400 and 'id="fault-text"' in said.text and "more than 1,000 letters" in said.text


def test_a_browser_sees_how_far_a_search_is_and_stops_it(viewed: Viewed) -> None:
    height = len(world.sound().pairs)
    with launched() as browser, opened(browser, viewed.first, java_script_enabled=False) as (page, heard):
        page.get_by_label("Where").fill("not identical")
        page.get_by_label("Text", exact=True).fill("<b>4 * 6")
        with searching.TURN:
            page.keyboard.press("Enter")
            page.wait_for_url("**text=**")
            assert page.get_by_role("progressbar").is_visible()
            page.get_by_role("button", name="Stop").click()
            page.wait_for_url("**/?where=not+identical")
        assert "of" in page.locator("#count").inner_text()
        page.goto(f"{viewed.root}/?text=4+*+6")
        page.wait_for_selector("#count")  # the page asks again by itself
        assert 0 < int(page.locator("#count").inner_text().split()[0]) < height
        assert heard.console == heard.dialogs == []


def test_a_search_that_runs_is_shown_until_it_is_done(viewed: Viewed) -> None:
    with launched() as browser, opened(browser, viewed.first) as (page, _):
        with searching.TURN:
            page.goto(f"{viewed.root}/?text=what+IS")
            assert page.locator("progress").count() == 1 and page.locator("#count").count() == 0
        page.wait_for_selector("#count")
        assert page.locator("progress").count() == 0
