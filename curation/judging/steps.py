"""The steps of a trace, which judges of steps rate one by one."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from curation.judging.patterns import split_all
from curation.judging.shown import NotShown, Shown


class Steps(NamedTuple):
    """The steps of what is shown of a trace, which are numbered from the first of the reasoning to the last of the
    answer."""

    reasoning: list[str]
    answer: list[str]

    @property
    def all(self) -> list[str]:
        return [*self.reasoning, *self.answer]


def split_shown(separator: str, shown: Sequence[Shown | NotShown]) -> Iterator[Steps | NotShown]:
    """The steps of each, of which there is one at least, or the status of what no judge is asked about."""
    texts = [("", "") if isinstance(each, NotShown) else (each.reasoning or "", each.answer or "") for each in shown]
    reasoning, answer = (split_steps(separator, part) for part in zip(*texts, strict=True)) if texts else ([], [])
    for each, *parts in zip(shown, reasoning, answer, strict=True):
        steps = Steps(*parts)
        if isinstance(each, NotShown):
            yield each if each.rationale else NotShown(each.status, "no step")
        else:
            yield steps if steps.all else NotShown("error", "no step")


def split_steps(separator: str, texts: Sequence[str]) -> list[list[str]]:
    """The steps of each text, in order: what stands between the matches of `separator`, blank ones left out."""
    return [[step.strip() for step in steps if step.strip()] for steps in split_all(separator, texts)]
