"""The list of pairs: filtered, sorted, a page at a time, all of it in its address."""

from typing import Any

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from curation.core.errors import CurationError
from curation.explore.view.answering import in_lane, opened, read_form, reads, show
from curation.explore.view.asked import INSIDE, Asked, read_asked
from curation.explore.view.facets import LABELS
from curation.explore.view.pair_list import ROWS, PairList, Refused
from curation.explore.view.searching import Searching
from curation.tables import contracts

FIELDS = ("where", "text", "sort", "column")  # of the form, beside which a fault is said


def routes() -> list[Route]:
    """`/`, and `/stop`, which ends a search."""
    return [Route("/", show_pairs), Route("/stop", stop, methods=["POST"])]


def pair_list(request: Request) -> PairList:
    """The pairs of the study, as its tables are now."""
    study = opened(request)
    study.refresh()
    return study.keep("pairs", lambda: PairList(study))


@reads
def show_pairs(request: Request) -> Response:
    """A page of the list; what cannot be asked for is said beside where it was asked."""
    asked, study = read_asked(request.query_params), opened(request)
    if not (study.folder / contracts.path("pairs")).exists():
        return show(request, "view_empty.html", traces=study.tables().files("traces"))
    listed = pair_list(request)
    if asked.columns == listed.default_columns():  # as the form sends them: addresses are shorter without
        asked = asked._replace(columns=())
    found, faults, search = None, dict[str, str](), None
    try:
        found = listed.page(asked)
    except Searching as under_way:
        search = under_way.search
    except Refused as refused:
        faults = dict(refused.faults)
    except CurationError as error:
        place, _, why = str(error).removeprefix("params.yaml: ").partition(": ")
        faults = {place: why} if place in FIELDS else {"where": str(error)}
    values: dict[str, Any] = {"asked": asked, "found": found, "faults": faults, "names": listed.names(), "rows": ROWS}
    values |= {
        "search": search,
        "query": asked.address().partition("?")[2],
        "address_of": address_of,
        "labels": LABELS,
        "inside": INSIDE,
        "columns": listed.columns(asked),
    }
    values |= {"named": listed.named_columns(asked)}
    return show(request, "view_list.html", 400 if faults else 200, **values)


async def stop(request: Request) -> Response:
    """End the search of the list that the form names, and go on without it."""
    asked = read_asked(QueryParams((await read_form(request)).get("query", "")))
    await in_lane(request, lambda: pair_list(request).searches.stop(asked.text))
    return RedirectResponse(asked.address(text="", inside="", page=0), 303)


def neighbours(request: Request) -> dict[str, Any]:
    """Of a pair's page that a list led to, whose address has the list's own: `back`, the address of the list, and
    `before` and `after`, those of the pairs beside this one in it, or None; nothing where no list did."""
    asked = read_asked(request.query_params)
    if asked.at is None:
        return {}
    place, first = asked.at, max(asked.at - 1, 0)
    ids = pair_list(request).ids(asked, first, 3 if place else 2)
    beside = {first + step: number for step, number in enumerate(ids)}
    return {"back": asked.address(at=None, page=place // ROWS)} | {
        name: address_of(beside[other], other, asked) if other in beside else None
        for name, other in (("before", place - 1), ("after", place + 1))
    }


def address_of(pair_id: int, place: int, asked: Asked) -> str:
    """A pair's page, which knows the list that leads to it and its place there."""
    return asked.address(f"/pair/{pair_id}", at=place, page=0)
