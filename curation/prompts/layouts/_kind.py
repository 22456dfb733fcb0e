"""What a layout is: how a row of a preference set holds responses, what it says of each, and which it finds better."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias, TypeVar

from curation.core.messages import show_value
from curation.core.params import Strict

Verdict: TypeAlias = Literal["chosen", "tie", "both_bad"]
MODELS = {"model", "chosen_model", "rejected_model", "model_a", "model_b"}  # places of those who wrote responses


class Unreadable(ValueError):
    """A value of the row that is not what its place in params says: the file, or the mapping, is wrong."""

    def __init__(self, place: str, why: str) -> None:
        super().__init__(why)
        self.place = place


class LeftOut(ValueError):
    """Why a row that can be read is no comparison: it is left out, and counted by this reason."""


class Given(NamedTuple):
    """A response as its row has it. `said` is a text, a message, a conversation that ends in the answer, or null;
    `scores` and `rationales` are by the name of the rating, as they stand in the file. `side` is the place of the
    column that it stands in, where the layout has several."""

    said: Any
    generator: str | None = None
    scores: Mapping[str, Any] = {}
    rationales: Mapping[str, Any] = {}
    side: str | None = None


class Comparison(NamedTuple):
    """Two responses of one row by their numbers in it. The verdict is `chosen` where the first is the better one, null
    where none was given; `first` is the one that was shown first, null where nobody says."""

    better: int
    worse: int
    verdict: Verdict | None
    first: int | None = None


class Listed(NamedTuple):
    """What a row holds, whatever its layout."""

    responses: Sequence[Given]
    comparisons: Sequence[Comparison] = ()


class Ordering(NamedTuple):
    """Pairs that rows do not list: of each prompt, all pairs of responses that the rating `by` tells apart, the higher
    one chosen; with `ties` those that it does not tell apart too."""

    by: str
    ties: bool


class LayoutParams(Strict):
    """Settings of every layout. Names of columns are those of the file, or paths into one: `annotations.honesty`."""

    kind: str

    @property
    def columns(self) -> dict[str, str]:
        """The columns that rows are read by, by their place in the settings."""
        raise NotImplementedError

    @property
    def fields(self) -> dict[str, str]:
        """Paths within each value of the column `each`, by their place in the settings; none where there is no such
        column."""
        return {}

    @property
    def sides(self) -> dict[str, str]:
        """Those of the columns or fields that hold what was answered."""
        raise NotImplementedError

    @property
    def rating_names(self) -> list[str]:
        """What each response is rated on."""
        return []

    @property
    def ordering(self) -> Ordering | None:
        """How pairs are made where rows list none."""
        return None

    @property
    def unkept(self) -> dict[str, str]:
        """What of a column that is read no table keeps, by the column."""
        return {}

    @property
    def lists_pairs(self) -> bool:
        """Whether the file says which response is the better one."""
        return True

    @property
    def names_models(self) -> bool:
        """Whether the file says who wrote a response."""
        return not MODELS.isdisjoint(self.columns.keys() | self.fields.keys())


def is_null(value: Any) -> bool:
    """Whether a row has nothing there: null, or no number."""
    return value is None or (isinstance(value, float) and value != value)


def read_model(row: Mapping[str, Any], place: str) -> str | None:
    """The name of the model at a place, null where there is none. Raises Unreadable where it is no name."""
    value = row.get(place)
    if is_null(value):
        return None
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise Unreadable(f"layout.{place}", f"is {show_value(value)}, not the name of a model")
    return str(value).strip() or None


Settings = TypeVar("Settings", bound=LayoutParams)


class Layout(Protocol[Settings]):
    """The module of a kind of layout.

    Its `Params` are its settings in params.yaml: `kind`, the name of its file, and the columns it reads.
    """

    @property
    def Params(self) -> type[Settings]: ...

    def read(self, settings: Settings, row: Mapping[str, Any]) -> Listed:
        """What a row holds; `row` has the value of each of the settings' `columns` by its place. The same for the same
        row. Raises Unreadable where a value is not what it should be, LeftOut where the row compares nothing."""
        ...
