"""What lies under an HTTP call: the pool of connections, the proxy, one POST with its redirects and limits."""

import email.utils
import re
import time
import urllib.parse
import urllib.request
import zlib
from collections.abc import Mapping
from typing import Any, NamedTuple

from curation.core.errors import CurationError

MOST_REDIRECTS = 3
MOST_BYTES = 2**26  # of a response's body, unpacked; a reply of 100,000 tokens with 20 alternatives each takes less
REDIRECTS = (301, 302, 307, 308)  # of a POST; 303 asks for a GET, which is no call
ACCEPT = {"Accept-Encoding": "gzip, deflate"}


class Response(NamedTuple):
    """One response, its body whole and unpacked. `url` is what gave it, after redirects that hold for good."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str


class BadBody(Exception):
    """A body of more than MOST_BYTES, or one that is packed in an unknown way or badly; its text says which."""


def proxy(url: str) -> str | None:
    """The proxy that the environment names for `url`, or None. Raises CurationError if it is none that HTTP goes
    through. (aiohttp's own look-up reads ~/.netrc for every call.)"""
    parts = urllib.parse.urlsplit(url)
    if urllib.request.proxy_bypass(parts.netloc):
        return None
    proxies = urllib.request.getproxies()
    named = proxies.get(parts.scheme) or proxies.get("all")
    if named and not re.match(r"https?://[^/]", named):
        kind = named.split("://")[0] if "://" in named else "no scheme"
        raise CurationError(
            f"{url}: the environment's {parts.scheme}_proxy has {kind}, and calls go through http:// and https:// "
            "proxies alone; set it to one, or no_proxy to the server's name"
        )
    return named


def connector() -> Any:
    """aiohttp's pool, but a connection with unread data is closed and not used again: a reply that a server sent twice
    would answer the next call."""
    import aiohttp

    class CloseUnread(aiohttp.TCPConnector):  # type: ignore[misc]
        async def _get(self, *request: Any) -> Any:
            while (kept := await super()._get(*request)) is not None and kept.protocol.should_close:
                kept.close()
            return kept

    return CloseUnread(limit=0)


async def post(session: Any, url: str, body: Any) -> Response:
    """What answers `body`, sent as JSON to `url`, or to where that redirects. The session must not unpack bodies.

    Raises CurationError for a redirect to another server, which gets neither the call nor the API key; BadBody.
    """
    for_good = url
    for _ in range(MOST_REDIRECTS + 1):
        async with session.post(url, json=body, headers=ACCEPT, allow_redirects=False) as response:
            target = redirect_target(url, response.status, response.headers.get("Location"))
            if target is None:
                return Response(response.status, response.headers, await _read_body(response), for_good)
            for_good = target if url == for_good and response.status in (301, 308) else for_good
            url = target
    raise CurationError(f"{for_good}: redirects in a circle; set base_url to the address that answers")


def redirect_target(url: str, status: int, location: str | None) -> str | None:
    """Where a response of `status` and `location` sends a call to `url`, None if nowhere.

    Followed is what stays on the server: the same scheme, host and port, or https at their standard ports in place of
    http. Raises CurationError for anything else.
    """
    if status not in REDIRECTS or not location:
        return None
    try:
        target = urllib.parse.urljoin(url, location)
        before, after = _origin(url), _origin(target)
    except ValueError:
        return None
    if after not in (before, ("https", before[1], 443) if before[::2] == ("http", 80) else before):
        host = "".join(char if char.isprintable() else "?" for char in f"{after[0]}://{after[1]}:{after[2]}")[:100]
        raise CurationError(
            f"{url}: redirects to another server ({host}), which gets neither calls nor the API key; "
            "set base_url to the address that answers"
        )
    return target


def _origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port. Raises ValueError for a port or a host that is none, and for credentials."""
    parts = urllib.parse.urlsplit(url)
    if parts.username is not None:
        raise ValueError("credentials")
    return parts.scheme, parts.hostname or "", parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)


async def _read_body(response: Any) -> bytes:
    packed = bytearray()
    async for chunk in response.content.iter_any():
        packed += chunk
        if len(packed) > MOST_BYTES:
            raise BadBody(f"the body is longer than {MOST_BYTES >> 20} MiB")
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    return bytes(packed) if encoding in ("", "identity") else unpack(bytes(packed), encoding)


def unpack(packed: bytes, encoding: str) -> bytes:
    """The body that `packed` holds. Raises BadBody where it has more than MOST_BYTES, or another encoding than the
    request accepts."""
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise BadBody("the body is packed in a way that the request did not accept")
    windows = (47, -15) if encoding == "deflate" else (47,)  # some servers send deflate without zlib's header
    for bits in windows:
        unpacker = zlib.decompressobj(bits)
        try:
            body = unpacker.decompress(packed, MOST_BYTES + 1)
        except zlib.error:
            continue
        if len(body) > MOST_BYTES:
            raise BadBody(f"the body is longer than {MOST_BYTES >> 20} MiB, unpacked")
        if unpacker.eof:
            return body
    raise BadBody("the body cannot be unpacked")


def retry_after(headers: Mapping[str, str]) -> float:
    """Seconds to wait by a response's Retry-After, which holds seconds or a date; 0 where it holds neither, or a time
    that has passed. A date is read by the server's own clock where the response tells it."""
    text = headers.get("Retry-After", "").strip()
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", text):
        return float(text)
    until, now = _seconds(text), _seconds(headers.get("Date", ""))
    return max(until - (time.time() if now is None else now), 0.0) if until is not None else 0.0


def _seconds(date: str) -> float | None:
    """An HTTP date, which is in UTC, as seconds since 1970; None for any other text."""
    parts = email.utils.parsedate_tz(date)
    try:
        return float(email.utils.mktime_tz(parts)) if parts else None
    except (ValueError, OverflowError):
        return None


def proxy_fault(base_url: str, error: Any) -> str:
    """What keeps the proxy of the environment from taking calls to `base_url`, and the way out."""
    how = f"refuses with HTTP {error.status}" if hasattr(error, "status") else "does not answer"
    name = f"{base_url.split(':')[0]}_proxy"
    return (
        f"{base_url}: the proxy that the environment names ({name}) {how}; mend {name}, or set no_proxy to the "
        "server's name"
    )
