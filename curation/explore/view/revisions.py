"""Two data versions beside each other: which pairs entered, left, moved or turned around, and why; and each of them as
both versions have it."""

import os
import re
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import polars as pl
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from curation.core.errors import CurationError
from curation.core.git_files import find_commit
from curation.core.lock_file import LOCK, PARAMS
from curation.core.progress import heard
from curation.explore.changes.beside import read_beside
from curation.explore.changes.diff import Diff, diff
from curation.explore.changes.summary import describe_cause, summarize
from curation.explore.changes.version import HERE, PIPELINE, read_versions
from curation.explore.view.answering import opened, reads, show

ROWS = 50  # of a page
TURN = threading.Lock()  # one comparison at a time
MOST_KEPT = 3  # comparisons: one of ten million pairs takes gigabytes
SECONDS_WAITED = 15  # since a page last asked how far it is
ID = re.compile(r"-?[0-9]{1,19}")
FACETS = ("selection", "change", "cause")
COLUMNS = {
    **dict.fromkeys((*FACETS, "reason_before", "reason_after"), pl.String),
    **dict.fromkeys(("margin_before", "margin_after"), pl.Float64),
}


def routes() -> list[Route]:
    """`/compare?before=REV&after=REV`, where no `after` is the working tree, and `/compare/pair/{id}`."""
    return [Route("/compare", show_comparison), Route("/compare/pair/{id}", show_pair)]


class Comparison:
    """A comparison that runs in a thread of its own, since one of millions of pairs takes longer than an answer may,
    once it is its turn. Then it has `found` and the `rows`, or the `lines` that say why not; or is `dropped`, as nobody
    asked for it any more."""

    def __init__(self, before: str, after: str) -> None:
        self.told, self.lines, self.dropped = "waiting for another comparison to end", list[str](), False
        self.asked = time.monotonic()
        self.found: Diff | None = None
        self.rows = pl.DataFrame()
        self.thread = threading.Thread(target=self._run, args=(before, after), daemon=True)
        self.thread.start()

    def _run(self, before: str, after: str) -> None:
        with TURN:
            if time.monotonic() - self.asked > SECONDS_WAITED:
                self.dropped = True
            else:
                self.told = "reading what git and DVC have of both"
                self._compare(before, after)

    def _compare(self, before: str, after: str) -> None:
        try:
            with heard(lambda progress: setattr(self, "told", progress.describe())):
                found = diff(*read_versions(before, after or None), {"selections", "tables"})
            self.rows, self.found = _list_rows(found), found
        except CurationError as error:
            self.lines = str(error).splitlines()
        except Exception as error:
            self.lines = [f"the comparison failed: {type(error).__name__}: {error}"]
            raise


def _list_rows(found: Diff) -> pl.DataFrame:
    """The pairs that changed, of each selection, those first whose margin moved furthest; then those that turned
    around, whatever selections do."""
    none = pl.DataFrame(schema={"pair_id": pl.Int64, **COLUMNS})
    rows = pl.concat([none, found.sections["selections"].rows], how="diagonal")
    tables = found.sections["tables"].rows
    turned = tables.filter((pl.col("table") == "pairs") & (pl.col("change") == "changed"))
    flipped = turned.select(pair_id="id", change=pl.lit("flipped"))
    margin = pl.coalesce(pl.col("margin_after") - pl.col("margin_before"), "margin_after", "margin_before").abs()
    ordered = rows.sort(margin, "pair_id", descending=[True, False], nulls_last=True)
    return pl.concat([ordered, flipped], how="diagonal")


def _asked(request: Request) -> tuple[dict[str, str], Comparison]:
    """Which versions are asked for, and their comparison, which begins if nobody has asked for it."""
    versions = {name: request.query_params.get(name, "").strip() for name in ("before", "after")}
    versions["before"] = versions["before"] or "HEAD"
    study, of = opened(request), tuple((place, _stamp(place)) for place in versions.values())
    study.refresh()
    job = study.keep("compare", partial(Comparison, **versions), of, MOST_KEPT)
    if job.dropped:
        study.forget("compare", of)
        job = study.keep("compare", partial(Comparison, **versions), of, MOST_KEPT)
    job.asked = time.monotonic()
    return versions, job


