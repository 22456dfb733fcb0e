"""How far each judge can be believed: its coverage, ties, repeats, orders, taste for length and its own family,
agreement with the other judges and with right answers."""

from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from typing import Annotated, NamedTuple

import polars as pl

from curation.core.metrics import Interval
from curation.core.params import Strict
from curation.core.progress import progress
from curation.core.references import RATING, Refers
from curation.core.stats import wilson
from curation.pairs.noise import variances
from curation.reliability import measures
from curation.reliability.measures import Figure
from curation.reliability.truth import labels, value
from curation.tables.contracts import CALIBRATION, PREFERENCE, RELIABILITY, empty

CHANCE, COVERED, TIED, REPEATED = 0.5, 0.95, 0.5, 0.667  # the last is Krippendorff's own lowest limit
FLIPPED = 0.35  # GPT-4's own share on MT-Bench (arXiv 2306.05685)
# so many times as far as the interval reaches: a chance of 0.5 % each, because a judge without a fault is looked at in
# many ways
FAR = 1.43

PREFIX = {"judge": "", "calibration": "calibrated_"}  # of the measures of confidence, by whose probabilities they are


def _beyond(null: float) -> Callable[[Interval], bool]:
    return lambda found: abs(found.mean - null) > FAR * (found.high - found.low) / 2


SUSPECT: dict[str, Callable[[Interval], bool]] = {
    "coverage": lambda found: found.mean < COVERED,
    "tie_rate": lambda found: found.mean > TIED,
    "repeat_alpha": lambda found: found.mean < REPEATED,
    "auroc": lambda found: found.low <= CHANCE,
    "pairwise_accuracy": lambda found: found.low <= CHANCE,
    "position_inconsistency": lambda found: found.mean > FLIPPED,
    "first_position_rate": _beyond(0.5),
    "length_correlation_equally_right": _beyond(0.0),
    "self_preference": _beyond(0.0),
    "drift": _beyond(0.0),
    "overconfidence": lambda found: found.mean > FAR * (found.mean - found.low),
    "calibrated_overconfidence": lambda found: found.mean > FAR * (found.mean - found.low),
}


class Params(Strict):
    """`reliability` in params.yaml: `truth` is the judge whose first dimension says which trace of a pair is right,
    null where none does; `families` the model family of each judge that has one, as the generators' `family`
    names it."""

    truth: Annotated[str | None, Refers(*RATING)]
    families: dict[str, str]


class Judged(NamedTuple):
    """Every table that says something of the judges, by judge; `probabilities` is that of all."""

    judgments: Mapping[str, pl.DataFrame]
    preferences: Mapping[str, pl.DataFrame]
    deltas: Mapping[str, pl.DataFrame]
    probabilities: pl.DataFrame
    dimensions: Mapping[str, list[str]]


