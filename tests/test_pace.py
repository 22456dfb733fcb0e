"""How many calls run at once, against servers whose latency is known, in a time that a busy machine cannot stretch."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from curation.calls.pace import Pace


class Simulated(asyncio.SelectorEventLoop):
    """A loop whose clock goes straight to the next thing that is due."""

    def __init__(self) -> None:
        self.now = 0.0
        super().__init__(selector := selectors.DefaultSelector())
        wait = selector.select

        def select(timeout: float | None = None) -> Any:
            self.now += timeout or 0.0
            return wait(0)

        selector.select = select  # type: ignore[method-assign]

    def time(self) -> float:
        return self.now


def simulated(work: Coroutine[Any, Any, Any]) -> Any:
    with asyncio.Runner(loop_factory=Simulated) as runner:
        return runner.run(work)


def peak(most: int, latency: Callable[[int], float], calls: int) -> Pace:
    """A pace after `calls` calls to a server that takes `latency(busy)` seconds each."""

    async def run() -> Pace:
        pace = Pace(most)

        async def one(entered: float) -> None:
            await asyncio.sleep(latency(pace.busy))
            pace.leave(entered)

        async with asyncio.TaskGroup() as group:
            for _ in range(calls):
                group.create_task(one(await pace.enter()))
        return pace

    return simulated(run())


def test_it_grows_to_the_limit_while_latency_holds() -> None:
    assert peak(64, lambda busy: 0.02, 1000).limit == 64


def test_it_stays_small_where_more_calls_only_wait_longer() -> None:
    """A server of two slots: sixteen calls at once take eight times as long each."""
    assert peak(64, lambda busy: 0.01 * max(busy, 2) / 2, 300).limit < 40


def test_a_limit_below_the_first_is_kept() -> None:
    assert peak(3, lambda busy: 0.001, 60).limit == 3


def test_an_overload_halves_it_once_for_all_that_were_under_way() -> None:
    async def run() -> list[int]:
        pace, seen = Pace(8), []
        entered = [await pace.enter() for _ in range(8)]
        await asyncio.sleep(0.001)
        for at in entered:
            pace.leave(at, overloaded=True)
            seen.append(pace.limit)
        pace.leave(await pace.enter(), overloaded=True)
        return [*seen, pace.limit]

    assert simulated(run()) == [4] * 8 + [2]


@pytest.mark.parametrize("pause", [0.0, 0.08])
def test_retry_after_holds_everyone_back(pause: float) -> None:
    async def run() -> float:
        pace = Pace(4)
        first = await pace.enter()
        pace.leave(first, overloaded=True, pause=pause)
        return await pace.enter() - first

    assert simulated(run()) >= pause


def test_a_limit_never_falls_below_one() -> None:
    async def run() -> int:
        pace = Pace(4)
        for _ in range(6):
            pace.leave(await pace.enter(), overloaded=True)
            await asyncio.sleep(0.001)
        return pace.limit

    assert simulated(run()) == 1
