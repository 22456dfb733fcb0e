"""How far the decoding of calls is, before any of them has ended."""

from typing import NamedTuple


class Decoded(NamedTuple):
    """What was decoded in a batch since this was last told: tokens of its running rows; and how many rows of it have
    ended by now."""

    batch: int
    tokens: int
    ended: int


class Pace:
    """What was decoded of so many calls, each of at most `longest` tokens."""

    def __init__(self, calls: int, longest: int) -> None:
        self.calls, self.longest, self.tokens = calls, longest, 0
        self.ended: dict[int, int] = {}

    def add(self, decoded: Decoded) -> float:
        """Count it. Returns the share of all the work that is done.

        A call is reckoned to be as long as there were tokens for each that has ended, of which the running ones have
        their part, and before any has, as long as it may be.
        """
        self.tokens += decoded.tokens
        self.ended[decoded.batch] = decoded.ended
        ended = sum(self.ended.values())
        length = min(self.tokens / ended, self.longest) if ended else self.longest
        return min(self.tokens / (self.calls * length), 1.0)
