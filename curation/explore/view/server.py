"""The view, served on this machine alone."""

import secrets
import socket
from collections.abc import Callable
from logging import CRITICAL, getLogger
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curation.core.errors import CurationError
from curation.explore.view.access import HOST

if TYPE_CHECKING:
    from types import FrameType

    from uvicorn import Server

LONGEST_ADDRESS = 2**21  # bytes, as a browser's: a list is all in its address, and so is its expression
SECONDS_TO_END: Any = 0.5  # until an answer that nobody takes is dropped; asyncio takes parts of one


def listen(port: int) -> socket.socket:
    """A socket of 127.0.0.1 at `port`, or at any free one if that is 0. Raises CurationError if it is taken."""
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOST, port))
        listening.listen()  # so that who asks before the server runs waits for it
    except OSError as error:
        listening.close()
        raise CurationError(f"--port {port}: {error.strerror}; name another, or 0 for any that is free") from None
    return listening


def make_server(folder: Path, listening: socket.socket) -> tuple["Server", str, Callable[[], None]]:
    """A server of the study in `folder`, the address of its first page with a new token, and what runs it until its
    `should_exit` is set or the process gets a signal to end, which it has again once the answers under way are given
    or given up."""
    from uvicorn import Config, Server

    from curation.explore.view.answering import Lane
    from curation.explore.view.app import application

    class Ending(Server):
        """On a signal all reading ends at once, and no answer that is cut off by it is told of."""

        def handle_exit(self, sig: int, frame: "FrameType | None") -> None:
            getLogger("uvicorn.error").setLevel(CRITICAL)
            lane.close()
            super().handle_exit(sig, frame)

    token = secrets.token_urlsafe(32)
    lane = Lane()
    settings = Config(
        application(folder, token, lane), log_level="error", access_log=False, server_header=False, lifespan="off",
        http="h11", ws="none", timeout_graceful_shutdown=SECONDS_TO_END, h11_max_incomplete_event_size=LONGEST_ADDRESS,
    )  # fmt: skip
    server = Ending(settings)
    address = f"http://{HOST}:{listening.getsockname()[1]}/?token={token}"

    def run() -> None:
        try:
            server.run(sockets=[listening])
        finally:
            lane.close()

    return server, address, run
