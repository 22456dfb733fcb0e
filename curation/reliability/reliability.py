"""How far each judge can be believed: its coverage, zero deltas, repeats, orders, preference for length and for its own
family, agreement with the other judges and with right answers."""

import math
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Annotated, NamedTuple

import polars as pl

from curation.core.metrics import Interval
from curation.core.params import Strict
from curation.core.progress import progress
from curation.core.references import RATING, Refers
from curation.core.stats import stable_mean
from curation.pairs.noise import variances
from curation.pairs.sides import join_sides
from curation.reliability import confidence, measures
from curation.reliability.measurement import Measurement
from curation.reliability.suspect import is_suspect
from curation.reliability.truth import label_pairs, verdict_value
from curation.tables.contracts import SIDES, empty
from curation.tables.measurements import CALIBRATION, RELIABILITY

TWO = [f"{side}_trace_id" for side in SIDES]
TRACE_COLUMNS = ("trace_id", "prompt_id", "family", *measures.LENGTHS.values())  # what is read of traces
PREFIX = {"judge": "", "calibration": "calibrated_"}  # of the measures of confidence, by whose probabilities they are


class Params(Strict):
    """`reliability` in params.yaml: `truth` is the judge whose first dimension says which trace of a pair is right,
    null where none does; `families` the model family of each judge that has one, as the generators' `family`
    names it."""

    truth: Annotated[str | None, Refers(*RATING)]
    families: dict[str, str]


class JudgeTables(NamedTuple):
    """Every table that says something of the judges, by judge; `probabilities` is that of all."""

    judgments: Mapping[str, pl.DataFrame]
    preferences: Mapping[str, pl.DataFrame]
    deltas: Mapping[str, pl.DataFrame]
    probabilities: pl.DataFrame
    dimensions: Mapping[str, list[str]]


