"""Calls to any server that speaks the OpenAI chat protocol: vllm, llama.cpp, a provider."""

import asyncio
import logging
import os
from typing import Annotated, Any

from pydantic import BaseModel, Field

from curation.errors import CurationError
from curation.ledger import Call, Heard, Reply
from curation.params import Natural, Positive, Strict

BROKEN = ("ReadError", "WriteError", "RemoteProtocolError")  # the client's names for a server that was there and hung up


class Endpoint(Strict):
    """Where a model is served, by what engine and version. None of this is part of a call's key.

    `api_key_env` names an environment variable, or is null.
    """

    base_url: str
    engine: str
    api_key_env: str | None
    concurrency: Positive
    timeout_s: Annotated[float, Field(gt=0)]
    max_retries: Natural


def ask(endpoint: Endpoint, calls: list[Call], heard: Heard, schema: type[BaseModel] | None = None) -> None:
    """Send every call and give `heard` each reply as it comes, errors included, so one poisoned prompt costs one reply.

    With `schema` the request goes through instructor in JSON-schema mode; the raw text is kept, the caller parses it.
    Raises CurationError where no call can succeed: no server at the address, or a key or model the server refuses.
    """
    asyncio.run(_ask_all(endpoint, calls, heard, schema))


async def _ask_all(endpoint: Endpoint, calls: list[Call], heard: Heard, schema: type[BaseModel] | None) -> None:
    from openai import AsyncOpenAI

    client = AsyncOpenAI(base_url=endpoint.base_url, api_key=_api_key(endpoint), timeout=endpoint.timeout_s, max_retries=endpoint.max_retries)
    waiting = iter(calls)

    async def work() -> None:
        for call in waiting:
            heard(call, await _ask_one(client, endpoint, call, schema))

    workers = [asyncio.create_task(work()) for _ in range(min(endpoint.concurrency, len(calls)))]
    try:
        await asyncio.gather(*workers)
    finally:
        for worker in workers:
            worker.cancel()
        await client.close()


def _api_key(endpoint: Endpoint) -> str:
    if endpoint.api_key_env is None:
        return "none"
    if not os.environ.get(endpoint.api_key_env):
        raise CurationError(f"{endpoint.base_url}: the environment variable {endpoint.api_key_env} (api_key_env) is not set; export it")
    return os.environ[endpoint.api_key_env].strip()


async def _ask_one(client: Any, endpoint: Endpoint, call: Call, schema: type[BaseModel] | None) -> Reply:
    import openai

    try:
        completion = await _send(client, call, schema)
    except (openai.AuthenticationError, openai.PermissionDeniedError, openai.NotFoundError) as error:
        raise CurationError(f"{endpoint.base_url}: {call.model}: HTTP {error.status_code}: {_message(error, endpoint)}; check model and api_key_env") from None
    except openai.APITimeoutError:
        return Reply(None, "error", error=f"no reply within {endpoint.timeout_s} s", engine=endpoint.engine)
    except openai.APIConnectionError as error:
        if type(error.__cause__).__name__ in BROKEN:
            return Reply(None, "error", error="the connection broke before the reply was whole", engine=endpoint.engine)
        raise CurationError(f"{endpoint.base_url}: no server answers; start one that serves {call.model}, or import a ledger with its replies") from None
    except openai.APIStatusError as error:
        return Reply(None, "error", error=f"HTTP {error.status_code}: {_message(error, endpoint)}", engine=endpoint.engine)
    except (openai.APIError, ValueError):
        return Reply(None, "error", error="the body is not JSON", engine=endpoint.engine)
    try:
        return _reply(completion, endpoint)
    except (AttributeError, TypeError, LookupError):
        return Reply(None, "error", error="the body is not a chat completion", engine=endpoint.engine)


async def _send(client: Any, call: Call, schema: type[BaseModel] | None) -> Any:
    request = {"model": call.model, "messages": call.messages, **call.sampling}
    if top_k := request.pop("top_k", 0):  # not OpenAI's own, but every local server knows it
        request["extra_body"] = {"top_k": top_k}
    if schema is None:
        return await client.chat.completions.create(**request)
    import instructor
    from instructor.core import InstructorError

    logging.getLogger("instructor").setLevel(logging.CRITICAL)  # it logs whole bodies at ERROR
    seen: list[Any] = []
    failure: BaseException | None = None
    structured = instructor.from_openai(client, mode=instructor.Mode.JSON_SCHEMA)
    structured.on("completion:response", seen.append)
    try:
        await structured.chat.completions.create(response_model=schema, max_retries=0, strict=True, **request)
    except InstructorError as error:  # a cut or malformed reply is a reply
        failure = _cause(error)
    if failure is not None and not seen:
        raise failure
    return seen[-1]


def _cause(error: BaseException) -> BaseException:
    """The client's own error inside instructor's."""
    import openai

    inner: BaseException | None = error
    while inner is not None and not isinstance(inner, openai.APIError):
        inner = inner.__cause__ or inner.__context__
    return inner or ValueError("no reply")


def _message(error: Any, endpoint: Endpoint) -> str:
    """The server's own words on one line, without the key should it have echoed it."""
    body = error.body if isinstance(error.body, dict) else {}
    said = " ".join(str(body.get("message") or error.message).split())
    return (said.replace(_api_key(endpoint), "[key]") if endpoint.api_key_env else said)[:300]


def _reply(completion: Any, endpoint: Endpoint) -> Reply:
    choice = completion.choices[0] if getattr(completion, "choices", None) else None
    if choice is None or choice.message is None:
        return Reply(None, "error", error="the reply has no choice", engine=endpoint.engine)
    refusal = getattr(choice.message, "refusal", None)
    usage = completion.usage
    return Reply(
        text=_utf8(refusal or choice.message.content or ""),
        finish_reason="refusal" if refusal else choice.finish_reason or "stop",
        prompt_tokens=usage.prompt_tokens if usage else None,
        completion_tokens=usage.completion_tokens if usage else None,
        logprobs=_logprobs(choice),
        engine=f"{endpoint.engine} {completion.system_fingerprint or ''}".strip(),
    )


def _logprobs(choice: Any) -> list[Any] | None:
    """[token, {alternative: logprob}] per position, the form the ledger keeps."""
    content = choice.logprobs.content if choice.logprobs else None
    if not content:
        return None
    return [[_utf8(at.token), {_utf8(top.token): round(top.logprob, 6) for top in at.top_logprobs or []}] for at in content]


def _utf8(text: str) -> str:
    """`text` with '?' for half a surrogate pair, which JSON can hold and no file can."""
    return text.encode(errors="replace").decode()
