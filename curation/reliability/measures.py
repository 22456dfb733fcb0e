"""What can be measured of a judge on one dimension, in groups by what each needs. Every interval is clustered by
prompt."""

from collections.abc import Iterator
from itertools import combinations
from typing import NamedTuple

import numpy as np
import polars as pl

from curation.core.metrics import Interval
from curation.core.stats import clustered_mean, wilson
from curation.reliability import agreement
from curation.tables.contracts import UNKNOWN

EQUAL = 1e-9  # deltas nearer to 0 are ties
BIN = 0.1  # width of a bin of confidence, from 0.5 to 1


class Figure(NamedTuple):
    """A measure of one judge and dimension, `against` another judge, its own repeats, length, a family, or nothing."""

    measure: str
    against: str
    found: Interval | None
    n: int


def share(measure: str, against: str, rows: pl.DataFrame, holds: pl.Expr) -> Figure:
    """The share of `rows` in which `holds`, from 0 to 1."""
    return Figure(measure, against, within_one(_mean(rows, holds)), rows.height)


def mean(measure: str, against: str, rows: pl.DataFrame, value: pl.Expr) -> Figure:
    """The mean of `value` over `rows`."""
    return Figure(measure, against, _mean(rows, value), rows.height)


def _mean(rows: pl.DataFrame, value: pl.Expr) -> Interval | None:
    values = rows.select(value.cast(pl.Float64).alias("value"), "prompt_id")
    return clustered_mean(values["value"], values["prompt_id"])


def within_one(found: Interval | None) -> Interval | None:
    """An interval of a share: no further than 0 and 1, and Wilson's for as many observations as clusters where all
    or none hold."""
    if found is None or 0 < round(found.mean, 12) < 1:
        return found and found._replace(low=max(found.low, 0.0), high=min(found.high, 1.0))
    low, high = wilson(round(found.mean, 12), found.n)
    return found._replace(low=min(low, found.mean), high=max(high, found.mean))


def of_ratings(one: pl.DataFrame) -> Iterator[Figure]:
    """Coverage, how alike the repeats of a trace are, and how the last differ from the first. `one` has trace_id,
    prompt_id, repeat, score, status."""
    yield share("coverage", "", one.filter(pl.col("status") != "no_reference"), pl.col("status") == "scored")
    yield from of_repeats(one.filter(pl.col("status") == "scored"), "trace_id")


def of_repeats(scored: pl.DataFrame, unit: str) -> Iterator[Figure]:
    """Agreement between the repeats of a `unit`, and the drift from its first to its last. Nothing without repeats."""
    if scored["repeat"].n_unique() < 2:
        return
    wide = scored.pivot("repeat", index=["prompt_id", unit], values="score", sort_columns=True)
    repeats = wide.columns[2:]
    alike = pl.concat(
        [wide.select("prompt_id", (pl.col(a) == pl.col(b)).alias("alike")) for a, b in combinations(repeats, 2)]
    ).drop_nulls()
    yield share("repeat_agreement", "repeats", alike, pl.col("alike"))
    columns = (scored[name].to_numpy() for name in ("score", unit, "prompt_id"))
    yield Figure(
        "repeat_alpha",
        "repeats",
        agreement.jackknife(agreement.alpha, agreement.alpha_sums(*columns), most=1),
        scored.height,
    )
    yield mean("drift", "repeats", wide.drop_nulls([repeats[0], repeats[-1]]), pl.col(repeats[-1]) - pl.col(repeats[0]))


def of_verdicts(one: pl.DataFrame, truth: str | None) -> Iterator[Figure]:
    """What the order does to a pairwise judge, and how often its verdicts are right. `one` has a row per pair, order
    and repeat."""
    yield share("coverage", "", one.filter(pl.col("status") != "no_reference"), pl.col("status") == "scored")
    scored = one.filter(pl.col("status") == "scored")
    decided = scored.filter(pl.col("verdict") != "tie", pl.col("order") != UNKNOWN)
    yield share(
        "first_position_rate", "order", decided, (pl.col("verdict") == "chosen") == (pl.col("order") == "chosen_first")
    )
    both = scored.group_by("pair_id", "prompt_id", "repeat").agg(
        pl.col("verdict").n_unique().alias("said"), pl.len().alias("orders")
    )
    yield share(
        "position_inconsistency",
        "order",
        both.filter(pl.col("orders") == 2).sort("pair_id", "repeat"),
        pl.col("said") > 1,
    )
    yield share("verdict_tie_rate", "", scored, pl.col("verdict") == "tie")
    slots = scored.with_columns(pl.struct("pair_id", "order").rank("dense").alias("slot"))
    yield from of_repeats(slots.select("prompt_id", "slot", "repeat", pl.col("value").alias("score")), "slot")
    if truth is not None:
        told = scored.drop_nulls("chosen_right")
        right = (
            pl.col("verdict") == pl.when("chosen_right").then(pl.lit("chosen")).otherwise(pl.lit("rejected"))
        ).cast(pl.Float64)
        yield share("verdict_accuracy", truth, told, pl.when(pl.col("verdict") == "tie").then(0.5).otherwise(right))


def of_noise(wide: pl.DataFrame, dimension: str, variance: np.ndarray, against: str) -> Iterator[Figure]:
    """The standard deviation that repeats, or the members of a panel, give a delta, pooled over pairs: the root of
    the mean `variance`."""
    if not len(variance):
        return
    repeated = wide.filter(pl.col(f"n_{dimension}") > 1).drop_nulls(f"sd_{dimension}")
    sums = agreement.by_cluster(repeated["prompt_id"].to_numpy(), np.ones(len(variance)), variance)
    yield Figure(
        "noise",
        against,
        agreement.jackknife(lambda summed: np.sqrt(summed[..., 1] / summed[..., 0]), sums, least=0),
        len(variance),
    )
    yield share(
        "within_noise_rate", against, wide.drop_nulls(f"within_noise_{dimension}"), pl.col(f"within_noise_{dimension}")
    )


