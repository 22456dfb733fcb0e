"""What lies under a call: redirects, long waits, silence, bodies without end, proxies, odd addresses."""

import gzip
import re
import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.utils import formatdate

import pytest
from conftest import OpenLedger, Serve
from pydantic import ValidationError
from server import Answer, Request, endpoint, failing, good

from curation.calls import chat, connection
from curation.calls.call import Call, Reply
from curation.calls.chat import HttpEngine
from curation.calls.counts import count_calls
from curation.calls.endpoint import Endpoint
from curation.core.errors import CurationError

BODY = good("hello").body


def calls(count: int = 1) -> list[Call]:
    return [
        Call("m", "r", [{"role": "user", "content": f"q{n}"}], {"temperature": 0.0, "max_tokens": 8, "seed": n}, 0)
        for n in range(count)
    ]


def replies(to: Endpoint, count: int = 1) -> list[Reply]:
    """The last attempt at each call."""
    ended: list[Reply] = []
    HttpEngine(to)(iter(calls(count)), lambda call, reply: ended.append(reply) if reply.last else None)
    return ended


def redirecting(to: str, status: int) -> Answer:
    return Answer(b"", status, {"Location": to})


@pytest.mark.parametrize("status", connection.REDIRECTS)
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_no_other_server_gets_the_call_or_the_key(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, status: int, host: str
) -> None:
    """Neither another port of the same host, which is another's process, nor another name."""
    monkeypatch.setenv("SECRET", "sk-0123456789abcdef")
    other = serve([good("stolen")])
    target = other.url.replace("127.0.0.1", host) + "/chat/completions"
    server = serve([redirecting(target, status)])
    with pytest.raises(CurationError, match=r"redirects to another server \(http://.*; set base_url to the address"):
        replies(server.endpoint(api_key_env="SECRET", max_retries=2))
    assert other.requests == [] and len(server.requests) == 1


def test_a_redirect_that_holds_the_key_is_said_without_it(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "sk-0123456789abcdef")
    server = serve([redirecting("http://sk-0123456789abcdef.evil.example/", 307)])
    with pytest.raises(CurationError) as caught:
        replies(server.endpoint(api_key_env="SECRET"))
    assert "evil.example" in str(caught.value) and "0123456789" not in str(caught.value)


@pytest.mark.parametrize("status", connection.REDIRECTS)
def test_a_redirect_on_the_server_is_followed(serve: Serve, status: int) -> None:
    server = serve([redirecting("/v1/chat/completions", status), good("here")])
    assert [reply.text for reply in replies(server.endpoint())] == ["here"]
    assert server.requests[0].body == server.requests[1].body


def test_a_circle_of_redirects_ends(serve: Serve) -> None:
    server = serve([redirecting("/v1/chat/completions", 307)])
    with pytest.raises(CurationError, match="redirects in a circle; set base_url"):
        replies(server.endpoint())
    assert len(server.requests) == connection.MOST_REDIRECTS + 1


@pytest.mark.parametrize(
    "answer", [Answer(b"moved", 302), Answer(b"moved", 303, {"Location": "/x"}), Answer(b"", 304)], ids=str
)
def test_a_redirect_to_nowhere_is_that_calls_error(serve: Serve, answer: Answer) -> None:
    [reply] = replies(serve([answer]).endpoint())
    assert reply.error is not None and reply.error.startswith(f"HTTP {answer.status}")


@pytest.mark.parametrize(
    ("url", "location", "target"),
    [
        ("http://h/v1/c", "https://h/v1/c", "https://h/v1/c"),
        ("http://h:80/v1/c", "https://h:443/v1/c", "https://h:443/v1/c"),
        ("http://h/v1/c", "//h/v2/c", "http://h/v2/c"),
        ("https://h/v1/c", "/v2/c", "https://h/v2/c"),
        ("https://H/v1/c", "https://h/v2/c", "https://h/v2/c"),
        ("https://h/v1/c", "http://h/v1/c", None),
        ("http://h/v1/c", "https://h:8443/v1/c", None),
        ("http://h:8000/v1/c", "https://h/v1/c", None),
        ("http://h/v1/c", "http://h.evil/v1/c", None),
        ("http://h/v1/c", "ftp://h/v1/c", None),
        ("http://h/v1/c", "//evil", None),
    ],
)
def test_what_is_the_same_server(url: str, location: str, target: str | None) -> None:
    if target is None:
        with pytest.raises(CurationError, match="another server"):
            connection.redirect_target(url, 307, location)
    else:
        assert connection.redirect_target(url, 307, location) == target


