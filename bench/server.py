"""A chat server that answers after a fixed latency and counts what it answers, in a process of its own."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

RATINGS = json.dumps({"steps": 4, "sums": 5})


def body() -> bytes:
    message = {"role": "assistant", "content": RATINGS}
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
    usage = {"prompt_tokens": 200, "completion_tokens": 20, "total_tokens": 220}
    return json.dumps(
        {"id": "c", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice], "usage": usage}
    ).encode()


def serve(latency: float) -> None:
    """Answer on a free port, which is the first line of stdout, until the process ends."""
    from aiohttp import web

    answer, asked = body(), [0]

    async def count(_: web.Request) -> web.Response:
        return web.json_response(asked[0])

    async def chat(request: web.Request) -> web.Response:
        await request.read()
        asked[0] += 1
        await asyncio.sleep(latency)
        return web.Response(body=answer, content_type="application/json")

    async def main() -> None:
        application = web.Application()
        application.router.add_post("/v1/chat/completions", chat)
        application.router.add_get("/v1/count", count)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        print(runner.addresses[0][1], flush=True)
        await asyncio.Event().wait()

    asyncio.run(main())


@contextmanager
def running(latency: float) -> Iterator[str]:
    """The base URL of a server that runs meanwhile."""
    child = subprocess.Popen(
        [sys.executable, "-m", "bench.server", str(latency)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert child.stdout
        yield f"http://127.0.0.1:{int(child.stdout.readline())}/v1"
    finally:
        child.terminate()
        child.wait()


if __name__ == "__main__":
    serve(float(sys.argv[1]))
