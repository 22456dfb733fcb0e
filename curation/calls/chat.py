"""Calls to any server that speaks the OpenAI chat protocol: vllm, llama.cpp, a provider."""

import asyncio
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import replace
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, Field

from curation.calls import connection, wire
from curation.calls.call import Call, OnReply, Reply
from curation.calls.pace import Pace
from curation.core.errors import CurationError
from curation.core.params import Natural, Positive, Strict

FIRST_WAIT, LONGEST_WAIT = 0.5, 60.0  # seconds before a second attempt, doubled for each further one
HOPELESS = 25  # so many calls in a row that fail in all their attempts end the run


def _address(url: str) -> str:
    if not url.startswith(("http://", "https://")):
        raise ValueError(f"{url!r} is no address; write it as http://HOST:PORT/v1")
    return url


class Endpoint(Strict):
    """Where a model is served, by what engine and version. None of this is part of a call's key.

    `api_key_env` names an environment variable, or is null. At most `concurrency` calls run at once, fewer while the
    server is not up to it. An attempt that has no whole reply after `timeout_s` is given up. What may pass (overload, a
    broken connection, no reply in time) is tried `max_retries` times more; a reply that is not of the asked shape is
    shown to the model `validation_retries` times.
    """

    base_url: Annotated[str, AfterValidator(_address)]
    engine: str
    api_key_env: str | None
    concurrency: Positive
    timeout_s: Annotated[float, Field(gt=0)]
    max_retries: Natural
    validation_retries: Natural

    def key(self) -> str:
        """The API key in the environment, "" where there is none."""
        return os.environ.get(self.api_key_env or "", "").strip()


class HttpEngine:
    """Sends calls to one server. What it learns of the server, its pace and the mode it takes, holds from one use to
    the next.

    With `schema`, one for all calls or what gives each call's, the request goes in the best mode that the server takes
    (`wire.MODES`). `model` is the server's name for the calls' model, where it has one of its own.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        schema: type[BaseModel] | Callable[[Call], type[BaseModel]] | None = None,
        model: str | None = None,
    ) -> None:
        self.endpoint, self.model = endpoint, model
        self.schema_of: Callable[[Call], type[BaseModel] | None] = (
            (lambda _: schema) if schema is None or isinstance(schema, type) else schema
        )
        self.url = endpoint.base_url.rstrip("/") + "/chat/completions"
        self.pace = Pace(endpoint.concurrency)
        self.mode = 0  # of wire.MODES, the first in which a reply came
        self.reached = self.answered = False

    def __call__(self, calls: Iterator[Call], heard: OnReply) -> None:
        """Send every call and give `heard` each attempt as it ends, errors included, so one poisoned prompt costs one
        reply.

        Ctrl-C starts no further call and waits for those under way. Raises CurationError where no call can succeed: no
        server at the address, a key or model the server refuses, failure upon failure; KeyboardInterrupt after Ctrl-C.
        """
        self.key, self.hear, self.failures = _api_key(self.endpoint), heard, 0
        self.fatal: BaseException | None = None
        self.tasks: set[asyncio.Task[None]] = set()
        self.sending: set[asyncio.Task[Any] | None] = set()
        asyncio.run(self._all(calls))

    async def _all(self, calls: Iterator[Call]) -> None:
        import aiohttp

        headers = {"Authorization": f"Bearer {self.key or 'none'}"}
        pool = connection.connections()
        deadline = aiohttp.ClientTimeout(total=self.endpoint.timeout_s)
        async with aiohttp.ClientSession(
            connector=pool, timeout=deadline, headers=headers, proxy=connection.proxy(self.url)
        ) as self.session:
            with _draining(self):
                self._task(self._start(calls))
                while self.tasks:
                    await asyncio.wait(self.tasks)
        if self.fatal:
            raise self.fatal

    def _task(self, work: Coroutine[Any, Any, None]) -> None:
        """Do `work` beside the rest; an error in it ends the run."""

        async def guarded() -> None:
            try:
                await work
            except BaseException as error:
                self.stop(error)

        task = asyncio.create_task(guarded())
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        task.add_done_callback(lambda _: work.close())  # one that was cancelled before it began would be warned of

    def stop(self, why: BaseException, drop: bool = False) -> None:
        """Start no further attempt. Those under way are waited for, unless `drop`. The first reason is the one that
        is raised."""
        self.fatal = self.fatal or why
        for task in self.tasks - (set() if drop else self.sending) - {asyncio.current_task()}:
            task.cancel()

    async def _start(self, calls: Iterator[Call]) -> None:
        """Start a task a call while there is room."""
        while True:
            entered = await self.pace.enter()
            call = next(calls, None)
            if call is None:
                return self.pace.give_back()
            self._task(self._attempts(call, entered))

    async def _attempts(self, call: Call, entered: float) -> None:
        """Attempt `call` until a reply stands."""
        retries, repairs, messages, at = (
            self.endpoint.max_retries,
            self.endpoint.validation_retries,
            call.messages,
            self.mode,
        )
        schema = self.schema_of(call)
        while True:
            mode = wire.MODES[at]
            outcome, pause = await self._send(call, self._body(call, schema, mode, messages), entered)
            reply = replace(outcome.reply, mode=mode if schema else "")
            if reply.error is None:
                self.mode = self.mode if self.answered else at
                self.failures, self.answered = 0, True
                if not repairs or not (error := _misfit(schema, reply)):
                    return self.hear(call, reply)
                repairs -= 1
                self.hear(call, replace(reply, error=f"not of the schema: {error.error_count()} error(s)", last=False))
                messages = wire.reask(messages, mode, reply.text or "", error)
            elif schema and self._try_another_mode(outcome, at):
                at += 1
                self.hear(call, replace(reply, last=False))
            elif outcome.retryable and retries and not self.fatal:
                retries -= 1
                self.hear(call, replace(reply, last=False))
                await asyncio.sleep(self._wait(call, self.endpoint.max_retries - retries, pause))
            else:
                return self._give_up(call, outcome, reply)
            entered = await self.pace.enter()

    def _body(
        self, call: Call, schema: type[BaseModel] | None, mode: wire.Mode, messages: list[dict[str, Any]]
    ) -> dict[str, Any]:
        body = wire.request_body(call, schema, mode, messages)
        return body | {"model": self.model} if self.model else body

    async def _send(self, call: Call, body: dict[str, Any], entered: float) -> tuple[wire.Outcome, float]:
        """One attempt, and how long the server asks to be left alone."""
        import aiohttp

        pause, broke = 0.0, "the connection broke before the reply was whole"
        self.sending.add(asyncio.current_task())
        try:
            async with self.session.post(self.url, json=body) as response:
                payload = await response.read()
                pause = connection.retry_after(response.headers.get("Retry-After"))
            outcome = wire.read_response(response.status, payload, self.endpoint.engine, self.key)
            self.reached = True
        except TimeoutError:
            outcome = wire.Outcome(
                wire.error_reply(f"no reply within {self.endpoint.timeout_s:g} s", self.endpoint.engine),
                retryable=True,
                status=0,
            )
        except aiohttp.ClientConnectorError:
            if not self.reached:
                raise CurationError(f"{self.endpoint.base_url}: no server answers; start one that serves {self.model or call.model}, "
                                    "or import a ledger with its replies") from None  # fmt: skip
            outcome = wire.Outcome(wire.error_reply("no server answers", self.endpoint.engine), retryable=True, status=0)
        except (aiohttp.ClientError, OSError):
            outcome = wire.Outcome(wire.error_reply(broke, self.endpoint.engine), retryable=True, status=0)
        finally:
            self.sending.discard(asyncio.current_task())
        overloaded = outcome.status in wire.OVERLOADED
        self.pace.leave(entered, overloaded, pause if overloaded else 0.0)
        return outcome, pause

    def _try_another_mode(self, outcome: wire.Outcome, at: int) -> bool:
        """Whether the server may have refused the wording and not the call: no reply came in any mode yet, and there
        is a next one."""
        return not self.answered and outcome.status in wire.UNKNOWN_FORM and at + 1 < len(wire.MODES)

    def _wait(self, call: Call, retry: int, pause: float) -> float:
        """Seconds before the next attempt: what the server asks for, else doubled each time; then up to half as long
        again, by the call's key."""
        return (pause or min(FIRST_WAIT * 2 ** (retry - 1), LONGEST_WAIT)) * (1 + int(call.key[:8], 16) / 2**33)

    def _give_up(self, call: Call, outcome: wire.Outcome, reply: Reply) -> None:
        self.hear(call, reply)
        where = f"{self.endpoint.base_url}: {self.model or call.model}"
        if outcome.status in wire.REFUSED:
            self.stop(CurationError(f"{where}: {reply.error}; check model and api_key_env"))
        self.failures += outcome.retryable or not self.answered
        if self.failures >= HOPELESS:
            self.stop(
                CurationError(
                    f"{where}: {HOPELESS} calls in a row failed, the last with {reply.error}; run again to go on"
                )
            )


