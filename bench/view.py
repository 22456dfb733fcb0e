"""The view of ten million pairs: seconds until each page is there, and memory at most.

python -m bench.view [PAIRS ...] [--folder FOLDER] [--project FOLDER]

The project is that of `bench.tables`, made by the real stages. The server is `curation view`, a process of its own that
is asked over HTTP; each page is asked for once, in this order, so that a first one reads what later ones have.
"""

import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.parse import urlencode

from bench.projects import list_projects

PAGES: dict[str, dict[str, str]] = {
    "first page": {},
    "the page after it": {"page": "1"},
    "filter: a delta and a generator": {"where": "a.delta_d0 > 1 and chosen_model = 'large'"},
    "filter: lengths of both traces": {"where": "abs(chosen.characters - rejected.characters) <= 100"},
    "facets: what a selection dropped": {"selection": "top", "reason": "over_budget"},
    "facets: what a judge says": {"judge": "b.d3", "says": "worse"},
    "sorted by a delta": {"sort": "b.delta_d1", "order": "down"},
    "sorted, page 100,000": {"sort": "b.delta_d1", "order": "down", "page": "99999"},
    "sorted by a margin, of those kept": {"where": "kept.top", "sort": "margin.top"},
}
OTHERS = {"traces": "/traces", "traces by length": "/traces?sort=characters&order=down", "prompts": "/prompts"}
SEARCH = {"text": "problem 77"}


@contextmanager
def served(folder: Path) -> Iterator[tuple[str, int]]:
    """The address of a server's first page, and the id of its process."""
    command = [sys.executable, "-m", "curation", "view", "--port", "0", "--no-browser"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            yield server.stdout.readline().strip(), server.pid
        finally:
            server.terminate()


def measure(folder: Path) -> Iterator[str]:
    """A line for each page."""
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
    with served(folder) as (first, process):
        root, _, token = first.partition("/?token=")
        browser.open(f"{root}/own/style.css?token={token}").close()  # the cookie, and no page yet

        def ask(path: str) -> str:
            with browser.open(f"{root}{path}") as said:
                return str(said.read().decode())

        for name, path in ({name: f"/?{urlencode(asked)}" for name, asked in PAGES.items()} | OTHERS).items():
            start = time.perf_counter()
            body = ask(path)
            seconds, found = time.perf_counter() - start, re.search(r'id="count"[^>]*>([\d,]+ of [\d,]+ \w+)', body)
            yield f"{name}: {seconds:.1f} s, {found[1] if found else 'no list'}"
        start = time.perf_counter()
        while "<progress" in ask(f"/?{urlencode(SEARCH)}"):
            time.sleep(0.2)
        yield f"a text searched in all prompts and traces: {time.perf_counter() - start:.1f} s"
        status = Path(f"/proc/{process}/status").read_text()
        yield f"at most {int(status.partition('VmHWM:')[2].split()[0]) / 1024:,.0f} MiB"


def main() -> None:
    for _, project in list_projects(__doc__):
        for line in measure(project):
            print(line, flush=True)


if __name__ == "__main__":
    main()
