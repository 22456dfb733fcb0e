"""Ranks pairs by their sample-level delta on one dimension of one judge."""

from typing import Annotated, Literal

import polars as pl

from curation.params import RATING, Refers
from curation.selections._margin import Directed, judged


class Params(Directed):
    """A selection of kind delta. `within_noise` says what becomes of pairs whose delta is within the judge's noise."""

    kind: Literal["delta"]
    judge: Annotated[str, Refers(*RATING)]
    dimension: str
    within_noise: Literal["keep", "drop"]


def margins(settings: Params, pairs: pl.DataFrame, deltas: dict[str, pl.DataFrame], generator_deltas: pl.DataFrame) -> pl.DataFrame:
    """A pair's margin is its delta, null where a side has no score; within_noise is its mark."""
    mark = deltas[settings.judge][f"within_noise_{settings.dimension}"].alias("within_noise")
    return judged(deltas[settings.judge], settings.dimension).hstack([mark])
