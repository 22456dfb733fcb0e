"""Calls to servers of reward models, by the routes that vLLM, SGLang and TEI have for them. A reply's text is
JSON: the model's numbers.

They are a list, a number for each label; of a call that rates steps a list of such lists, one for each step.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Literal, Self, TypeAlias

from pydantic import model_validator

from curation.calls import connection, wire
from curation.calls.call import Call, Reply
from curation.calls.chat import HttpEngine
from curation.calls.endpoint import Endpoint
from curation.calls.extra import Extra
from curation.calls.foreign import read_count, read_json
from curation.calls.tool_calls import for_server
from curation.core.params import Strict
from curation.core.ranges import Day

SCORING = "scoring"  # in the sampling of a call that is to be scored, and of no other: by what way, and its step token
STEP = "step"  # the token in SCORING that ends each step of the last message
MOST = 1e9  # of a score's size
DECIMALS = 9  # which a score is kept with

Server: TypeAlias = Literal["vllm", "sglang", "tei"]
Route: TypeAlias = Literal["classify", "pooling", "score", "rerank", "predict"]
ROUTES: dict[Server, tuple[Route, ...]] = {
    "vllm": ("classify", "pooling", "score", "rerank"), "sglang": ("classify",), "tei": ("predict", "rerank"),
}  # fmt: skip
LABEL = re.compile(r"LABEL_(\d+)")  # what transformers calls a label without a name of its own
Rows: TypeAlias = list[list[float]]


class Params(Strict):
    """A server of a reward model; without `server` it is vllm's. `route` follows the base_url: `classify` and
    `pooling` are sent the conversation as messages, `score` and `rerank` as two texts. SGLang's `classify` and TEI's
    `predict` take one text, so that it is written here, by the chat template of the judge's `model`, for which
    `template_date` is as of a model that runs here. `extra`, which may be left out, holds further fields of each
    request, such as vLLM's `use_activation: false` for a reward that no sigmoid has bent."""

    kind: Literal["served"]
    endpoint: Endpoint
    route: Route
    server: Server | None = None
    template_date: Day | None = None
    extra: Extra | None = None

    @model_validator(mode="after")
    def _has_route(self) -> Self:
        if self.route not in ROUTES[self.speaks]:
            raise ValueError(f"{self.speaks} has no route {self.route}; name {' or '.join(ROUTES[self.speaks])}")
        if self.template_date is not None and not self.takes_text:
            raise ValueError(f"template_date is for texts written here, and {self.route} is sent none; leave it out")
        return self

    @property
    def speaks(self) -> Server:
        """Whose requests and replies they are."""
        return self.server or "vllm"

    @property
    def takes_text(self) -> bool:
        """Whether it is sent a conversation as the one text that the model reads."""
        return (self.speaks, self.route) in (("sglang", "classify"), ("tei", "predict"))


def request_body(server: Server, route: Route, call: Call) -> dict[str, Any]:
    """The request body of `call`, whose last message is what is to be scored, in answer to those before it; or whose
    one message is all of it."""
    extra = {name: value for name, value in call.sampling.items() if name != SCORING}
    first, last = call.messages[0]["content"], call.messages[-1]["content"]
    if server == "tei":  # which serves one model
        return ({"inputs": first} if route == "predict" else {"query": first, "texts": [last]}) | extra
    if server == "sglang":
        return {"model": call.model, "text": first, **extra}
    conversation = {"messages": [*map(for_server, call.messages)], "add_generation_prompt": False}
    said: dict[Route, dict[str, Any]] = {
        "classify": conversation,
        "pooling": conversation,
        "score": {"text_1": first, "text_2": last},
        "rerank": {"query": first, "documents": [last]},
    }
    return {"model": call.model, **said[route], **extra}


class ScoreEngine(HttpEngine):
    """Sends calls to one route of a server of a reward model, as HttpEngine does to its own."""

    refused = "check model, api_key_env, route and base_url (vLLM serves /classify and /pooling without /v1)"

    def __init__(self, settings: Params) -> None:
        self.settings, self.route = settings, f"/{settings.route}"
        super().__init__(settings.endpoint)

    def _request_body(self, call: Call, *_: Any) -> dict[str, Any]:
        return request_body(self.settings.speaks, self.settings.route, call)

    def _read_response(self, call: Call, response: connection.Response) -> wire.Outcome:
        read = partial(read_scores, self.settings.speaks, self.settings.route, count_steps(call))
        return wire.read_response(response.status, response.body, self.endpoint.engine, self.key, read)


