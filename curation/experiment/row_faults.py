"""What is wrong with the rows of an entry of `contrasts`: what would say nothing, or another thing than it seems to."""

from collections.abc import Iterator, Sequence
from math import isclose

from curation.core.messages import first_names, show_value
from curation.experiment.contrast_rows import AnyRow, Fixed, Joint, LeastSquares, Row
from curation.experiment.declarations import Params
from curation.experiment.terms import arm_name
from curation.experiment.values import BASELINE_ARM, GIVEN

NOTHING = 1e-9  # a weight below it is none


def find_faults(entry: Params, rows: Sequence[AnyRow]) -> Iterator[str]:
    """A line `place: what` for each. `rows` are those of a sound entry, called `.NAME` where it makes several."""
    yield from _find_equal_names(entry, rows)
    of_runs = [row for row in rows if isinstance(row, Row)]
    yield from _find_equal_rows(of_runs)
    yield from dict.fromkeys(line for row in of_runs for line in _find_empty(entry, row))
    yield from dict.fromkeys(line for row in of_runs for line in _find_without_pairs(entry, row))
    if entry.regress is not None and entry.spread is not None:
        yield "spread: coefficients of different properties are in units of their own; leave it out"
        return
    for joint in rows:
        if isinstance(joint, Joint) and joint.asks == "spread":
            yield from _find_spread_faults(joint)


def _find_equal_names(entry: Params, rows: Sequence[AnyRow]) -> Iterator[str]:
    names = [row.name for row in rows]
    place = "each" if entry.each is not None else "regress.on"
    for name in dict.fromkeys(name for name in names if names.count(name) > 1):
        yield f"{place}: two of its contrasts are called {name.lstrip('.')}; rename what one of them is of"


def _find_equal_rows(rows: Sequence[Row]) -> Iterator[str]:
    for number, row in enumerate(rows):
        alike = [other for other in rows[:number] if other._replace(name=row.name) == row]
        if alike:
            names = f"{alike[0].name} and {row.name}".replace(" .", " ").lstrip(".")
            yield f"each: {names} are one contrast, since its terms name themselves what each names; leave it out there"
            return


def _find_empty(entry: Params, row: Row) -> Iterator[str]:
    """Weights that leave nothing, or that make a value of what should be a difference."""
    if all(abs(weight) < NOTHING for weight in row.benchmarks.values()):
        yield "benchmark: the weights leave nothing of any benchmark; give others"
    if not isinstance(row.weighing, Fixed):
        if len(set(row.terms)) == 1:
            yield f"{'regress' if entry.regress else 'trend'}.over: all terms are the same runs"
        return
    arms = row.weigh(row.weighing.weights)
    place = "sum" if entry.sum is not None else "trend.over" if entry.trend is not None else "minus"
    if all(abs(weight) < NOTHING for weight in arms.values()):
        yield f"{place}: {'two neighbours are' if place == 'trend.over' else 'both sides are'} the same runs"
    elif not isclose(total := sum(arms.values()), 0.0, abs_tol=NOTHING) and sum(row.benchmarks.values()) > NOTHING:
        yield f"{place}: the weights add up to {total:g}, so it is a value and no difference; let them add up to 0"


def _find_without_pairs(entry: Params, row: Row) -> Iterator[str]:
    """Terms without pairs, where what counts are properties of these."""
    if isinstance(row.weighing, LeastSquares):
        asked = [on for on in row.weighing.on if isinstance(on, str)]
        place = "regress.over" if entry.regress is not None else "trend.over"
        for number, term in enumerate(row.terms):
            without = [arm_name(arm) for arm in term if arm == BASELINE_ARM or arm[0] == GIVEN]
            if asked and without:
                yield f"{place}.{number}: {without[0]} has no pairs here with a {show_value(asked[0])}; leave it out"


def _find_spread_faults(joint: Joint) -> Iterator[str]:
    members = [row for row in joint.members if isinstance(row, Row)]
    if len(joint.members) < 2:
        yield "spread: is of several contrasts, and this makes one; leave it out"
    elif len(members) < len(joint.members) and joint.equivalence is not None:
        yield "spread.equivalence: is of runs; of deltas give null, or leave spread out"
    elif len({row.terms for row in members}) > 1 and len({row.label for row in members}) > 1:
        labels = first_names(dict.fromkeys(row.label for row in members), 3)
        yield f"spread: is of one benchmark, or of one term on several ({labels}); repeat it by one of them"
