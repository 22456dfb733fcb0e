"""What a scorer is to the rest of the study."""

from typing import Protocol, TypeVar

import polars as pl

from curation.models.student import Params as Student


class Scorer(Protocol):
    """The settings of a scorer, as other modules read them."""

    @property
    def kind(self) -> str: ...
    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of `pair_scores` that it fills."""
        ...


Settings = TypeVar("Settings", bound=Scorer)


class ScorerKind(Protocol[Settings]):
    """The module of a kind of scorer."""

    @property
    def Params(self) -> type[Settings]: ...

    def score(
        self, settings: Settings, student: Student, pairs: pl.DataFrame, texts: pl.DataFrame, name: str
    ) -> pl.DataFrame:
        """One row per pair whose prompt leaves room for an answer: pair_id and `settings.columns`. `texts` has the
        traces' prompts and completions as message lists, by trace_id."""
        ...
