"""A measure of a judge with its interval, which is clustered by prompt."""

from typing import NamedTuple

import numpy as np
import polars as pl

from curation.core.metrics import Interval
from curation.core.stats import ROUNDING, clustered_mean, t_quantile, wilson

DOUBT = 0.05  # how much of a prompt is added to a share, half of it a win and half a loss: by bench/judges.py
CHANCE = 0.5  # of a share that a coin may decide
EQUAL = 1e-9  # scores that differ by less are equal, and a delta nearer to 0 is 0
NO_END = float("nan")  # of an interval that too few prompts give


class Measurement(NamedTuple):
    """A measure of one judge and dimension, `against` another judge, its own repeats, length, a family, or nothing.

    `interval` is None where the measure does not vary or has too few prompts; it has a mean alone, its ends NO_END,
    where the value is known and how far it may be off is not. `n` is how many rows it is of; of a measure that asks
    which side of a pair is right, in how many of them the chosen and in how many the rejected side is. `chance` is what
    a judge that tells nothing reaches.
    """

    measure: str
    against: str
    interval: Interval | None
    n: int
    chosen_right: int | None = None
    rejected_right: int | None = None
    chance: float = CHANCE


def measure_share(measure: str, against: str, rows: pl.DataFrame, holds: pl.Expr) -> Measurement:
    """The share of `rows` in which `holds`, or the mean of values from 0 to 1."""
    return Measurement(measure, against, clustered_share(*_values(rows, holds)), rows.height)


def measure_mean(measure: str, against: str, rows: pl.DataFrame, value: pl.Expr) -> Measurement:
    """The mean of `value` over `rows`; without ends where it does not vary, which says nothing of other prompts."""
    mean = clustered_mean(*_values(rows, value))
    return Measurement(measure, against, mean and drop_ends_of_no_width(mean), rows.height)


def drop_ends_of_no_width(interval: Interval) -> Interval:
    """The interval, its ends NO_END where it has no width."""
    return interval._replace(low=NO_END, high=NO_END) if interval.high - interval.low < ROUNDING else interval


def _values(rows: pl.DataFrame, value: pl.Expr) -> tuple[pl.Series, pl.Series]:
    values = rows.select(value.cast(pl.Float64).alias("value"), "prompt_id")
    return values["value"], values["prompt_id"]


def clustered_share(values: pl.Series, prompts: pl.Series) -> Interval | None:
    """The mean of `values` from 0 to 1 with the interval of a share; None with fewer than two prompts."""
    mean = clustered_mean(values, prompts)
    if mean is None:
        return None
    return share_interval(mean.mean, sum_of_squares(mean), mean.n, mean.n)


def sum_of_squares(mean: Interval) -> float:
    """The sum of squares of what each prompt adds to a clustered mean."""
    return ((mean.high - mean.low) / 2 / t_quantile(mean.n - 1)) ** 2 * (mean.n - 1) / mean.n


def share_interval(share: float, squares: float, decisive: int, prompts: int) -> Interval:
    """The 95 % interval of a `share` of `prompts`, of which `decisive`, two at least, say how sure it is. `squares` is
    the sum of squares of what each prompt adds to the share.

    One more prompt of weight DOUBT, half of it a win and half a loss, keeps the interval from ending where so few
    prompts happen to agree; it is one of the log odds, so it stays within 0 and 1, with Student's t and as many degrees
    of freedom as decisive prompts less one. Where all or none hold it is Wilson's, for as many observations as those;
    where they vary no more than so many, it is no wider.
    """
    widest = wilson(min(max(round(share, 12), 0), 1), decisive)
    if round(share, 12) in (0, 1):
        low, high = widest
    else:
        total = decisive + DOUBT
        centre = (decisive * share + DOUBT / 2) / total
        own = prompts / (prompts - 1) * (decisive / total) ** 2 * squares
        variance = own + DOUBT / 2 * (centre**2 + (1 - centre) ** 2) / total**2
        odds, spread = np.log(centre / (1 - centre)), centre * (1 - centre)  # d log(p / (1 - p)) / dp = 1 / (p (1 - p))
        half = t_quantile(decisive - 1) * np.sqrt(variance) / spread
        low, high = (float((1 + np.tanh(end / 2)) / 2) for end in (odds - half, odds + half))
        if own <= share * (1 - share) / decisive:  # as little as that of prompts that are right or wrong as a whole
            low, high = max(low, widest[0]), min(high, widest[1])
    return Interval(share, min(low, share), max(high, share), prompts)


def share_variance(interval: Interval) -> float:
    """The variance of a share between 0 and 1 whose interval, by all of its prompts, is `share_interval`'s."""
    prompts, total = interval.n, interval.n + DOUBT
    centre = (prompts * interval.mean + DOUBT / 2) / total
    low, high = (np.log(end / (1 - end)) for end in (interval.low, interval.high))
    variance = ((high - low) / 2 / t_quantile(prompts - 1) * centre * (1 - centre)) ** 2
    return float((variance - DOUBT / 2 * (centre**2 + (1 - centre) ** 2) / total**2) * (total / prompts) ** 2)
