"""How far the probabilities that a judge states, or that calibration gives, are what happens: in numbers, and as the
curve of `calibration`."""

from collections.abc import Iterator
from math import isnan

import numpy as np
import polars as pl

from curation.core.metrics import Interval
from curation.core.stats import clustered_mean, wilson
from curation.reliability import agreement
from curation.reliability.measurement import EQUAL, Measurement, measure_share, share_interval, sum_of_squares
from curation.tables.measurements import CALIBRATION

BIN_WIDTH = 0.1  # of confidence, from 0.5 to 1


def measure_confidence(rows: pl.DataFrame, prefix: str, truth: str) -> Iterator[Measurement]:
    """How far stated probabilities are what happens: the expected calibration error over bins of confidence (Guo et
    al., arXiv 1706.04599), mean confidence less accuracy, and the Brier score. `rows` has prompt_id, probability
    that chosen is right, and chosen_right."""
    binned = bin_confidence(rows)
    over = _overconfidence(binned)
    yield Measurement(f"{prefix}ece", truth, _calibration_error(binned, over), binned.height)
    yield Measurement(f"{prefix}overconfidence", truth, over, binned.height)
    squared_error = (pl.col("probability") - pl.col("chosen_right").cast(pl.Float64)) ** 2
    yield measure_share(f"{prefix}brier", truth, rows, squared_error)


def _overconfidence(binned: pl.DataFrame) -> Interval | None:
    """Mean confidence less accuracy. Confidence is known, so the interval is that of the accuracy, turned round: sure
    of a judge that is right in 12 of 12 no more than those are."""
    gap = clustered_mean(binned["confidence"] - binned["right"], binned["prompt_id"])
    if gap is None:
        return None
    right, confidence = (float(binned[name].to_numpy().mean()) for name in ("right", "confidence"))
    accuracy = share_interval(right, sum_of_squares(gap), gap.n, gap.n)
    low, high = min(confidence - accuracy.high, gap.mean), max(confidence - accuracy.low, gap.mean)
    return Interval(gap.mean, low, high, gap.n)


def _calibration_error(binned: pl.DataFrame, over: Interval | None) -> Interval | None:
    """The expected calibration error. Chance alone makes it larger, by what is taken off the lower end; and it is no
    less than what the judge is `over`confident by, which may widen the upper one."""
    prompt, confidence, right, lower = (binned[name].to_numpy() for name in ("prompt_id", "confidence", "right", "bin"))
    # n * ECE = sum over bins of |sum in the bin of (confidence - right)|
    gaps = [np.where(lower == each, confidence - right, 0.0) for each in np.unique(lower)]
    sums = agreement.sum_by_cluster(prompt, np.ones(len(right)), *gaps)
    error = agreement.jackknife(lambda summed: np.abs(summed[..., 1:]).sum(axis=-1) / summed[..., 0], sums)
    if error is None or over is None:
        return None
    excess = agreement.excess_of_absolute(sums[:, 1:]) / len(right)
    low, high = (error.mean if isnan(end) else end for end in (error.low, error.high))
    # where nothing varies, that is no sign that it never would
    low = 0.0 if right.min() == right.max() and over.low <= 0 <= over.high else max(low - excess, 0.0)
    high = min(max(high, abs(over.low), abs(over.high)), 1.0)
    return error._replace(low=min(low, error.mean), high=max(high, error.mean))


def bin_confidence(rows: pl.DataFrame) -> pl.DataFrame:
    """Per row of `rows`: prompt_id, confidence (the larger of p and 1 - p), its bin's lower end, and right: 1 where
    the likelier side is, 0.5 where neither is likelier."""
    p = pl.col("probability")
    confidence = pl.max_horizontal(p, 1 - p).round(9)
    right = pl.when(p == 0.5).then(0.5).otherwise(((p > 0.5) == pl.col("chosen_right")).cast(pl.Float64))
    lower = (((confidence - 0.5 + EQUAL) / BIN_WIDTH).floor() * BIN_WIDTH + 0.5).clip(0.5, 1 - BIN_WIDTH).round(9)
    return rows.select("prompt_id", confidence.alias("confidence"), lower.alias("bin"), right.alias("right"))


def make_curve(judge: str, dimension: str, estimator: str, stated: pl.DataFrame) -> pl.DataFrame:
    """The rows of `calibration` for one judge's probabilities; the interval is Wilson's, for as many observations as
    prompts."""
    bins = (
        bin_confidence(stated)
        .group_by("bin")
        .agg(
            pl.col("confidence").sort().mean(),
            pl.col("right").sort().mean().alias("accuracy"),
            pl.len().cast(pl.Int64).alias("n"),
            pl.col("prompt_id").n_unique().cast(pl.Int64).alias("prompts"),
        )
    )
    low, high = wilson(pl.col("accuracy"), pl.col("prompts"))
    names = {"judge": judge, "dimension": dimension, "estimator": estimator}
    constants = {column: pl.lit(name) for column, name in names.items()}
    return bins.with_columns(low.alias("ci_low"), high.alias("ci_high"), **constants).select(CALIBRATION.schema.names)
