"""Which metrics differ between two data versions, those that matter first."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from curation.core.metric_files import Metrics

LOW, HIGH = "ci_low", "ci_high"
ENDS = (LOW, HIGH)
VALUES = ("estimate",)  # of a metric whose interval stands beside it, as in `contrasts.NAME.ci_low`
P_VALUES = ("p", "p_holm")
FIRST = ("compare", "reliability")  # files: of contrasts and gains, and of judges
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

    def describe(self) -> str:
        """Both values, with the earlier interval."""
        interval = f" ({_show(self.interval[0])} to {_show(self.interval[1])})" if self.interval else ""
        return f"{_show(self.before)}{interval} → {_show(self.after)}"


def find_moved(before: Metrics, after: Metrics) -> Iterator[Moved]:
    """Every metric that differs: contrasts first, then other results, then reliability, then all others; those that
    have an interval before those that have none. The ends of an interval and what is counted for it, and a p, are
    none of their own."""
    moved = [
        Moved(file, name, old, new, interval := _interval(before.files.get(file, {}), name), _is_within(new, interval))
        for file in dict.fromkeys((*before.files, *after.files))
        for name in dict.fromkeys((*before.files.get(file, {}), *after.files.get(file, {})))
        if not _is_of_interval(name, before.files.get(file, {}) | after.files.get(file, {}))
        and (old := before.files.get(file, {}).get(name)) != (new := after.files.get(file, {}).get(name))
    ]
    yield from sorted(moved, key=_order)


def _order(moved: Moved) -> tuple[bool, int, bool, str, str]:
    rank = FIRST.index(moved.file) if moved.file in FIRST else len(FIRST)
    return not moved.name.startswith(CONTRASTS), rank, moved.interval is None, moved.file, moved.name


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
