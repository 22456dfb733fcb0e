"""`curation view`: who is answered, and what a page may do.

Kinds of fault: an answer to someone who has no token, comes by another name of the host, or sends a form of another
page; a page that could run or load what a text says; a study that lacks a table and shows no page."""

import asyncio
import html
import re
import socket
import threading
import urllib.request
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import polars as pl
import pytest
import world
from browser import launched, opened
from served import ran
from starlette.exceptions import HTTPException
from starlette.requests import Request
from viewing import Viewed, answer_to, viewing

from curation.explore.find import find
from curation.explore.view import answering, entities
from curation.explore.view.access import HEADERS
from curation.explore.view.answering import Lane
from curation.tables import contracts, parquet


@pytest.fixture(scope="module")
def viewed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Viewed]:
    """The view of the sound world."""
    with viewing(world.write(world.sound(), tmp_path_factory.mktemp("view")).parent) as server:
        yield server


@pytest.mark.parametrize("query", ["", "?token=", "?token=wrong", "?token=%C3%A9&token=x"])
def test_without_the_token_nobody_is_answered(viewed: Viewed, query: str) -> None:
    for path in ("/", "/pair/1", "/own/style.css", "/no/such"):
        said = answer_to(urllib.request.build_opener(), f"{viewed.root}{path}{query}", None, {})
        assert said.status == 403 and "open the address" in said.text
        assert {name: said.headers[name.lower()] for name in HEADERS} == HEADERS


@pytest.mark.parametrize(
    ("host", "status"),
    [("127.0.0.1:1", 303), ("localhost", 303), ("evil.example", 403), ("127.0.0.1.evil.example", 403)],
)
def test_another_name_of_the_host_is_refused(viewed: Viewed, host: str, status: int) -> None:
    connection = HTTPConnection(viewed.root.removeprefix("http://"))
    connection.request("GET", viewed.first.removeprefix(viewed.root), headers={"Host": host})
    assert connection.getresponse().status == status
    connection.close()


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1", ""])
def test_a_form_of_another_page_is_refused(viewed: Viewed, origin: str) -> None:
    assert viewed.ask("/", {"a": "b"}, Origin=origin).status == 403
    assert viewed.ask("/", {"a": "b"}).status == 405  # of its own, which it does not take here


def test_the_token_does_not_stay_in_the_address_and_leads_nowhere_else(viewed: Viewed) -> None:
    for path, to in (("/", "/?a=%26b"), ("//evil.example/x", "/evil.example/x?a=%26b")):
        connection = HTTPConnection(viewed.root.removeprefix("http://"))
        connection.request("GET", f"{path}?a=%26b&{viewed.first.partition('?')[2]}")
        said = connection.getresponse()
        assert (said.status, said.headers["location"]) == (303, to)
        assert "HttpOnly" in said.headers["set-cookie"] and "SameSite=strict" in said.headers["set-cookie"]
        connection.close()


def test_an_id_leads_to_its_page(viewed: Viewed) -> None:
    pair = world.sound().pairs.row(0, named=True)
    for kind, number in (("pair", pair["pair_id"]), ("trace", pair["chosen_trace_id"]), ("prompt", pair["prompt_id"])):
        assert f"<title>{kind} {number}</title>" in viewed.ask(f"/find?id={number}").text
        assert viewed.ask(f"/{kind}/1").status == 404
    assert "<title>run baseline</title>" in viewed.ask("/run/baseline").text
    assert "is no id of a table" in viewed.ask("/find?id=%3Cscript%3E").text


@pytest.mark.parametrize("number", ["9" * 19, str(2**63), str(2**63 - 1), "0" * 8, "-1", "9" * 5000, "%00", "..%2f"])
def test_an_id_that_no_table_could_hold_is_not_there(viewed: Viewed, number: str) -> None:
    for kind in ("pair", "trace", "prompt", "run"):
        assert viewed.ask(f"/{kind}/{number}").status == 404
    assert viewed.ask(f"/find?id={number}").status == 404


def test_an_expression_as_long_as_one_may_be_is_answered_and_a_longer_one_told(viewed: Viewed) -> None:
    """It stands in every link of the page. An address that no browser would send is refused by the server."""
    listed = ", ".join(f"{number}" for number in range(1_800))
    for where, status in ((f"pair_id in ({listed})", 200), (f"pair_id in ({', '.join([listed] * 12)})", 400)):
        for path in ("/", "/label/pair"):
            said = viewed.ask(f"{path}?{urlencode({'where': where, 'labeller': 'ann'})}")
            assert said.status == status and len(said.text) < 2_000_000, path
            assert ("letters, of which a list takes 10,000" in said.text) == (status == 400)
    columns = urlencode([("column", f"pair_id + {number:0900}") for number in range(20)])
    said = viewed.ask(f"/?{columns}")
    assert said.status == 400 and "all of them have 18,200 letters" in said.text and len(said.text) < 100_000
    assert viewed.ask(f"/?where={'1' * 2**21}").status == 400
    assert viewed.ask("/").status == 200


