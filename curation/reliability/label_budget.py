"""How many labelled pairs it takes to know a judge's share of something, of its right verdicts say, within a given
half-width, and how far the labels at hand reach."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import polars as pl

from curation.core.metrics import Interval
from curation.reliability.measurement import share_interval, share_variance

PILOT = ("judge", "dimension", "measure", "value", "ci_low", "ci_high", "clusters", "n")  # columns of `reliability`
MEASURES = ("pairwise_accuracy", "position_inconsistency")
ASSUMED_SHARE = {"pairwise_accuracy": 0.8, "position_inconsistency": 0.2}
ASSUMED_CORRELATION = 0.3  # of two pairs of one prompt: how much more alike they are than those of two prompts
MOST_PROMPTS = 10**8


class Share(NamedTuple):
    """What a budget rests on: the share, how many times as variable pairs of one prompt make it (the design effect),
    and how many pairs a prompt has."""

    share: float
    design_effect: float
    pairs_per_prompt: float


class LabelBudget(NamedTuple):
    """Of one judge, dimension and measure, or of a measure of all judges that nothing is known of: what it rests on, a
    pilot or an assumption; what the wanted half-width takes, with as many pairs a prompt as there are, or with one; and
    the labels at hand, and the half-width that they give."""

    judge: str | None
    dimension: str | None
    measure: str
    basis: str
    share: float
    design_effect: float
    pairs: int
    prompts: int
    prompts_of_one_pair: int
    pairs_now: int = 0
    prompts_now: int = 0
    half_width_now: float | None = None


def budget_labels(
    named: Iterable[tuple[str, str, str]], pilot: pl.DataFrame, assumed: Mapping[str, Share], wanted: float
) -> list[LabelBudget]:
    """The budget of each judge, dimension and measure that is `named`, for a half-width of `wanted`: from its row of
    `pilot`, which are rows of `reliability`. Of those without one, a row for each measure, from what is `assumed`."""
    known = {row[:3]: (Interval(*row[3:7]), row[7]) for row in pilot.select(PILOT).drop_nulls().rows()}
    names = list(named)
    budgets = []
    for judge, dimension, measure in (name for name in names if name in known):
        found, pairs = known[judge, dimension, measure]
        budget = _budget(measure, "pilot", _learn(found, pairs), wanted)
        at_hand = {"pairs_now": pairs, "prompts_now": found.n, "half_width_now": (found.high - found.low) / 2}
        budgets.append(budget._replace(judge=judge, dimension=dimension, **at_hand))
    unknown = dict.fromkeys(name[-1] for name in names if name not in known)
    return budgets + [_budget(measure, "assumed", assumed[measure], wanted) for measure in unknown]


def _budget(measure: str, basis: str, share: Share, wanted: float) -> LabelBudget:
    prompts = find_prompts(share, wanted)
    pairs = round(prompts * share.pairs_per_prompt)
    one_a_prompt = find_prompts(Share(share.share, 1.0, 1.0), wanted)
    return LabelBudget(None, None, measure, basis, share.share, share.design_effect, pairs, prompts, one_a_prompt)


def assume(measure: str, pairs_per_prompt: float, share: float | None = None) -> Share:
    """What is taken of a measure that nothing is known of."""
    share = ASSUMED_SHARE[measure] if share is None else share
    return Share(share, 1 + (pairs_per_prompt - 1) * ASSUMED_CORRELATION, pairs_per_prompt)


def _learn(found: Interval, pairs: int) -> Share:
    """What an interval over so many pairs says. Where it does not say how alike the pairs of a prompt are, they are
    taken to be all alike; where it reaches 0 or 1, one prompt more is taken to be half and half."""
    varies = found.low > 0 and found.high < 1
    share = found.mean if varies else (found.mean * found.n + 0.5) / (found.n + 1)
    variance = share_variance(found) if varies else 0.0
    effect = variance * pairs / (share * (1 - share)) if variance > 0 else pairs / found.n
    return Share(share, effect, pairs / found.n)


def half_width(share: Share, prompts: int) -> float:
    """Half of the width that the 95 % interval of a share has with so many prompts."""
    variance = share.share * (1 - share.share) * share.design_effect / (prompts * share.pairs_per_prompt)
    found = share_interval(share.share, variance * (prompts - 1) / prompts, prompts, prompts)
    return (found.high - found.low) / 2


def find_prompts(share: Share, wanted: float) -> int:
    """The fewest prompts whose half-width is at most `wanted`; MOST_PROMPTS where so many are not enough."""
    low, high = 2, MOST_PROMPTS
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if half_width(share, middle) <= wanted else (middle + 1, high)
    return low
