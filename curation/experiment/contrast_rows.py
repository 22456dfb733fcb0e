"""What a declared contrast comes to in a study: its rows, each weights of arms times weights of benchmarks."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from curation.core.messages import did_you_mean
from curation.core.study import Study
from curation.experiment.declarations import OVER_DELTAS, Margin, Params, Trend
from curation.experiment.least_squares import coefficient_weights
from curation.experiment.terms import Term, find_arms, known_arms
from curation.experiment.values import ArmKey

Terms: TypeAlias = tuple[tuple[ArmKey, ...], ...]  # of each term its arms


class Fixed(NamedTuple):
    """A weight for each term."""

    weights: tuple[float, ...]


class LeastSquares(NamedTuple):
    """The weights that give the coefficient of property `number` in the least squares, with an intercept, of the terms'
    values on their properties: of each a number for each term, or an expression, of whose values over its pairs a term
    has the mean."""

    on: tuple[tuple[float, ...] | str, ...]
    number: int


class Row(NamedTuple):
    """A contrast of runs. A term is the mean of its arms."""

    name: str
    family: str
    terms: Terms
    weighing: Fixed | LeastSquares
    benchmarks: Mapping[str, float]
    label: str  # of the benchmarks
    measure: str
    margin: Margin | None

    def weigh(self, of_terms: Sequence[float]) -> dict[ArmKey, float]:
        """The weight of each arm where the terms have these."""
        arms = dict[ArmKey, float]()
        for weight, term in zip(of_terms, self.terms, strict=True):
            for arm in term:
                arms[arm] = arms.get(arm, 0.0) + weight / len(term)
        return arms

    def declared_weights(self) -> dict[ArmKey, float] | None:
        """The weight of each arm; None where expressions over their pairs decide it. Raises NotApart."""
        if isinstance(self.weighing, Fixed):
            return self.weigh(self.weighing.weights)
        on = [values for values in self.weighing.on if not isinstance(values, str)]
        if len(on) < len(self.weighing.on):
            return None
        return self.weigh(coefficient_weights(on, self.weighing.number).tolist())


class DeltaRow(NamedTuple):
    """A trend of mean deltas over generator pairs, which needs no run."""

    name: str
    family: str
    value: str
    where: str
    by: str
    margin: Margin | None


class Joint(NamedTuple):
    """What is asked of all members of a family at once: whether each gains, or holds the `margin` (`all`), or how far
    they lie apart: whether no two differ by more than `equivalence`, None where only the largest difference is said."""

    name: str
    family: str
    members: tuple[Row | DeltaRow, ...]
    asks: str
    equivalence: float | None = None
    margin: Margin | None = None


AnyRow: TypeAlias = Row | DeltaRow | Joint


class Expanded(NamedTuple):
    """The rows of an entry, in its order, and what is wrong with it, `place: what`."""

    rows: list[AnyRow]
    faults: list[str]


def expand_all(study: Study) -> list[AnyRow]:
    """The rows of every entry of `contrasts`, in their order."""
    return [row for name, entry in study.contrasts.items() for row in expand(name, entry, study).rows]


def expand(name: str, entry: Params, study: Study) -> Expanded:
    """The rows of one entry, which is sound in its form.

    The row of an entry that is one contrast is called as the entry; those of `each` also by the values that they are
    of, those of `steps` and `regress` by number and by property, and `all` and `spread` by these words.
    """
    expansion = _Expansion(entry, study)
    members: list[Row | DeltaRow] = []
    axes = {} if entry.each is None else entry.each.axes()
    own_family = entry.family or (name if axes or entry.regress else "")
    for values in itertools.product(*axes.values()):
        shared = {axis: [value] for axis, value in zip(axes, values, strict=True)}
        members += expansion.rows(f"{name}.{'-'.join(values)}" if values else name, own_family, shared)
    if entry.trend is not None and entry.trend.steps and not axes:
        # the slope stands for itself, its steps are the family
        members = [row._replace(family=entry.family or (name if number else "")) for number, row in enumerate(members)]
    return Expanded([*members, *_joint_rows(name, entry, members)], list(dict.fromkeys(expansion.faults)))


def _joint_rows(name: str, entry: Params, members: Sequence[Row | DeltaRow]) -> Iterator[Joint]:
    """Of a trend with steps it is these that are asked, not its slope."""
    has_steps = entry.trend is not None and entry.trend.steps
    rows = tuple(row for row in members if not has_steps or (isinstance(row, Row) and isinstance(row.weighing, Fixed)))
    if entry.all:
        yield Joint(f"{name}.all", entry.family or "", rows, "all", margin=entry.margin)
    if entry.spread is not None:
        yield Joint(f"{name}.spread", entry.family or "", rows, "spread", entry.spread.equivalence)


class _Expansion:
    """The rows of an entry, and the faults that were met in making them."""

    def __init__(self, entry: Params, study: Study) -> None:
        self.entry, self.study, self.known, self.faults = entry, study, known_arms(study), list[str]()

    def rows(self, name: str, family: str, shared: Mapping[str, list[str]]) -> Iterator[Row | DeltaRow]:
        """Those of one combination of `each`, which is what all terms share."""
        entry, trend = self.entry, self.entry.trend
        if trend is not None and trend.over == OVER_DELTAS:
            yield from self._delta_rows(name, family, trend, shared.get("value", []))
            return
        benchmarks, label = self._find_benchmarks(shared.get("benchmark"))
        shared = {axis: values for axis, values in shared.items() if axis != "benchmark"}
        runs = ({} if entry.runs is None else entry.runs.named()) | shared
        row = Row(name, family, (), Fixed(()), benchmarks, label, entry.measure or "avg", entry.margin)
        if entry.plus is not None and entry.minus is not None:
            plus = self._find("plus", entry.plus, runs)
            minus = self._find("minus", entry.minus, runs | entry.plus.named() | shared)
            yield row._replace(terms=(plus, minus), weighing=Fixed((1.0, -1.0)))
        elif entry.sum is not None:
            terms = tuple(self._find(f"sum.{number}", term, runs) for number, term in enumerate(entry.sum))
            yield row._replace(terms=terms, weighing=Fixed(tuple(term.weight for term in entry.sum)))
        elif trend is not None:
            yield from self._trend_rows(row, trend, runs)
        elif entry.regress is not None:
            terms = self._find_all("regress.over", entry.regress.over, runs)
            for number, of in enumerate(entry.regress.on):
                weighing = LeastSquares(tuple(entry.regress.on.values()), number)
                yield row._replace(name=f"{name}.{of}", terms=terms, weighing=weighing)

    def _trend_rows(self, row: Row, trend: Trend, runs: Mapping[str, list[str]]) -> Iterator[Row]:
        over = trend.over if isinstance(trend.over, list) else []
        terms = self._find_all("trend.over", over, runs)
        by = tuple(map(float, range(len(over)))) if trend.by is None else trend.by
        weighing = LeastSquares((by if isinstance(by, str) else tuple(map(float, by)),), 0)
        yield row._replace(terms=terms, weighing=weighing)
        if trend.steps:
            steps = enumerate(itertools.pairwise(terms), 1)
            yield from (
                row._replace(name=f"{row.name}.step_{number}", terms=(upper, lower), weighing=Fixed((1.0, -1.0)))
                for number, (lower, upper) in steps
            )

    def _delta_rows(self, name: str, family: str, trend: Trend, values: Sequence[str]) -> Iterator[DeltaRow]:
        if self.entry.benchmark is not None or self.entry.runs is not None:
            self.faults.append("benchmark: a trend over deltas has none, and no runs; leave both out")
        value = values[0] if values else trend.value
        if value is None:
            self.faults.append("trend.value: missing; name the delta, such as rubric.delta_step_coherence")
        elif isinstance(trend.by, str):
            yield DeltaRow(name, family, value, trend.where or "true", trend.by, self.entry.margin)

    def _find_all(self, place: str, terms: Sequence[Term], runs: Mapping[str, list[str]]) -> Terms:
        return tuple(self._find(f"{place}.{number}", term, runs) for number, term in enumerate(terms))

    def _find(self, place: str, term: Term, shared: Mapping[str, list[str]]) -> tuple[ArmKey, ...]:
        arms, faults = find_arms(term, shared, self.known)
        self.faults += [f"{place}{fault}" for fault in faults]
        return tuple(arms)

    def _find_benchmarks(self, each: Sequence[str] | None) -> tuple[dict[str, float], str]:
        """The weights of benchmarks, splits resolved, and how they are called together."""
        wanted = self.entry.benchmark if each is None else {each[0]: 1.0}
        of_splits = self.study.splits
        there = list(of_splits)
        if wanted is None:
            if len(there) != 1:
                listed = ", ".join(there) or "none"
                self.faults.append(f"benchmark: missing; name one of {listed}, or a split, whose mean then counts")
            return dict.fromkeys(there[:1], 1.0), there[0] if there else ""
        splits = dict[str, list[str]]()
        for name in there:
            splits.setdefault(of_splits[name], []).append(name)
        weights = dict[str, float]()
        for name, weight in wanted.items():
            members = [name] if name in there else splits.get(name, [])
            if not members:
                known = [*there, *splits]
                hint = did_you_mean(name, known)
                self.faults.append(f"benchmark: {name!r} is no benchmark, and no split{hint}")
            for member in members:
                weights[member] = weights.get(member, 0.0) + weight / len(members)
        return weights, _label(wanted)


def _label(weights: Mapping[str, float]) -> str:
    """Names of equal weight as a list; else each with its weight, that of 1 left out."""
    if len(set(weights.values())) == 1 and next(iter(weights.values())) > 0:
        return ", ".join(weights)
    named = {name: name if abs(weight) == 1 else f"{abs(weight):g} {name}" for name, weight in weights.items()}
    signed = (f"{'-' if weight < 0 else '+'} {named[name]}" for name, weight in weights.items())
    return " ".join(signed).removeprefix("+ ")