def reliability(
    settings: Params, tables: JudgeTables, pairs: pl.DataFrame, traces: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows of `reliability`: what can be measured of each judge and dimension, with its interval clustered by
    prompt, and whether it is suspect; and those of `calibration`, the curves.

    Pairs of identical texts do not count. A measure that does not vary, or has fewer than two prompts, has a null value
    and is not suspect.
    """
    truth = settings.truth
    label = None if truth is None else _label(tables, truth, tables.dimensions[truth][0])
    compared = _compare_sides(pairs, traces, label)
    means = _mean_scores(tables, traces, compared)
    rows, curves = [], [empty(CALIBRATION)]
    with progress("reliability", sum(map(len, tables.dimensions.values())), "dimensions") as shown:
        for judge, names in tables.dimensions.items():
            wide = compared.join(tables.deltas[judge], on="pair_id", maintain_order="left")
            against = truth if judge != truth else None
            family = settings.families.get(judge)
            for dimension in names:
                delta = f"delta_{dimension}"
                stated = {} if against is None else dict(_stated_probabilities(tables, judge, dimension, compared))
                measurements = chain(
                    _measure_replies(tables, judge, dimension, traces, compared, against),
                    measures.measure_noise(wide, dimension, variances(wide, dimension), _noise_source(tables, judge)),
                    measures.measure_deltas(wide, delta, against),
                    measures.measure_decisions(_join_decisions(tables, judge, dimension, compared), against),
                    () if family is None else measures.measure_self_preference(wide, delta, family, against),
                    *(
                        confidence.measure_confidence(p, PREFIX[estimator], str(against))
                        for estimator, p in stated.items()
                    ),
                    _measure_agreements(tables, means, judge, dimension),
                )
                rows += [_row(judge, dimension, measurement) for measurement in measurements]
                curves += [confidence.make_curve(judge, dimension, estimator, p) for estimator, p in stated.items()]
                shown.advance(note=f"{judge} {dimension}")
    table = pl.DataFrame(rows, schema=empty(RELIABILITY).drop("base_rate").schema, orient="row")
    base_rate = pl.col("chosen_right") / (pl.col("chosen_right") + pl.col("rejected_right"))
    return table.with_columns(base_rate=base_rate.fill_nan(None)), pl.concat(curves)


def _noise_source(tables: JudgeTables, judge: str) -> str:
    """What a judge's noise is of: its repeats, or a panel's members."""
    return "repeats" if judge in tables.judgments or judge in tables.preferences else "members"


def _label(tables: JudgeTables, judge: str, dimension: str) -> pl.DataFrame:
    return label_pairs(tables.deltas[judge], dimension, tables.preferences.get(judge))


def _join_decisions(tables: JudgeTables, judge: str, dimension: str, compared: pl.DataFrame) -> pl.DataFrame:
    """The compared pairs, each of two traces once, with what a judge says of it as the truth would: two judges that
    change places turn round the same pairs."""
    said = _label(tables, judge, dimension).rename({"label": "decision"})
    return compared.filter("counts").join(said, on="pair_id", maintain_order="left")


def _compare_sides(pairs: pl.DataFrame, traces: pl.DataFrame, label: pl.DataFrame | None) -> pl.DataFrame:
    """Per pair of unequal texts, in the order of ids: prompt_id, the sides' families, log_ratio of their lengths,
    chosen_right (null unless one side is right and the other not), and equally_right. Where some trace has reasoning,
    reasoning_log_ratio and answer_log_ratio are those of the parts, null where a side has none; counts is false of the
    second of a pair that stands both ways round."""
    lengths = measures.LENGTHS if traces["reasoning_characters"].sum() else {"": measures.LENGTHS[""]}
    columns = traces.select("trace_id", "family", *lengths.values())
    unlabelled = pl.DataFrame(schema={"pair_id": pl.Int64, "label": pl.Float64})
    unequal = join_sides(pairs.filter(~pl.col("identical")).sort("pair_id"), columns).join(
        unlabelled if label is None else label, on="pair_id", how="left", maintain_order="left"
    )
    return unequal.select(
        "pair_id",
        "prompt_id",
        "chosen_family",
        "rejected_family",
        *(_log_ratio(length).alias(f"{part}log_ratio") for part, length in lengths.items()),
        pl.when(pl.col("label") != 0).then(pl.col("label") > 0).alias("chosen_right"),
        (pl.col("label") == 0).alias("equally_right"),
        pl.struct(pl.min_horizontal(TWO), pl.max_horizontal(TWO).alias("other")).is_first_distinct().alias("counts"),
    )


def _log_ratio(length: str) -> pl.Expr:
    """How much longer chosen is than rejected; null where a side has no length."""
    chosen, rejected = (pl.col(f"{side}_{length}") for side in SIDES)
    return pl.when((chosen > 0) & (rejected > 0)).then((chosen / rejected).log())


def _ratings(tables: JudgeTables, judge: str, dimension: str, traces: pl.DataFrame) -> pl.DataFrame:
    """A judge's rows of one dimension, each with its trace's prompt."""
    rows = tables.judgments[judge].filter(pl.col("dimension") == dimension)
    prompts = traces.select("trace_id", "prompt_id")
    return rows.select("trace_id", "repeat", "score", "status").join(prompts, on="trace_id").sort("trace_id", "repeat")


def _verdicts(tables: JudgeTables, judge: str, dimension: str, compared: pl.DataFrame) -> pl.DataFrame:
    """A pairwise judge's rows of one dimension, each with its pair's prompt and label, and value: 1 for chosen, -1 for
    rejected, 0 for a tie."""
    rows = tables.preferences[judge].filter(pl.col("dimension") == dimension)
    rows = rows.join(compared.select("pair_id", "prompt_id", "chosen_right"), on="pair_id")
    return rows.with_columns(verdict_value().alias("value")).sort("pair_id", "order", "repeat")


def _measure_replies(
    tables: JudgeTables, judge: str, dimension: str, traces: pl.DataFrame, compared: pl.DataFrame, truth: str | None
) -> Iterator[Measurement]:
    """What a judge's own ratings or verdicts show; a panel has none."""
    if judge in tables.judgments:
        yield from measures.measure_ratings(_ratings(tables, judge, dimension, traces))
    if judge in tables.preferences:
        yield from measures.measure_verdicts(_verdicts(tables, judge, dimension, compared), truth)


def _mean_scores(
    tables: JudgeTables, traces: pl.DataFrame, compared: pl.DataFrame
) -> dict[tuple[str, str], pl.DataFrame]:
    """The mean score of each trace, or the mean verdict on each pair, of every judge and dimension that another
    judge has too."""
    names = [name for rated in tables.dimensions.values() for name in rated]
    means = {}
    for judge, rated in tables.dimensions.items():
        for dimension in (name for name in rated if names.count(name) > 1):
            if judge in tables.judgments:
                scored = _ratings(tables, judge, dimension, traces).filter(pl.col("score").is_not_null())
                means[judge, dimension] = scored.group_by("trace_id", "prompt_id").agg(stable_mean(pl.col("score")))
            elif judge in tables.preferences:
                verdicts = _verdicts(tables, judge, dimension, compared).drop_nulls("value")
                mean = stable_mean(pl.col("value")).alias("score")
                means[judge, dimension] = verdicts.group_by("pair_id", "prompt_id").agg(mean)
    return means


def _measure_agreements(
    tables: JudgeTables, means: Mapping[tuple[str, str], pl.DataFrame], judge: str, dimension: str
) -> Iterator[Measurement]:
    """Agreement with each other judge that rates the same: judges of traces with those, pairwise ones with theirs."""
    pairwise = judge in tables.preferences
    for other in tables.dimensions if (judge, dimension) in means else ():
        same_unit = pairwise == (other in tables.preferences)
        if other != judge and (other, dimension) in means and same_unit:
            unit = "pair_id" if pairwise else "trace_id"
            yield from measures.measure_agreement(
                means[judge, dimension], means[other, dimension], unit, other, both_ways=pairwise
            )


def _stated_probabilities(
    tables: JudgeTables, judge: str, dimension: str, compared: pl.DataFrame
) -> Iterator[tuple[str, pl.DataFrame]]:
    """The probabilities that chosen is right of pairs with a label, and whose they are: a pairwise judge's own, the
    mean of its verdicts', and those of calibration, none of which was fitted to the pair's prompt."""
    label = compared.select("pair_id", "prompt_id", "chosen_right").drop_nulls("chosen_right")
    if judge in tables.preferences:
        strengths = tables.preferences[judge].filter(dimension=dimension).drop_nulls("strength").group_by("pair_id")
        own = strengths.agg(((stable_mean(pl.col("strength")) + 1) / 2).alias("probability"))
        yield "judge", label.join(own, on="pair_id", maintain_order="left")
    rows = tables.probabilities.filter(judge=judge, dimension=dimension).drop_nulls("probability")
    yield "calibration", label.join(rows.select("pair_id", "probability"), on="pair_id", maintain_order="left")


def _row(judge: str, dimension: str, measurement: Measurement) -> tuple[object, ...]:
    measure, against, interval, n, *right, chance = measurement
    mean, low, high, clusters = (None, None, None, 0) if interval is None else interval
    ends = [None if end is None or math.isnan(end) else end for end in (low, high)]
    return judge, dimension, measure, against, mean, *ends, n, clusters, is_suspect(measure, interval, chance), *right


def metrics(table: pl.DataFrame) -> dict[str, object]:
    """judge, dimension and measure (with what it is against) to value and interval, and the number of suspects of
    each judge."""
    by_judge: dict[str, object] = {}
    measure = pl.when(pl.col("against") == "").then("measure")
    key = measure.otherwise(pl.concat_str("measure", "against", separator="_")).str.replace_all(".", "_", literal=True)
    for (judge,), rows in table.group_by("judge", maintain_order=True):
        by_dimension: dict[str, object] = {"suspect": int(rows["suspect"].sum())}
        for (dimension,), group in rows.drop_nulls("value").group_by("dimension", maintain_order=True):
            intervals = group.select(key.alias("key"), "value", "ci_low", "ci_high", "clusters").rows()
            by_dimension[str(dimension)] = {
                name: number
                for key_, *ends in intervals
                for name, number in Interval(*ends).keys(key_).items()
                if number is not None
            }
        by_judge[str(judge)] = by_dimension
    return by_judge
