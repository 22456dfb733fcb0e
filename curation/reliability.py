"""How far each judge can be believed: its coverage, ties, repeats, agreement with the other judges and with right answers, and its taste for length."""

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from itertools import combinations
from typing import Annotated, NamedTuple

import numpy as np
import polars as pl

from curation import agreement
from curation.metrics import Interval
from curation.params import Refers, Strict
from curation.stats import clustered_mean
from curation.tables import RELIABILITY, empty

CHANCE, COVERED, TIED, REPEATED = 0.5, 0.95, 0.5, 0.667  # the last is Krippendorff's own lowest limit
SUSPECT: dict[str, Callable[[Interval], bool]] = {
    "coverage": lambda found: found.mean < COVERED,
    "tie_rate": lambda found: found.mean > TIED,
    "repeat_alpha": lambda found: found.mean < REPEATED,
    "auroc": lambda found: found.low <= CHANCE,
    "win_rate": lambda found: found.low <= CHANCE,
    "length_correlation_equally_right": lambda found: found.low > 0 or found.high < 0,
}


class Params(Strict):
    """`reliability` in params.yaml: `truth` is the judge whose first dimension says which traces are right; null where none does."""

    truth: Annotated[str | None, Refers("judges")]


class Figure(NamedTuple):
    """A measure of one judge and dimension, `against` another judge, its own repeats, length, or nothing."""

    measure: str
    against: str
    found: Interval | None
    n: int


def reliability(
    settings: Params,
    judgments: Mapping[str, pl.DataFrame],
    deltas: Mapping[str, pl.DataFrame],
    pairs: pl.DataFrame,
    traces: pl.DataFrame,
    dimensions: Mapping[str, list[str]],
) -> pl.DataFrame:
    """The rows of `reliability`: what can be measured of each judge and dimension, with its interval clustered by prompt, and whether it is suspect.

    `judgments` and `deltas` are by judge. Pairs of equal texts do not count. A measure that does not vary, or has fewer than two prompts, has a null value
    and is not suspect.
    """
    prompts, truth = traces.select("trace_id", "prompt_id"), settings.truth

    def rated(judge: str, dimension: str) -> pl.DataFrame:
        one = judgments[judge].filter(pl.col("dimension") == dimension).select("trace_id", "repeat", "score", "status")
        return one.join(prompts, on="trace_id").sort("trace_id", "repeat")

    @cache
    def means(judge: str, dimension: str) -> pl.DataFrame:
        scored = rated(judge, dimension).filter(pl.col("status") == "scored")
        return scored.group_by("trace_id", "prompt_id").agg(pl.col("score").mean())

    compared = _compared(pairs, traces, rated(truth, dimensions[truth][0]) if truth is not None else None)
    rows = []
    for judge, names in dimensions.items():
        wide = compared.join(deltas[judge], on="pair_id", maintain_order="left")
        for dimension in names:
            one = rated(judge, dimension)
            found = [*_of_judgments(one), *_of_noise(wide, dimension), *_of_deltas(wide, f"delta_{dimension}", truth if judge != truth else None)]
            for other in dimensions:
                if other != judge and dimension in dimensions[other]:
                    found += _between(means(judge, dimension), means(other, dimension), other)
            rows += [_row(judge, dimension, figure) for figure in found]
    return pl.DataFrame(rows, schema=empty(RELIABILITY).schema, orient="row")


def figures(table: pl.DataFrame) -> dict[str, object]:
    """judge, dimension and measure (with what it is against) to value and interval, and the number of suspects of each judge, as metrics."""
    found: dict[str, object] = {}
    for (judge,), rows in table.group_by("judge", maintain_order=True):
        by_dimension: dict[str, object] = {"suspect": int(rows["suspect"].sum())}
        for (dimension,), group in rows.drop_nulls("value").group_by("dimension", maintain_order=True):
            named = group.with_columns(
                pl.when(pl.col("against") == "").then("measure").otherwise(pl.concat_str("measure", "against", separator="_")).alias("name")
            )
            by_dimension[str(dimension)] = {
                key: value
                for name, *numbers in named.select("name", "value", "ci_low", "ci_high", "clusters").rows()
                for key, value in Interval(*numbers).keys(name.replace(".", "_")).items()
            }
        found[str(judge)] = by_dimension
    return found


def _row(judge: str, dimension: str, figure: Figure) -> tuple[object, ...]:
    measure, against, found, n = figure
    if found is None:
        return judge, dimension, measure, against, None, None, None, n, 0, False
    suspect = SUSPECT.get(measure)
    return judge, dimension, measure, against, found.mean, found.low, found.high, n, found.n, suspect is not None and suspect(found)