def of_deltas(wide: pl.DataFrame, delta: str, truth: str | None) -> Iterator[Figure]:
    """Ties, length, and right answers."""
    known = wide.filter(pl.col(delta).is_not_null())
    yield share("tie_rate", "", known, pl.col(delta).abs() < EQUAL)
    long = known.drop_nulls("log_ratio")
    sums = _beside_length(long, delta)
    yield Figure("length_correlation", "length", agreement.jackknife(agreement.correlation, sums, -1, 1), long.height)
    yield Figure("delta_at_equal_length", "length", agreement.jackknife(agreement.intercept, sums), long.height)
    if truth is not None:
        alike = long.filter("equally_right")
        sums = _beside_length(alike, delta)
        yield Figure(
            "length_correlation_equally_right",
            truth,
            agreement.jackknife(agreement.correlation, sums, -1, 1),
            alike.height,
        )
        yield Figure("length_slope_equally_right", truth, agreement.jackknife(agreement.slope, sums), alike.height)
        told = known.drop_nulls("chosen_right")
        values, right = told[delta].to_numpy(), told["chosen_right"].to_numpy()
        wins = pl.Series((np.sign(np.where(np.abs(values) < EQUAL, 0.0, values)) * np.where(right, 1, -1) + 1) / 2)
        yield Figure("pairwise_accuracy", truth, within_one(clustered_mean(wins, told["prompt_id"])), told.height)
        yield Figure("auroc", truth, agreement.auroc(values, right, told["prompt_id"].to_numpy()), told.height)


def _beside_length(frame: pl.DataFrame, delta: str) -> np.ndarray:
    return agreement.moments(*(frame[name].to_numpy() for name in ("log_ratio", delta, "prompt_id")))


def of_family(wide: pl.DataFrame, delta: str, family: str, truth: str | None) -> Iterator[Figure]:
    """How much more a judge gives its own family: its mean delta, own less other, over pairs with one trace of it,
    equally right where that is known."""
    chosen, rejected = (pl.col(f"{side}_family") == family for side in ("chosen", "rejected"))
    one = wide.drop_nulls([delta, "chosen_family", "rejected_family"]).filter(chosen != rejected)
    alike = one if truth is None else one.filter("equally_right")
    yield mean("self_preference", family, alike, pl.when(chosen).then(pl.col(delta)).otherwise(-pl.col(delta)))


def of_confidence(rows: pl.DataFrame, prefix: str, truth: str) -> Iterator[Figure]:
    """How far stated probabilities are what happens: the expected calibration error over bins of confidence (Guo et
    al., arXiv 1706.04599), mean confidence less accuracy, and the Brier score. `rows` has prompt_id, probability
    that chosen is right, and chosen_right."""
    sure = confident(rows)
    prompt, confidence, right = (sure[name].to_numpy() for name in ("prompt_id", "confidence", "right"))
    bins = [sure["bin"].to_numpy() == one for one in np.unique(sure["bin"].to_numpy())]
    sums = agreement.by_cluster(prompt, np.ones(len(right)), *(np.where(one, confidence - right, 0.0) for one in bins))
    error = agreement.jackknife(lambda summed: np.abs(summed[..., 1:]).sum(axis=-1) / summed[..., 0], sums, 0, 1)
    yield Figure(f"{prefix}ece", truth, error, sure.height)
    yield mean(f"{prefix}overconfidence", truth, sure, pl.col("confidence") - pl.col("right"))
    yield share(f"{prefix}brier", truth, rows, (pl.col("probability") - pl.col("chosen_right").cast(pl.Float64)) ** 2)


def confident(rows: pl.DataFrame) -> pl.DataFrame:
    """Per row of `rows`: prompt_id, confidence (the larger of p and 1 - p), its bin's lower end, and right: 1 where
    the likelier side is, 0.5 where neither is likelier."""
    p = pl.col("probability")
    confidence = pl.max_horizontal(p, 1 - p).round(9)
    side = pl.when(p == 0.5).then(0.5).otherwise(((p > 0.5) == pl.col("chosen_right")).cast(pl.Float64))
    lower = (((confidence - 0.5 + EQUAL) / BIN).floor() * BIN + 0.5).clip(0.5, 1 - BIN).round(9)
    return rows.select("prompt_id", confidence.alias("confidence"), lower.alias("bin"), side.alias("right"))


def between(one: pl.DataFrame, other: pl.DataFrame, unit: str, name: str) -> Iterator[Figure]:
    """Agreement with another judge on the same units, from both judges' mean scores over repeats."""
    both = one.join(other.drop("prompt_id"), on=unit, suffix="_other").sort(unit)
    x, y, prompt, of = (both[column].to_numpy() for column in ("score", "score_other", "prompt_id", unit))
    yield share("agreement", name, both, (pl.col("score") - pl.col("score_other")).abs() < EQUAL)
    yield Figure(
        "kappa", name, agreement.jackknife(agreement.kappa, agreement.moments(x, y, prompt), -1, 1), both.height
    )
    sums = agreement.alpha_sums(np.concatenate([x, y]), np.concatenate([of, of]), np.concatenate([prompt, prompt]))
    yield Figure("alpha", name, agreement.jackknife(agreement.alpha, sums, most=1), both.height)
