"""`curation gate`: whether a data version is as good as it must be, for a build that stops where it is not."""

import argparse
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from curation.commands.terminal import Parser
from curation.core.errors import Errors
from curation.core.lock_file import find_outdated
from curation.core.metric_files import Metrics, read_metrics, read_metrics_of
from curation.tables.contracts import DATA, path

ABOUT = """\
Hold metrics of data/metrics to bounds. Exits 1 with a sentence for each that is worse than it may be, has no value, or
is not there, and for each file of theirs that was made by other settings than params.yaml has. Bounds are of the
--metric before them:

  curation gate --metric contrasts.direction.ci_low --min 0
  curation gate --metric direction.estimate --max-drop 0.01 --against main
"""
ROUNDING = 1e-9  # metrics have six decimals


@dataclass
class Bounds:
    """What a metric has to be: from `min` to `max`, and not more than `max_drop` below what it was."""

    name: str
    min: float | None = None
    max: float | None = None
    max_drop: float | None = None


def main(arguments: list[str]) -> None:
    """Print each metric that is as it must be. Raises Errors with a sentence for each other."""
    parser = Parser(prog="curation gate", description=ABOUT)
    parser.add_argument(
        "--metric", action=_Begin, metavar="NAME", help="as in data/metrics, FILE:NAME where two have it"
    )
    parser.add_argument("--min", action=_Bound, type=number, metavar="X", help="the least that it may be")
    parser.add_argument("--max", action=_Bound, type=number, metavar="X", help="the most that it may be")
    parser.add_argument("--max-drop", action=_Bound, type=number, metavar="X", help="how far it may fall below REV's")
    parser.add_argument("--against", metavar="REV", help="a revision of git to compare with")
    parser.set_defaults(wanted=[])
    given = parser.parse_args(arguments)
    if not given.wanted:
        parser.error("name a metric, as in `--metric contrasts.NAME.ci_low --min 0`")
    for bounds in given.wanted:
        if bounds.min is bounds.max is bounds.max_drop is None:
            parser.error(f"--metric {bounds.name}: has no bound; add --min, --max or --max-drop after it")
        if (bounds.max_drop is not None) and given.against is None:
            parser.error(f"--metric {bounds.name}: --max-drop is held against a revision; name it as --against REV")
    if given.against is not None and all(bounds.max_drop is None for bounds in given.wanted):
        parser.error("--against: no metric has a --max-drop; add one, or leave --against out")
    folder = DATA / "metrics"
    now = read_metrics(folder)
    then = None if given.against is None else read_metrics_of(given.against, folder, f"--against {given.against}")
    read = dict.fromkeys(folder / f"{file}.json" for bounds in given.wanted for file in now.files_of(bounds.name))
    faults = [fault for bounds in given.wanted for fault in _hold(bounds, now, then)]
    faults += find_outdated(read)
    if faults:
        raise Errors(faults)


def _hold(bounds: Bounds, now: Metrics, then: Metrics | None) -> Iterator[str]:
    """A sentence for each way in which the metric is worse than it may be; if there is none, it is printed."""
    value, why = now.find(bounds.name)
    if value is None:
        yield f"{bounds.name}: {_explain(bounds.name) or why}"
        return
    faults = list(_compare(bounds, value, then))
    yield from (f"{bounds.name}: {fault}" for fault in faults)
    if not faults:
        print(f"{bounds.name}: {value:g}")


def _compare(bounds: Bounds, value: float, then: Metrics | None) -> Iterator[str]:
    if bounds.min is not None and value < bounds.min - ROUNDING:
        yield f"{value:g} is less than {bounds.min:g}"
    if bounds.max is not None and value > bounds.max + ROUNDING:
        yield f"{value:g} is more than {bounds.max:g}"
    if bounds.max_drop is None or then is None:
        return
    before, why = then.find(bounds.name)
    if before is None:
        yield f"{why}, so how far it fell cannot be said"
    elif before - value > bounds.max_drop + ROUNDING:
        fell = f"{value:g} is {before - value:g} below {before:g} at {then.place}"
        yield f"{fell}; {bounds.max_drop:g} is allowed"


def _explain(name: str) -> str | None:
    """Why a contrast has no such number, by the table of contrasts; None where that does not say."""
    from curation.tables import parquet
    from curation.tables.measurements import CONTRASTS

    contrast, _, number = name.rpartition(":")[2].removeprefix("contrasts.").rpartition(".")
    if not path("contrasts").exists():
        return None
    rows = parquet.read(CONTRASTS, path("contrasts")).filter(contrast=contrast).to_dicts()
    match rows:
        case [{"refused": str(why)}]:
            return f"has no value, since {contrast} has no result: {why}"
        case [{"scope": scope, **row}] if number in row and row[number] is None:
            return f"has no value, since {contrast} is of scope {scope}"
    return None


class _Begin(argparse.Action):
    """`--metric NAME`: the bounds that follow are its own."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        namespace.wanted = [*namespace.wanted, Bounds(values)]


class _Bound(argparse.Action):
    """A bound of the metric before it."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        if not namespace.wanted:
            parser.error(f"{option_string}: stands before any --metric; name that first")
        setattr(namespace.wanted[-1], self.dest, values)


def number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value
