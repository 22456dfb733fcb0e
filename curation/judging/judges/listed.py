"""Ratings that a preference set holds: of the responses of a source of kind `pairs`."""

from collections.abc import Iterator
from typing import Annotated, Literal

import polars as pl
from pydantic import Field

from curation.calls.ledger import Ledger
from curation.core.errors import CurationError
from curation.core.messages import did_you_mean
from curation.core.params import Column, Strict
from curation.core.ranges import Scale
from curation.core.references import Refers
from curation.core.study import Study
from curation.core.text import say_count
from curation.judging.judges._rated import find_flat_scales, find_off_scale, tabulate
from curation.tables.contracts import RATINGS
from curation.tables.preference_sets import find_set_fault, read_set


class Params(Strict):
    """A judge of kind listed: what `source`, of kind pairs, says of its responses. `scale` has the lowest and the
    highest score of each rating that is one of its dimensions; two rows that rate one response are two repeats."""

    kind: Literal["listed"]
    source: Annotated[str, Refers("sources")]
    scale: Annotated[dict[Column, Scale], Field(min_length=1)]

    @property
    def dimension_names(self) -> list[str]:
        """The dimensions it has, in params' order."""
        return list(self.scale)

    @property
    def scales(self) -> dict[str, tuple[float, float]]:
        """The lowest and the highest score of each dimension."""
        return {name: (low, high) for name, (low, high) in self.scale.items()}

    def mistakes(self, study: Study) -> Iterator[str]:
        """A source that is no preference set; a scale of no rating of it, or without a width."""
        yield from find_set_fault(self.source, study)
        ratings = getattr(study.sources[self.source], "rating_names", None)
        for name in self.scale:
            if ratings is not None and name not in ratings:
                known = did_you_mean(name, ratings) if ratings else "; it declares no ratings"
                yield f"scale.{name}: is no rating of sources.{self.source}.layout{known}"
        yield from find_flat_scales(self.scales)


def judge(settings: Params, name: str, traces: pl.DataFrame, prompts: pl.DataFrame, ledger: Ledger) -> pl.DataFrame:
    """One row per trace, dimension and rating. A rating that the file has not, or that is no number, is `missing`; a
    trace that the set does not rate at all is `no_reference`.

    Raises CurationError if a score is off its scale, or if no trace is rated.
    """
    ratings = read_set(RATINGS, settings.source).filter(pl.col("dimension").is_in(settings.dimension_names))
    ratings = ratings.join(traces.select("trace_id"), on="trace_id", how="semi", maintain_order="left")
    if ratings.is_empty():
        raise CurationError(f"judge {name}: source {settings.source} rates no trace; see its layout's ratings")
    _refuse_off_scale(settings, name, ratings)
    rated = pl.col("trace_id").is_in(ratings["trace_id"].unique().implode())
    return tabulate(traces, settings.dimension_names, ratings, rated)


def _refuse_off_scale(settings: Params, name: str, ratings: pl.DataFrame) -> None:
    """Raises CurationError if a score is off the scale of its dimension."""
    for dimension, low, high, off in find_off_scale(ratings, settings.scales):
        trace_id, value = off.sort("trace_id").select("trace_id", "score").row(0)
        rated = say_count(off.height, f"rating of {dimension} is", f"ratings of {dimension} are")
        raise CurationError(
            f"source {settings.source}: {rated} off the scale from {low:g} to {high:g}, such as {value:g} of "
            f"trace {trace_id}; correct them, or params.yaml: judges.{name}.scale.{dimension}"
        )
