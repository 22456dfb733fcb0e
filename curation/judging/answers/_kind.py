"""What a verifier is: the comparison of a final answer with the reference answer."""

from typing import Protocol


class Unreadable(Exception):
    """A verifier cannot read an answer. The message names the error that it met."""


class Verifier(Protocol):
    """The module of a verifier. The column `verifier` of `prompts` holds its file's name, then, where it has one, a
    colon and its task."""

    def score(self, answer: str, reference: str, task: str, entry: str | None) -> float:
        """How right `answer` is, from 0 to 1. `task` is what stands after the colon, "" where there is none; `entry` is
        the prompt's, as JSON.

        Raises Unreadable where it cannot say.
        """
        ...
