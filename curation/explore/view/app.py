"""The view as an application: its pages, its own files, and what is said where something is wrong."""

from importlib.resources import files
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from curation.core.errors import CurationError
from curation.explore.view import entities, labelling, listing, revisions
from curation.explore.view.access import Guard
from curation.explore.view.answering import Lane, show
from curation.explore.view.asked import FORMS
from curation.explore.view.opened import Opened

PLACES = {form.path: form.title for form in FORMS.values()} | {"/label": "Label", "/compare": "Two versions"}
OWN_FILES = {  # of explore/templates, that pages load
    "style.css": "text/css",
    "view.css": "text/css",
    "label.js": "text/javascript",
    "texts.js": "text/javascript",
}


def application(folder: Path, token: str, lane: Lane) -> ASGIApp:
    """The view of the study in `folder`, for who has the token, answered in `lane`. The process runs in that folder, as
    every command does."""
    app = Starlette(
        routes=[
            *listing.routes(),
            *entities.routes(),
            *labelling.routes(),
            *revisions.routes(),
            Route("/own/{name}", _own_file),
        ],
        exception_handlers={CurationError: _mistake, HTTPException: _problem, Exception: _failure},
    )
    app.state.opened, app.state.lane, app.state.places = Opened(folder), lane, PLACES
    return Guard(app, token)  # outermost, so that what is said of a fault has its headers too


async def _own_file(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in OWN_FILES:
        raise HTTPException(404, "no such file")
    body = files("curation.explore").joinpath("templates", name).read_bytes()
    return Response(body, media_type=OWN_FILES[name])


async def _mistake(request: Request, error: Exception) -> Response:
    return show(request, "view_problem.html", 400, lines=str(error).splitlines())


async def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return show(request, "view_problem.html", error.status_code, lines=[error.detail])


async def _failure(request: Request, error: Exception) -> Response:
    what = f"{type(error).__name__}: {error}"
    return show(request, "view_problem.html", 500, lines=["a fault of the view itself; its terminal has more", what])
