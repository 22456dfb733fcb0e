"""Conversations written as one text, in which marks say whose turn it is."""

import re
from functools import cache

from curation.core.params import Strict
from curation.core.ranges import Filled
from curation.tables.messages import Message


class Transcript(Strict):
    """What begins each turn in a text that is a conversation, such as `\\n\\nHuman:`; blanks around a mark and around
    what is said after it count for nothing."""

    user: Filled
    assistant: Filled
    system: Filled | None = None

    def read_answered(self, text: str) -> list[Message] | None:
        """The turns of a text that begins with a mark; null where it does not."""
        return self._turns(text) if self._mark.match(text) else None

    def read_prompt(self, text: str) -> list[Message] | None:
        """The turns of a text with marks, without an empty last one of the assistant's, which is to be answered; null
        where there are none. What stands before the first mark is said by the user."""
        first = self._mark.search(text)
        if first is None:
            return None
        before = text[: first.start()].strip()
        turns = [{"role": "user", "content": before}] if before else []
        turns += self._turns(text[first.start() :])
        return turns[:-1] if turns[-1] == {"role": "assistant", "content": ""} else turns

    @property
    def _mark(self) -> re.Pattern[str]:
        return _compile(self.user, self.assistant, self.system)

    def _turns(self, text: str) -> list[Message]:
        marks = list(self._mark.finditer(text))
        ends = [*(mark.start() for mark in marks[1:]), len(text)]
        return [
            {"role": str(mark.lastgroup), "content": text[mark.end() : end].strip()}
            for mark, end in zip(marks, ends, strict=True)
        ]


@cache
def _compile(user: str, assistant: str, system: str | None) -> re.Pattern[str]:
    """What finds each mark, with the blanks that it begins with unless it opens the text."""
    marks = {"user": user, "assistant": assistant} | ({} if system is None else {"system": system})
    longest_first = sorted(marks.items(), key=lambda one: -len(one[1].strip()))
    return re.compile(
        "|".join(rf"(?P<{role}>{_opening(mark)}{re.escape(mark.strip())})" for role, mark in longest_first)
    )


def _opening(mark: str) -> str:
    blanks = re.escape(mark[: len(mark) - len(mark.lstrip())]).replace("\\\n", r"\r?\n")
    return rf"(?:\A\s*|{blanks})"