def reliability(
    settings: Params, judged: Judged, pairs: pl.DataFrame, traces: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows of `reliability`: what can be measured of each judge and dimension, with its interval clustered by
    prompt, and whether it is suspect; and those of `calibration`, the curves.

    Pairs of equal texts do not count. A measure that does not vary, or has fewer than two prompts, has a null value and
    is not suspect.
    """
    compared = _compared(pairs, traces, None if settings.truth is None else _label(judged, settings.truth))
    means = _means(judged, traces, compared)
    rows, curves = [], [empty(CALIBRATION)]
    with progress("reliability", sum(map(len, judged.dimensions.values())), "dimensions") as shown:
        for judge, names in judged.dimensions.items():
            wide = compared.join(judged.deltas[judge], on="pair_id", maintain_order="left")
            truth = settings.truth if judge != settings.truth else None
            for dimension in names:
                stated = dict(_stated(judged, judge, dimension, compared)) if truth is not None else {}
                figures = chain(
                    _itself(judged, judge, dimension, traces, compared, truth),
                    measures.of_noise(wide, dimension, variances(wide, dimension), _repeats(judged, judge)),
                    measures.of_deltas(wide, f"delta_{dimension}", truth),
                    measures.of_family(wide, f"delta_{dimension}", settings.families[judge], truth)
                    if judge in settings.families
                    else (),
                    *(measures.of_confidence(one, PREFIX[said_by], str(truth)) for said_by, one in stated.items()),
                    _others(judged, means, judge, dimension),
                )
                rows += [_row(judge, dimension, figure) for figure in figures]
                curves += [_curve(judge, dimension, said_by, one) for said_by, one in stated.items()]
                shown.advance(note=f"{judge} {dimension}")
    return pl.DataFrame(rows, schema=empty(RELIABILITY).schema, orient="row"), pl.concat(curves)


def _repeats(judged: Judged, judge: str) -> str:
    """What a judge's noise is of: its repeats, or a panel's members."""
    return "repeats" if judge in judged.judgments or judge in judged.preferences else "members"


def _label(judged: Judged, truth: str) -> pl.DataFrame:
    return labels(judged.deltas[truth], judged.dimensions[truth][0], judged.preferences.get(truth))


def _compared(pairs: pl.DataFrame, traces: pl.DataFrame, label: pl.DataFrame | None) -> pl.DataFrame:
    """Per pair of unequal texts, in the order of ids: prompt_id, the sides' families, log_ratio of their lengths,
    chosen_right (null unless one side is right and the other not), and equally_right."""
    sides = traces.select("trace_id", pl.col("completion").str.len_chars().alias("length"), "family")
    kept = pairs.filter(~pl.col("identical")).sort("pair_id")
    for side in ("chosen", "rejected"):
        renamed = sides.rename({"trace_id": f"{side}_trace_id", "length": f"{side}_length", "family": f"{side}_family"})
        kept = kept.join(renamed, on=f"{side}_trace_id", how="left", maintain_order="left")
    unknown = pl.DataFrame(schema={"pair_id": pl.Int64, "label": pl.Float64})
    kept = kept.join(unknown if label is None else label, on="pair_id", how="left", maintain_order="left")
    lengths = (pl.col("chosen_length") > 0) & (pl.col("rejected_length") > 0)
    return kept.select(
        "pair_id", "prompt_id", "chosen_family", "rejected_family",
        pl.when(lengths).then((pl.col("chosen_length") / pl.col("rejected_length")).log()).alias("log_ratio"),
        pl.when(pl.col("label") != 0).then(pl.col("label") > 0).alias("chosen_right"),
        (pl.col("label") == 0).alias("equally_right"),
    )  # fmt: skip


def _ratings(judged: Judged, judge: str, dimension: str, traces: pl.DataFrame) -> pl.DataFrame:
    one = (
        judged.judgments[judge].filter(pl.col("dimension") == dimension).select("trace_id", "repeat", "score", "status")
    )
    return one.join(traces.select("trace_id", "prompt_id"), on="trace_id").sort("trace_id", "repeat")


def _verdicts(judged: Judged, judge: str, compared: pl.DataFrame) -> pl.DataFrame:
    """A pairwise judge's rows, each with its pair's prompt and label, and value: 1 for chosen, -1 for rejected, 0
    for a tie."""
    rows = judged.preferences[judge].join(compared.select("pair_id", "prompt_id", "chosen_right"), on="pair_id")
    return rows.with_columns(value().alias("value")).sort("pair_id", "order", "repeat")


def _itself(
    judged: Judged, judge: str, dimension: str, traces: pl.DataFrame, compared: pl.DataFrame, truth: str | None
) -> Iterator[Figure]:
    """What its own ratings or verdicts show; a panel has none."""
    if judge in judged.judgments:
        yield from measures.of_ratings(_ratings(judged, judge, dimension, traces))
    if judge in judged.preferences:
        yield from measures.of_verdicts(_verdicts(judged, judge, compared), truth)


def _means(judged: Judged, traces: pl.DataFrame, compared: pl.DataFrame) -> dict[tuple[str, str], pl.DataFrame]:
    """The mean score of each trace, or the mean verdict on each pair, of every judge and dimension that another
    judge has too."""
    names = [name for rated in judged.dimensions.values() for name in rated]
    found = {}
    for judge, rated in judged.dimensions.items():
        for dimension in (name for name in rated if names.count(name) > 1):
            if judge in judged.judgments:
                scored = _ratings(judged, judge, dimension, traces).filter(pl.col("status") == "scored")
                found[judge, dimension] = scored.group_by("trace_id", "prompt_id").agg(pl.col("score").mean())
            elif judge in judged.preferences:
                verdicts = _verdicts(judged, judge, compared).drop_nulls("value")
                found[judge, dimension] = verdicts.group_by("pair_id", "prompt_id").agg(
                    pl.col("value").mean().alias("score")
                )
    return found


def _others(
    judged: Judged, means: Mapping[tuple[str, str], pl.DataFrame], judge: str, dimension: str
) -> Iterator[Figure]:
    """Agreement with each other judge that rates the same: judges of traces with those, pairwise ones with theirs."""
    if (judge, dimension) not in means:
        return
    for other in judged.dimensions:
        if (
            other != judge
            and (other, dimension) in means
            and (judge in judged.preferences) == (other in judged.preferences)
        ):
            unit = "pair_id" if judge in judged.preferences else "trace_id"
            yield from measures.between(means[judge, dimension], means[other, dimension], unit, other)


def _stated(judged: Judged, judge: str, dimension: str, compared: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    """The probabilities that chosen is right of pairs with a label: a pairwise judge's own, the mean of its
    verdicts', and those of calibration on the prompts it was not fitted to."""
    label = compared.select("pair_id", "prompt_id", "chosen_right").drop_nulls("chosen_right")
    if judge in judged.preferences and dimension == PREFERENCE:
        said = (
            judged.preferences[judge]
            .drop_nulls("strength")
            .group_by("pair_id")
            .agg(((pl.col("strength").mean() + 1) / 2).alias("probability"))
        )
        yield "judge", label.join(said, on="pair_id", maintain_order="left")
    one = judged.probabilities.filter(judge=judge, dimension=dimension, part="held_out").drop_nulls("probability")
    yield "calibration", label.join(one.select("pair_id", "probability"), on="pair_id", maintain_order="left")


def _curve(judge: str, dimension: str, said_by: str, stated: pl.DataFrame) -> pl.DataFrame:
    """The rows of `calibration` for one judge's probabilities; the interval is Wilson's, for as many observations as
    prompts."""
    bins = measures.confident(stated).group_by("bin").agg(
        pl.col("confidence").sort().mean(), pl.col("right").sort().mean().alias("accuracy"), pl.len().cast(pl.Int64).alias("n"),
        pl.col("prompt_id").n_unique().cast(pl.Int64).alias("prompts"),
    )  # fmt: skip
    low, high = wilson(pl.col("accuracy"), pl.col("prompts"))
    named = {"judge": judge, "dimension": dimension, "said_by": said_by}
    return bins.with_columns(
        low.alias("ci_low"), high.alias("ci_high"), **{name: pl.lit(value) for name, value in named.items()}
    ).select(CALIBRATION.schema.names)


def _row(judge: str, dimension: str, figure: Figure) -> tuple[object, ...]:
    measure, against, found, n = figure
    if found is None:
        return judge, dimension, measure, against, None, None, None, n, 0, False
    suspect = SUSPECT.get(measure)
    return (
        judge,
        dimension,
        measure,
        against,
        found.mean,
        found.low,
        found.high,
        n,
        found.n,
        suspect is not None and suspect(found),
    )


def figures(table: pl.DataFrame) -> dict[str, object]:
    """judge, dimension and measure (with what it is against) to value and interval, and the number of suspects of
    each judge, as metrics."""
    found: dict[str, object] = {}
    for (judge,), rows in table.group_by("judge", maintain_order=True):
        by_dimension: dict[str, object] = {"suspect": int(rows["suspect"].sum())}
        for (dimension,), group in rows.drop_nulls("value").group_by("dimension", maintain_order=True):
            named = group.with_columns(
                pl.when(pl.col("against") == "")
                .then("measure")
                .otherwise(pl.concat_str("measure", "against", separator="_"))
                .alias("name")
            )
            by_dimension[str(dimension)] = {
                key: value
                for name, *numbers in named.select("name", "value", "ci_low", "ci_high", "clusters").rows()
                for key, value in Interval(*numbers).keys(name.replace(".", "_")).items()
            }
        found[str(judge)] = by_dimension
    return found