@pytest.mark.parametrize("location", ["http://h:99999/", "http://[h/", "http://me:pass@h/v1/c"])
def test_an_address_that_is_none_is_no_redirect(location: str) -> None:
    assert connection.redirect_target("http://h/v1/c", 307, location) is None


NOW = 1_800_000_000


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0), ("7", 7), ("1.5", 1.5), (" 12 ", 12), ("601", 601), ("9" * 5000, float("inf")),
        ("-5", 0), ("", 0), ("soon", 0), ("nan", 0), ("inf", 0), ("1e9", 0), ("0x10", 0), ("١٢", 0), ("5 s", 0),
        (formatdate(NOW + 90, usegmt=True), 90), (formatdate(NOW - 90, usegmt=True), 0),
        (formatdate(NOW + 9000, usegmt=True), 9000), ("Wed, 99 Foo 2026 99:99:99 GMT", 0),
        ("Wed, 01 Jan 99999999 00:00:00 GMT", 0), ("Sun, 06 Nov 1994 08:49:37 GMT", 0),
    ],
)  # fmt: skip
def test_retry_after_is_seconds_or_a_date_by_the_servers_clock(text: str, seconds: float) -> None:
    """The server's clock may be years off this one."""
    assert connection.retry_after({"Retry-After": text, "Date": formatdate(NOW, usegmt=True)}) == seconds


def test_retry_after_without_the_servers_clock() -> None:
    assert 80 < connection.retry_after({"Retry-After": formatdate(time.time() + 90, usegmt=True)}) <= 90
    assert connection.retry_after({}) == 0


@pytest.mark.parametrize("status", [429, 503, 500])
@pytest.mark.parametrize("wait", ["601", "9" * 5000, "date"])
def test_a_wait_of_more_than_ten_minutes_ends_the_run(
    serve: Serve, open_ledger: OpenLedger, status: int, wait: str
) -> None:
    """The attempt is kept, and what was bought before it too."""
    header = formatdate(time.time() + 3600, usegmt=True) if wait == "date" else wait
    server, ledger = serve([good("first"), failing(status, "slow", header)]), open_ledger()
    with pytest.raises(CurationError, match=r"to be left alone for \d+ s \(Retry-After\), and a run waits for 600"):
        list(ledger.fulfil(calls(9), HttpEngine(server.endpoint(max_retries=5)), "generate", "g"))
    assert len(server.requests) == 2
    assert [(row["attempts"], row["failed"]) for row in count_calls(ledger)] == [(2, 1)]


