"""What a generator is to the rest of the study."""

from typing import Protocol, TypeVar

import polars as pl

from curation.calls.ledger import Ledger
from curation.models.reasoning import Rule


class Generator(Protocol):
    """The settings of a generator, as other modules read them; one that asks a model has `model` and `revision`."""

    @property
    def kind(self) -> str: ...
    @property
    def family(self) -> str | None: ...
    @property
    def scale_b(self) -> float | None: ...
    @property
    def reasoning(self) -> Rule | None: ...


Settings = TypeVar("Settings", bound=Generator)


class GeneratorKind(Protocol[Settings]):
    """The module of a kind of generator."""

    @property
    def Params(self) -> type[Settings]: ...

    def traces(
        self, settings: Settings, name: str, prompts: pl.DataFrame, responses: pl.DataFrame, ledger: Ledger
    ) -> pl.DataFrame:
        """One row per prompt and sample, all columns of `traces` but the derived ones; `responses` are what the study's
        preference sets hold. A kind that knows its rows by more than prompt, generator and sample gives trace_id too,
        and external_id where they have ids already."""
        ...