def test_who_leaves_in_the_middle_of_a_form_leaves_no_trace(viewed: Viewed, capfd: pytest.CaptureFixture[str]) -> None:
    host, _, port = viewed.root.removeprefix("http://").partition(":")
    cookie = viewed.cookie()
    with socket.create_connection((host, int(port))) as half:
        head = f"POST /stop HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\nCookie: {cookie}\r\n"
        half.sendall(f"{head}Content-Length: 9\r\n\r\nque".encode())
    assert viewed.ask("/").status == 200
    assert "Traceback" not in capfd.readouterr().err


def test_an_answer_that_the_end_of_the_view_cuts_off_is_no_traceback() -> None:
    async def end() -> None:
        lane, go_on = Lane(), threading.Event()
        try:
            answer = asyncio.create_task(lane.run(Request({"type": "http"}), go_on.wait))
            await asyncio.sleep(0)
            answer.cancel()
            with pytest.raises(HTTPException) as said:
                await answer
            assert (said.value.status_code, said.value.detail) == (503, "the view has ended")
        finally:
            go_on.set()
            lane.close()

    asyncio.run(end())


def test_a_browser_shows_the_pages_and_asks_nobody_else(viewed: Viewed) -> None:
    with launched() as browser, opened(browser, viewed.first) as (page, heard):
        page.locator("tbody a").first.click()
        page.wait_for_url("**/pair/**")
        assert page.locator("h1").inner_text().startswith("Pair ")
        page.go_back()
        page.wait_for_url("**/")
        page.get_by_role("textbox", name="Id").fill("baseline")
        page.get_by_role("button", name="Find").click()
        page.wait_for_url("**/run/baseline")
        assert page.title() == "run baseline"
        assert heard.dialogs == heard.console == []
        assert all(address.startswith(viewed.root) or address == "data:," for address in heard.requests)


def test_a_study_without_tables_or_with_bad_params_says_so(tmp_path: Path) -> None:
    file = world.write(world.sound(), tmp_path)
    (tmp_path / "data/pairs.parquet").unlink()
    with viewing(tmp_path) as server:
        assert server.ask("/").status == 200
        file.write_text("nonsense: {")
        said = server.ask("/")
        assert said.status == 400 and "params.yaml" in said.text


@pytest.mark.parametrize("table", ["pairs", "prompts", "traces/large", "deltas/rubric", "selections/clear"])
@pytest.mark.parametrize("how", ["garbage", "another schema"])
def test_a_table_that_cannot_be_read_is_named_and_is_no_fault_of_the_view(tmp_path: Path, table: str, how: str) -> None:
    """And is not taken for one that lacks the row."""
    world.write(world.sound(), tmp_path)
    file = tmp_path / f"data/{table}.parquet"
    pair = world.sound().pairs.filter(chosen_model="large").row(0, named=True)
    if how == "garbage":
        file.write_bytes(b"PAR1 garbage")
    else:
        pl.DataFrame({"x": [1]}).write_parquet(file)
    with viewing(tmp_path) as server:
        for path in (f"/pair/{pair['pair_id']}", f"/find?id={pair['pair_id']}", "/?where=margin.clear+>+0", "/"):
            said = server.ask(path)
            assert said.status in (200, 400) and "there is no" not in said.text, path
        kind, number = ("trace", pair["chosen_trace_id"]) if "/" in table else (table[:-1], pair[f"{table[:-1]}_id"])
        assert f"{table}.parquet" in server.ask(f"/{kind}/{number}").text + server.ask(f"/pair/{pair['pair_id']}").text


