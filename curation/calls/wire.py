"""The OpenAI chat protocol: a call as a request body, a response as a reply, and which failures may pass."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Literal, NamedTuple, TypeAlias

from pydantic import BaseModel, ValidationError

from curation.calls.call import Call, Reply
from curation.calls.redaction import SHORT, redact

Mode: TypeAlias = Literal["json_schema", "json_object", "prompt"]
# constrained decoding first, the schema as mere words last
MODES: tuple[Mode, ...] = ("json_schema", "json_object", "prompt")
RETRYABLE = (408, 409, 425, 429, 500, 502, 503, 504, 529)
OVERLOADED = (429, 503, 529)
UNKNOWN_FORM = (400, 415, 422, 501)  # the request may be in a form that the server does not know
REFUSED = (401, 403, 404)  # no call to this server can succeed
LONGEST = 300  # characters of a server's error
MOST_TOKENS = 2**31  # no reply has more, and SQLite's sum of many still fits
ROUNDING = 1e-3  # a server's arithmetic may end so far above certainty


class Outcome(NamedTuple):
    """What one attempt came to. `retryable`: the same attempt may succeed later. `status` is HTTP's, 0 where there was
    none."""

    reply: Reply
    retryable: bool = False
    status: int = 200


def request_body(
    call: Call, schema: type[BaseModel] | None, mode: Mode, messages: Sequence[dict[str, Any]] = ()
) -> dict[str, Any]:
    """The request body of `call`; with `schema`, as instructor words it for `mode`. `messages` stand in for the call's
    own."""
    # top_k 0, no cut, is an error to some servers
    sampling = {name: value for name, value in call.sampling.items() if name != "top_k" or value}
    body = {"model": call.model, "messages": list(messages) or call.messages, **sampling}
    if schema is None:
        return body
    if mode == "json_schema":  # adds nothing to the messages, so it is worded once
        return body | {"response_format": _response_format(schema)}
    _, worded = _instructor(mode).request_handler(response_model=schema, kwargs=body)
    return dict(worded)


@cache
def _response_format(schema: type[BaseModel]) -> Any:
    _, worded = _instructor("json_schema").request_handler(response_model=schema, kwargs={"messages": []})
    worded["response_format"]["json_schema"]["strict"] = True
    return worded["response_format"]


def _instructor(mode: Mode) -> Any:
    from instructor import Mode as Modes
    from instructor.v2.core.providers import Provider
    from instructor.v2.core.registry import mode_registry

    modes = {"json_schema": Modes.JSON_SCHEMA, "json_object": Modes.JSON, "prompt": Modes.MD_JSON}
    return mode_registry.get_handlers(Provider.OPENAI, modes[mode])


def find_schema_error(schema: type[BaseModel], text: str, mode: str) -> ValidationError | None:
    """Why the reply `text` does not fit `schema`, or None if it does."""
    try:
        schema.model_validate_json(json_in(text, mode))
    except ValidationError as error:
        return error
    return None


def json_in(text: str, mode: str) -> str:
    """The part of a reply that should be JSON: all of it, or the code block alone where the mode asked for one."""
    if mode != "prompt":
        return text
    from instructor.v2.core.json import extract_json_from_codeblock

    return str(extract_json_from_codeblock(text))


def reask(messages: list[dict[str, Any]], mode: Mode, text: str, error: ValidationError) -> list[dict[str, Any]]:
    """The messages, and after them the model's reply and what is wrong with it, as instructor words it."""
    from openai.types.chat import ChatCompletion

    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
    response = ChatCompletion.model_validate(
        {"id": "", "object": "chat.completion", "created": 0, "model": "", "choices": [choice]}
    )
    kwargs = {"messages": list(messages)}
    return list(_instructor(mode).reask_handler(kwargs=kwargs, response=response, exception=error)["messages"])


