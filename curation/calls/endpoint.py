"""Where a model is served, and the API key that goes with it."""

import os
import re
import urllib.parse
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from curation.core.errors import CurationError
from curation.core.params import Strict
from curation.core.ranges import Concurrency, Tries


def _check_address(url: str) -> str:
    """`url` itself. Raises ValueError if it is no address that calls can go to, or holds more than that."""
    try:
        parts = urllib.parse.urlsplit(url)
        sound = (
            parts.scheme in ("http", "https") and re.fullmatch(r"[\w.:%-]+", parts.hostname or "") and parts.port != 0
        )
    except ValueError:  # a port or a bracketed host that is none
        sound = False
    if not sound or re.search(r"[\x00-\x20\\]", url):
        raise ValueError(f"{url[:80]!r} is no address; write it as http://HOST:PORT/v1")
    if parts.username is not None:  # they would stand in messages
        raise ValueError("an address holds no user and password; name the API key's variable in api_key_env")
    if parts.query or parts.fragment or url[-1] in "?#":
        raise ValueError(f"{url[:80]!r} goes on after the path; end it before `?` or `#`")
    if parts.path.rstrip("/").endswith("/chat/completions"):
        raise ValueError(f"{url[:80]!r} has the route already; leave out /chat/completions")
    return url


def _check_variable(name: str) -> str:
    if not re.fullmatch("[A-Za-z_][A-Za-z0-9_]{0,254}", name):
        raise ValueError(
            "not the name of an environment variable; export the key in one, or write null where none is wanted"
        )
    return name


LIMIT = "max_completion_tokens"  # what a model that thinks has in place of max_tokens, where servers want it said
FIXED = ("temperature", "top_p")  # of such a model, at 1: some refuse even that


class Endpoint(Strict):
    """A server of the OpenAI chat protocol, its engine and version. None of this is part of a call's key.

    `api_key_env` names an environment variable, or is null. At most `concurrency` calls run at once, fewer where the
    server cannot keep up. An attempt without a whole reply after `timeout_s` is given up. A failure that may pass
    (overload, a broken connection, a timeout) is tried `max_retries` times more. A reply that does not fit the schema
    is sent back to the model `validation_retries` times, with what is wrong with it. `dialect: openai_reasoning` words
    requests as OpenAI's reasoning models want them.
    """

    base_url: Annotated[str, AfterValidator(_check_address)]
    engine: str
    api_key_env: Annotated[str, AfterValidator(_check_variable)] | None
    concurrency: Concurrency
    timeout_s: Annotated[float, Field(ge=0.1, le=86_400, description="seconds, up to a day")]
    max_retries: Tries
    validation_retries: Tries
    dialect: Literal["openai_reasoning"] | None = None

    def word(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """A request's body in the server's dialect. The limit keeps its value under its other name, and what is left
        out is what such a model does by itself, so that the call is the call that its key says."""
        if self.dialect is None:
            return dict(body)
        return {
            LIMIT if name == "max_tokens" else name: value
            for name, value in body.items()
            if not (name in FIXED and value == 1)
        }

    def api_key(self) -> str:
        """The API key in the environment, "" where there is none."""
        return os.environ.get(self.api_key_env or "", "").strip()

    def require_api_key(self) -> str:
        """The API key, "" where the server wants none. Raises CurationError if it is missing, or holds a character that
        no HTTP header can carry."""
        key, name = self.api_key(), f"{self.base_url}: the environment variable {self.api_key_env} (api_key_env)"
        if self.api_key_env is not None and not key:
            raise CurationError(f"{name} is not set; export it")
        if not re.fullmatch("[!-~]*", key):  # aiohttp would end in a traceback that shows the key, or send other bytes
            raise CurationError(
                f"{name} holds white space or a character beyond ASCII, which no key has; export the key alone"
            )
        return key
