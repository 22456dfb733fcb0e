"""Ranks pairs by their sample-level delta on one dimension of one judge."""

from typing import Annotated, Literal

import polars as pl

from curation.params import Refers
from curation.selections._margin import Directed, judged


class Params(Directed):
    """A selection of kind delta."""

    kind: Literal["delta"]
    judge: Annotated[str, Refers("judges")]
    dimension: str


def margins(settings: Params, pairs: pl.DataFrame, deltas: dict[str, pl.DataFrame], generator_deltas: pl.DataFrame) -> pl.DataFrame:
    """A pair's margin is its delta; null where a side has no score."""
    return judged(deltas[settings.judge], settings.dimension)