@pytest.mark.slow
def test_a_held_run_says_so(serve: Serve, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A silent server, one that refuses for now, and one that names its wait."""
    monkeypatch.setattr(chat, "QUIET", 0.1)
    for held, said in (
        (None, r": no reply for .* min, 1 calls under way"),
        (failing(429, "slow", None), r", 0 calls under way; the last answer was HTTP 429: slow"),
        (
            failing(429, "slow", "0.3"),
            r": the server asks to be left alone for \d s more; the last answer was HTTP 429",
        ),
    ):
        first = [True]

        def script(request: Request, held: Answer | None = held, first: list[bool] = first) -> Answer:
            if first.pop() if first else False:
                if held is not None:
                    return held
                time.sleep(0.3)
            return good("x")

        server = serve(script)
        assert replies(server.endpoint(max_retries=1))[0].text == "x"
        lines = capsys.readouterr().err.splitlines()
        assert len(lines) >= 2 and all(line.startswith(server.url) for line in lines)
        assert any(re.search(said, line) for line in lines), lines


def test_a_run_that_is_answered_says_nothing(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(chat, "QUIET", 5.0)
    assert len(replies(serve([good("x")]).endpoint(), 50)) == 50
    assert capsys.readouterr().err == ""


@contextmanager
def raw(speak: Callable[[socket.socket], None]) -> Iterator[str]:
    """The base URL of a server that reads a request's head and then does what `speak` does."""
    listener = socket.create_server(("127.0.0.1", 0))

    def one(connected: socket.socket) -> None:
        with connected:
            try:
                while b"\r\n\r\n" not in connected.recv(65536):
                    pass
                speak(connected)
            except OSError:  # the client has gone
                pass

    def serve_all() -> None:
        while True:
            try:
                connected, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=one, args=[connected], daemon=True).start()

    threading.Thread(target=serve_all, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def head(**headers: str) -> bytes:
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 200 OK\r\n{lines}\r\n".encode()


def endless(connected: socket.socket) -> None:
    connected.sendall(head(Transfer_Encoding="chunked"))
    while True:
        connected.sendall(b"100000\r\n" + b" " * 2**20 + b"\r\n")


def never_ending(connected: socket.socket) -> None:
    connected.sendall(head(Transfer_Encoding="chunked"))
    while True:
        connected.sendall(b"1\r\n \r\n")
        time.sleep(0.02)


def early(connected: socket.socket) -> None:
    connected.sendall(head(Content_Length=str(len(BODY))) + BODY[:30])


def half_a_head(connected: socket.socket) -> None:
    connected.sendall(b"HTTP/1.1 200 OK\r\nContent-Le")


def long_head(connected: socket.socket) -> None:
    connected.sendall(head(X="x" * 100_000))


def not_http(connected: socket.socket) -> None:
    connected.sendall(b"SSH-2.0-OpenSSH_9.6\r\n")


BROKE = "the connection broke before the reply was whole"


@pytest.mark.parametrize(
    ("speak", "said"),
    [
        (endless, "the body is longer than 64 MiB"),
        (never_ending, "no reply within 0.4 s"),
        (early, BROKE),
        (half_a_head, BROKE),
        (long_head, BROKE),
        (not_http, BROKE),
    ],
)
def test_a_body_that_never_ends_or_ends_too_soon(speak: Callable[[socket.socket], None], said: str) -> None:
    with raw(speak) as url:
        [reply] = replies(endpoint(url, timeout_s=20.0 if speak is endless else 0.4))
    assert (reply.text, reply.error) == (None, said)


def packed(body: bytes, bits: int) -> bytes:
    packer = zlib.compressobj(wbits=bits)
    return packer.compress(body) + packer.flush()


@pytest.mark.parametrize(
    ("encoding", "body", "said"),
    [
        ("gzip", gzip.compress(BODY), None),
        ("deflate", zlib.compress(BODY), None),
        ("deflate", packed(BODY, -15), None),
        ("identity", BODY, None),
        ("gzip", gzip.compress(bytes(2**26 + 1)), "the body is longer than 64 MiB, unpacked"),
        ("gzip", gzip.compress(BODY)[:-20], "the body cannot be unpacked"),
        ("gzip", BODY, "the body cannot be unpacked"),
        ("br", BODY, "the body is packed in a way that the request did not accept"),
    ],
    ids=["gzip", "zlib", "deflate", "plain", "bomb", "cut", "not packed", "br"],
)
def test_a_packed_body_is_unpacked_within_limits(serve: Serve, encoding: str, body: bytes, said: str | None) -> None:
    [reply] = replies(serve([Answer(body, headers={"Content-Encoding": encoding})]).endpoint())
    assert reply.error == said and reply.text == (None if said else "hello")


def test_a_page_is_no_reply(serve: Serve) -> None:
    [reply] = replies(serve([Answer(b"<html>Sign in</html>", headers={"Content-Type": "text/html"})]).endpoint())
    assert reply.text is None and reply.error is not None and reply.error.startswith("the body is not JSON")


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ("http://127.0.0.1:9", "the proxy that the environment names (http_proxy) does not answer"),
        ("socks5://127.0.0.1:9", "http_proxy has socks5, and calls go through http"),
        ("127.0.0.1:9", "http_proxy has no scheme, and calls go through http"),
    ],
)
def test_a_proxy_that_does_not_serve_is_named(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, named: str, said: str
) -> None:
    monkeypatch.setenv("http_proxy", named)
    monkeypatch.setenv("no_proxy", "")
    with pytest.raises(CurationError) as caught:
        replies(serve([good("x")]).endpoint())
    assert said in str(caught.value) and len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    "url",
    [
        "http://", "https://", "ftp://h/v1", "h:8000/v1", "http://h:99999/v1", "http://h:0/v1", "http://h:port/v1",
        "http:// h/v1", "http://h/v1 ", "http://h/v1\n", "http://[h/v1", "http://me:secret@h/v1", "http://key@h/v1",
        "http://h/v1?version=2", "http://h/v1#a", "http://h/v1?", "http://h/v1/chat/completions", "http://a\\b/v1", "",
    ],
)  # fmt: skip
def test_an_address_is_checked_before_it_is_called(url: str) -> None:
    with pytest.raises(ValidationError) as caught:
        endpoint(url)
    [error] = caught.value.errors()
    assert "secret" not in str(error["msg"])


@pytest.mark.parametrize(
    "url",
    ["http://h", "https://api.example.com/v1/", "http://[::1]:8000/v1", "http://h_1:8000/a/b/c", "http://ö.de/v1"],
)
def test_a_sound_address_is_taken(url: str) -> None:
    assert endpoint(url).base_url == url
