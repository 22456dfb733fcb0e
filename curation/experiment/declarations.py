"""`contrasts` in params.yaml: what is compared with what, on which benchmarks, declared before any result is seen.
docs/contrasts.md has each form by example."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from curation.core.messages import show_value
from curation.core.params import Strict
from curation.core.ranges import Score
from curation.core.study import Study
from curation.experiment.grid import Budget
from curation.experiment.least_squares import are_apart
from curation.experiment.terms import Term, TermOrBaseline

OVER_DELTAS = "deltas"
FORMS = ("plus", "sum", "trend", "regress")

Size = Annotated[float, Field(gt=0, lt=1, description="a difference between shares of right answers")]


def _read_benchmarks(value: Any) -> Any:
    """One name, a list of which the mean counts, or weights, as weights; a list shares 1."""
    names = [value] if isinstance(value, str) else value
    if isinstance(names, list) and names and all(isinstance(name, str) for name in names):
        if len(set(names)) < len(names):
            raise ValueError(f"{show_value(value)} names one twice")
        return {name: 1 / len(names) for name in names}
    if not isinstance(value, dict):
        raise ValueError(f"{show_value(value)} is no benchmark or split, no list of them, and no mapping to weights")
    return {name: float(weight) if isinstance(weight, int) else weight for name, weight in value.items()}


Benchmarks = Annotated[dict[str, Score], BeforeValidator(_read_benchmarks), Field(min_length=1)]
Rungs = Annotated[list[TermOrBaseline], Field(min_length=2, max_length=1000)]
Over = Rungs | Literal["deltas"]


class Weighted(Term):
    """A term of a weighted sum."""

    weight: Score


class Trend(Strict):
    """A straight line through the terms of `over`, or through the mean deltas of generator pairs (`deltas`): its slope.

    `by` says where each stands on it: numbers, or an expression, of which an arm has its mean over its pairs; where it
    is left out they are one apart. `steps` adds each rung less the one before. Of deltas, `value` is an expression,
    and `where` says which pairs.
    """

    over: Over
    by: list[Score] | str | None = None
    steps: bool | None = None
    value: str | None = None
    where: str | None = None


class Regress(Strict):
    """The gains of several arms by properties of their pairs, all at once: of each expression of `on`, by name, an
    arm has its mean over its pairs, and its coefficient in the least squares through the arms is a contrast."""

    on: Annotated[dict[str, str], Field(min_length=1, max_length=20)]
    over: Rungs


class Each(Strict):
    """The contrast again for each value of an axis, and each combination of values of several."""

    method: list[str] | None = None
    selection: list[str] | None = None
    generator_pairs: list[str] | None = None
    budget: list[Budget] | None = None
    control: list[str] | None = None
    benchmark: list[str] | None = None
    value: list[str] | None = None

    def axes(self) -> dict[str, list[str]]:
        """The axes that it has, and their values."""
        return {
            axis: [str(value) for value in values]
            for axis in type(self).model_fields
            if (values := getattr(self, axis)) is not None
        }


class Margin(Strict):
    """What difference would not matter: for equivalence to either side, for non-inferiority downwards."""

    equivalence: Size | None = None
    non_inferiority: Size | None = None


class Spread(Strict):
    """How far the members of a family lie apart: whether no two differ by more than `equivalence`, or null to say the
    largest difference and test nothing."""

    equivalence: Size | None


class Params(Strict):
    """One of `contrasts`: of `plus`, `sum`, `trend` and `regress` it has one. `runs` is what all its terms share.

    `benchmark` is a benchmark, a list of which the mean counts, a split (the mean of its benchmarks), or weights of
    these. `each` repeats it; what it then makes is a family, of which `all` asks whether each member gains, and
    `spread` how far they lie apart. `family` names one for several entries. `margin` asks for no more than equal.
    """

    plus: TermOrBaseline | None = None
    minus: TermOrBaseline | None = None
    sum: Annotated[list[Weighted] | None, Field(min_length=2)] = None
    trend: Trend | None = None
    regress: Regress | None = None
    runs: Term | None = None
    benchmark: Benchmarks | None = None
    measure: Literal["avg", "pass"] | None = None
    each: Each | None = None
    all: bool | None = None
    spread: Spread | None = None
    margin: Margin | None = None
    family: str | None = None

    def mistakes(self, study: Study) -> Iterator[str]:
        """What is wrong with its form, and each part of it that the study does not have."""
        from curation.experiment.contrast_rows import expand
        from curation.experiment.row_faults import find_faults

        faults = list(self._find_faults())
        if not faults:
            rows, faults = expand("", self, study)
            faults = faults or list(find_faults(self, rows))
        yield from faults
        yield from self._find_expression_faults(study)

    def _find_faults(self) -> Iterator[str]:
        """Parts that do not go together."""
        forms = [form for form in FORMS if getattr(self, form) is not None]
        if len(forms) != 1:
            yield f"plus: a contrast is one of {', '.join(FORMS)}; this has {' and '.join(forms) or 'none'}"
            return
        if (self.plus is None) != (self.minus is None):
            missing = "minus" if self.minus is None else "plus"
            yield f"{missing}: missing; say what it is compared with, `minus: baseline` or the like"
        if self.margin is not None and len(self.margin.model_dump(exclude_none=True)) != 1:
            yield "margin: give one of equivalence and non_inferiority"
        makes_family = self.each is not None or self.regress is not None or bool(self.trend and self.trend.steps)
        for name in ("all", "spread"):
            if getattr(self, name) and not makes_family:
                yield f"{name}: is of several contrasts, and this is one; repeat it by `each`, or leave it out"
        if self.each is not None:
            yield from self._find_faults_of_each(self.each)
        if self.trend is not None:
            yield from _find_faults_of_trend(self.trend)
        if self.trend is not None and self.trend.over == OVER_DELTAS and self.measure is not None:
            yield "measure: is of runs; of deltas, leave it out"
        if self.runs is not None and self.runs.model is not None:
            yield "runs.model: weights are no runs of the grid; name them in a term"
        if self.regress is not None and len(self.regress.over) < len(self.regress.on) + 2:
            yield (
                f"regress.over: {len(self.regress.over)} arms are too few to tell {len(self.regress.on)} properties "
                f"apart; name {len(self.regress.on) + 2} or more"
            )

    def _find_faults_of_each(self, each: Each) -> Iterator[str]:
        axes = each.axes()
        if not axes:
            yield "each: names nothing; give a list, such as selection: [a, b]"
        for axis, values in axes.items():
            if not values or len(set(values)) < len(values):
                yield f"each.{axis}: {show_value(values)} names {'one twice' if values else 'none'}"
        if "benchmark" in axes and self.benchmark is not None:
            yield "benchmark: stands in each, too; give one of them"
        if "value" in axes and self.trend is not None and self.trend.value is not None:
            yield "trend.value: stands in each, too; give one of them"
        of_deltas = self.trend is not None and self.trend.over == OVER_DELTAS
        for axis in axes:
            if (axis == "value") != of_deltas:
                yield f"each.{axis}: is of {'runs' if of_deltas else 'deltas'}, and this contrast has none"

    def _find_expression_faults(self, study: Study) -> Iterator[str]:
        """What is wrong with its expressions over pairs."""
        expressions = dict[str, tuple[str, Any]]()
        if self.regress is not None:
            expressions |= {f"regress.on.{name}": (text, "number") for name, text in self.regress.on.items()}
        if (trend := self.trend) is not None:
            expressions |= {"trend.by": (trend.by, "number")} if isinstance(trend.by, str) else {}
            expressions |= {"trend.value": (trend.value, "number")} if trend.value is not None else {}
            expressions |= {"trend.where": (trend.where, "boolean")} if trend.where is not None else {}
        for number, text in enumerate((self.each and self.each.value) or []):
            expressions[f"each.value.{number}"] = (text, "number")
        if not expressions:
            return
        from curation.experiment import property_faults
        from curation.selection import column_names  # both open the table engine

        wrong = {
            place: message
            for place, (text, kind) in expressions.items()
            if (message := column_names.mistake(text, study, kind))
        }
        yield from (f"{place}: {message}" for place, message in wrong.items())
        numbers = {
            place: text for place, (text, kind) in expressions.items() if kind == "number" and place not in wrong
        }
        yield from property_faults.find_constant(numbers, study)
        yield from property_faults.find_twice({place: text for place, text in numbers.items() if "regress" in place})
        if self.trend is not None and self.trend.over == OVER_DELTAS and isinstance(self.trend.by, str) and not wrong:
            values = {place: text for place, text in numbers.items() if place != "trend.by"}
            yield from property_faults.find_circular(values, self.trend.by, self.trend.where, study)


def _find_faults_of_trend(trend: Trend) -> Iterator[str]:
    if trend.over == OVER_DELTAS:
        if not isinstance(trend.by, str):
            yield "trend.by: missing; of deltas it is an expression, such as a judge's generator_delta"
        if trend.steps:
            yield "trend.steps: is of runs; of deltas, leave it out"
        return
    for name in ("value", "where"):
        if getattr(trend, name) is not None:
            yield f"trend.{name}: is of `over: deltas`; leave it out"
    if isinstance(trend.by, list):
        if len(trend.by) != len(trend.over):
            yield f"trend.by: {len(trend.by)} numbers for the {len(trend.over)} terms of over; give one for each"
        elif not are_apart(trend.by):
            yield "trend.by: all numbers are equal, so there is no slope"
