"""What every generator's settings say of it, and the rows of `traces` it gives."""

import polars as pl

from curation.params import Strict
from curation.tables import TRACES


class Described(Strict):
    """`family` and `scale_b` (billions of parameters) place a generator on the ladder; null where unknown."""

    family: str | None
    scale_b: float | None


def trace_rows(answered: pl.DataFrame, name: str, settings: Described) -> pl.DataFrame:
    """Answered calls as rows of `traces`, all but trace_id."""
    return answered.with_columns(
        pl.lit(name).alias("generator"),
        pl.lit(settings.family, pl.String).alias("family"),
        pl.lit(settings.scale_b, pl.Float64).alias("scale_b"),
    ).select(n for n in TRACES.schema.names if n != "trace_id")
