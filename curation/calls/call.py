"""A model call and its reply. The content of a call decides its key."""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.metadata import version
from typing import Any, TypeAlias


@dataclass(frozen=True)
class Call:
    """One model call. Its key is a hash of everything in it but `sampling.max_tokens`."""

    model: str
    revision: str
    messages: list[dict[str, str]]
    sampling: dict[str, Any]
    sample_index: int
    schema: dict[str, Any] | None = None

    @property
    def request(self) -> str:
        """The call as canonical JSON."""
        return canonical(self._body(self.sampling))

    @cached_property
    def key(self) -> str:
        """SHA-256, hexadecimal, of the request without its `sampling.max_tokens`."""
        return _digest(self._body({name: value for name, value in self.sampling.items() if name != "max_tokens"}))

    def _body(self, sampling: dict[str, Any]) -> dict[str, Any]:
        return {"model": self.model, "revision": self.revision, "messages": self.messages, "sampling": sampling,
                "sample_index": self.sample_index, "schema": self.schema}  # fmt: skip

    @property
    def max_tokens(self) -> int | None:
        """The limit on the reply's tokens. It is no part of the key: a reply that ended by itself is the same under any
        higher limit."""
        return self.sampling.get("max_tokens")

    @property
    def last_message(self) -> str:
        """The text of the last message."""
        return self.messages[-1]["content"] if self.messages else ""


def canonical(body: Any) -> str:
    """`body` as JSON with sorted keys and no white space."""
    return json.dumps(body, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def key_of(request: str) -> str:
    """The key of the call that `request` is. Raises ValueError if it is no request."""
    body = json.loads(request)
    if not isinstance(body, dict) or not isinstance(body.get("sampling"), dict):
        raise ValueError("not a request")
    body["sampling"].pop("max_tokens", None)
    return _digest(body)


def _digest(body: dict[str, Any]) -> str:
    return hashlib.sha256(canonical(body).encode()).hexdigest()


@dataclass(frozen=True)
class Reply:
    """One attempt: the raw text, or the error, or both where the text does not fit the schema.

    `logprobs` is a list of [token, {token: logprob}] by position, in nats; `mode` says how structured output was asked
    for; `last` is false where another attempt follows.
    """

    text: str | None
    finish_reason: str
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    logprobs: list[Any] | None = None
    error: str | None = None
    engine: str = ""
    mode: str = ""
    last: bool = True


OnReply: TypeAlias = Callable[[Call, Reply], None]
Engine: TypeAlias = Callable[[Iterator[Call], OnReply], None]  # answers the calls: OnReply gets every attempt


@cache
def engine_name(distribution: str) -> str:
    """`distribution` and its installed version, as the ledger's `engine` column names them."""
    return f"{distribution} {version(distribution)}"
