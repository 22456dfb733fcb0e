"""How a page is answered: by one thread, one question after another, so that no two of them share DuckDB's connection
or the processors; a question that nobody waits for any more is dropped, or interrupted."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial, wraps
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlencode

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from curation.explore.page import render
from curation.explore.view.bounded import cut_texts
from curation.explore.view.opened import Opened
from curation.tables.expressions.syntax import engine

T = TypeVar("T")
MOST_SECONDS = 60  # for one answer, from when it is asked for
SECONDS_BETWEEN_LOOKS = 0.2  # at whether somebody still waits
ENDED = "the view has ended"
WAYS = ("source", "differences")  # to show texts in
WHOLE, YES = "whole", "yes"  # what an address says where texts are not cut
# of a page's values the addresses it leads to, and what its forms say again: half of one asks for something else
SENT_BACK = {"back", "before", "after", "own", "query", "asked", "session", "versions"}
MOST_BYTES = 1_000_000  # of a form


class Lane:
    """The thread that reads tables for pages."""

    def __init__(self) -> None:
        self.pool = ThreadPoolExecutor(1, thread_name_prefix="view")
        self.closed = False

    async def run(self, request: Request, work: Callable[[], T]) -> T:
        """What `work` gives. Raises HTTPException 503 if it is not done in MOST_SECONDS, who asked is gone, or the
        lane is closed before it is."""
        if self.closed:
            raise HTTPException(503, ENDED)
        job, start = self.pool.submit(work), time.monotonic()
        done = asyncio.wrap_future(job)
        done.add_done_callback(
            lambda own: own.cancelled() or own.exception()
        )  # else asyncio tells of one not waited for
        while not done.done():
            try:
                await asyncio.wait([done], timeout=SECONDS_BETWEEN_LOOKS)
            except asyncio.CancelledError:  # as the end of the server does where an answer is still not sent
                self._stop(job)
                raise HTTPException(503, ENDED) from None
            late = time.monotonic() - start > MOST_SECONDS
            if not done.done() and (self.closed or late or await request.is_disconnected()):
                self._stop(job)
                slow = f"not done after {MOST_SECONDS} s; ask for less"
                raise HTTPException(503, ENDED if self.closed else slow if late else "nobody waits")
        if self.closed and (done.cancelled() or done.exception()):  # interrupted
            raise HTTPException(503, ENDED)
        return await done

    def close(self) -> None:
        """End what runs, and take no more."""
        self.closed = True
        self.pool.shutdown(wait=False, cancel_futures=True)
        self._interrupt()

    def _stop(self, job: "Future[Any]") -> None:
        if not job.cancel() and not job.done():  # it is the one that runs
            self._interrupt()

    def _interrupt(self) -> None:
        for threads in (None, 1):
            engine(threads).interrupt()


def reads(show: Callable[[Request], Response]) -> Callable[[Request], Awaitable[Response]]:
    """An endpoint of a function that reads tables: it runs in the lane."""

    @wraps(show)
    async def answer(request: Request) -> Response:
        return await in_lane(request, partial(show, request))

    return answer


async def in_lane(request: Request, work: Callable[[], T]) -> T:
    """What `work` gives, run where tables are read. For an endpoint that first reads what a form says. Raises
    HTTPException 503 where it fails, whatever of, as tables are written: what it read is of no one version."""
    lane: Lane = request.app.state.lane
    study = opened(request)

    def read() -> T:
        try:
            return work()
        except Exception:
            if study.is_outdated():
                raise HTTPException(503, "tables were written while this page was read; load it again") from None
            raise

    return await lane.run(request, read)


def opened(request: Request) -> Opened:
    """The study that is viewed."""
    study: Opened = request.app.state.opened
    return study


def show(request: Request, template: str, status: int = 200, **values: Any) -> Response:
    """The page that a template makes of the values, with the view's own head and navigation around it. Of very long
    texts it has the beginning, and leads to itself with all of them."""
    around: dict[str, Any] = {"base": "view_base.html", "places": request.app.state.places, "here": request.url.path}
    around["way"] = read_way(request)
    if not shows_whole(request):
        texts, around["cut"] = cut_texts({name: value for name, value in values.items() if name not in SENT_BACK})
        values |= texts
        around["whole"] = f"?{urlencode([*request.query_params.multi_items(), (WHOLE, YES)], errors='replace')}"
    return Response(render(template, **around, **values), status, media_type="text/html")


def shows_whole(request: Request) -> bool:
    """Whether the address wants all of long texts too."""
    return request.query_params.get(WHOLE) == YES


def read_way(request: Request) -> str:
    """How the address says that texts are shown: as source, with differences, or, if it says nothing, as read."""
    said = request.query_params.get("texts", "")
    return said if said in WAYS else ""


async def read_form(request: Request) -> dict[str, str]:
    """What a form of the view's own says, the last of each name. Raises HTTPException if it is too long or no form."""
    body = b""
    try:
        async for part in request.stream():
            body += part
            if len(body) > MOST_BYTES:
                raise HTTPException(413, f"a form of more than {MOST_BYTES:,} bytes")
    except ClientDisconnect:
        raise HTTPException(400, "half a form") from None
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=1000))
    except ValueError:
        raise HTTPException(400, "not a form") from None
