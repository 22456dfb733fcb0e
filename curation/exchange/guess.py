"""What is guessed of a file: the parts that its columns play, no column with two."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any, Literal, TypeAlias

from curation.core.messages import first_names, show_value
from curation.exchange.looking import Column, Look
from curation.exchange.values import Kind
from curation.exchange.words import BY_OBJECT, rate_name, split_name

Holds: TypeAlias = Literal["traces", "prompts", "preferences", "ratings", "verdicts", "rated texts", "nothing"]
LONGEST_NAME = 100  # characters of a model's, on average
TOLD = ("prompt", "completion", "answer")
NOT_TOLD = {"id", "ids", "hash", "url", "tokens", "length", "type", "lang", "language", "error", "path", "file", "name"}
ALTERNATIVES = 3  # that a comment names
SPOKEN: tuple[Kind, ...] = ("text", "texts", "samples", "message")
KINDS: dict[str, tuple[Kind, ...]] = {
    "prompt": ("text", "messages"),
    "completion": SPOKEN,
    "answer": ("text", "number", "texts", "numbers"),
    "reasoning": ("text",),
    "model": ("text",),
    "system": ("text",),
    "tools": ("structs", "text"),
    "sample_index": ("number",),
    "finish_reason": ("text",),
    "prompt_id": ("text", "number"),
    "trace_id": ("text", "number"),
    "task": ("text",),
    "dimension": ("text",),
    "rater": ("text", "number"),
    "rationale": ("text",),
}
OF_A_TRACE = ("model", "sample_index", "finish_reason", "reasoning")  # that say that a file holds what models wrote


@dataclass
class Guess:
    """What a file holds: the column of each part, of `wide` traces the columns of completions, a generator each, and
    of `thoughts` that of the reasoning of some; the layout of a preference set, the numbers that rate, what there is to
    say of a part, what of a set's rows goes with its pairs, and the columns of options that end prompts."""

    look: Look
    holds: Holds
    columns: dict[str, str]
    wide: list[str] = field(default_factory=list)
    layout: dict[str, Any] | None = None
    ratings: dict[str, Column] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    carried: list[str] = field(default_factory=list)
    thoughts: dict[str, str] = field(default_factory=dict)
    options: list[str] = field(default_factory=list)

    def column(self, role: str) -> Column | None:
        """The column that plays a part, if one does."""
        name = self.columns.get(role)
        return None if name is None else self.look.columns.get(name)  # "" is a name too


class Roles:
    """The parts of a file's columns, no column with two."""

    def __init__(self, look: Look, taken: Iterable[str] = ()) -> None:
        self.look, self.columns, self.notes = look, dict[str, str](), dict[str, str]()
        self.taken = set(taken)

    def free(self, *kinds: Kind) -> list[Column]:
        """The columns of these kinds that play no part yet."""
        return [one for one in self.look.of_kind(*kinds) if one.name not in self.taken]

    def set(self, role: str, column: Column, why: str, others: Sequence[Column] = ()) -> Column:
        """`column` plays the part, which a comment gives the reason of, and what else it might have been."""
        self.columns[role] = column.name
        self.taken.add(column.name)
        said = [why] if why else []
        if others:
            said.append(f"or {first_names((show_value(one.name) for one in others), ALTERNATIVES)}")
        if said:
            self.notes[role] = f"guessed: {'; '.join(said)}"
        return column

    def find(self, role: str, kinds: Sequence[Kind] | None = None) -> list[Column]:
        """The columns that may play the part by name and kind, the surest first."""
        beside = self.columns.get("completion", "")
        rated = [
            (rate, _far(role, one.name, beside), one.name.count("."), _shorter_last(rate, one), number, one)
            for number, one in enumerate(self.free(*(kinds or KINDS[role])))
            if (rate := rate_name(one.name, role)) is not None
            and (role != "model" or one.length <= LONGEST_NAME)
            and not (role in TOLD and set(split_name(one.name)) & NOT_TOLD)
        ]
        return [one for *_, one in sorted(rated, key=lambda entry: entry[:-1])]

    def take(self, role: str, kinds: Sequence[Kind] | None = None) -> Column | None:
        """The surest column plays the part, if there is one."""
        found = self.find(role, kinds)
        return self.set(role, found[0], "", found[1:]) if found else None


def _far(role: str, name: str, completion: str) -> int:
    """The less, the more of its name a column of a trace has in common with that of the completion."""
    return -_shared(name, completion) if role in OF_A_TRACE else 0


def _shorter_last(rate: int, column: Column) -> float:
    """Of fields that are known by the object they are in alone, the longest text first."""
    return -column.length if rate >= BY_OBJECT else 0.0


def _shared(name: str, other: str) -> int:
    """How many parts of their dotted names two columns begin with alike."""
    parts = zip(name.split(".")[:-1], other.split(".")[:-1], strict=False)
    return sum(1 for one, two in takewhile(lambda both: both[0] == both[1], parts))
