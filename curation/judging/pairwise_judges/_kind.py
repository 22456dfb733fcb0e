"""What a pairwise judge is to the rest of the study."""

from typing import Protocol, TypeVar

import polars as pl

from curation.calls.ledger import Ledger


class PairwiseJudge(Protocol):
    """The settings of a pairwise judge, as other modules read them; one that asks a model has `model` and
    `revision`."""

    @property
    def kind(self) -> str: ...
    @property
    def dimension_names(self) -> list[str]:
        """The dimensions that its verdicts are on, in a fixed order."""
        ...


Settings = TypeVar("Settings", bound=PairwiseJudge)


class PairwiseJudgeKind(Protocol[Settings]):
    """The module of a kind of pairwise judge."""

    @property
    def Params(self) -> type[Settings]: ...

    def prefer(self, settings: Settings, name: str, pairs: pl.DataFrame, ledger: Ledger) -> pl.DataFrame:
        """One row per pair of `pairs`, dimension, order shown and repeat, all columns of `preferences` but `judge`;
        `pairs` has pair_id, prompt, messages, tools, answer, the completions chosen and rejected, and chosen_reasoning
        and rejected_reasoning."""
        ...
