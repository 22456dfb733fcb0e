"""How many labelled pairs it takes to know a judge's share of something, of its right verdicts say, within a given
half-width, and how far the labels at hand reach. Labels are of pairs that are drawn at random from all of a study."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
import polars as pl

from curation.core.metrics import Interval
from curation.reliability.measurement import share_interval, share_variance

PILOT = ("judge", "dimension", "measure", "value", "ci_low", "ci_high", "clusters", "n")  # columns of `reliability`
MEASURES = ("pairwise_accuracy", "position_inconsistency")
ASSUMED_SHARE = {"pairwise_accuracy": 0.8, "position_inconsistency": 0.2}
ASSUMED_CORRELATION = 0.3  # of two pairs of one prompt: how much more alike they are than those of two prompts
MOST_PAIRS = 10**9


class Share(NamedTuple):
    """What a budget rests on: the share, and how far two pairs of one prompt correlate."""

    share: float
    correlation: float


class Pool(NamedTuple):
    """The pairs that are drawn from, by how many each prompt has. Beyond these it is taken to grow by prompts that have
    as many; without any, each pair is of another prompt."""

    pairs_of_prompt: np.ndarray

    def alike(self, pairs: int) -> float:
        """How many others of so many pairs are of the prompt of one of them, as is to be expected."""
        total = int(self.pairs_of_prompt.sum())
        if total < 2:
            return 0.0
        same = float((self.pairs_of_prompt * (self.pairs_of_prompt - 1.0)).sum()) / (total * (total - 1.0))
        return (min(pairs, total) - 1) * same

    def prompts(self, pairs: int) -> int:
        """How many prompts so many pairs are of, as is to be expected: each is missed by all draws or it is not."""
        total = int(self.pairs_of_prompt.sum())
        if pairs >= total:
            return round(pairs * len(self.pairs_of_prompt) / total) if total else pairs
        return round(float((1 - (1 - pairs / total) ** self.pairs_of_prompt).sum()))


ONE_A_PROMPT = Pool(np.zeros(0))


class LabelBudget(NamedTuple):
    """Of one judge, dimension and measure, or of a measure of all judges that nothing is known of: what it rests on, a
    pilot or an assumption; what the wanted half-width takes, drawn from the study's pairs (`design_effect` is how many
    times as variable those of the same prompts make it), or with one pair of each prompt; how many pairs the study has,
    0 where it is not known; and the labels at hand, and the half-width that they give."""

    judge: str | None
    dimension: str | None
    measure: str
    basis: str
    share: float
    design_effect: float
    pairs: int
    prompts: int
    prompts_of_one_pair: int
    pairs_in_all: int
    pairs_now: int = 0
    prompts_now: int = 0
    half_width_now: float | None = None


def budget_labels(
    named: Iterable[tuple[str, str, str]], pilot: pl.DataFrame, assumed: Mapping[str, Share], wanted: float, pool: Pool
) -> list[LabelBudget]:
    """The budget of each judge, dimension and measure that is `named`, for a half-width of `wanted` by pairs of `pool`:
    from its row of `pilot`, which are rows of `reliability`. Of those without one, a row for each measure, from what is
    `assumed`."""
    known = {row[:3]: (Interval(*row[3:7]), row[7]) for row in pilot.select(PILOT).drop_nulls().rows()}
    names = list(named)
    budgets = []
    for judge, dimension, measure in (name for name in names if name in known):
        found, pairs = known[judge, dimension, measure]
        budget = _budget(measure, "pilot", learn(found, pairs, pool), wanted, pool)
        at_hand = {"pairs_now": pairs, "prompts_now": found.n, "half_width_now": (found.high - found.low) / 2}
        budgets.append(budget._replace(judge=judge, dimension=dimension, **at_hand))
    unknown = dict.fromkeys(name[-1] for name in names if name not in known)
    return budgets + [_budget(measure, "assumed", assumed[measure], wanted, pool) for measure in unknown]


def _budget(measure: str, basis: str, share: Share, wanted: float, pool: Pool) -> LabelBudget:
    pairs, of_one = find_pairs(share, wanted, pool), find_pairs(share, wanted, ONE_A_PROMPT)
    effect, in_all = 1 + pool.alike(pairs) * share.correlation, int(pool.pairs_of_prompt.sum())
    return LabelBudget(None, None, measure, basis, share.share, effect, pairs, pool.prompts(pairs), of_one, in_all)


def assume(measure: str, share: float | None = None) -> Share:
    """What is taken of a measure that nothing is known of."""
    return Share(ASSUMED_SHARE[measure] if share is None else share, ASSUMED_CORRELATION)


def learn(found: Interval, pairs: int, pool: Pool) -> Share:
    """What an interval over so many pairs of `pool` says. Few of them are of one prompt, so what it says of how far
    these correlate is joined by what is assumed, as if that were known of one pair more. Where the interval does not
    say it, they are taken to be all alike; where it reaches 0 or 1, one prompt more is taken to be half and half."""
    if found.low <= 0 or found.high >= 1:
        return Share((found.mean * found.n + 0.5) / (found.n + 1), 1.0)
    variance = share_variance(found)
    if variance <= 0:
        return Share(found.mean, 1.0)
    effect = variance * pairs / (found.mean * (1 - found.mean))
    correlation = (effect - 1 + ASSUMED_CORRELATION) / (pool.alike(pairs) + 1)
    return Share(found.mean, min(max(correlation, 0.0), 1.0))


def half_width(share: Share, pairs: int, pool: Pool) -> float:
    """Half of the width that the 95 % interval of a share has with so many pairs of `pool`."""
    prompts = max(pool.prompts(pairs), 2)
    variance = share.share * (1 - share.share) * (1 + pool.alike(pairs) * share.correlation) / pairs
    found = share_interval(share.share, variance * (prompts - 1) / prompts, prompts, prompts)
    return (found.high - found.low) / 2


def find_pairs(share: Share, wanted: float, pool: Pool) -> int:
    """The fewest pairs whose half-width is at most `wanted`; MOST_PAIRS where so many are not enough."""
    low, high = 2, MOST_PAIRS
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if half_width(share, middle, pool) <= wanted else (middle + 1, high)
    return low
