"""Ranks pairs by their sample-level delta on one dimension of one judge."""

from typing import Annotated, Literal

import polars as pl

from curation.errors import CurationError
from curation.params import RATING, Refers
from curation.selections._margin import Directed, judged


class Params(Directed):
    """A selection of kind delta. `within_noise` says what becomes of pairs whose delta is within the judge's noise."""

    kind: Literal["delta"]
    judge: Annotated[str, Refers(*RATING)]
    dimension: str
    within_noise: Literal["keep", "drop"]


def margins(settings: Params, pairs: pl.DataFrame, deltas: dict[str, pl.DataFrame], generator_deltas: pl.DataFrame) -> pl.DataFrame:
    """A pair's margin is its delta; null where a side has no score. Raises CurationError where pairs within noise are to be dropped and the noise
    is unknown."""
    wide, mark = deltas[settings.judge], f"within_noise_{settings.dimension}"
    if settings.within_noise == "drop" and wide[mark].null_count() == wide.height:
        raise CurationError(f"within_noise: drop: the noise of {settings.judge} {settings.dimension} is unknown; give the judge 2 repeats or more")
    return judged(wide, settings.dimension).hstack([wide[mark].alias("within_noise")])