def read_response(status: int, payload: bytes, engine: str, key: str = "") -> Outcome:
    """What a response says: a model's words as they are, a server's error without the API key."""
    try:
        body = json.loads(payload)
    except (ValueError, RecursionError):
        body = None
    if status != 200:
        error = f"HTTP {status}: {_error_message(body, payload, key)}"
        return Outcome(error_reply(error, engine), status in RETRYABLE, status)
    if body is None:
        return Outcome(error_reply("the body is not JSON", engine), retryable=True)
    try:
        return _completion(body, engine, key)
    except (AttributeError, TypeError, LookupError):
        return Outcome(error_reply("the body is not a chat completion", engine))


def error_reply(error: str, engine: str) -> Reply:
    """A reply that is an error."""
    return Reply(None, "error", error=error, engine=engine)


def redact_line(text: str, key: str) -> str:
    """A server's error as one line of LONGEST characters that terminals and tables can hold, without the API key. The
    key is taken out before the line is cut, or a part of it could be left."""
    printable = "".join(char if char.isprintable() else " " for char in utf8(text))
    return redact(" ".join(printable.split()), key)[:LONGEST]


def _error_message(body: Any, payload: bytes, key: str) -> str:
    """The server's own words: OpenAI's `error.message`, others' `message` or `detail`, else the start of the body."""
    inner = body.get("error", body) if isinstance(body, Mapping) else body
    message = (inner.get("message") or inner.get("detail")) if isinstance(inner, Mapping) else inner
    return redact_line(str(message or payload.decode(json.detect_encoding(payload), errors="replace")), key)


def _completion(body: Any, engine: str, key: str) -> Outcome:
    choices = body.get("choices") if isinstance(body, Mapping) else None
    choice = choices[0] if choices else None
    if choice is None or choice["message"] is None:
        return Outcome(error_reply("the reply has no choice", engine), retryable=True)
    message = choice["message"]
    content, refusal, ended = message.get("content"), message.get("refusal"), choice.get("finish_reason")
    if not all(isinstance(text, str | None) for text in (content, refusal, ended)):
        raise TypeError(content)
    secret = key if len(key) >= SHORT else ""  # a dummy like `stop` or `1` would spoil the protocol's own words
    return Outcome(Reply(
        text=utf8(refusal or content or ""),
        finish_reason="refusal" if refusal else redact_line(ended or "stop", secret),
        prompt_tokens=_tokens(body, "prompt_tokens"),
        completion_tokens=_tokens(body, "completion_tokens"),
        logprobs=_logprobs(choice),
        engine=f"{engine} {redact_line(str(body.get('system_fingerprint') or ''), secret)}".strip(),
    ))  # fmt: skip


def _tokens(body: Mapping[str, Any], name: str) -> int | None:
    """A count of the server's usage; None where it gives none, or no whole number of a sane size."""
    usage = body.get("usage")
    count = usage.get(name) if isinstance(usage, Mapping) else None
    return count if type(count) is int and 0 <= count < MOST_TOKENS else None  # type, because True is an int


def log_probability(value: Any) -> float | None:
    """`value` if it is the logarithm of a probability above 0, or a rounding error above that of 1; else None."""
    sound = type(value) in (int, float) and -sys.float_info.max <= value <= ROUNDING
    return min(float(value), 0.0) if sound else None


def _logprobs(choice: Mapping[str, Any]) -> list[Any] | None:
    """[token, {alternative: logprob}] per position, the form the ledger keeps, without what is no log-probability."""
    content = (choice.get("logprobs") or {}).get("content")
    if not content:
        return None
    return [[utf8(at["token"]), dict(_alternatives(at.get("top_logprobs") or []))] for at in content]


def _alternatives(tops: list[Any]) -> Iterator[tuple[str, float]]:
    for top in tops:
        if (value := log_probability(top["logprob"])) is not None:
            yield utf8(top["token"]), round(value, 6)


def utf8(text: str) -> str:
    """`text` with '?' for half a surrogate pair, which JSON can hold and no file can."""
    return text.encode(errors="replace").decode()
