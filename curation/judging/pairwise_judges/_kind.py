"""What a pairwise judge is to the rest of the study."""

from typing import NamedTuple, Protocol, TypeVar

import polars as pl

from curation.calls.ledger import Ledger


class Compared(NamedTuple):
    """What there is to compare. `pairs` are those of unequal texts, by pair_id, each with prompt, messages, tools and
    answer, the completions chosen and rejected, and chosen_reasoning and rejected_reasoning; `listed` are all
    comparisons that preference sets list."""

    pairs: pl.DataFrame
    traces: pl.DataFrame
    prompts: pl.DataFrame
    listed: pl.DataFrame


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

    def prefer(self, settings: Settings, name: str, compared: Compared, ledger: Ledger) -> pl.DataFrame:
        """One row per pair of `compared`, dimension, order shown and repeat, all columns of `preferences` but
        `judge`."""
        ...
