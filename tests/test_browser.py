"""The browser of the tests hears what it is there to hear: a page that runs, asks or opens something is told."""

from pathlib import Path

from browser import launched, opened

LOUD = """<!doctype html><title>loud</title><img src="http://127.0.0.1:9/seen.png"><p id="p">quiet</p>
<script>alert("ran"); console.log("said")</script>"""


def test_the_browser_hears_what_a_page_runs_and_asks_for(tmp_path: Path) -> None:
    (tmp_path / "loud.html").write_text(LOUD)
    with launched() as browser, opened(browser, f"file://{tmp_path}/loud.html") as (page, heard):
        page.wait_for_load_state()
        assert page.locator("#p").inner_text() == "quiet"
        assert heard.dialogs == ["ran"]
        assert "said" in heard.console
        assert "http://127.0.0.1:9/seen.png" in heard.requests
