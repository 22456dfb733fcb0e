"""What reading a preference set comes upon: values that are not what their place says, and what is left out and why."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from curation.core.errors import Errors
from curation.core.messages import first_names, show_value
from curation.core.text import one_line, say_count
from curation.prompts.layouts._kind import Unreadable
from curation.tables.user_fields import MISSING, list_fields, take

if TYPE_CHECKING:
    from curation.prompts.sources.pairs import Params
    from curation.tables.user_table import UserTable

MOST_NAMED = 20


class Findings:
    """The findings of one reading of a table."""

    def __init__(self, settings: "Params", table: "UserTable") -> None:
        self.settings, self.table = settings, table
        self.faults: dict[str, str] = {}  # place: what is wrong there, in the first row
        self.left_out: dict[tuple[str, str], tuple[int, int]] = {}  # reason, of one and of many: how many, first row
        self.unread: dict[str, tuple[int, int, Any]] = {}  # rating: how many are no number, the first row, its value
        self.unseen = dict(settings.layout.fields)  # fields that no response had yet
        self.fields: dict[str, None] = {}  # those that one had

    def look_for_fields(self, listed: Iterable[Any]) -> None:
        """The fields that some response of the lists has are no longer unseen."""
        for value in listed:
            if not self.unseen:
                return
            for item in value if isinstance(value, list) else [value]:
                self.fields |= dict.fromkeys(list_fields(item))
                seen = [place for place, path in self.unseen.items() if take(item, path, MISSING) is not MISSING]
                for place in seen:
                    del self.unseen[place]

    def fault(self, row: int, faults: Iterable[Unreadable]) -> None:
        """Values of a row are not what their places say."""
        fields = {f"layout.{place}": path for place, path in self.settings.layout.fields.items()}
        for fault in faults:
            name = (self.settings.places | fields)[fault.place]
            self.faults.setdefault(fault.place, f"{self.table.at(row)}: column {name!r} ({fault.place}) {fault}")

    def leave_out(self, row: int, reason: tuple[str, str], count: int = 1) -> None:
        """So many of a row are left out, which may be none."""
        if not count:
            return
        before, first = self.left_out.get(reason, (0, row))
        self.left_out[reason] = before + count, first

    def no_number(self, row: int, rating: str, value: Any) -> None:
        """What the file has in the place of a rating's score is none."""
        before, *first = self.unread.get(rating, (0, row, value))
        self.unread[rating] = before + 1, first[0], first[1]

    def refuse_faults(self) -> None:
        """Nothing. Raises Errors with a line for each place whose values are not what they should be."""
        name, columns = self.table.name, self.settings.layout.columns
        fields = first_names(self.fields, MOST_NAMED)
        lines = list(self.faults.values())
        if fields and not lines:
            lines = [
                f"{name}: column {columns['each']!r} (layout.each) has no field {path!r} (layout.{place}) in any row; "
                f"it has {fields}"
                for place, path in self.unseen.items()
            ]
        if lines:
            raise Errors([one_line(line) for line in lines])

    def describe(self) -> Iterator[str]:
        """A sentence for each reason why something is in no table."""
        if unread := self._list_unread():
            yield f"in no table: {unread}"
        for column, what in self.settings.layout.unkept.items():
            if column not in (self.settings.columns.carried or []):
                yield f"{what} in column {column!r} is in no table; name it in columns.carried, or as layout.rating"
        for rating, (count, row, value) in self.unread.items():
            first = f"{show_value(value)}, at {self.table.words(row)}"
            said = say_count(
                count, f"rating {rating!r} is no number, so it has", f"ratings {rating!r} are no number, so they have"
            )
            yield f"{said} no score; the first is {first}"
        for reason, (count, row) in self.left_out.items():
            yield f"left out: {say_count(count, *reason)}; the first at {self.table.words(row)}"

    def _list_unread(self) -> str:
        """The columns, and the fields of responses, that no setting names."""
        columns = dict.fromkeys(name for file in self.table.files for name in file.names)
        fields = dict.fromkeys(name.partition(".")[0] for name in self.fields)
        unread = {
            "columns": _without(columns, self.settings.places.values()),
            "of each response": _without(fields, self.settings.layout.fields.values()),
        }
        return "; ".join(f"{what} {first_names(names, MOST_NAMED)}" for what, names in unread.items() if names)


def _without(names: Iterable[str], paths: Iterable[str]) -> list[str]:
    """The names that no path begins with."""
    begun = tuple(paths)
    return [name for name in names if not any(path == name or path.startswith(f"{name}.") for path in begun)]