def _stamp(place: str) -> object:
    """What is another one where the version that is called so is: the commit of a revision, or when the files of a
    folder were written that say what its tables are made of; None where it is no version."""
    folder = Path(place)
    if os.path.isdir(folder):  # noqa: PTH112  unlike is_dir(), False of what no folder can be called
        files = [folder / name for name in (PARAMS, PIPELINE, LOCK)]
        return tuple(file.stat().st_mtime_ns for file in files if file.exists())
    try:
        return find_commit(place, place)
    except CurationError:  # as the comparison says
        return None


@reads
def show_comparison(request: Request) -> Response:
    """The form alone until it was sent; how far the comparison is; then what it found."""
    if "before" not in request.query_params:
        return show(request, "view_compare.html", versions={"before": "HEAD", "after": ""}, state="unasked")
    versions, job = _asked(request)
    if job.lines:
        return show(request, "view_compare.html", 400, versions=versions, state="failed", lines=job.lines)
    if job.found is None:
        return show(request, "view_compare.html", versions=versions, state="running", told=job.told)
    chosen = {name: request.query_params.get(name, "") for name in FACETS}
    wanted = [pl.col(name) == value for name, value in chosen.items() if value]
    picked = job.rows.filter(pl.lit(True), *wanted)
    page = _read_page(request, picked.height)
    here = versions | {name: value for name, value in chosen.items() if value}
    return show(
        request, "view_compare.html", versions=versions, state="done", summary=list(summarize(job.found)),
        causes=[describe_cause(cause) for cause in job.found.causes], notes=job.found.notes,
        facets={name: _count(job.rows, name) for name in FACETS}, chosen=chosen, height=picked.height,
        shown=list(COLUMNS),
        rows=picked[page * ROWS : (page + 1) * ROWS].to_dicts(), first=page * ROWS + 1, own=urlencode(versions),
        before=f"?{urlencode(here | {'page': page - 1})}" if page else None,
        after=f"?{urlencode(here | {'page': page + 1})}" if (page + 1) * ROWS < picked.height else None,
    )  # fmt: skip


def _read_page(request: Request, height: int) -> int:
    """The number of the page that is asked for, the last one where there are not so many."""
    asked = request.query_params.get("page", "0")
    return min(int(asked), max(height - 1, 0) // ROWS) if asked.isascii() and asked.isdigit() and len(asked) < 10 else 0


def _count(rows: pl.DataFrame, name: str) -> list[tuple[str, int]]:
    """The values of a column and how many rows have each."""
    return rows[name].drop_nulls().value_counts().sort(name).rows()


@reads
def show_pair(request: Request) -> Response:
    """A pair as both versions have it, once they are compared."""
    versions, job = _asked(request)
    if job.found is None:
        return RedirectResponse(f"/compare?{urlencode(versions)}", 303)
    asked = request.path_params["id"]
    pair_id = int(asked) if ID.fullmatch(asked) else 2**63
    if not -(2**63) <= pair_id < 2**63:
        raise HTTPException(404, f"there is no pair {asked}")
    pair = read_beside(job.found.before, job.found.after, pair_id)
    if pair.texts == (None, None):
        raise HTTPException(404, f"there is no pair {pair_id} in either version")
    changes: list[dict[str, Any]] = job.rows.filter(pl.col("pair_id") == pair_id).to_dicts()
    return show(
        request, "view_compare_pair.html", id=pair_id, pair=pair, changes=changes, own=urlencode(versions),
        names=(job.found.before.name, job.found.after.name), is_here=job.found.after.name == HERE,
    )  # fmt: skip
