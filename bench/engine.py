"""Calls per second against a server of 100 ms latency, 64 at once: the engine with its ledger, a bare httpx loop, a
plain instructor loop.

python -m bench.engine [CALLS]
"""

import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable

import httpx2 as httpx
from pydantic import BaseModel

from bench.server import running
from curation.calls import wire
from curation.calls.call import Call
from curation.calls.chat import HttpEngine
from curation.calls.endpoint import Endpoint
from curation.calls.ledger import Ledger, Params

LATENCY, CONCURRENCY, ROUNDS = 0.1, 64, 3
RUBRIC = "Rate the steps and the sums of a solution from 1 to 5. " * 20


class Ratings(BaseModel):
    steps: int
    sums: int


def make_calls(count: int) -> list[Call]:
    schema = Ratings.model_json_schema()
    system = {"role": "system", "content": RUBRIC}
    sampling = {"temperature": 0.0, "max_tokens": 64}
    return [
        Call("m", "r", [system, {"role": "user", "content": f"Solution {n}"}], sampling, 0, schema)
        for n in range(count)
    ]


def bench_endpoint(url: str) -> Endpoint:
    """Settings that lead to `url`, CONCURRENCY calls at once."""
    return Endpoint(
        base_url=url,
        engine="bench",
        api_key_env=None,
        concurrency=CONCURRENCY,
        timeout_s=30.0,
        max_retries=2,
        validation_retries=0,
    )


def ours(url: str, calls: list[Call]) -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        Ledger(Params(path=f"{folder}/l.sqlite", recorded=folder, offline=False, max_failed=0.0)) as ledger,
    ):
        replies = ledger.fulfil(calls, HttpEngine(bench_endpoint(url), Ratings), "judge", "bench")
        assert all(reply.error is None for reply in replies)


def bare(url: str, calls: list[Call]) -> None:
    async def main() -> None:
        waiting = iter([wire.request_body(call, Ratings, "json_schema") for call in calls])
        limits = httpx.Limits(max_connections=CONCURRENCY, max_keepalive_connections=CONCURRENCY)
        async with httpx.AsyncClient(timeout=30, limits=limits) as client:

            async def work() -> None:
                for body in waiting:
                    response = await client.post(f"{url}/chat/completions", json=body)
                    json.loads(response.content)

            await asyncio.gather(*(work() for _ in range(CONCURRENCY)))

    asyncio.run(main())


def plain_instructor(url: str, calls: list[Call]) -> None:
    import instructor
    from openai import AsyncOpenAI

    async def main() -> None:
        openai = AsyncOpenAI(base_url=url, api_key="none")
        client = instructor.from_openai(openai, mode=instructor.Mode.JSON_SCHEMA)
        places = asyncio.Semaphore(CONCURRENCY)

        async def send(call: Call) -> None:
            async with places:
                await client.chat.completions.create(
                    model=call.model, messages=call.messages, response_model=Ratings, **call.sampling
                )

        await asyncio.gather(*(send(call) for call in calls))
        await openai.close()

    asyncio.run(main())


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    calls = make_calls(count)
    loops: dict[str, Callable[[str, list[Call]], None]] = {
        "this engine, with its ledger": ours,
        "bare httpx loop": bare,
        "plain instructor loop": plain_instructor,
    }
    rates: dict[str, list[float]] = {name: [] for name in loops}
    with running(LATENCY) as url:
        for _ in range(ROUNDS):
            for name, loop in loops.items():
                started = time.perf_counter()
                loop(url, calls)
                rates[name].append(count / (time.perf_counter() - started))
    mine = statistics.median(rates["this engine, with its ledger"])
    print(
        f"\n{count} calls, {CONCURRENCY} at once, {1000 * LATENCY:.0f} ms each "
        f"(at best {CONCURRENCY / LATENCY:.0f} calls/s); median of {ROUNDS}"
    )
    for name, rounds in rates.items():
        rate = statistics.median(rounds)
        print(f"{name:32} {rate:6.0f} calls/s   engine / this: {mine / rate:.2f}")


if __name__ == "__main__":
    main()
