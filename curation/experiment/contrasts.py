"""What the declared contrasts come to, of the runs that have results."""

import itertools
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from curation.core.stats import ROUNDING, t_quantile
from curation.core.study import Study
from curation.experiment.contrast_rows import AnyRow, DeltaRow, Joint, Row, expand_all
from curation.experiment.declarations import Margin
from curation.experiment.estimate import PROMPTS, SEEDS, Estimate, estimate
from curation.experiment.margins import Tested, all_gain_p, equivalence_p, margin_p
from curation.experiment.properties import NoProperty, Properties, delta_slope
from curation.experiment.same_arms import SAME
from curation.experiment.terms import arm_name
from curation.experiment.values import ArmKey, BenchmarkValues

Values: TypeAlias = Mapping[tuple[str, str], BenchmarkValues]  # by benchmark and measure


class Seen(NamedTuple):
    """The values of the study's arms, and of arms that are the same runs as another, which."""

    values: Values
    same: Mapping[ArmKey, ArmKey]


class Outcome(NamedTuple):
    """A row's estimate and p, how its terms are called, what arms and benchmarks weigh in it, and its runs."""

    row: AnyRow
    found: Estimate
    p: float | None
    terms: str
    arms: Mapping[ArmKey, float]
    benchmarks: Mapping[str, float]
    runs: tuple[str, ...]


def find_outcomes(study: Study, values: Values, properties: Properties, same: Mapping[ArmKey, ArmKey]) -> list[Outcome]:
    """Of every row that `contrasts` declares, in their order. `same` says of arms which other they are."""
    outcomes: dict[str, Outcome] = {}
    for row in expand_all(study):
        outcomes[row.name] = _outcome(row, Seen(values, same), properties, outcomes)
    return list(outcomes.values())


def _outcome(row: AnyRow, seen: Seen, properties: Properties, known: Mapping[str, Outcome]) -> Outcome:
    match row:
        case Joint():
            return _joint(row, [known[member.name] for member in row.members], seen)
        case DeltaRow():
            return _of_deltas(row, properties)
        case Row():
            return _of_runs(row, seen, properties)


def _of_runs(row: Row, seen: Seen, properties: Properties) -> Outcome:
    try:
        arms = properties.weigh(row)
    except NoProperty as why:
        return Outcome(row, _nothing(str(why)), None, "", {}, row.benchmarks, ())
    found = _estimate(arms, row.benchmarks, row.measure, seen)
    p = found.p if row.margin is None else margin_p(_tested(found), row.margin)
    return Outcome(row, found, p, _show(arms), arms, row.benchmarks, _runs(arms, row.benchmarks, seen))


def _estimate(arms: Mapping[ArmKey, float], benchmarks: Mapping[str, float], measure: str, seen: Seen) -> Estimate:
    """Arms that are the same runs weigh as one; those that then weigh nothing, as where a term stands on both sides,
    are left out."""
    of_measure = {benchmark: of for (benchmark, one), of in seen.values.items() if one == measure}
    once: dict[ArmKey, float] = {}
    for arm, weight in arms.items():
        run = seen.same.get(arm, arm)
        once[run] = once.get(run, 0.0) + weight
    weighing = {arm: weight for arm, weight in once.items() if abs(weight) > 1e-12}
    return estimate(weighing, benchmarks, of_measure) if weighing else _nothing(SAME)


def _of_deltas(row: DeltaRow, properties: Properties) -> Outcome:
    from scipy import stats

    try:
        slope = delta_slope(row, properties.pairs)
    except NoProperty as why:
        return Outcome(row, _nothing(str(why)), None, "", {}, {}, ())
    half, p = t_quantile(slope.df) * slope.standard_error, None
    if slope.standard_error > ROUNDING:
        p = 2 * float(stats.t.sf(abs(slope.value) / slope.standard_error, slope.df))
    else:
        half = float("nan")  # nothing varies, which is no sign that it never would
    numbers = (slope.value, slope.value - half, slope.value + half, p, slope.standard_error, slope.df)
    found = Estimate(*numbers, slope.prompts, 0, PROMPTS, slope.unscored, None)
    if row.margin is not None:
        p = margin_p(_tested(found), row.margin)
    terms = ", ".join(f"{rung}: {mean:.3g} at {x:.3g}" for rung, x, mean in slope.rungs)
    return Outcome(row, found, p, terms, {}, {}, ())


