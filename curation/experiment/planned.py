"""The contrasts that `compare` will make of a study."""

import itertools
from collections.abc import Container, Hashable, Iterator, Mapping
from typing import NamedTuple

from curation.core.errors import CurationError
from curation.core.params import BASELINE
from curation.core.study import Study
from curation.experiment.contrast_rows import DeltaRow, Joint, LeastSquares, Row, expand_all
from curation.experiment.declarations import Margin
from curation.experiment.properties import NoProperty, from_files
from curation.experiment.values import AVERAGE, BASELINE_ARM, ArmKey, DeclaredRuns

DECLARED = "declared"
OF_DELTAS = "it is of deltas: no run decides it, and `dvc repro compare` says it"


class Planned(NamedTuple):
    """A contrast that `compare` will make: weights of arms times weights of benchmarks. `kind` is what it is of: a
    control's name, `baseline`, or `declared`."""

    name: str
    kind: str
    arms: Mapping[ArmKey, float]
    benchmarks: Mapping[str, float]
    label: str  # of the benchmarks
    measure: str = AVERAGE
    margin: Margin | None = None  # it is to show that there is no difference that matters
    is_slope: bool = False  # or a coefficient of properties, which is in their units

    @property
    def question(self) -> Hashable:
        """What is asked, whatever it is called: two contrasts that ask the same are one."""
        arms = frozenset((arm, round(weight, 9)) for arm, weight in self.arms.items() if abs(weight) > 1e-12)
        return arms, frozenset(self.benchmarks.items()), self.measure, repr(self.margin), self.is_slope


class Asked(NamedTuple):
    """What is asked of several planned contrasts at once: whether each gains, or each holds the margin. Of a spread
    they are the differences of two members each."""

    name: str
    members: tuple[Planned, ...]
    margin: Margin | None

    @property
    def question(self) -> Hashable:
        """What is asked of which."""
        return frozenset(one.question for one in self.members), repr(self.margin)


class Unforeseen(NamedTuple):
    """A declared contrast of which nothing can be said, and why."""

    contrast: str
    why: str


def list_gains(declared: DeclaredRuns, measured: Mapping[str, Container[str]]) -> Iterator[Planned]:
    """What `comparisons` has on each benchmark: every selection over each of its controls, and every arm over the
    untrained student, of the runs that are `measured` there."""
    treatments = declared.treatments
    for benchmark, runs in measured.items():
        arms = [*dict.fromkeys(arm for run, arm in declared.arms.items() if run in runs)]
        baseline = [BASELINE_ARM] if BASELINE in runs else []
        for arm in arms:
            others = [other for other in arms if other[:-1] == arm[:-1] and other[-1] not in treatments]
            for other in [*(others if arm[-1] in treatments else []), *baseline]:
                kind = other[-1] or BASELINE
                name = f"{'-'.join(part for part in arm if part)} over {kind}"
                yield Planned(name, kind, {arm: 1.0, other: -1.0}, {benchmark: 1.0}, benchmark)


def list_declared(study: Study) -> tuple[list[Planned], list[Asked], list[Unforeseen]]:
    """The contrasts of runs that params.yaml declares, what it asks of several at once, and those of which nothing can
    be said: of deltas, of pairs that are not there yet, and what tests nothing."""
    planned, joint, others, properties = list[Planned](), list[Asked](), list[Unforeseen](), from_files(study)

    def plan(row: Row) -> Planned:
        weights = properties.weigh(row)
        is_slope = isinstance(row.weighing, LeastSquares)
        return Planned(row.name, DECLARED, weights, row.benchmarks, row.label, row.measure, row.margin, is_slope)

    for row in expand_all(study):
        try:
            match row:
                case DeltaRow():
                    others.append(Unforeseen(row.name, OF_DELTAS))
                case Joint(asks="spread", equivalence=None):
                    others.append(Unforeseen(row.name, "it says the largest difference, and tests nothing"))
                case Joint():
                    members = [plan(member) for member in row.members if isinstance(member, Row)]
                    if len(members) < len(row.members):
                        others.append(Unforeseen(row.name, OF_DELTAS))
                    elif row.asks == "all":
                        joint.append(Asked(row.name, tuple(members), row.margin))
                    else:
                        apart = itertools.starmap(_difference, itertools.combinations(members, 2))
                        joint.append(Asked(row.name, tuple(apart), Margin(equivalence=row.equivalence)))
                case Row():
                    planned.append(plan(row))
        except (NoProperty, CurationError) as why:
            others.append(Unforeseen(row.name, f"its weights come from pairs: {why}"))
    return planned, joint, others


def _difference(one: Planned, other: Planned) -> Planned:
    """Of two members that differ in their arms or in their benchmarks, as `compare` takes it."""
    if one.benchmarks == other.benchmarks:
        arms = {arm: one.arms.get(arm, 0.0) - other.arms.get(arm, 0.0) for arm in (*one.arms, *other.arms)}
        return one._replace(arms=arms)
    names = (*one.benchmarks, *other.benchmarks)
    return one._replace(
        benchmarks={name: one.benchmarks.get(name, 0.0) - other.benchmarks.get(name, 0.0) for name in names}
    )
