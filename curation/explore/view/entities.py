"""The pages of one pair, trace, prompt, run, call, selection or arm, and the way to them by an id."""

from typing import Any
from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from curation.core.errors import CurationError
from curation.explore.explain import explain
from curation.explore.find import MOST, NotFound, find
from curation.explore.view.answering import opened, reads, show, shows_whole
from curation.explore.view.asked import FORMS
from curation.explore.view.bounded import MOST_SHOWN
from curation.explore.view.listing import neighbours

MOST_AT_ONCE = 1_000_000  # pairs that are counted for a page that did not ask for it
KINDS = ("pair", "trace", "prompt", "run", "call", "selection", "arm")


def routes() -> list[Route]:
    """`/pair/{id}`, `/trace/{id}`, `/prompt/{id}`, `/run/{id}`, and `/find?id=…`."""
    own = [Route(f"/{kind}/{{id}}", show_entity, name=kind) for kind in KINDS]
    return [*own, Route("/find", show_found)]


@reads
def show_entity(request: Request) -> Response:
    """All that `curation why` says of it; of one of very many pairs the verdicts worked out only where `why=numbers`
    asks for it."""
    tables, kind = opened(request).tables(), request.url.path.split("/")[1]
    asked = request.path_params["id"]
    try:
        hits = [hit for hit in find(tables, asked, texts=False) if hit.kind == kind and str(hit.id) == asked]
    except NotFound:
        hits = []
    if not hits:
        raise HTTPException(404, f"there is no {kind} {asked}")
    query, ways = request.query_params, _ways_on(request, kind) if kind in FORMS else {}
    numbers = kind != "pair" or query.get("why") == "numbers" or tables.count("pairs") <= MOST_AT_ONCE
    more = None if numbers else f"?{urlencode([*query.multi_items(), ('why', 'numbers')])}#selections"
    found = explain(tables, hits[0], numbers=numbers, most=None if shows_whole(request) else MOST_SHOWN)
    return show(request, "why.html", found=found, more=more, **ways)


def _ways_on(request: Request, kind: str) -> dict[str, Any]:
    """Back to the list that led here, and to the rows beside this one; none where the list cannot be made any more."""
    try:
        return neighbours(request, kind)
    except CurationError:
        return {}


@reads
def show_found(request: Request) -> Response:
    """The page of what an id names, or a list where it names several."""
    asked = request.query_params.get("id", "")
    try:
        hits = find(opened(request).tables(), asked, texts=False)
    except NotFound as error:
        raise HTTPException(404, str(error).removeprefix("why: ")) from None
    if len(hits) == 1:
        return RedirectResponse(f"/{hits[0].kind}/{hits[0].id}", 303)
    return show(request, "view_found.html", asked=asked, hits=hits[:MOST], more=len(hits) > MOST)
