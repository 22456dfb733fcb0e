"""The OpenAI chat protocol: a call as a request body, a response as a reply, and which failures may pass."""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, Literal, NamedTuple, TypeAlias

from pydantic import BaseModel, ValidationError

from curation.calls.call import Call, Reply
from curation.calls.foreign import decode, read_count, read_json, utf8
from curation.calls.message import SPARE_TOKENS, UNSHOWN, Unreadable, keep_fields, read_choice
from curation.calls.redaction import SHORT, redact
from curation.calls.structured import json_in
from curation.calls.tool_calls import for_server

Mode: TypeAlias = Literal["json_schema", "json_object", "prompt"]
# constrained decoding first, the schema as mere words last
MODES: tuple[Mode, ...] = ("json_schema", "json_object", "prompt")
RETRYABLE = (408, 409, 425, 429, 500, 502, 503, 504, 529)
OVERLOADED = (429, 503, 529)
UNKNOWN_FORM = (400, 415, 422, 501)  # the request may be in a form that the server does not know
REFUSED = (401, 403, 404)  # no call to this server can succeed
NOT_TEXT = ("error", "reasoning", "refusal", "tool_calls", "logprobs", "rest")  # of a reply: what tokens may stand in
LONGEST = 300  # characters of a server's error


class Outcome(NamedTuple):
    """What one attempt came to. `retryable`: the same attempt may succeed later. `status` is HTTP's, 0 where there was
    none."""

    reply: Reply
    retryable: bool = False
    status: int = 200


Read: TypeAlias = Callable[[Any, str, str], Outcome]  # of a good body, the engine's name and the API key


def request_body(
    call: Call, schema: type[BaseModel] | None, mode: Mode, messages: Sequence[dict[str, Any]] = ()
) -> dict[str, Any]:
    """The request body of `call`; with `schema`, as instructor words it for `mode`. `messages` stand in for the call's
    own."""
    # top_k 0, no cut, is an error to some servers
    sampling = {name: value for name, value in call.sampling.items() if name != "top_k" or value}
    body = {"model": call.model, "messages": [*map(for_server, messages or call.messages)], **sampling}
    if call.tools:
        body["tools"] = call.tools
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


def find_schema_error(schema: type[BaseModel] | None, reply: Reply) -> ValidationError | None:
    """Why a whole reply does not fit the schema. None where it does, where there is no schema, and where the reply was
    truncated or refused, because the next one would be too."""
    if schema is None or reply.finish_reason != "stop":
        return None
    try:
        schema.model_validate_json(json_in(reply.text or "", reply.mode))
    except ValidationError as error:
        return error
    return None


def reask(messages: list[dict[str, Any]], mode: Mode, text: str, error: ValidationError) -> list[dict[str, Any]]:
    """The messages, and after them the model's reply and what is wrong with it, as instructor words it."""
    from openai.types.chat import ChatCompletion

    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
    response = ChatCompletion.model_validate(
        {"id": "", "object": "chat.completion", "created": 0, "model": "", "choices": [choice]}
    )
    kwargs = {"messages": list(messages)}
    return list(_instructor(mode).reask_handler(kwargs=kwargs, response=response, exception=error)["messages"])


def read_response(status: int, payload: bytes, engine: str, key: str = "", read: Read | None = None) -> Outcome:
    """What a response says: a model's words as they are, a server's error without the API key. `read` reads a body that
    is neither an error nor a chat completion."""
    try:
        body = read_json(payload)
    except ValueError as error:
        text = decode(payload)
        if 200 <= status < 300:
            said = "the body nests too deeply" if "deeply" in str(error) else "the body is not JSON"
            return no_reply_in(said, text, engine, key)
        body = text
    return read_body(status, body, engine, key, read)


def read_body(status: int, body: Any, engine: str, key: str = "", read: Read | None = None) -> Outcome:
    """What a response with this JSON body says."""
    if not 200 <= status < 300:
        error = f"HTTP {status}: {_error_message(body, key)}"
        return Outcome(error_reply(error, engine), status in RETRYABLE, status)
    if isinstance(body, Mapping) and body.get("error"):
        return _server_error(body, engine, key)
    return (read or _read_completion)(body, engine, key)


def _read_completion(body: Any, engine: str, key: str) -> Outcome:
    """What a chat completion says."""
    choices, notes = body.get("choices") if isinstance(body, Mapping) else None, list[str]()
    if choices and not isinstance(choices, list):
        return no_reply_in("the body is not a chat completion", body, engine, key)._replace(retryable=False)
    if not choices or choices[0] is None:
        said = isinstance(body, Mapping) and not choices and _own_words(body)
        return _server_error(body, engine, key) if said else no_reply_in("the reply has no choice", body, engine, key)
    if len(choices) > 1:
        notes.append(f"{len(choices)} choices came, the first is kept")
    choice = choices[0]
    if isinstance(choice, Mapping) and choice.get("error"):
        return _server_error(choice, engine, key)
    if not isinstance(choice, Mapping) or not isinstance(choice.get("message"), Mapping):
        return no_reply_in("the reply has no message", body, engine, key)
    reply = _read_choice(choice, body, engine, key if len(key) >= SHORT else "", notes)
    return Outcome(reply, retryable=reply.error is not None)


