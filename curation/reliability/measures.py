"""What can be measured of a judge on one dimension, in groups by what each needs. Every interval is clustered by
prompt."""

from collections.abc import Iterator
from itertools import combinations

import numpy as np
import polars as pl

from curation.core.metrics import Interval
from curation.reliability import agreement
from curation.reliability.measurement import CHANCE, EQUAL, Measurement, clustered_share, measure_mean, measure_share
from curation.tables.contracts import ORDERS, SIDES, UNKNOWN

LENGTHS = {  # columns of traces, by what a measure of length is called after them: of both texts, and of each
    "": "characters",
    "reasoning_": "reasoning_characters",
    "answer_": "completion_characters",
}


def measure_ratings(ratings: pl.DataFrame) -> Iterator[Measurement]:
    """Coverage, how well the repeats of a trace agree, and how the last differ from the first. `ratings` has trace_id,
    prompt_id, repeat, score, status."""
    yield _measure_coverage(ratings)
    yield from measure_repeats(ratings.filter(pl.col("score").is_not_null()), "trace_id")


def _measure_coverage(rows: pl.DataFrame) -> Measurement:
    referenced = rows.filter(pl.col("status") != "no_reference")
    return measure_share("coverage", "", referenced, pl.col("status") == "scored")


def measure_repeats(scored: pl.DataFrame, unit: str, both_ways: bool = False) -> Iterator[Measurement]:
    """Agreement between the repeats of a `unit`, and the drift from its first to its last. Nothing without repeats.
    `both_ways`: see `_both_ways`."""
    if scored["repeat"].n_unique() < 2:
        return
    wide = scored.pivot("repeat", index=["prompt_id", unit], values="score", sort_columns=True)
    repeats = wide.columns[2:]
    equal = pl.concat(
        [wide.select("prompt_id", (pl.col(a) == pl.col(b)).alias("equal")) for a, b in combinations(repeats, 2)]
    ).drop_nulls()
    yield measure_share("repeat_agreement", "repeats", equal, pl.col("equal"))
    columns = [scored[name].to_numpy() for name in ("score", unit, "prompt_id")]
    sums = agreement.sum_disagreement(*(_both_ways(*columns) if both_ways else columns))
    yield Measurement("repeat_alpha", "repeats", agreement.jackknife(agreement.alpha, sums, -1, 1), scored.height)
    first, last = repeats[0], repeats[-1]
    yield measure_mean("drift", "repeats", wide.drop_nulls([first, last]), pl.col(last) - pl.col(first))


def measure_verdicts(verdicts: pl.DataFrame, truth: str | None) -> Iterator[Measurement]:
    """What the order does to a pairwise judge, and how often its verdicts are right. `verdicts` has a row per pair,
    order and repeat."""
    yield _measure_coverage(verdicts)
    scored = verdicts.filter(pl.col("status") == "scored")
    decided = scored.filter(pl.col("verdict") != "tie", pl.col("order") != UNKNOWN)
    first_wins = (pl.col("verdict") == "chosen") == (pl.col("order") == "chosen_first")
    yield measure_share("first_position_rate", "order", decided, first_wins)
    by_pair = scored.group_by("pair_id", "prompt_id", "repeat").agg(
        pl.col("verdict").n_unique().alias("verdicts"), pl.len().alias("orders")
    )
    both_orders = by_pair.filter(pl.col("orders") == 2).sort("pair_id", "repeat")
    yield measure_share("position_inconsistency", "order", both_orders, pl.col("verdicts") > 1)
    yield _measure_bias(scored)
    yield measure_share("verdict_tie_rate", "", scored, pl.col("verdict") == "tie")
    slots = scored.with_columns(pl.struct("pair_id", "order").rank("dense").alias("slot"))
    yield from measure_repeats(
        slots.select("prompt_id", "slot", "repeat", pl.col("value").alias("score")), "slot", both_ways=True
    )
    if truth is not None:
        labelled = scored.drop_nulls("chosen_right")
        right_side = pl.when("chosen_right").then(pl.lit("chosen")).otherwise(pl.lit("rejected"))
        right = (pl.col("verdict") == right_side).cast(pl.Float64)
        accuracy = pl.when(pl.col("verdict") == "tie").then(0.5).otherwise(right)
        yield _count_right(measure_share("verdict_accuracy", truth, labelled, accuracy), labelled)


