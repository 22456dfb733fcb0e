"""What a format is: the shape in which a trainer reads pairs or labelled answers, what tells the trainer so, and what
it would do to some rows without a word.

A file of this folder is a format, and its FORMAT says all of it. Its name is the file's, with `-` for `_`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

from curation.models.rendering import Way
from curation.tables.messages import Message

Method = Literal["dpo", "kto"]
Row: TypeAlias = dict[str, Any]  # as a trainer reads it


class Example(NamedTuple):
    """A row of `subsets` or of `unpaired`. `messages` are its prompt's, and `answers` one of the assistant's for either
    side, chosen first, or the one that has the `label`; what was thought stands in them on its way. `beside` is what a
    trainer may keep and needs not read: ids, margin, ratings. `thinks` where an answer came with reasoning."""

    messages: list[Message]
    tools: str | None
    answers: list[Message]
    label: bool | None
    beside: dict[str, Any]
    thinks: bool

    @property
    def conversations(self) -> list[list[Message]]:
        """The prompt with each answer."""
        return [[*self.messages, answer] for answer in self.answers]


class Trap(NamedTuple):
    """What a trainer does to some rows without a word. `finds` says whether a row is one; it is `left_out` of the
    export where the trainer would stop at it, or could only read something else than it says."""

    name: str
    finds: Callable[[Example], bool]
    happens: str
    way_out: str
    left_out: bool = False


class Config(NamedTuple):
    """What the file for a trainer says: of the set's `name` and `method`, its rows in the file `rows`; the student and
    its chat template, null where that is its tokenizer's; how reasoning goes; the settings of the study's method, as
    far as there is one. `flip_rate` is 1 less the mean p_chosen of the rows of a method that learns from soft labels,
    for trainers with one label smoothing for all; null where no such method is exported, or from 0.5."""

    name: str
    method: Method
    rows: str
    model: str
    way: Way | None
    template: str | None
    max_length: int | None
    template_kwargs: dict[str, Any]
    settings: dict[str, Any]
    flip_rate: float | None = None

    @property
    def loss(self) -> str | None:
        """What the study's method of soft labels makes of them; null where there is none."""
        return None if self.flip_rate is None else str(self.settings.get("loss"))

    @property
    def stem(self) -> str:
        """What the set's files are called, but for what they end in."""
        return f"{self.name}.{self.method}"

    @property
    def out(self) -> str:
        """The folder that the trainer is to write to."""
        return f"out-{self.name}-{self.method}"


@dataclass(frozen=True)
class Format:
    """How one trainer reads. `ways` are those of reasoning that reach its template: the first is taken where the
    study's own does not. `rows` has a shape for each method that the trainer has, `sources` the settings of a source of
    kind pairs that reads the rows back, and `config` the files that the trainer is told by. It `keeps_beside` other
    columns, or refuses them; it `tells_template` the settings in a column."""

    trainer: str
    ways: tuple[Way, ...]
    rows: Mapping[Method, Callable[[Example], Row]]
    sources: Mapping[Method, dict[str, Any]]
    config: Callable[[Config], Mapping[str, str]]
    traps: Sequence[Trap]
    keeps_beside: bool = True
    parquet: bool = False
    tells_template: bool = False
    no_kto: str = ""