def _misfit(schema: type[BaseModel] | None, reply: Reply) -> Any:
    """Why a whole reply is not of the schema; None where there is none, or the reply was cut or refused and another
    would be too."""
    return wire.find_schema_error(schema, reply.text or "", reply.mode) if schema and reply.finish_reason == "stop" else None


class _draining:
    """While it lasts, the first Ctrl-C lets what is under way finish and the second drops it."""

    def __init__(self, run: HttpEngine) -> None:
        self.run, self.again, self.here = run, False, threading.current_thread() is threading.main_thread()

    def __enter__(self) -> None:
        if self.here:
            asyncio.get_running_loop().add_signal_handler(signal.SIGINT, self._interrupted)

    def __exit__(self, *_: object) -> None:
        if self.here:
            asyncio.get_running_loop().remove_signal_handler(signal.SIGINT)

    def _interrupted(self) -> None:
        if not self.again:
            print(
                f"waiting for {len(self.run.sending)} calls under way; Ctrl-C again drops them",
                file=sys.stderr,
                flush=True,
            )
        self.run.stop(KeyboardInterrupt(), drop=self.again)
        self.again = True


def _api_key(endpoint: Endpoint) -> str:
    """The key from the environment, or "" where the server wants none. Raises CurationError if it is missing, or no
    request can carry it as it is."""
    key, where = endpoint.key(), f"{endpoint.base_url}: the environment variable {endpoint.api_key_env} (api_key_env)"
    if endpoint.api_key_env is not None and not key:
        raise CurationError(f"{where} is not set; export it")
    if not re.fullmatch("[!-~]*", key):  # the value is not shown; aiohttp would end in a traceback, or send other bytes
        raise CurationError(
            f"{where} holds white space or a character beyond ASCII, which no key has; export the key alone"
        )
    return key
