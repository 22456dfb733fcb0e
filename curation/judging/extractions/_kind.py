"""What an extraction is: a way to find the final answer in a completion."""

from collections.abc import Iterable, Sequence
from typing import Literal, Protocol, TypeAlias, TypeVar

from curation.core.params import Strict
from curation.judging.extractions._numbers import find_number

Match: TypeAlias = Literal["first", "last"]
Take: TypeAlias = Literal["all", "first_number", "last_number"]
Settings = TypeVar("Settings", bound=Strict)


class Extraction(Protocol[Settings]):
    """The module of a kind of extraction.

    Its `Params` are its settings in params.yaml: `kind`, the name of its file, and whatever else it needs to be told.
    """

    @property
    def Params(self) -> type[Settings]: ...

    def extract(self, settings: Settings, texts: Sequence[str]) -> list[str | None]:
        """The answer of each text, None where it has none. The same text has the same answer on any machine, however
        busy, and its cost grows with its length and no faster. Raises nothing for what a text says."""
        ...


def pick(candidates: Iterable[str], match: Match) -> str | None:
    """The first or the last of the candidates that says something, without the blanks around it; None if none does."""
    answers = [answer for candidate in candidates if says_something(answer := candidate.strip())]
    return answers[0 if match == "first" else -1] if answers else None


def says_something(answer: str) -> bool:
    """Whether a text is more than blanks and the marks that end or divide sentences."""
    return bool(answer.strip(" \t\r\n,.;:…"))


def take(answer: str | None, part: Take) -> str | None:
    """An answer, or its first or last number; None if it has none."""
    if answer is None or part == "all":
        return answer
    return find_number(answer, "first" if part == "first_number" else "last")


def strip_emphasis(text: str) -> str:
    """`text` without the blanks around it, and without Markdown's `**`, `__`, `*`, `_` or backticks where they enclose
    all of it."""
    text = text.strip()
    for mark in ("**", "__", "*", "_", "`"):
        inner = text[len(mark) : -len(mark)]
        if text.startswith(mark) and text.endswith(mark) and inner.strip(f"{mark[0]} ") and mark not in inner:
            return strip_emphasis(inner)
    return text
