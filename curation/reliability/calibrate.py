"""What a delta means as a probability, by cross-fitting: none is fitted to a pair of its own prompt."""

import warnings
from collections.abc import Mapping
from typing import Annotated, Literal

import numpy as np
import polars as pl
from pydantic import Field

from curation.core.params import Strict
from curation.core.progress import progress
from curation.core.ranges import HashedSeed
from curation.core.references import RATING, Refers
from curation.reliability.truth import label_pairs
from curation.tables.contracts import DECIMALS, empty
from curation.tables.ids import content_ids
from curation.tables.measurements import NEAR_HALF, PROBABILITIES

MIN_LABELLED_PAIRS = 20  # to fit on


class Params(Strict):
    """`calibrate` in params.yaml.

    `truth` names whose first dimension says which side of a pair is right; null calibrates nothing. A hash of `seed`
    and its id puts each prompt into one of the `folds`, whose pairs get what is fitted to all other folds.
    """

    truth: Annotated[str | None, Refers(*RATING)]
    method: Literal["isotonic", "platt"]
    folds: Annotated[int, Field(ge=2, le=1000, description="each is fitted to the others")]
    seed: HashedSeed


def calibrate(
    settings: Params,
    pairs: pl.DataFrame,
    deltas: Mapping[str, pl.DataFrame],
    dimensions: Mapping[str, list[str]],
    preferences: pl.DataFrame | None = None,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows of `probabilities`: for each pair of unequal texts with a delta its fold, and the probability that
    chosen is right as the labelled pairs of the other folds have it. And the labels, by pair.

    `preferences` are the truth's, if it is a pairwise judge. Fitted to each labelled pair in both orders, so that
    p(-delta) = 1 - p(delta) whichever side a ladder calls chosen. Null where there are fewer than 20 labelled pairs to
    fit on.
    """
    if settings.truth is None:
        return empty(PROBABILITIES), pl.DataFrame(schema={"pair_id": pl.Int64, "label": pl.Float64})
    label = label_pairs(deltas[settings.truth], dimensions[settings.truth][0], preferences)
    labelled = _assign_folds(settings, pairs).join(label, on="pair_id", how="left", maintain_order="left")
    judged = [(judge, name) for judge, names in dimensions.items() if judge != settings.truth for name in names]
    probabilities = [empty(PROBABILITIES)]
    with progress("calibrate", len(judged), "dimensions") as shown:
        for judge, dimension in judged:
            delta = deltas[judge].select("pair_id", pl.col(f"delta_{dimension}").round(9).alias("delta")).drop_nulls()
            rows = labelled.join(delta, on="pair_id", maintain_order="left")
            columns = {"judge": pl.lit(judge), "dimension": pl.lit(dimension)}
            rows = rows.with_columns(_cross_fit(settings.method, rows), **columns)
            probabilities.append(rows.select(PROBABILITIES.schema.names))
            shown.advance(note=f"{judge} {dimension}")
    return pl.concat(probabilities), label


def _assign_folds(settings: Params, pairs: pl.DataFrame) -> pl.DataFrame:
    """The pairs of unequal texts by pair_id, each with the `fold` of its prompt."""
    unequal = pairs.filter(~pl.col("identical")).select("pair_id", "prompt_id").sort("pair_id")
    draw = content_ids(unequal.select(pl.lit(settings.seed), "prompt_id"))
    return unequal.with_columns((draw % settings.folds).cast(pl.Int32).alias("fold"))


def _cross_fit(method: str, rows: pl.DataFrame) -> pl.Series:
    """The probability of each row, which has fold, delta and label, as fitted to the other folds."""
    fold, delta, label = (rows[name].to_numpy() for name in ("fold", "delta", "label"))
    probability = np.full(rows.height, np.nan)
    for number in np.unique(fold):
        of_fold = fold == number
        fitted = ~of_fold & np.isin(label, [-1.0, 1.0])
        probability[of_fold] = _fit(method, delta[fitted], label[fitted] > 0, delta[of_fold])
    return pl.Series("probability", probability, nan_to_null=True).round(DECIMALS)


def _fit(method: str, delta: np.ndarray, right: np.ndarray, every_delta: np.ndarray) -> np.ndarray:
    """The probability at each of `every_delta`, fitted to those pairs whose `delta` and whether chosen is `right` are
    given; nan where they are too few."""
    if len(delta) < MIN_LABELLED_PAIRS:
        return np.full(len(every_delta), np.nan)
    x, y = np.concatenate([delta, -delta]), np.concatenate([right, ~right]).astype(float)
    if not x.any():
        return np.full(len(every_delta), 0.5)
    fitted = _fit_isotonic(x, y, every_delta) if method == "isotonic" else _fit_platt(x, y, every_delta)
    most = _surest(len(delta))
    return fitted.clip(1 - most, most)


def _surest(pairs: int) -> float:
    """Platt's target for what is right each time (Platt 1999): no probability that is fitted to as many pairs is surer,
    neither beyond their deltas nor where they have no error."""
    return (pairs + 1) / (pairs + 2)


def _fit_isotonic(x: np.ndarray, y: np.ndarray, every_x: np.ndarray) -> np.ndarray:
    from sklearn.isotonic import IsotonicRegression

    return np.asarray(IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip").fit(x, y).predict(every_x))


def _fit_platt(x: np.ndarray, y: np.ndarray, every_x: np.ndarray) -> np.ndarray:
    """Logistic regression through the origin, with Platt's targets: (n + 1) / (n + 2) for 1 and 1 / (n + 2) for 0,
    where n labelled pairs are right, so that a judge without an error is not infinitely sure."""
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    target = _surest(len(x) // 2)  # every labelled pair stands in x twice, once right and once wrong
    # a target between 0 and 1 is the row twice: as a 1 of that weight, and as a 0 of the rest
    weights = np.concatenate([np.where(y > 0, target, 1 - target), np.where(y > 0, 1 - target, target)])
    model = LogisticRegression(C=np.inf, fit_intercept=False, solver="newton-cholesky", tol=1e-8)
    twice = np.concatenate([x, x])[:, None] / x.std()
    # where the best coefficient is 0 no step improves on it, and the solver says so
    # BLAS adds long columns on as many threads as it has, and the last digit is by how many
    with warnings.catch_warnings(action="ignore"), threadpool_limits(1, "blas"):
        model.fit(twice, np.repeat([1, 0], len(x)), weights)
    return np.asarray(model.predict_proba(every_x[:, None] / x.std())[:, 1])


def metrics(probabilities: pl.DataFrame, label: pl.DataFrame) -> dict[str, object]:
    """How many pairs there are, and how many of them have a label, which is what is fitted to and measured on; and by
    judge and dimension, under `p_chosen`, their `spread`."""
    pairs = probabilities.unique("pair_id").join(label.filter(pl.col("label") != 0), on="pair_id", how="left")
    by_judge: dict[str, dict[str, object]] = {}
    for judge, dimension, *row in spread(probabilities).rows():
        by_judge.setdefault(judge, {})[dimension] = dict(zip(SPREAD, row, strict=True))
    return {"pairs": pairs.height, "labelled": pairs["label"].count(), "p_chosen": by_judge}


SPREAD = ("pairs", "p05", "p50", "p95", "near_half")


def spread(probabilities: pl.DataFrame) -> pl.DataFrame:
    """By judge and dimension that has probabilities: how many, the quantiles of 5, 50 and 95 % of them, and the share
    within 0.05 of 0.5. By how far p is from 0.5 a soft label says more than a coin."""
    p = pl.col("probability")
    near_half = ((p - 0.5).abs() < NEAR_HALF).mean()
    quantiles = (p.quantile(share, "lower") for share in (0.05, 0.5, 0.95))
    of_dimension = probabilities.drop_nulls("probability").group_by("judge", "dimension", maintain_order=True)
    return of_dimension.agg(
        expression.alias(name) for name, expression in zip(SPREAD, (pl.len(), *quantiles, near_half), strict=True)
    )


def find_flat(probabilities: pl.DataFrame) -> list[str]:
    """A sentence for each judge and dimension whose probabilities are near 0.5 nearly throughout."""
    return [
        f"{judge} {dimension}: p_chosen is {low:.2f} to {high:.2f} for 9 pairs in 10: its delta hardly says which "
        "side is right, and soft labels by it say next to nothing"
        for judge, dimension, _, low, _, high, near_half in spread(probabilities).rows()
        if near_half >= 0.9
    ]