def _compared(pairs: pl.DataFrame, traces: pl.DataFrame, truth: pl.DataFrame | None) -> pl.DataFrame:
    """Per pair of unequal texts, in the order of ids: prompt_id, log_ratio of the lengths, chosen_right (null unless exactly one is right), and
    equally_right (whether both or neither are)."""
    known = pl.DataFrame(schema={"trace_id": pl.Int64, "score": pl.Float64}) if truth is None else truth.filter(pl.col("status") == "scored")
    right = known.group_by("trace_id").agg((pl.col("score").mean() > CHANCE).alias("right"))
    sides = traces.select("trace_id", pl.col("completion").str.len_chars().alias("length")).join(right, on="trace_id", how="left")
    kept = pairs.filter(~pl.col("tie")).sort("pair_id")
    for side in ("chosen", "rejected"):
        renamed = sides.rename({"trace_id": f"{side}_trace_id", "length": f"{side}_length", "right": f"{side}_is_right"})
        kept = kept.join(renamed, on=f"{side}_trace_id", how="left", maintain_order="left")
    lengths = (pl.col("chosen_length") > 0) & (pl.col("rejected_length") > 0)
    return kept.select(
        "pair_id", "prompt_id",
        pl.when(lengths).then((pl.col("chosen_length") / pl.col("rejected_length")).log()).alias("log_ratio"),
        pl.when(pl.col("chosen_is_right") != pl.col("rejected_is_right")).then(pl.col("chosen_is_right")).alias("chosen_right"),
        (pl.col("chosen_is_right") == pl.col("rejected_is_right")).alias("equally_right"),
    )  # fmt: skip


def _of_judgments(one: pl.DataFrame) -> Iterator[Figure]:
    """Coverage, and how alike the repeats of a trace are."""
    yield Figure("coverage", "", clustered_mean((one["status"] == "scored").cast(pl.Float64), one["prompt_id"]), one.height)
    scored = one.filter(pl.col("status") == "scored")
    if one["repeat"].n_unique() > 1:
        wide = scored.pivot("repeat", index=["prompt_id", "trace_id"], values="score", sort_columns=True)
        repeats = wide.columns[2:]
        alike = pl.concat([wide.select("prompt_id", (pl.col(a) == pl.col(b)).cast(pl.Float64).alias("alike")) for a, b in combinations(repeats, 2)])
        alike = alike.drop_nulls()
        yield Figure("repeat_agreement", "repeats", clustered_mean(alike["alike"], alike["prompt_id"]), alike.height)
        columns = (scored[name].to_numpy() for name in ("score", "trace_id", "prompt_id"))
        yield Figure("repeat_alpha", "repeats", agreement.jackknife(agreement.alpha, agreement.alpha_sums(*columns)), scored.height)


def _of_noise(wide: pl.DataFrame, dimension: str) -> Iterator[Figure]:
    """The standard deviation that repeats give a delta, pooled over pairs. Nothing without repeats."""
    repeated = wide.filter(pl.col(f"n_{dimension}") > 1).drop_nulls(f"spread_{dimension}")
    if repeated.is_empty():
        return
    variance = (repeated[f"spread_{dimension}"] ** 2 / repeated[f"n_{dimension}"]).to_numpy()
    sums = agreement.by_cluster(repeated["prompt_id"].to_numpy(), np.ones(len(variance)), variance)
    yield Figure("noise", "repeats", agreement.jackknife(lambda summed: np.sqrt(summed[..., 1] / summed[..., 0]), sums), repeated.height)


def _of_deltas(wide: pl.DataFrame, delta: str, truth: str | None) -> Iterator[Figure]:
    """Ties, length, and right answers."""
    known = wide.filter(pl.col(delta).is_not_null())
    yield Figure("tie_rate", "", clustered_mean((known[delta].abs() < 1e-9).cast(pl.Float64), known["prompt_id"]), known.height)
    long = known.drop_nulls("log_ratio")
    sums = _beside_length(long, delta)
    yield Figure("length_correlation", "length", agreement.jackknife(agreement.correlation, sums), long.height)
    yield Figure("delta_at_equal_length", "length", agreement.jackknife(agreement.intercept, sums), long.height)
    if truth is not None:
        alike = long.filter("equally_right")
        yield Figure("length_correlation_equally_right", truth, agreement.jackknife(agreement.correlation, _beside_length(alike, delta)), alike.height)
        told = known.drop_nulls("chosen_right")
        values, right = told[delta].to_numpy(), told["chosen_right"].to_numpy()
        wins = pl.Series((np.sign(np.where(np.abs(values) < 1e-9, 0.0, values)) * np.where(right, 1, -1) + 1) / 2)
        yield Figure("win_rate", truth, clustered_mean(wins, told["prompt_id"]), told.height)
        yield Figure("auroc", truth, agreement.auroc(values, right, told["prompt_id"].to_numpy()), told.height)


def _beside_length(frame: pl.DataFrame, delta: str) -> np.ndarray:
    return agreement.moments(*(frame[name].to_numpy() for name in ("log_ratio", delta, "prompt_id")))


def _between(one: pl.DataFrame, other: pl.DataFrame, name: str) -> Iterator[Figure]:
    """Agreement with another judge on the same traces, from both judges' mean scores over repeats."""
    both = one.join(other.drop("prompt_id"), on="trace_id", suffix="_other").sort("trace_id")
    x, y, prompt, trace = (both[column].to_numpy() for column in ("score", "score_other", "prompt_id", "trace_id"))
    yield Figure("kappa", name, agreement.jackknife(agreement.kappa, agreement.moments(x, y, prompt)), both.height)
    sums = agreement.alpha_sums(np.concatenate([x, y]), np.concatenate([trace, trace]), np.concatenate([prompt, prompt]))
    yield Figure("alpha", name, agreement.jackknife(agreement.alpha, sums), both.height)
