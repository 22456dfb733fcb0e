"""What calls cost, and how much may be spent."""

from typing import Annotated

from pydantic import Field

from curation.core.params import Strict
from curation.core.ranges import Natural, Share

Dollars = Annotated[float, Field(ge=0, le=1e9, description="more than anyone has spent")]


class Price(Strict):
    """Dollars per million tokens of one model. What it thought is among the completion.

    `cached` is the price of the prompt's tokens that the server had kept from another call, null that it is none of its
    own. `batch` is the share of the price that a call in a batch file costs, null that batches are no cheaper.
    """

    prompt: Dollars
    completion: Dollars
    cached: Dollars | None = None
    batch: Share | None = None

    def usd(self, prompt_tokens: float, completion_tokens: float, cached_tokens: float = 0.0) -> float:
        """What so many tokens cost that are asked one by one; `cached_tokens` are among those of the prompt."""
        cached = self.prompt if self.cached is None else self.cached
        asked = (prompt_tokens - cached_tokens) * self.prompt + cached_tokens * cached
        return (asked + completion_tokens * self.completion) / 1e6


class Params(Strict):
    """`budget` in params.yaml: what this ledger may spend in all. Null is no limit; imported calls cost nothing.

    `prices` has the models that cost something, by the name that stands in `model`.
    """

    max_usd: Dollars | None
    max_calls: Natural | None
    prices: dict[str, Price]

    def usd(
        self,
        model: str,
        prompt_tokens: float,
        completion_tokens: float,
        cached_tokens: float = 0.0,
        batched: bool = False,
    ) -> float:
        """The price in dollars of so many tokens, those cached among the prompt's; 0 for a model without a price."""
        if (price := self.prices.get(model)) is None:
            return 0.0
        share = 1.0 if price.batch is None or not batched else price.batch
        return share * price.usd(prompt_tokens, completion_tokens, cached_tokens)


UNLIMITED = Params(max_usd=None, max_calls=None, prices={})


class Spending:
    """What was spent so far, in calls and dollars, and whether one more call may start."""

    def __init__(self, budget: Params) -> None:
        self.budget, self.in_flight = budget, 0
        self.forget()

    def forget(self) -> None:
        """Nothing is counted yet. `counted` is the ledger's last row that is."""
        self.calls, self.usd, self.counted = 0, 0.0, 0

    def reached_cap(self, unkept: int = 0) -> str | None:
        """The cap that forbids another call, as text; None while there is room. Calls in flight count as made, and so
        do `unkept` ones, which no ledger holds yet."""
        if self.budget.max_calls is not None and self.calls + self.in_flight + unkept >= self.budget.max_calls:
            return f"budget.max_calls: {self.budget.max_calls} is reached"
        if self.budget.max_usd is not None and self.usd >= self.budget.max_usd:
            return f"budget.max_usd: {self.budget.max_usd:g} is reached ({self.usd:.4f} spent)"
        return None

    def count(
        self, model: str, calls: int, prompt_tokens: int, completion_tokens: int, cached_tokens: int, batched: bool
    ) -> None:
        """Count so many attempts of one model, and all their tokens."""
        self.calls += calls
        self.usd += self.budget.usd(model, prompt_tokens, completion_tokens, cached_tokens, batched)