def _measure_bias(scored: pl.DataFrame) -> Measurement:
    """What standing first adds to a verdict, from -1 to 1, over pairs and repeats that were asked in both orders."""
    by_order = (pl.col("value").filter(pl.col("order") == order).first().alias(order) for order in ORDERS)
    asked = scored.group_by("pair_id", "prompt_id", "repeat").agg(by_order).drop_nulls(ORDERS).sort("pair_id", "repeat")
    first, second = (pl.col(order) for order in ORDERS)
    share = measure_share("position_bias", "order", asked, ((first - second) / 2 + 1) / 2)
    if share.interval is None:
        return share
    mean, low, high, prompts = share.interval
    return share._replace(interval=Interval(2 * mean - 1, 2 * low - 1, 2 * high - 1, prompts))


def measure_noise(wide: pl.DataFrame, dimension: str, variance: np.ndarray, against: str) -> Iterator[Measurement]:
    """The standard deviation that repeats, or the members of a panel, give a delta, pooled over pairs: the root of
    the mean `variance`."""
    if not len(variance):
        return
    repeated = wide.filter(pl.col(f"n_{dimension}") > 1).drop_nulls(f"sd_{dimension}")
    sums = agreement.sum_by_cluster(repeated["prompt_id"].to_numpy(), np.ones(len(variance)), variance)
    pooled = agreement.jackknife(lambda summed: np.sqrt(summed[..., 1] / summed[..., 0]), sums, least=0)
    yield Measurement("noise", against, pooled, len(variance))
    flag = f"within_noise_{dimension}"
    yield measure_share("within_noise_rate", against, wide.drop_nulls(flag), pl.col(flag))


def measure_deltas(wide: pl.DataFrame, delta: str, truth: str | None) -> Iterator[Measurement]:
    """Deltas of zero, length, and right answers."""
    scored = wide.filter(pl.col(delta).is_not_null())
    yield measure_share("zero_delta_rate", "", scored, pl.col(delta).abs() < EQUAL)
    for part in LENGTHS:
        if f"{part}log_ratio" in scored.columns:
            yield from _measure_length(scored.drop_nulls(f"{part}log_ratio"), delta, part, truth)
    if truth is not None:
        yield from _measure_accuracy(scored.drop_nulls("chosen_right"), delta, truth)


def measure_decisions(rows: pl.DataFrame, truth: str | None) -> Iterator[Measurement]:
    """How often the longer side is preferred; and, where `truth` is known, of the pairs in which one side is right how
    many are left undecided, and of the decided ones how many are turned round. `rows` has prompt_id, log_ratio,
    chosen_right, and decision: 1 for chosen, -1 for rejected, 0 for neither, null where there is none."""
    decided = rows.filter(pl.col("decision") != 0)
    unlike = decided.filter(pl.col("log_ratio") != 0)
    longer_wins = (pl.col("decision") > 0) == (pl.col("log_ratio") > 0)
    yield measure_share("longer_preferred_rate", "length", unlike, longer_wins)
    if truth is not None:
        labelled = rows.drop_nulls(["decision", "chosen_right"])
        yield measure_share("undecided_rate", truth, labelled, pl.col("decision") == 0)
        turned = (pl.col("decision") > 0) != pl.col("chosen_right")
        yield measure_share("reversal_rate", truth, decided.drop_nulls("chosen_right"), turned)


def _measure_length(rows: pl.DataFrame, delta: str, part: str, truth: str | None) -> Iterator[Measurement]:
    """How the delta goes with the length of both texts, or of one `part`: in all, and where both sides are equally
    right."""
    sums = _sum_moments_with_length(rows, delta, part)
    correlation = agreement.jackknife(agreement.correlation, sums, -1, 1)
    yield Measurement(f"{part}length_correlation", "length", correlation, rows.height)
    at_equal_length = agreement.jackknife(agreement.intercept, sums)
    yield Measurement(f"{part}delta_at_equal_length", "length", at_equal_length, rows.height)
    if truth is not None:
        alike = rows.filter("equally_right")
        sums = _sum_moments_with_length(alike, delta, part)
        correlation = agreement.jackknife(agreement.correlation, sums, -1, 1)
        yield Measurement(f"{part}length_correlation_equally_right", truth, correlation, alike.height)
        slope = agreement.jackknife(agreement.slope, sums)
        yield Measurement(f"{part}length_slope_equally_right", truth, slope, alike.height)


