"""What a method of training is to the rest of the study."""

from collections.abc import Mapping
from typing import Any, Literal, Protocol, Self, TypeVar

from curation.training.trainers._settings import Lora
from curation.training.trainers._training import Job


class Method(Protocol):
    """The settings of a method, as other modules read them."""

    @property
    def kind(self) -> str: ...
    @property
    def epochs(self) -> float: ...
    @property
    def max_steps(self) -> int | None: ...
    @property
    def batch_size(self) -> int: ...
    @property
    def max_length(self) -> int: ...
    @property
    def accumulation(self) -> int: ...
    @property
    def bf16(self) -> bool: ...
    @property
    def lora(self) -> Lora | None: ...
    def model_dump(self, *, mode: str) -> dict[str, Any]: ...
    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self: ...


Settings = TypeVar("Settings", bound=Method)


class MethodKind(Protocol[Settings]):
    """The module of a kind of method."""

    @property
    def Params(self) -> type[Settings]: ...
    @property
    def READS(self) -> Literal["subsets", "unpaired"]:
        """The table that it learns from."""
        ...

    @property
    def COLUMNS(self) -> tuple[str, ...]:
        """What it reads of a row of that table; the first is the row's key."""
        ...

    @property
    def VERSION(self) -> int:
        """Raised with each change that has the same rows and settings give other weights; it is in a run's key."""
        ...

    def train(self, settings: Settings, job: Job) -> dict[str, float]:
        """`job.out` holds the trained weights; returns the metrics of training."""
        ...
