"""What a delta means as a probability: fitted to the labelled pairs of some prompts, to be measured on the other
ones."""

import warnings
from collections.abc import Mapping
from typing import Annotated, Literal

import numpy as np
import polars as pl

from curation.core.params import Share, Strict
from curation.core.progress import progress
from curation.core.references import RATING, Refers
from curation.reliability.truth import labels
from curation.tables.contracts import PROBABILITIES, content_ids, empty

ENOUGH = 20  # labelled pairs to fit on


class Params(Strict):
    """`calibrate` in params.yaml.

    `truth` names whose first dimension says which side of a pair is right; null calibrates nothing. The share
    `fit_share` of the prompts, drawn by a hash of `seed` and their id, is what is fitted.
    """

    truth: Annotated[str | None, Refers(*RATING)]
    method: Literal["isotonic", "platt"]
    fit_share: Share
    seed: int


def calibrate(
    settings: Params,
    pairs: pl.DataFrame,
    deltas: Mapping[str, pl.DataFrame],
    dimensions: Mapping[str, list[str]],
    verdicts: pl.DataFrame | None = None,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows of `probabilities`: for each pair of unequal texts with a delta its probability that chosen is right,
    and whether its prompt was fitted.

    `verdicts` are the truth's preferences, if it is a pairwise judge. Fitted to each labelled pair in both orders, so
    that p(-delta) = 1 - p(delta) whichever side a ladder calls chosen. Null where there are fewer than 20 labelled
    pairs to fit on. And the labels, by pair.
    """
    if settings.truth is None:
        return empty(PROBABILITIES), pl.DataFrame(schema={"pair_id": pl.Int64, "label": pl.Float64})
    unequal = pairs.filter(~pl.col("identical")).select("pair_id", "prompt_id").sort("pair_id")
    draw = content_ids(unequal.select(pl.lit(settings.seed), "prompt_id"))
    part = pl.when(draw / 2.0**63 < settings.fit_share).then(pl.lit("fit")).otherwise(pl.lit("held_out")).alias("part")
    label = labels(deltas[settings.truth], dimensions[settings.truth][0], verdicts)
    asked = unequal.with_columns(part).join(label, on="pair_id", how="left", maintain_order="left")
    found = [empty(PROBABILITIES)]
    wanted = [
        (judge, dimension) for judge, names in dimensions.items() if judge != settings.truth for dimension in names
    ]
    with progress("calibrate", len(wanted), "dimensions") as shown:
        for judge, dimension in wanted:
            delta = deltas[judge].select("pair_id", pl.col(f"delta_{dimension}").round(9).alias("delta")).drop_nulls()
            rows = asked.join(delta, on="pair_id", maintain_order="left")
            known = rows.filter((pl.col("part") == "fit") & pl.col("label").is_in([-1.0, 1.0]))
            probability = _fitted(
                settings.method, known["delta"].to_numpy(), known["label"].to_numpy() > 0, rows["delta"].to_numpy()
            )
            named = rows.with_columns(
                pl.lit(judge).alias("judge"),
                pl.lit(dimension).alias("dimension"),
                pl.Series("probability", probability, pl.Float64),
            )
            found.append(named.select(PROBABILITIES.schema.names))
            shown.advance(note=f"{judge} {dimension}")
    return pl.concat(found), label


def _fitted(method: str, delta: np.ndarray, right: np.ndarray, asked: np.ndarray) -> np.ndarray | list[None]:
    """The probabilities at `asked`."""
    if len(delta) < ENOUGH:
        return [None] * len(asked)
    x, y = np.concatenate([delta, -delta]), np.concatenate([right, ~right]).astype(float)
    if not x.any():
        return np.full(len(asked), 0.5)
    if method == "isotonic":
        from sklearn.isotonic import IsotonicRegression

        return np.asarray(IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip").fit(x, y).predict(asked))
    from sklearn.linear_model import LogisticRegression

    smooth = (len(delta) + 1) / (
        len(delta) + 2
    )  # Platt's targets, so that a judge without an error is not infinitely sure
    weights = np.concatenate([np.where(y > 0, smooth, 1 - smooth), np.where(y > 0, 1 - smooth, smooth)])
    model = LogisticRegression(C=np.inf, fit_intercept=False, solver="newton-cholesky", tol=1e-8)
    twice = np.concatenate([x, x])[:, None] / x.std()
    with warnings.catch_warnings(
        action="ignore"
    ):  # where the best coefficient is 0 no step improves on it, and the solver says so
        model.fit(twice, np.repeat([1, 0], len(x)), weights)
    return np.asarray(model.predict_proba(asked[:, None] / x.std())[:, 1])


def counts(probabilities: pl.DataFrame, label: pl.DataFrame) -> dict[str, int]:
    """How many pairs are in each part, and how many of them have a label, which is what is fitted to and measured
    on."""
    pairs = probabilities.unique("pair_id").join(label.filter(pl.col("label") != 0), on="pair_id", how="left")
    rows = pairs.group_by("part").agg(pl.len().alias("pairs"), pl.col("label").count().alias("labelled")).sort("part")
    return {
        name: number
        for part, *numbers in rows.iter_rows()
        for name, number in zip((f"{part}_pairs", f"{part}_labelled"), numbers, strict=True)
    }
