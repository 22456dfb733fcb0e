"""What lies under an HTTP call: the pool of connections, the proxy, Retry-After."""

import email.utils
import time
import urllib.parse
import urllib.request
from typing import Any

LONGEST_PAUSE = 3600.0  # seconds; the most that a Retry-After is obeyed


def proxy(url: str) -> str | None:
    """The proxy that the environment names for `url`, or None. (aiohttp's own look-up reads ~/.netrc for every
    call.)"""
    parts = urllib.parse.urlsplit(url)
    return None if urllib.request.proxy_bypass(parts.netloc) else urllib.request.getproxies().get(parts.scheme)


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


def retry_after(header: str | None) -> float:
    """Seconds to wait, of a Retry-After header, which holds seconds or a date; 0 where it holds neither."""
    if header is None:
        return 0.0
    try:
        return min(max(float(header), 0.0), LONGEST_PAUSE)
    except ValueError:
        pass
    try:
        return min(max(email.utils.parsedate_to_datetime(header).timestamp() - time.time(), 0.0), LONGEST_PAUSE)
    except ValueError:
        return 0.0
