"""What an engine is to the rest of the study."""

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from curation.calls.call import Engine
from curation.models.reasoning import Rule
from curation.models.weights import Weights


class EngineParams(Protocol):
    """The settings of an engine, `Params` of its module."""

    @property
    def kind(self) -> str: ...
    @property
    def runs_here(self) -> bool:
        """Whether the model's weights are loaded on this machine."""
        ...

    def find_mistakes(self, max_tokens: int, extra: Mapping[str, Any]) -> Iterator[str]:
        """A line about each setting of `sampling` that the engine cannot take, which begins with its name."""
        ...

    def find_unmet(self) -> Iterator[str]:
        """A line about each thing but the model that the engine needs and this machine does not have."""
        ...

    def engine(self, model: Weights, served_as: str | None = None, rule: Rule | None = None) -> Engine:
        """What answers calls to `model`, which a server knows as `served_as`. What marks reasoning by `rule` stays in a
        text where the engine makes texts of tokens."""
        ...
