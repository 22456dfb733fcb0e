"""What a benchmark of another harness is to the rest of the study."""

from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol, TypeVar

from curation.core.ranges import Scale


class Row(NamedTuple):
    """What a log says of one answer. `content` is what the prompt says, as a hash, and `place` tells apart two prompts
    of one log that say the same; `sample` counts the answers to a prompt from 0; `at` is where it stands."""

    content: str
    place: str
    sample: int
    score: float | None
    status: str
    finish_reason: str
    completion: str | None
    n_tokens: int | None
    at: str


class Log(NamedTuple):
    """The rows of one log, and what it says of how they came about; `alike` is what has to be the same in runs that are
    compared, `own` what is a run's own, both by name."""

    rows: list[Row]
    alike: dict[str, str]
    own: dict[str, str]


class Measured(Protocol):
    """The settings of such a benchmark, as other modules read them."""

    @property
    def kind(self) -> str: ...
    @property
    def split(self) -> Literal["in_domain", "out_of_domain"]: ...
    @property
    def runs(self) -> dict[str, str]:
        """By the name of a run where its logs lie: a file, or a folder."""
        ...

    @property
    def scale(self) -> Scale | None:
        """The scores that are worth 0 and 1; null where they are 0 and 1."""
        ...


Settings = TypeVar("Settings", bound=Measured)


class MeasuredKind(Protocol[Settings]):
    """The module of a harness."""

    @property
    def Params(self) -> type[Settings]: ...

    def find_logs(self, settings: Settings, place: Path) -> dict[Path, str]:
        """The logs of the benchmark at a place, a file or a folder, each with its task. Raises CurationError naming
        what there is, if there are none."""
        ...

    def read_log(self, settings: Settings, file: Path, task: str) -> Log:
        """What a log of a task says. Raises CurationError naming file and place, if it is not whole or cannot be
        read."""
        ...


AnyMeasuredKind = MeasuredKind[Any]
