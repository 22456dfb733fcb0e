"""The view of a study, served on 127.0.0.1 for tests, and asked as a browser asks it."""

import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from http.cookiejar import CookieJar
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode

import pytest
import world

from curation.explore.view import searching
from curation.explore.view.listed import Listed
from curation.explore.view.lists import list_pairs
from curation.explore.view.opened import Opened
from curation.explore.view.server import listen, make_server


class Answer(NamedTuple):
    """What the server said."""

    status: int
    text: str
    headers: Mapping[str, str]


class Viewed(NamedTuple):
    """A server that runs; `first` is the address that it prints, `root` the same without the token."""

    first: str
    root: str

    def cookie(self) -> str:
        """What a browser that has opened the first address sends."""
        token = self.first.partition("token=")[2]
        return f"view-{sha256(token.encode()).hexdigest()[:8]}={token}"

    def ask(self, path: str = "/", form: Mapping[str, str] | None = None, **headers: str) -> Answer:
        """What it says to someone who has opened the first address before, and sends a form of its own pages."""
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
        answer_to(opener, self.first, None, {})
        return answer_to(opener, f"{self.root}{path}", form, {"Origin": self.root} | headers)


def answer_to(
    opener: urllib.request.OpenerDirector, address: str, form: Mapping[str, str] | None, headers: Mapping[str, str]
) -> Answer:
    """What is answered, whatever its status."""
    body = None if form is None else urlencode(form).encode()
    try:
        with opener.open(urllib.request.Request(address, body, dict(headers))) as said:
            return Answer(said.status, said.read().decode(), dict(said.headers))
    except urllib.error.HTTPError as error:
        return Answer(error.code, error.read().decode(), dict(error.headers))


@contextmanager
def viewing(folder: Path) -> Iterator[Viewed]:
    """The view of the study in `folder`, which is the process's own while it runs."""
    with pytest.MonkeyPatch.context() as patch, listen(0) as listening:
        patch.chdir(folder)
        server, first, run = make_server(folder, listening)
        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield Viewed(first, first.partition("/?")[0])
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sound world, written."""
    return world.write(world.sound(), tmp_path_factory.mktemp("view")).parent


@pytest.fixture(scope="module")
def viewed(folder: Path) -> Iterator[Viewed]:
    """The view of the file's own `folder`."""
    with viewing(folder) as server:
        yield server


@pytest.fixture
def pairs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Listed:
    """The list of its pairs, which waits for a text to be searched on a machine however busy."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(searching, "SECONDS_AT_ONCE", 60.0)
    return list_pairs(Opened(folder))