def _measure_accuracy(labelled: pl.DataFrame, delta: str, truth: str) -> Iterator[Measurement]:
    """How often the delta has the sign of the label, zero half, and how well it ranks pairs by label.

    Where one side is nearly always the right one, a judge that always says so is right as often; unless its AUROC shows
    that it tells more, its accuracy is held to that. Where one side always is, as in a preference set, nothing is said
    by that.
    """
    values, right, prompt = labelled[delta].to_numpy(), labelled["chosen_right"].to_numpy(), labelled["prompt_id"]
    sign = np.sign(np.where(np.abs(values) < EQUAL, 0.0, values))
    wins = pl.Series((sign * np.where(right, 1, -1) + 1) / 2)  # 1, 0.5 or 0
    ranked = agreement.auroc(values, right, prompt.to_numpy())
    base_rate = float(right.mean()) if len(right) else CHANCE
    tells = ranked is None or ranked.low > CHANCE  # None without both sorts
    accuracy = Measurement("pairwise_accuracy", truth, clustered_share(wins, prompt), labelled.height)
    yield _count_right(accuracy._replace(chance=CHANCE if tells else max(base_rate, 1 - base_rate)), labelled)
    yield _count_right(Measurement("auroc", truth, ranked, labelled.height), labelled)


def _count_right(measurement: Measurement, labelled: pl.DataFrame) -> Measurement:
    """With how often either side is right, since saying "chosen" of every pair is right as often as chosen is."""
    chosen = int(labelled["chosen_right"].sum())
    return measurement._replace(chosen_right=chosen, rejected_right=labelled.height - chosen)


def _sum_moments_with_length(rows: pl.DataFrame, delta: str, part: str) -> np.ndarray:
    return agreement.sum_moments(*(rows[name].to_numpy() for name in (f"{part}log_ratio", delta, "prompt_id")))


def measure_self_preference(wide: pl.DataFrame, delta: str, family: str, truth: str | None) -> Iterator[Measurement]:
    """How much more a judge gives its own family: its mean delta, own less other, over pairs with one trace of it,
    equally right where that is known."""
    chosen, rejected = (pl.col(f"{side}_family") == family for side in SIDES)
    mixed = wide.drop_nulls([delta, "chosen_family", "rejected_family"]).filter(chosen != rejected)
    mixed = mixed if truth is None else mixed.filter("equally_right")
    own_less_other = pl.when(chosen).then(pl.col(delta)).otherwise(-pl.col(delta))
    yield measure_mean("self_preference", family, mixed, own_less_other)


def _both_ways(values: np.ndarray, unit: np.ndarray, cluster: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values on pairs, and each once more with its pair turned round. Which of two traces is called chosen is no part
    of what a judge says, and where the better one is, equal verdicts would be what chance gives."""
    return np.concatenate([values, -values]), np.concatenate([unit, ~unit]), np.tile(cluster, 2)


def measure_agreement(
    own: pl.DataFrame, other: pl.DataFrame, unit: str, name: str, both_ways: bool = False
) -> Iterator[Measurement]:
    """Agreement with the judge `name` on the same units, from both judges' mean scores over repeats. `both_ways`: see
    `_both_ways`."""
    both = own.join(other.drop("prompt_id"), on=unit, suffix="_other").sort(unit)
    x, y, prompt, rated = (both[column].to_numpy() for column in ("score", "score_other", "prompt_id", unit))
    yield measure_share("agreement", name, both, (pl.col("score") - pl.col("score_other")).abs() < EQUAL)
    if both_ways:
        (x, rated, prompt), (y, _, _) = (_both_ways(values, rated, prompt) for values in (x, y))
    moments = agreement.sum_moments(x, y, prompt)
    yield Measurement("kappa", name, agreement.jackknife(agreement.kappa, moments, -1, 1), both.height)
    sums = agreement.sum_disagreement(np.concatenate([x, y]), np.tile(rated, 2), np.tile(prompt, 2))
    yield Measurement("alpha", name, agreement.jackknife(agreement.alpha, sums, -1, 1), both.height)
