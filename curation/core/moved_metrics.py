"""Which metrics differ between two data versions, those that matter first, and those that measure the same together."""

import math
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from curation.core.metric_files import Metrics

LOW, HIGH = "ci_low", "ci_high"
ENDS = (LOW, HIGH)
VALUES = ("estimate",)  # of a metric whose interval stands beside it, as in `contrasts.NAME.ci_low`
P_VALUES = ("p", "p_holm")
FIRST = ("compare", "reliability", "select", "arms", "pair", "delta")  # files, those that matter first
CONTRASTS = "contrasts."
Interval = tuple[float, float]


class Moved(NamedTuple):
    """A metric that differs: None where a version does not have it. `within`: whether the later value is inside the
    earlier interval."""

    file: str
    name: str
    before: Any
    after: Any
    interval: Interval | None
    within: bool

    @property
    def family(self) -> tuple[str, str]:
        """What it measures, of whatever it does: the file without a name in it, and the last word of its own name. A
        contrast is a family of its own."""
        verb, _, _ = self.file.partition("/")
        return (verb, self.name) if self.name.startswith(CONTRASTS) else (verb, self.name.rpartition(".")[2])

    @property
    def size(self) -> float:
        """How far it moved: in half widths of the earlier interval; without one, as a share of the larger value."""
        numbers = [value for value in (self.before, self.after) if isinstance(value, int | float)]
        if len(numbers) < 2 or not all(map(math.isfinite, numbers)):
            return 1.0
        if self.interval and (width := self.interval[1] - self.interval[0]):
            return abs(numbers[1] - numbers[0]) / (width / 2)
        return abs(numbers[1] - numbers[0]) / (max(map(abs, numbers)) or 1)

    def describe(self) -> str:
        """Both values, with the earlier interval."""
        interval = f" ({_show(self.interval[0])} to {_show(self.interval[1])})" if self.interval else ""
        return f"{_show(self.before)}{interval} → {_show(self.after)}"


def find_moved(before: Metrics, after: Metrics) -> Iterator[Moved]:
    """Every metric that differs: contrasts first, then what has an interval, that of the files FIRST before all others
    and what moved most before the rest; then what has none. The ends of an interval and what is counted for it, and a
    p, are none of their own."""
    moved = [
        Moved(file, name, old, new, interval := _interval(before.files.get(file, {}), name), _is_within(new, interval))
        for file in dict.fromkeys((*before.files, *after.files))
        for name in dict.fromkeys((*before.files.get(file, {}), *after.files.get(file, {})))
        if not _is_of_interval(name, before.files.get(file, {}) | after.files.get(file, {}))
        and (old := before.files.get(file, {}).get(name)) != (new := after.files.get(file, {}).get(name))
    ]
    yield from sorted(moved, key=_order)


def group(moved: Iterable[Moved]) -> list[list[Moved]]:
    """The families of metrics that moved, in the order of the first of each; in each the one first that moved most."""
    families: dict[tuple[str, str], list[Moved]] = {}
    for one in moved:
        families.setdefault(one.family, []).append(one)
    return [sorted(family, key=lambda one: -one.size) for family in families.values()]


def _order(moved: Moved) -> tuple[bool, bool, int, float, str, str]:
    verb = moved.file.partition("/")[0]
    rank = FIRST.index(verb) if verb in FIRST else len(FIRST)
    bare = moved.interval is None
    return not moved.name.startswith(CONTRASTS), bare, rank, 0 if bare else -moved.size, moved.file, moved.name


def _interval(metrics: dict[str, Any], name: str) -> Interval | None:
    """The ends of a metric's interval: `NAME_ci_low`, or `PLACE.ci_low` of `PLACE.estimate`."""
    place, _, last = name.rpartition(".")
    start = f"{place}." if last in VALUES else f"{name}_"
    low, high = (metrics.get(f"{start}{end}") for end in ENDS)
    return None if low is None or high is None else (float(low), float(high))


def _is_of_interval(name: str, metrics: dict[str, Any]) -> bool:
    """Whether this is an end of an interval, the number of observations behind one, or an estimate's p."""
    place, _, last = name.rpartition(".")
    if name.endswith(ENDS) or (last in P_VALUES and any(f"{place}.{value}" in metrics for value in VALUES)):
        return True
    whole = name.removesuffix("_n")
    return whole != name and f"{whole}_{LOW}" in metrics


def _is_within(value: Any, interval: Interval | None) -> bool:
    return interval is not None and isinstance(value, int | float) and interval[0] <= value <= interval[1]


def _show(value: Any) -> str:
    return "absent" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
