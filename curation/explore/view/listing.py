"""The list of pairs."""

import polars as pl
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from curation.explore.view.answering import opened, reads, show

ROWS = 50  # of a page


def routes() -> list[Route]:
    """`/`."""
    return [Route("/", show_pairs)]


@reads
def show_pairs(request: Request) -> Response:
    """The first pairs."""
    columns = ["pair_id", "prompt_id", "chosen_model", "rejected_model"]
    return show(
        request, "view_list.html", rows=opened(request).tables().find("pairs", pl.lit(True), columns, most=ROWS)
    )
