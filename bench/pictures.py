"""The picture of the report that the README shows, of the report in data/: python -m bench.pictures

It needs Playwright and a Chromium, as the tests of pages do.
"""

import shutil
import sys
from pathlib import Path

REPORT, PICTURE = Path("data/report.html"), Path("docs/img/report.png")
WIDE = 1120  # of the window, in CSS pixels
FIRST, LAST = "#judges", "table.cards"  # from the top of one to the end of the other


def main() -> None:
    """docs/img/report.png shows the judges' scorecard."""
    from playwright.sync_api import sync_playwright

    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not REPORT.exists():
        sys.exit(f"{REPORT}: is not there; `dvc repro report` makes it")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDE, "height": 900}, color_scheme="light")
        page.goto(REPORT.absolute().as_uri())
        first, last = (page.locator(place).first.bounding_box() for place in (FIRST, LAST))
        if first is None or last is None:
            sys.exit(f"{REPORT}: has no scorecard: its study has no judges")
        clip = {"x": 0, "y": first["y"] - 8, "width": WIDE, "height": last["y"] + last["height"] - first["y"] + 24}
        page.screenshot(path=PICTURE, full_page=True, clip=clip)  # type: ignore[arg-type]
        browser.close()


if __name__ == "__main__":
    main()
