"""One reason for each row of a view, the first that applies."""

from collections.abc import Iterator, Mapping

import numpy as np

from curation.selection.named_columns import NamedColumns
from curation.tables.expressions.syntax import parse

UNDECIDED = 255  # in place of a reason's number


class Verdicts:
    """The number of each row's reason, and `left`, the rows that have none yet."""

    def __init__(self, reasons: list[str], count: int) -> None:
        self.reasons, self.numbers = reasons, np.full(count, UNDECIDED, np.uint8)
        self.left = np.arange(count)

    def give(self, reason: str, rows: np.ndarray) -> None:
        """The rows, all of which are left, have this reason."""
        if len(rows):
            self.numbers[rows] = self.reasons.index(reason)
            self.left = self.left[self.numbers[self.left] == UNDECIDED]


def reject_unmet(
    require: Mapping[str, str], view: NamedColumns, place: str, verdicts: Verdicts
) -> Iterator[tuple[str, np.ndarray]]:
    """Each requirement's name, and the rows for which it is false or unknown. One without a window sees those only that
    are left, so that it cannot fail on any other; one with a window sees all of the view."""
    for name, text in require.items():
        rows = verdicts.left
        seen = None if parse(text).has_window else rows
        met = view.values({f"require.{name}": text}, place, seen).to_series().fill_null(False).to_numpy()
        yield name, rows[~(met[rows] if len(met) > len(rows) else met)]