def count_steps(call: Call) -> int | None:
    """How many steps of the call are to be scored; None where it is to be scored as a whole."""
    token = call.sampling[SCORING].get(STEP)
    return None if token is None else int(call.messages[-1]["content"].count(token))


def read_scores(server: Server, route: Route, steps: int | None, body: Any, engine: str, key: str = "") -> wire.Outcome:
    """What a body of that route says; an error that may pass where that is no finite number, or not one for each
    step."""
    rows = {"vllm": _find_rows, "sglang": _find_embedding, "tei": _find_predictions}[server](route, body)
    if rows is None:
        return wire.no_reply_in("the reply holds no score", body, engine, key)
    if steps is None:
        rows = rows[-1:]  # of a score for each token, the one of all that was said
    elif len(rows) != steps:
        return wire.no_reply_in(f"{len(rows)} scores came for {steps} steps", body, engine, key)
    [told] = body if isinstance(body, list) and len(body) == 1 else [body]
    usage = told.get("usage", told.get("meta_info")) if isinstance(told, Mapping) else None
    tokens = read_count(usage.get("prompt_tokens")) if isinstance(usage, Mapping) else None
    return wire.Outcome(make_reply(rows, steps is not None, tokens, engine))


def _find_rows(route: Route, body: Any) -> Rows | None:
    """The numbers of the one thing that was to be scored: a row of labels, or of a route that scores tokens a row for
    each. None where anything else came."""
    try:
        [result] = body["results" if route == "rerank" else "data"]
        name = {"classify": "probs", "pooling": "data", "score": "score", "rerank": "relevance_score"}[route]
        value = result[name]
    except (ValueError, LookupError, TypeError):
        return None
    rows = value if isinstance(value, list) else [value]
    rows = rows if rows and isinstance(rows[0], list) else [rows]
    return rows if rows[0] and all(isinstance(row, list) and all(map(is_score, row)) for row in rows) else None


def _find_embedding(route: Route, body: Any) -> Rows | None:
    """As `_find_rows`, of SGLang's own route, which says what a model gives as an embedding is said."""
    [one] = body if isinstance(body, list) and len(body) == 1 else [body]
    row = one.get("embedding") if isinstance(one, Mapping) else None
    return [row] if isinstance(row, list) and row and all(map(is_score, row)) else None


def _find_predictions(route: Route, body: Any) -> Rows | None:
    """As `_find_rows`, of TEI's routes: one score, or of several labels, which come by size, the row in their order.
    Labels with names have none that is known here, so of them there must be one."""
    if not isinstance(body, list) or not body or not all(isinstance(one, Mapping) for one in body):
        return None
    scores = [one.get("score") for one in body]
    if not all(map(is_score, scores)) or (route == "rerank" and len(scores) > 1):
        return None
    if len(scores) == 1:
        return [scores]
    numbers = [LABEL.fullmatch(str(one.get("label"))) for one in body]
    by_number = {int(number[1]): score for number, score in zip(numbers, scores, strict=True) if number}
    return [[by_number[at] for at in range(len(scores))]] if sorted(by_number) == [*range(len(scores))] else None


def is_score(value: Any) -> bool:
    """Whether a value is a number that can be kept as a score."""
    return type(value) in (int, float) and math.isfinite(value) and abs(value) <= MOST


def make_reply(rows: Sequence[Sequence[float]], steps: bool, prompt_tokens: int | None, engine: str) -> Reply:
    """The reply that says these numbers, with nine decimals."""
    kept = [[round(float(value), DECIMALS) for value in row] for row in rows]
    return Reply(json.dumps(kept if steps else kept[0]), "stop", prompt_tokens, 0, engine=engine)


def read_rows(reply: Reply) -> Rows | None:
    """The numbers of a reply, a row of labels for each step or one for all; None where it says none."""
    try:
        value = read_json(reply.text or "")
    except ValueError:
        return None
    rows = value if isinstance(value, list) and value and isinstance(value[0], list) else [value]
    return rows if all(isinstance(row, list) and row and all(map(is_score, row)) for row in rows) else None
