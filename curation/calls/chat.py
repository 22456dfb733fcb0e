"""Calls to any server that speaks the OpenAI chat protocol: vllm, llama.cpp, a provider."""

import asyncio
import sys
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import replace
from typing import Any

from pydantic import BaseModel

from curation.calls import connection, wire
from curation.calls.call import Call, OnReply, Reply
from curation.calls.endpoint import LIMIT, Endpoint
from curation.calls.interrupt import draining
from curation.calls.pace import Pace, backoff
from curation.core.errors import CurationError

LONGEST_PAUSE = 600.0  # seconds that a server may ask to be left alone; a run that is asked for more ends
QUIET = 60.0  # seconds without a reply, after which a line says why, and again after each as many
MOST_FAILURES = 25  # so many calls in a row that fail in all their attempts end the run


class HttpEngine:
    """Sends calls to one server. What it learns of the server, its pace and the mode it takes, holds from one use to
    the next.

    With `schema`, one for all calls or a function that gives each call's, the request goes in the best mode that the
    server takes (`wire.MODES`). `model` is the server's name for the calls' model, where it has one of its own.
    """

    route = "/chat/completions"
    refused = "check model and api_key_env"  # the way out where the server refuses all calls

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
        self.url = endpoint.base_url.rstrip("/") + self.route
        self.pace = Pace(endpoint.concurrency)
        self.mode = 0  # of wire.MODES, the first in which a reply came
        self.reached = self.replied = False
        self.heard, self.last_error = 0.0, ""  # when a reply came, in the loop's seconds; what came since that is none

    def __call__(self, calls: Iterator[Call], on_reply: OnReply) -> None:
        """Send every call and give `on_reply` each attempt as it ends, errors included: a prompt that the server cannot
        take costs its own reply only.

        Ctrl-C starts no further call and waits for those under way. Raises CurationError where no call can succeed: no
        server at the address, a key or model that the server refuses, failure upon failure; KeyboardInterrupt after
        Ctrl-C.
        """
        self.key, self.on_reply, self.failures = self.endpoint.require_api_key(), on_reply, 0
        self.fatal: BaseException | None = None
        self.tasks: set[asyncio.Task[None]] = set()
        self.sending: set[asyncio.Task[Any] | None] = set()
        asyncio.run(self._send_all(calls))

    async def _send_all(self, calls: Iterator[Call]) -> None:
        import aiohttp

        headers = {"Authorization": f"Bearer {self.key or 'none'}"}
        pool = connection.connector()
        deadline = aiohttp.ClientTimeout(total=self.endpoint.timeout_s)
        loop = asyncio.get_running_loop()
        async with aiohttp.ClientSession(
            connector=pool,
            timeout=deadline,
            headers=headers,
            proxy=connection.proxy(self.url),
            auto_decompress=False,  # it has no limit
        ) as self.session:
            with draining(lambda again: loop.call_soon_threadsafe(self._interrupt, again)):
                reports = asyncio.create_task(self._report_silence())
                self._start_task(self._start_calls(calls))
                while self.tasks:
                    await asyncio.wait(self.tasks)
                reports.cancel()
        if self.fatal:
            raise self.fatal

    def _start_task(self, work: Coroutine[Any, Any, None]) -> None:
        """Do `work` beside the rest; an error in it ends the run."""

        async def stop_on_error() -> None:
            try:
                await work
            except BaseException as error:
                self.stop(error)

        task = asyncio.create_task(stop_on_error())
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        task.add_done_callback(lambda _: work.close())  # or Python warns of one that was cancelled before it began

    def stop(self, why: BaseException, drop: bool = False) -> None:
        """Start no further attempt. Those under way are waited for, unless `drop`. The first reason is the one that
        is raised."""
        self.fatal = self.fatal or why
        for task in self.tasks - (set() if drop else self.sending) - {asyncio.current_task()}:
            task.cancel()

    def _interrupt(self, again: bool) -> None:
        if not again:
            line = f"waiting for {len(self.sending)} calls under way; Ctrl-C again drops them"
            print(line, file=sys.stderr, flush=True)
        self.stop(KeyboardInterrupt(), drop=again)

    async def _report_silence(self) -> None:
        """Say why no reply comes, each QUIET seconds without one."""
        clock = asyncio.get_running_loop().time
        self.heard = began = clock()
        while True:
            due = max(self.heard, began) + QUIET
            if (left := due - clock()) > 0:
                await asyncio.sleep(left)
                continue
            began = clock()
            print(f"{self.endpoint.base_url}: {self._why_silent(began)}", file=sys.stderr, flush=True)

    def _why_silent(self, now: float) -> str:
        minutes = f"no reply for {(now - self.heard) / 60:.3g} min"
        last = f"; the last answer was {self.last_error}" if self.last_error else ""
        if self.pace.not_before > now:
            return f"{minutes}: the server asks to be left alone for {self.pace.not_before - now:.0f} s more{last}"
        return f"{minutes}, {len(self.sending)} calls under way{last}"

    async def _start_calls(self, calls: Iterator[Call]) -> None:
        """Start a task for each call while there is room."""
        while True:
            entered = await self.pace.enter()
            call = next(calls, None)
            if call is None:
                return self.pace.give_back()
            self._start_task(self._attempt(call, entered))

    async def _attempt(self, call: Call, entered: float) -> None:
        """Attempt `call` until a reply stands."""
        retries, repairs = self.endpoint.max_retries, self.endpoint.validation_retries
        messages, at, schema = call.messages, self.mode, self.schema_of(call)
        while True:
            mode = wire.MODES[at]
            outcome, pause = await self._send(call, self._request_body(call, schema, mode, messages), entered)
            reply = replace(outcome.reply, mode=mode if schema else "")
            self.last_error = reply.error or ""
            if reply.error is None:
                self.heard = asyncio.get_running_loop().time()
                self.mode = self.mode if self.replied else at
                self.failures, self.replied = 0, True
                if not repairs or not (error := wire.find_schema_error(schema, reply)):
                    return self.on_reply(call, reply)
                repairs -= 1
                misfit = f"not of the schema: {error.error_count()} error(s)"
                self.on_reply(call, replace(reply, error=misfit, last=False))
                messages = wire.reask(messages, mode, reply.text or "", error)
            elif schema and (following := self._following_mode(outcome, at)) is not None:
                at = following
                self.on_reply(call, replace(reply, last=False))
            elif outcome.retryable and retries and not self.fatal:
                retries -= 1
                self.on_reply(call, replace(reply, last=False))
                await asyncio.sleep(backoff(call.key, self.endpoint.max_retries - retries, pause))
            else:
                return self._give_up(call, outcome, reply)
            entered = await self.pace.enter()

    def _request_body(
        self, call: Call, schema: type[BaseModel] | None, mode: wire.Mode, messages: list[dict[str, Any]]
    ) -> dict[str, Any]:
        body = self.endpoint.word(wire.request_body(call, schema, mode, messages))
        return body | {"model": self.model} if self.model else body

    def _read_response(self, call: Call, response: connection.Response) -> wire.Outcome:
        return wire.read_response(response.status, response.body, self.endpoint.engine, self.key)

    async def _send(self, call: Call, body: dict[str, Any], entered: float) -> tuple[wire.Outcome, float]:
        """One attempt, and for how many seconds the server asks to be left alone."""
        import aiohttp

        pause = 0.0
        self.sending.add(asyncio.current_task())
        try:
            response = await connection.post(self.session, self.url, body)
            self.reached, self.url = True, response.url
            outcome = self._read_response(call, response)
            if outcome.retryable:
                pause = self._pause(connection.retry_after(response.headers))
        except CurationError as error:  # a redirect, whose text the server chose
            raise CurationError(wire.redact_line(str(error), self.key)) from None
        except connection.BadBody as error:
            outcome = self._no_response(str(error), retryable=False)
        except TimeoutError:
            outcome = self._no_response(f"no reply within {self.endpoint.timeout_s:g} s")
        except (aiohttp.ClientProxyConnectionError, aiohttp.ClientHttpProxyError) as error:
            if not self.reached:
                raise CurationError(connection.proxy_fault(self.endpoint.base_url, error)) from None
            outcome = self._no_response("the proxy does not answer")
        except aiohttp.ClientConnectorError:
            if not self.reached:
                raise CurationError(
                    f"{self.endpoint.base_url}: no server answers; start one that serves {self.model or call.model}, "
                    "or import a ledger with its replies"
                ) from None
            outcome = self._no_response("no server answers")
        except (aiohttp.ClientError, OSError):
            outcome = self._no_response("the connection broke before the reply was whole")
        finally:
            self.sending.discard(asyncio.current_task())
        overloaded = outcome.status in wire.OVERLOADED
        self.pace.leave(entered, overloaded, pause if overloaded else 0.0)
        return outcome, pause

    def _pause(self, seconds: float) -> float:
        """`seconds`, which the server asks to be left alone for; the run ends where that is too long."""
        if seconds > LONGEST_PAUSE:
            self.stop(
                CurationError(
                    f"{self.endpoint.base_url}: the server asks to be left alone for {min(seconds, 1e9):.0f} s "
                    f"(Retry-After), and a run waits for {LONGEST_PAUSE:.0f} s at most; run again after that"
                )
            )
        return min(seconds, LONGEST_PAUSE)

    def _no_response(self, error: str, retryable: bool = True) -> wire.Outcome:
        return wire.Outcome(wire.error_reply(error, self.endpoint.engine), retryable, status=0)

    def _following_mode(self, outcome: wire.Outcome, at: int) -> int | None:
        """The mode to try after `at` where the server may have refused the form of the request and not the call: the
        one in which a reply came to another call meanwhile, or the next where none came yet. None if there is none."""
        following = self.mode if self.replied else at + 1
        return following if outcome.status in wire.UNKNOWN_FORM and at < following < len(wire.MODES) else None

    def _give_up(self, call: Call, outcome: wire.Outcome, reply: Reply) -> None:
        self.on_reply(call, reply)
        server = f"{self.endpoint.base_url}: {self.model or call.model}"
        if outcome.status in wire.REFUSED:
            self.stop(CurationError(f"{server}: {reply.error}; {self.refused}"))
        if outcome.status in wire.UNKNOWN_FORM and LIMIT in (reply.error or "") and self.endpoint.dialect is None:
            self.stop(CurationError(f"{server}: {reply.error}; set endpoint.dialect: openai_reasoning"))
        self.failures += outcome.retryable or not self.replied
        if self.failures >= MOST_FAILURES:
            why = f"{MOST_FAILURES} calls in a row failed, the last with {reply.error}; run again to go on"
            self.stop(CurationError(f"{server}: {why}"))
