"""A measure of a judge with its interval, which is clustered by prompt."""

from typing import NamedTuple

import polars as pl

from curation.core.metrics import Interval
from curation.core.stats import Z, clustered_mean, wilson


class Measurement(NamedTuple):
    """A measure of one judge and dimension, `against` another judge, its own repeats, length, a family, or nothing.

    `interval` is None where the measure does not vary or has too few prompts; `n` is how many rows it is of.
    """

    measure: str
    against: str
    interval: Interval | None
    n: int


def measure_share(measure: str, against: str, rows: pl.DataFrame, holds: pl.Expr) -> Measurement:
    """The share of `rows` in which `holds`, from 0 to 1."""
    return Measurement(measure, against, share_interval(_mean_interval(rows, holds)), rows.height)


def measure_rate(measure: str, against: str, rows: pl.DataFrame, holds: pl.Expr) -> Measurement:
    """A share that may be small: the interval is Wilson's, for as many independent observations as would give a mean
    the width that clusters give it; at most one a row."""
    mean = _mean_interval(rows, holds)
    if mean is None or not 0 < round(mean.mean, 12) < 1:
        return Measurement(measure, against, share_interval(mean), rows.height)
    half = (mean.high - mean.low) / 2
    alone = mean.mean * (1 - mean.mean) * (Z / half) ** 2 if half else rows.height  # half = Z * (p (1 - p) / n)^0.5
    low, high = wilson(mean.mean, min(alone, rows.height))
    return Measurement(measure, against, mean._replace(low=low, high=high), rows.height)


def measure_mean(measure: str, against: str, rows: pl.DataFrame, value: pl.Expr) -> Measurement:
    """The mean of `value` over `rows`."""
    return Measurement(measure, against, _mean_interval(rows, value), rows.height)


def _mean_interval(rows: pl.DataFrame, value: pl.Expr) -> Interval | None:
    values = rows.select(value.cast(pl.Float64).alias("value"), "prompt_id")
    return clustered_mean(values["value"], values["prompt_id"])


def share_interval(interval: Interval | None) -> Interval | None:
    """The interval of a mean as one of a share: no further than 0 and 1, and Wilson's for as many observations as
    clusters where all or none hold."""
    if interval is None or 0 < round(interval.mean, 12) < 1:
        return interval and interval._replace(low=max(interval.low, 0.0), high=min(interval.high, 1.0))
    low, high = wilson(round(interval.mean, 12), interval.n)
    return interval._replace(low=min(low, interval.mean), high=max(high, interval.mean))
