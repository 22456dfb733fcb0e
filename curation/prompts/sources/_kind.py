"""What a source is to the rest of the study."""

from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar, runtime_checkable

import polars as pl

if TYPE_CHECKING:
    from curation.prompts.preferences.tables import PreferenceSet


class Source(Protocol):
    """The settings of a source, as other modules read them."""

    @property
    def kind(self) -> str: ...
    @property
    def split(self) -> Literal["train", "in_domain", "out_of_domain"]: ...
    @property
    def instruction(self) -> str | None:
        """What ends every prompt."""
        ...


Settings = TypeVar("Settings", bound=Source)


class SourceKind(Protocol[Settings]):
    """The module of a kind of source."""

    @property
    def Params(self) -> type[Settings]: ...

    def prompts(self, settings: Settings, existing_texts: set[str]) -> pl.DataFrame:
        """One row per prompt: task, prompt, answer, answers, verifier, entry; external_id where prompts have ids
        already, messages and tools where they have more than roles and contents. A source that makes its prompts makes
        none whose text is in `existing_texts`."""
        ...


@runtime_checkable
class HasPreferences(Protocol):
    """The module of a kind of source that has responses to its prompts, and says which are better."""

    def preference_set(self, settings: Any) -> "PreferenceSet":
        """All that it has, read once."""
        ...
