"""Who may ask the view, and what a page of it may do: one person at this machine, and nothing but show itself.

Other users of the machine and pages of other sites can reach a port of 127.0.0.1. So an address without the token is
refused (a first one with it sets a cookie), as is a host of another name (DNS rebinding), and a form that another
page sends. Each answer carries a policy under which no text of a model could run, load or send anything.
"""

import re
from hashlib import sha256
from secrets import compare_digest
from urllib.parse import quote, urlencode

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HOST = "127.0.0.1"
HOSTS = re.compile(r"(127\.0\.0\.1|localhost)(:\d{1,5})?")  # any port: it may be forwarded
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # under no-referrer a browser says no Origin of the view's own forms either
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
WAY_OUT = "open the address that `curation view` printed"


class Guard:
    """What stands before all pages: it refuses whoever may not ask, and puts HEADERS on every answer."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self.app, self.token = app, token
        self.cookie = f"view-{sha256(token.encode()).hexdigest()[:8]}"  # a cookie knows no port: each view has its own

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        if scope["type"] == "http":
            await (self._answer(Request(scope)) or self.app)(scope, receive, send_guarded)

    def _answer(self, request: Request) -> Response | None:
        """What is answered in place of a page: a refusal, or for the token a cookie; None for one who may ask."""
        host, asked = request.headers.get("host", ""), request.query_params
        if not HOSTS.fullmatch(host):
            return PlainTextResponse(f"The host is not {HOST} or localhost: {WAY_OUT}", 403)
        if request.method not in ("GET", "HEAD") and request.headers.get("origin") != f"http://{host}":
            return PlainTextResponse("A form of another page: the view takes its own only", 403)
        if "token" in asked and request.method == "GET" and self._is_token(asked["token"]):
            kept = urlencode([item for item in asked.multi_items() if item[0] != "token"])
            path = "/" + quote(request.url.path.lstrip("/\\"), safe="/%")
            answer = RedirectResponse(path + (f"?{kept}" if kept else ""), 303)
            answer.set_cookie(self.cookie, self.token, httponly=True, samesite="strict")
            return answer
        if "token" in asked or not self._is_token(request.cookies.get(self.cookie, "")):
            return PlainTextResponse(f"No token, or another one: {WAY_OUT}", 403)
        return None

    def _is_token(self, text: str) -> bool:
        return compare_digest(text.encode(errors="replace"), self.token.encode())
