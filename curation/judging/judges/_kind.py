"""What a judge is to the rest of the study."""

from typing import Protocol, TypeVar

import polars as pl

from curation.calls.ledger import Ledger


class Judge(Protocol):
    """The settings of a judge, as other modules read them.

    A judge whose scores have ends gives them as `scales`, (lowest, highest) by dimension; one that asks a model has
    `model` and `revision`.
    """

    @property
    def kind(self) -> str: ...
    @property
    def dimension_names(self) -> list[str]:
        """The dimensions it rates, in a fixed order."""
        ...


Settings = TypeVar("Settings", bound=Judge)


class JudgeKind(Protocol[Settings]):
    """The module of a kind of judge."""

    @property
    def Params(self) -> type[Settings]: ...

    def judge(
        self, settings: Settings, name: str, traces: pl.DataFrame, prompts: pl.DataFrame, ledger: Ledger
    ) -> pl.DataFrame:
        """One row per trace, dimension and repeat, all columns of `judgments` but `judge`."""
        ...
