"""A real browser for tests of pages: Chromium of the system, headless, that says what a page asked for and ran."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

FOUND = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@dataclass
class Heard:
    """What a page did beside showing itself: addresses asked for, dialogs opened, lines on the console."""

    requests: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)
    console: list[str] = field(default_factory=list)


@contextmanager
def launched() -> Iterator["Browser"]:
    """A running Chromium; the test is skipped where the system has none."""
    if FOUND is None:
        pytest.skip("no Chromium here: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=FOUND, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def opened(browser: "Browser", address: str, **context: Any) -> Iterator[tuple["Page", Heard]]:
    """A page at the address in a profile of its own, and what it did. `context`: `viewport`, `color_scheme`, ..."""
    own, heard = browser.new_context(**context), Heard()
    page = own.new_page()
    page.on("request", lambda request: heard.requests.append(request.url))
    page.on("console", lambda message: heard.console.append(message.text))

    def dismiss(dialog: Any) -> None:
        heard.dialogs.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", dismiss)
    try:
        page.goto(address)
        yield page, heard
    finally:
        own.close()