def test_what_takes_seconds_is_counted_where_it_is_asked_for(viewed: Viewed, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of very many pairs the page has the verdicts of the tables, and one link on it leads to their numbers."""
    number = world.sound().selections.filter(selection="all", reason="kept")["pair_id"][0]
    address = f"/pair/{number}?where=margin.clear+%3E+-9&at=0"
    whole = viewed.ask(address).text
    monkeypatch.setattr(entities, "MOST_AT_ONCE", 0)
    at_once = viewed.ask(address).text
    ranks, kept = r">rank \d+ of \d+", '<tr class="kept"><td><a href="/selection/'
    assert re.search(ranks, whole) and not re.search(ranks, at_once) and "why=numbers" not in whole
    assert at_once.count(kept) == whole.count(kept) > 0
    (link,) = re.findall(r'<a href="(\?[^"]*)#selections">Why, in numbers</a>', at_once)
    followed = viewed.ask(f"/pair/{number}{html.unescape(link)}").text
    assert [line for line in followed.splitlines() if line not in whole.splitlines()] == []
    assert "Back to the list" in followed and 'id="selections"' in followed


def test_a_port_that_is_taken_and_one_that_is_none_are_lines(viewed: Viewed, tmp_path: Path) -> None:
    world.write(world.sound(), tmp_path)
    port = viewed.root.rpartition(":")[2]
    taken = ran(tmp_path, "curation", "view", "--no-browser", "--port", port)
    assert taken.returncode == 1 and f"--port {port}: Address already in use; name another" in taken.stderr
    assert "is not from 0 to" in ran(tmp_path, "curation", "view", "--port", "70000").stderr


def test_a_study_with_pairs_alone_shows_them_and_says_what_the_rest_takes(tmp_path: Path) -> None:
    world.write(world.sound(), tmp_path)
    for file in (tmp_path / "data").rglob("*.parquet"):
        if file.parent.name != "traces" and file.stem not in ("pairs", "prompts"):
            file.unlink()
    with viewing(tmp_path) as server:
        said = server.ask("/")
        assert said.status == 200 and f"{world.sound().pairs.height} of " in said.text
        assert "facet-chosen" in said.text and "facet-judge" not in said.text and "facet-selection" not in said.text
        for asked in ("where=rubric.delta_logic+%3E+1", "where=kept.clear", "sort=chosen.tokens"):
            lacking = server.ask(f"/?{asked}")
            assert lacking.status == 400 and "dvc repro" in lacking.text


def test_tables_written_while_it_runs_are_those_of_the_next_page(tmp_path: Path) -> None:
    world.write(world.sound(), tmp_path)
    file, made = tmp_path / "data/pairs.parquet", world.sound().pairs
    with viewing(tmp_path) as server:
        assert f"{made.height} of {made.height} pairs" in server.ask("/?column=chosen_model").text
        file.unlink()
        parquet.write(contracts.PAIRS, made.head(2), file)
        assert "2 of 2 pairs" in server.ask("/?column=chosen_model").text


@pytest.mark.parametrize("later", [lambda file: file.unlink(), lambda file: file.write_bytes(b"PAR1")])
def test_tables_that_go_while_a_page_is_read_are_no_fault_of_the_view(
    later: Callable[[Path], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is the row that was found in one of them not there: whatever fails then, the page is to be loaded again."""
    world.write(world.sound(), tmp_path)
    file, number = tmp_path / "data/pairs.parquet", world.sound().pairs["pair_id"][0]
    whole = file.read_bytes()

    def find_and_lose(*asked: Any, **how: Any) -> Any:
        hits = find(*asked, **how)
        file.unlink()
        file.write_bytes(whole)
        later(file)
        return hits

    with viewing(tmp_path) as server:
        monkeypatch.setattr(entities, "find", find_and_lose)
        said = server.ask(f"/pair/{number}")
        assert said.status == 503 and "load it again" in said.text
        monkeypatch.undo()
        monkeypatch.chdir(tmp_path)
        file.unlink(missing_ok=True)
        file.write_bytes(whole)
        assert server.ask(f"/pair/{number}").status == 200


def test_a_question_that_nobody_waits_for_is_dropped_and_one_that_takes_too_long_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    free, lane, ran_too = threading.Event(), answering.Lane(), list[str]()

    class Asking:
        gone = False

        async def is_disconnected(self) -> bool:
            return self.gone

    class Gone(Asking):
        gone = True

    async def ask() -> None:
        with pytest.raises(HTTPException, match="nobody waits"):
            await lane.run(Gone(), free.wait)  # type: ignore[arg-type]
        with pytest.raises(HTTPException, match="nobody waits"):
            await lane.run(Gone(), lambda: ran_too.append("queued"))  # type: ignore[arg-type]
        monkeypatch.setattr(answering, "MOST_SECONDS", 0)
        with pytest.raises(HTTPException, match="ask for less"):
            await lane.run(Asking(), lambda: ran_too.append("late"))  # type: ignore[arg-type]
        monkeypatch.undo()
        free.set()
        assert await lane.run(Asking(), lambda: "answered") == "answered"  # type: ignore[arg-type]

    asyncio.run(ask())
    assert ran_too == []
    lane.close()
