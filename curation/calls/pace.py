"""How many calls run at once: more while that raises throughput, fewer when the server is overloaded."""

import asyncio
from collections import deque

START = 8
PAYS = 1.1  # a step up must raise throughput by a tenth to be followed by another
HOLDS = 1.25  # how much latency may rise before the limit stays where it is
FIRST_WAIT, LONGEST_WAIT = 0.5, 60.0  # seconds before the second attempt, doubled for each one after it


class Pace:
    """Admits calls up to a limit that never exceeds `most`.

    The limit doubles while that raises throughput, then grows by one for each round in which latency holds. An overload
    halves it, once for all the calls that were under way, and a server's Retry-After holds every call back.
    """

    def __init__(self, most: int) -> None:
        self.most, self.limit, self.busy = most, min(most, START), 0
        self.doubling, self.throughput, self.latency = True, 0.0, 0.0
        self.spent, self.count = 0.0, 0  # seconds and calls of this round
        self.not_before = self.cut_at = 0.0
        self.waiting: deque[asyncio.Future[None]] = deque()

    async def enter(self) -> float:
        """Wait for a place. Returns the time it was taken, in the loop's seconds."""
        clock = asyncio.get_running_loop()
        while True:
            if (pause := self.not_before - clock.time()) > 0:
                await asyncio.sleep(pause)
            elif self.busy < self.limit:
                self.busy += 1
                return clock.time()
            else:
                turn: asyncio.Future[None] = clock.create_future()
                self.waiting.append(turn)
                await turn

    def give_back(self) -> None:
        """Leave a place unused."""
        self.busy -= 1
        for _ in range(min(self.limit - self.busy, len(self.waiting))):
            turn = self.waiting.popleft()
            if not turn.done():
                turn.set_result(None)

    def leave(self, entered: float, overloaded: bool = False, pause: float = 0.0) -> None:
        """Leave the place after a call. `pause` is the server's own Retry-After, in seconds."""
        now = asyncio.get_running_loop().time()
        self.not_before = max(self.not_before, now + pause)
        if overloaded:
            self.doubling = False
            if entered >= self.cut_at:
                self.limit, self.cut_at = max(self.limit // 2, 1), now
            self.spent, self.count = 0.0, 0
        else:
            self.spent, self.count = self.spent + now - entered, self.count + 1
            if self.count >= self.limit:
                self._end_round()
        self.give_back()

    def _end_round(self) -> None:
        latency = self.spent / self.count
        self.spent, self.count = 0.0, 0
        throughput = self.limit / max(latency, 1e-9)
        if self.doubling and throughput >= PAYS * self.throughput:
            self.throughput, self.latency, self.limit = throughput, latency, min(self.limit * 2, self.most)
        else:
            self.doubling = False
            if latency <= HOLDS * self.latency or self.latency == 0.0:
                self.limit = min(self.limit + 1, self.most)
            self.latency = self.latency or latency


def backoff(key: str, retry: int, pause: float) -> float:
    """Seconds before attempt `retry` + 1 of the call of `key`: what the server asks for, else doubled each time; then
    up to half as long again, by the key."""
    return (pause or min(FIRST_WAIT * 2 ** (retry - 1), LONGEST_WAIT)) * (1 + int(key[:8], 16) / 2**33)