def _joint(row: Joint, members: Sequence[Outcome], seen: Seen) -> Outcome:
    """What is asked of all members."""
    runs = tuple(dict.fromkeys(run for member in members for run in member.runs))
    terms = f"{len(members)} of {row.name.rpartition('.')[0]}"
    outcome = Outcome(row, members[0].found, None, terms, {}, members[0].benchmarks, runs)
    if refused := [member for member in members if member.found.refused]:
        return outcome._replace(found=_nothing(f"{refused[0].row.name} has no result: {refused[0].found.refused}"))
    if row.asks == "all":
        found, p = _least(row, members)
        return outcome._replace(found=found, p=p)
    found, p, *apart = _spread(row, sorted(members, key=lambda member: -member.found.value), seen)
    upper, lower = (member.row.name.removeprefix(row.name.removesuffix(row.asks)) for member in apart)
    return outcome._replace(found=found, p=p, terms=f"{upper} less {lower}, of {terms}")


def _least(row: Joint, members: Sequence[Outcome]) -> tuple[Estimate, float | None]:
    """The member that gains least, or holds the margin least, and the p that not every member does."""
    found = [member.found for member in members]
    if (margin := row.margin) is not None:
        return max(found, key=lambda of: _beyond(of, margin)), _largest([member.p for member in members])
    return min(found, key=lambda of: of.low), all_gain_p([_tested(of) for of in found])


def _spread(row: Joint, ordered: Sequence[Outcome], seen: Seen) -> tuple[Estimate, float | None, Outcome, Outcome]:
    """Of members, the largest first: the difference of the two that are furthest apart, at least 0, the p that some two
    differ by more than the row says, and these two."""
    if row.equivalence is None:
        upper, lower = ordered[0], ordered[-1]
        return _only(upper.found.value - lower.found.value, upper.found), None, upper, lower
    pairs = [(one, other, _difference(one, other, seen)) for one, other in itertools.combinations(ordered, 2)]
    if untold := [pair for pair in pairs if pair[2].refused]:
        return untold[0][2], None, *untold[0][:2]
    upper, lower, widest = max(pairs, key=lambda pair: pair[2].value)
    return widest, _largest([equivalence_p(_tested(found), row.equivalence) for *_, found in pairs]), upper, lower


def _largest(p: Sequence[float | None]) -> float | None:
    """The largest p; None where one is not known."""
    known = [one for one in p if one is not None]
    return max(known) if len(known) == len(p) else None


def _beyond(found: Estimate, margin: Margin) -> float:
    """How far the interval reaches to the side, or the sides, that a margin is of."""
    return -found.low if margin.equivalence is None else max(-found.low, found.high)


def _difference(one: Outcome, other: Outcome, seen: Seen) -> Estimate:
    """Of two members that differ in their arms or in their benchmarks."""
    assert isinstance(one.row, Row)  # of runs, and of one benchmark or one term
    if one.benchmarks == other.benchmarks:
        arms = {arm: one.arms.get(arm, 0.0) - other.arms.get(arm, 0.0) for arm in (*one.arms, *other.arms)}
        return _estimate(arms, one.benchmarks, one.row.measure, seen)
    names = (*one.benchmarks, *other.benchmarks)
    between = {name: one.benchmarks.get(name, 0.0) - other.benchmarks.get(name, 0.0) for name in names}
    return _estimate(one.arms, between, one.row.measure, seen)


def _tested(found: Estimate) -> Tested:
    return Tested(found.value, found.standard_error, found.df, found.p)


def _nothing(why: str) -> Estimate:
    nan = float("nan")
    return Estimate(nan, nan, nan, None, nan, nan, 0, 0, SEEDS, 0, why)


def _only(value: float, of: Estimate) -> Estimate:
    """A number that has no interval."""
    return of._replace(value=value, low=float("nan"), high=float("nan"), p=None)


def _show(arms: Mapping[ArmKey, float]) -> str:
    """The arms with their weights, those that count for it first."""
    ordered = sorted(arms.items(), key=lambda one: (-one[1], one[0]))
    return " ".join(f"{weight:+.4g} {arm_name(arm)}" for arm, weight in ordered if weight)


def _runs(arms: Collection[ArmKey], benchmarks: Collection[str], seen: Seen) -> tuple[str, ...]:
    """The runs of the arms that have results on the benchmarks."""
    return tuple(
        dict.fromkeys(
            run
            for (benchmark, _), of in seen.values.items()
            if benchmark in benchmarks
            for arm in arms
            if arm in of.arms
            for of_seed in of.arms[arm].runs
            for run in of_seed
        )
    )