def error_reply(error: str, engine: str) -> Reply:
    """A reply that is an error."""
    return Reply(None, "error", error=error, engine=engine)


def no_reply_in(why: str, body: Any, engine: str, key: str) -> Outcome:
    """A good status whose body holds no reply, with the start of the body: it may say what the server has to say in
    words that no protocol has."""
    return _no_reply(f"{why}: {redact_line(body if isinstance(body, str) else json.dumps(body), key)}", engine)


def _no_reply(error: str, engine: str) -> Outcome:
    return Outcome(error_reply(error.removesuffix(": "), engine), retryable=True)


def _server_error(body: Mapping[str, Any], engine: str, key: str) -> Outcome:
    """A good status whose body is an error: the server's own words, and its own status where that is an overload."""
    inner = body.get("error")
    code = inner.get("code") if isinstance(inner, Mapping) else None
    status = code if type(code) is int and code in OVERLOADED else 200
    return _no_reply(f"HTTP 200: {_error_message(body, key)}", engine)._replace(status=status)


def redact_line(text: str, key: str) -> str:
    """A server's error as one line of LONGEST characters that terminals and tables can hold, without the API key. The
    key is taken out before the line is cut, or a part of it could be left."""
    printable = "".join(char if char.isprintable() else " " for char in utf8(text))
    return redact(" ".join(printable.split()), key)[:LONGEST]


def _error_message(body: Any, key: str) -> str:
    """The server's own words, else the start of the body."""
    return redact_line(str(_own_words(body) or (body if isinstance(body, str) else json.dumps(body))), key)


def _own_words(body: Any) -> Any:
    """OpenAI's `error.message`, others' `message` or `detail`, or an `error` that is a text."""
    inner = body.get("error") or body if isinstance(body, Mapping) else body
    return (inner.get("message") or inner.get("detail")) if isinstance(inner, Mapping) else inner


def _read_choice(
    choice: Mapping[str, Any], body: Mapping[str, Any], engine: str, secret: str, notes: list[str]
) -> Reply:
    """The reply that a choice is. `secret` is taken out of the server's own words in it; it is "" where the key is a
    dummy like `stop` or `1`, which would spoil them."""
    try:
        fields = read_choice(choice, notes)
    except Unreadable as error:  # its tokens were paid for
        whole = keep_fields(choice["message"], notes)
        fields = {"text": None, "finish_reason": "error", "error": str(error), "rest": whole}
    usage, ending, fingerprint = body.get("usage"), fields.pop("finish_reason"), body.get("system_fingerprint")
    if not isinstance(fingerprint, str | None):
        notes.append("unusable system_fingerprint dropped")
        fingerprint = None
    prompt_tokens, completion_tokens, reasoning_tokens = _read_usage(usage if isinstance(usage, Mapping) else {})
    if reasoning_tokens is None and not notes and not any(fields.get(name) for name in NOT_TEXT):
        said = len(text.encode(errors="replace")) if isinstance(text := fields["text"], str) else 0
        if (read_count(completion_tokens) or 0) > said + SPARE_TOKENS:
            notes.append(UNSHOWN)
    return Reply(
        **fields,
        finish_reason=redact_line(ending, secret) if isinstance(ending, str) else ending,
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
        reasoning_tokens=reasoning_tokens,
        cached_tokens=_read_cached(usage if isinstance(usage, Mapping) else {}),
        engine=f"{engine} {redact_line(fingerprint or '', secret)}".strip(),
        note="; ".join(notes) or None,
    )


def _read_cached(usage: Mapping[str, Any]) -> int | None:
    """The tokens of the prompt that the server had kept from another call, as OpenAI counts them or as DeepSeek does;
    None where it does not say, or says more than there are."""
    details = usage.get("prompt_tokens_details")
    said = details.get("cached_tokens") if isinstance(details, Mapping) else usage.get("prompt_cache_hit_tokens")
    cached = read_count(said)
    return cached if cached is not None and cached <= (read_count(usage.get("prompt_tokens")) or 0) else None


def _read_usage(usage: Mapping[str, Any]) -> tuple[Any, Any, int | None]:
    """The tokens of the prompt, of all that was said, and of what was thought among that; None where the server does
    not say. Most servers count the thoughts among the completion's tokens. Where the sum shows that one does not, they
    are added: they are paid for."""
    prompt, completion, details = (
        usage.get(name) for name in ("prompt_tokens", "completion_tokens", "completion_tokens_details")
    )
    apart = details.get("reasoning_tokens") if isinstance(details, Mapping) else None
    counts = [read_count(value) for value in (prompt, completion, usage.get("reasoning_tokens", apart))]
    thought, known = counts[-1], [count for count in counts if count is not None]
    if thought and len(known) == len(counts) and usage.get("total_tokens") == sum(known):
        completion = sum(known[1:])
    return prompt, completion, thought
