"""What a verifier is: the comparison of one final answer with one reference answer."""

from typing import NamedTuple, Protocol, TypeVar

from curation.core.params import Strict


class Verdict(NamedTuple):
    """What a verifier says of one answer and one reference.

    `score` is from 0 (wrong) to 1 (right), or None: a side could not be read, or a limit was reached. `answer` and
    `reference` are each side as it was read, `why` is one sentence.
    """

    score: float | None
    answer: str
    reference: str
    why: str


Settings = TypeVar("Settings", bound=Strict)


class Verifier(Protocol[Settings]):
    """The module of a verifier.

    Its `Params` are its settings in params.yaml: `kind`, the name of its file, and whatever else it needs to be told.
    """

    @property
    def Params(self) -> type[Settings]: ...

    @property
    def PLAIN(self) -> Settings | None:
        """The settings that its bare name stands for; None where settings must be stated."""
        ...

    def verify(self, settings: Settings, answer: str, reference: str, task: str, entry: str | None) -> Verdict:
        """Whether `answer` is what `reference` says.

        `task` is the prompt's, "" where there is none; `entry` is the prompt's, as JSON. The same arguments give the
        same verdict on any machine, however busy. Raises nothing for what the texts say.
        """
        ...
