"""A local HTTP server that speaks the OpenAI chat protocol and misbehaves on command."""

import contextlib
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, Self, TypeAlias

from curation.calls.endpoint import Endpoint

CHAT = "/v1/chat/completions"
Logprobs: TypeAlias = list[tuple[str, dict[str, float]]]


@dataclass(frozen=True)
class Answer:
    """One HTTP response. `fault` drops the connection before a byte is sent, breaks it in the body, stalls the body,
    lets it trickle, or sends all twice."""

    body: bytes
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    fault: Literal["none", "drop", "break", "stall", "trickle", "twice"] = "none"


@dataclass(frozen=True)
class Request:
    """One request the server got."""

    body: dict[str, Any]
    authorization: str
    path: str = CHAT

    @property
    def last_message(self) -> str:
        """The text of the last message."""
        return str(self.body["messages"][-1]["content"])


Script: TypeAlias = Callable[[Request], Answer] | list[Answer]


def good(
    text: str | None, finish_reason: str = "stop", refusal: str | None = None, logprobs: Logprobs | None = None
) -> Answer:
    """A well-formed chat completion."""
    message = {"role": "assistant", "content": text, "refusal": refusal}
    choice: dict[str, Any] = {"index": 0, "message": message, "finish_reason": finish_reason, "logprobs": None}
    if logprobs is not None:
        choice["logprobs"] = {"content": [_position(token, tops) for token, tops in logprobs]}
    usage = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
    return shaped(
        {
            "id": "c",
            "object": "chat.completion",
            "created": 0,
            "model": "m",
            "choices": [choice],
            "usage": usage,
            "system_fingerprint": "fake-1",
        }
    )


def _position(token: str, tops: dict[str, float]) -> dict[str, Any]:
    alternatives = [{"token": top, "logprob": logprob, "bytes": None} for top, logprob in tops.items()]
    return {"token": token, "logprob": tops.get(token, 0.0), "bytes": None, "top_logprobs": alternatives}


def shaped(body: Any) -> Answer:
    """A 200 with any JSON body."""
    return Answer(json.dumps(body).encode())


def failing(status: int, message: str = "no", retry_after: str | None = "0.01") -> Answer:
    """An error of the protocol; the client waits `retry_after` seconds before it tries again, or as long as it
    likes."""
    headers = {"Retry-After": retry_after} if retry_after else {}
    return Answer(json.dumps({"error": {"message": message, "type": "fault", "code": None}}).encode(), status, headers)


def knowing(form: str | None, text: str) -> Script:
    """A server that takes one `response_format`, or none, and answers `text`: fenced where the schema comes in words
    alone."""

    def answer(request: Request) -> Answer:
        requested = (request.body.get("response_format") or {}).get("type")
        if requested not in (form, None):
            return failing(400, f"unknown response_format {requested}")
        return good(f"```json\n{text}\n```" if requested is None else text)

    return answer


def cut() -> Answer:
    """A well-framed response whose JSON stops in the middle."""
    body = good("hello").body
    return Answer(body[: len(body) // 2])


DROPPED = Answer(b"", fault="drop")
BROKEN = Answer(good("hello").body, fault="break")
STALLED = Answer(good("hello").body, fault="stall")
TRICKLE = Answer(good("hello").body, fault="trickle")
TWICE = Answer(good("hello").body, fault="twice")
NO_CHOICES = shaped({"id": "c", "object": "chat.completion", "created": 0, "model": "m", "choices": []})


def endpoint(url: str, **changes: Any) -> Endpoint:
    """Settings that lead to `url`: one request at a time, no retries, unless changed."""
    settings = {
        "base_url": url,
        "engine": "fake",
        "api_key_env": None,
        "concurrency": 1,
        "timeout_s": 30.0,
        "max_retries": 0,
        "validation_retries": 0,
    }
    return Endpoint.model_validate(settings | changes)


class ChatServer:
    """Serves `script` on a free port: its function answers each request, or its list in turn, the last for ever.
    Keeps the requests. `routes` are the paths that it knows."""

    def __init__(self, script: Script, routes: Sequence[str] = (CHAT,)) -> None:
        self.script, self.routes, self.requests = script, routes, list[Request]()
        self.closing, self.lock = threading.Event(), threading.Lock()
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # else each answer waits 40 ms for the client to acknowledge its head

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.path not in owner.routes:
                    return self._answer(failing(404, f"no route {self.path}"))
                request = Request(json.loads(body), self.headers["Authorization"] or "", self.path)
                return self._answer(owner.answer(request))

            def _answer(self, answer: Answer) -> None:
                self.close_connection = answer.fault not in ("none", "twice")
                if answer.fault == "drop":
                    return
                self.send_response(answer.status)
                for name, value in {
                    "Content-Type": "application/json",
                    "Content-Length": str(len(answer.body)),
                    **answer.headers,
                }.items():
                    self.send_header(name, value)
                self.end_headers()
                if answer.fault == "trickle":
                    return self._trickle(answer.body)
                again = (
                    b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(answer.body), answer.body)
                    if answer.fault == "twice"
                    else b""
                )
                self.wfile.write(answer.body[:20] if answer.fault in ("break", "stall") else answer.body + again)
                if answer.fault == "stall":
                    owner.closing.wait(30)

            def _trickle(self, body: bytes) -> None:
                with contextlib.suppress(OSError):  # the client has given up
                    for at in range(len(body)):
                        self.wfile.write(body[at : at + 1])
                        if owner.closing.wait(0.02):
                            return

            def log_message(self, *_: object) -> None:
                pass

        class Quiet(ThreadingHTTPServer):
            def handle_error(self, *_: object) -> None:
                """A client that was killed is no news."""

        self.http = Quiet(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.005}, daemon=True)

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()

    def answer(self, request: Request) -> Answer:
        """What the script says to this request, which is kept."""
        with self.lock:
            self.requests.append(request)
            turn = len(self.requests) - 1
        return self.script[min(turn, len(self.script) - 1)] if isinstance(self.script, list) else self.script(request)

    @property
    def url(self) -> str:
        """The base URL, as clients want it."""
        return f"http://127.0.0.1:{self.http.server_address[1]}/v1"

    def endpoint(self, **changes: Any) -> Endpoint:
        """Settings that lead here, but for the changes given."""
        return endpoint(self.url, **changes)
