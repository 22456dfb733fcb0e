"""What a delta means as a probability: fitted to the labelled pairs of some prompts, to be measured on the other
ones."""

import warnings
from collections.abc import Mapping
from typing import Annotated, Literal

import numpy as np
import polars as pl

from curation.core.params import Strict
from curation.core.progress import progress
from curation.core.ranges import HashedSeed, Share
from curation.core.references import RATING, Refers
from curation.reliability.truth import label_pairs
from curation.tables.contracts import empty
from curation.tables.ids import content_ids
from curation.tables.measurements import PROBABILITIES

MIN_LABELLED_PAIRS = 20  # to fit on


class Params(Strict):
    """`calibrate` in params.yaml.

    `truth` names whose first dimension says which side of a pair is right; null calibrates nothing. The share
    `fit_share` of the prompts, drawn by a hash of `seed` and their id, is what is fitted.
    """

    truth: Annotated[str | None, Refers(*RATING)]
    method: Literal["isotonic", "platt"]
    fit_share: Share
    seed: HashedSeed


def calibrate(
    settings: Params,
    pairs: pl.DataFrame,
    deltas: Mapping[str, pl.DataFrame],
    dimensions: Mapping[str, list[str]],
    preferences: pl.DataFrame | None = None,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows of `probabilities`: for each pair of unequal texts with a delta its probability that chosen is right,
    and whether its prompt was fitted. And the labels, by pair.

    `preferences` are the truth's, if it is a pairwise judge. Fitted to each labelled pair in both orders, so that
    p(-delta) = 1 - p(delta) whichever side a ladder calls chosen. Null where there are fewer than 20 labelled pairs to
    fit on.
    """
    if settings.truth is None:
        return empty(PROBABILITIES), pl.DataFrame(schema={"pair_id": pl.Int64, "label": pl.Float64})
    label = label_pairs(deltas[settings.truth], dimensions[settings.truth][0], preferences)
    labelled = _split(settings, pairs).join(label, on="pair_id", how="left", maintain_order="left")
    judged = [(judge, name) for judge, names in dimensions.items() if judge != settings.truth for name in names]
    probabilities = [empty(PROBABILITIES)]
    with progress("calibrate", len(judged), "dimensions") as shown:
        for judge, dimension in judged:
            delta = deltas[judge].select("pair_id", pl.col(f"delta_{dimension}").round(9).alias("delta")).drop_nulls()
            rows = labelled.join(delta, on="pair_id", maintain_order="left")
            fitted = rows.filter((pl.col("part") == "fit") & pl.col("label").is_in([-1.0, 1.0]))
            right = fitted["label"].to_numpy() > 0
            probability = _fit(settings.method, fitted["delta"].to_numpy(), right, rows["delta"].to_numpy())
            columns = {"judge": pl.lit(judge), "dimension": pl.lit(dimension)}
            rows = rows.with_columns(pl.Series("probability", probability, pl.Float64), **columns)
            probabilities.append(rows.select(PROBABILITIES.schema.names))
            shown.advance(note=f"{judge} {dimension}")
    return pl.concat(probabilities), label


def _split(settings: Params, pairs: pl.DataFrame) -> pl.DataFrame:
    """The pairs of unequal texts by pair_id, each with its `part`: that of its prompt."""
    unequal = pairs.filter(~pl.col("identical")).select("pair_id", "prompt_id").sort("pair_id")
    draw = content_ids(unequal.select(pl.lit(settings.seed), "prompt_id"))
    part = pl.when(draw / 2.0**63 < settings.fit_share).then(pl.lit("fit")).otherwise(pl.lit("held_out"))
    return unequal.with_columns(part.alias("part"))


def _fit(method: str, delta: np.ndarray, right: np.ndarray, every_delta: np.ndarray) -> np.ndarray | list[None]:
    """The probability at each of `every_delta`, fitted to those pairs whose `delta` and whether chosen is `right` are
    given."""
    if len(delta) < MIN_LABELLED_PAIRS:
        return [None] * len(every_delta)
    x, y = np.concatenate([delta, -delta]), np.concatenate([right, ~right]).astype(float)
    if not x.any():
        return np.full(len(every_delta), 0.5)
    return _fit_isotonic(x, y, every_delta) if method == "isotonic" else _fit_platt(x, y, every_delta)


def _fit_isotonic(x: np.ndarray, y: np.ndarray, every_x: np.ndarray) -> np.ndarray:
    from sklearn.isotonic import IsotonicRegression

    return np.asarray(IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip").fit(x, y).predict(every_x))


def _fit_platt(x: np.ndarray, y: np.ndarray, every_x: np.ndarray) -> np.ndarray:
    """Logistic regression through the origin, with Platt's targets: (n + 1) / (n + 2) for 1 and 1 / (n + 2) for 0,
    where n labelled pairs are right, so that a judge without an error is not infinitely sure."""
    from sklearn.linear_model import LogisticRegression

    n = len(x) / 2  # every labelled pair stands in x twice, once right and once wrong
    target = (n + 1) / (n + 2)
    # a target between 0 and 1 is the row twice: as a 1 of that weight, and as a 0 of the rest
    weights = np.concatenate([np.where(y > 0, target, 1 - target), np.where(y > 0, 1 - target, target)])
    model = LogisticRegression(C=np.inf, fit_intercept=False, solver="newton-cholesky", tol=1e-8)
    twice = np.concatenate([x, x])[:, None] / x.std()
    # where the best coefficient is 0 no step improves on it, and the solver says so
    with warnings.catch_warnings(action="ignore"):
        model.fit(twice, np.repeat([1, 0], len(x)), weights)
    return np.asarray(model.predict_proba(every_x[:, None] / x.std())[:, 1])


def metrics(probabilities: pl.DataFrame, label: pl.DataFrame) -> dict[str, int]:
    """How many pairs are in each part, and how many of them have a label, which is what is fitted to and measured
    on."""
    pairs = probabilities.unique("pair_id").join(label.filter(pl.col("label") != 0), on="pair_id", how="left")
    rows = pairs.group_by("part").agg(pl.len().alias("pairs"), pl.col("label").count().alias("labelled")).sort("part")
    return {f"{row['part']}_{name}": row[name] for row in rows.rows(named=True) for name in ("pairs", "labelled")}
