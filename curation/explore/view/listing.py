"""The lists of pairs, of traces and of prompts: filtered, sorted, a page at a time, all of it in the address."""

from typing import Any
from urllib.parse import urlencode

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from curation.core.errors import CurationError
from curation.explore.view.answering import in_lane, opened, read_form, read_way, reads, show
from curation.explore.view.asked import FORMS, PAIRS, TRACES, Asked, Form, read_asked
from curation.explore.view.labelling import USUAL
from curation.explore.view.listed import ROWS, Listed, Refused
from curation.explore.view.lists import LISTS
from curation.explore.view.searching import Searching

FIELDS = ("where", "text", "sort", "column")  # of the form, beside which a fault is said
STAGES = {"pair": "pair", "trace": "generate", "prompt": "collect"}  # that makes the rows of a list


def routes() -> list[Route]:
    """`/`, `/traces` and `/prompts`, and `/stop`, which ends a search."""
    lists = [Route(form.path, show_list, name=f"list-{kind}") for kind, form in FORMS.items()]
    return [*lists, Route("/stop", stop, methods=["POST"])]


def _listed(request: Request, form: Form) -> Listed:
    """The list of the study, as its tables are now."""
    study = opened(request)
    study.refresh()
    return study.keep("list", lambda: LISTS[form.kind](study), form.kind)


def _is_there(request: Request, form: Form) -> bool:
    return bool(opened(request).tables().files(f"{form.kind}s"))


@reads
def show_list(request: Request) -> Response:
    """A page of the list; what cannot be asked for is said beside where it was asked. Where no pairs are made yet, the
    list of traces in the place of theirs."""
    form = next(form for form in FORMS.values() if form.path == request.url.path)
    asked = read_asked(request.query_params, form)
    if not _is_there(request, form):
        if form is PAIRS and asked == Asked() and _is_there(request, TRACES):
            return RedirectResponse(TRACES.path, 303)
        return show(request, "view_empty.html", form=form, stage=STAGES[form.kind], traces=_is_there(request, TRACES))
    listed = _listed(request, form)
    if asked.columns == listed.default:  # as the form sends them: addresses are shorter without
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
    values |= {"search": search, "query": asked.address().partition("?")[2], "address_of": address_of, "form": form}
    values |= {"columns": listed.shown(asked), "named": listed.named_columns(asked)}
    values |= {"is_first": not _is_there(request, PAIRS)}
    if form is PAIRS and found is not None and found.found and not asked.text:
        values["to_label"] = f"/label/pair?{urlencode([('where', listed.condition(asked)), *USUAL])}"
    return show(request, "view_list.html", 400 if faults else 200, **values)


async def stop(request: Request) -> Response:
    """End the search of the list that the form names, and go on without it."""
    said = await read_form(request)
    asked = read_asked(QueryParams(said.get("query", "")), FORMS.get(said.get("kind", ""), PAIRS))
    await in_lane(request, lambda: _listed(request, asked.form).searches.stop(asked.text))
    return RedirectResponse(asked.address(text="", inside="", page=0), 303)


def neighbours(request: Request, kind: str) -> dict[str, Any]:
    """Of a row's page that a list led to, whose address has the list's own: `back`, the address of the list, and
    `before` and `after`, those of the rows beside this one in it, or None; nothing where no list did."""
    asked = read_asked(request.query_params, FORMS[kind])
    if asked.at is None:
        return {}
    place, first = asked.at, max(asked.at - 1, 0)
    ids = _listed(request, asked.form).ids(asked, first, 3 if place else 2)
    beside = {first + step: number for step, number in enumerate(ids)}
    way = f"&texts={said}" if (said := read_way(request)) else ""
    return {"back": asked.address(at=None, page=place // ROWS)} | {
        name: f"{address_of(beside[other], other, asked)}{way}" if other in beside else None
        for name, other in (("before", place - 1), ("after", place + 1))
    }


def address_of(row_id: int, place: int, asked: Asked) -> str:
    """A row's page, which knows the list that leads to it and its place there."""
    return asked.address(f"/{asked.form.kind}/{row_id}", at=place, page=0)
