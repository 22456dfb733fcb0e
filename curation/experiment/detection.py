"""What each contrast of a study can see, before it is run."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import polars as pl

from curation.core.params import BASELINE
from curation.core.progress import progress
from curation.core.study import Study
from curation.experiment.compare import declared_runs
from curation.experiment.contrast_rows import Row, expand_all
from curation.experiment.estimate import SEEDS, THIS_RUN
from curation.experiment.pilot import Pilot, assumption, pilot
from curation.experiment.power import POWER, Design, Needs, Side, detectable, find_needs, half_width, power
from curation.experiment.values import AVERAGE, BASELINE_ARM, GIVEN, ArmKey, DeclaredRuns

DECLARED = "declared"


class Planned(NamedTuple):
    """A contrast that `compare` will make: weights of arms times weights of benchmarks. `kind` is what it is of: a
    control's name, `baseline`, or `declared`."""

    name: str
    kind: str
    arms: Mapping[ArmKey, float]
    benchmarks: Mapping[str, float]
    label: str  # of the benchmarks
    has_margin: bool = False  # it is to show that there is no difference that matters


class Detection(NamedTuple):
    """What a contrast can see. `prompts` are of all its benchmarks, `seeds` of the arm with the fewest, None without
    one that is trained; `half_width` is how far its interval will reach, `smallest` the gain that it finds four times
    in five.

    Of `compare.detect`: how often it is found, whether that is often enough, and what it takes, each alone. `scope` is
    `seeds`, or `this run` where no arm has two: there is no p then, and the figures are of these runs' prompts alone.
    """

    contrast: str
    kind: str
    benchmark: str
    prompts: int
    samples: int
    seeds: int | None
    scope: str
    half_width: float
    smallest: float
    power: float | None
    can: bool | None
    needs: Needs | None
    basis: str
    is_gain: bool  # one mean less another, in shares of right answers


class Power(NamedTuple):
    """All contrasts of a study, and what their figures rest on."""

    contrasts: list[Detection]
    unforeseen: list[str]  # declared contrasts of which nothing can be said yet
    detect: float | None
    seed_sd: float
    seed_basis: str


def foresee(study: Study, prompts: pl.DataFrame, results: pl.DataFrame) -> Power:
    """What the study's contrasts can see, by the results that there are. `prompts` has those of its benchmarks."""
    settings, declared = study.compare, declared_runs(study)
    seen, detect = pilot(declared, results, assumption(settings.assume)), settings.detect
    asked = dict(prompts.filter(pl.col("source").is_in(study.benchmarks)).group_by("source").len().rows())
    designs = _Designs(study, declared, seen, asked)
    sd, basis = seen.seed_sd({run.method for run in study.runs.values()})
    own, unforeseen = list_declared(study)
    planned, looked = [*own, *list_gains(declared, study.benchmarks)], list[Detection]()
    with progress("power", len(planned), "contrasts") as shown:
        for one in planned:
            if (design := designs.of(one)) is not None:
                looked.append(look(one, design, detect))
            shown.advance()
    return Power(looked, unforeseen, detect, sd, basis)


def look(planned: Planned, design: Design, detect: float | None) -> Detection:
    """What a contrast can see that is measured so. A gain is looked for where it is one, and not where there is to be
    none."""
    seeds = [side.seeds for side in design.sides if side.method is not None]
    wanted = detect if design.is_gain and not planned.has_margin else None
    found = None if wanted is None else power(design, wanted)
    return Detection(
        contrast=planned.name,
        kind=planned.kind,
        benchmark=planned.label,
        prompts=design.prompts,
        samples=min(variation.samples for _, variation in design.benchmarks),
        seeds=min(seeds, default=None),
        scope=SEEDS if design.is_of_seeds else THIS_RUN,
        half_width=half_width(design),
        smallest=detectable(design),
        power=found,
        can=None if found is None else found >= POWER and design.is_of_seeds,
        needs=None if wanted is None else find_needs(design, wanted),
        basis="; ".join(dict.fromkeys(variation.basis for _, variation in design.benchmarks)),
        is_gain=design.is_gain,
    )


class _Designs:
    """How a study's contrasts are measured. `asked` are the prompts of each benchmark."""

    def __init__(self, study: Study, declared: DeclaredRuns, seen: Pilot, asked: Mapping[str, int]) -> None:
        self.study, self.seen, self.asked = study, seen, asked
        self.runs = dict[ArmKey, dict[int, int]]()  # of each arm, how many runs each seed has
        for run, arm in declared.arms.items():
            of_seed = self.runs.setdefault(arm, {})
            of_seed[declared.seeds[run]] = of_seed.get(declared.seeds[run], 0) + 1

    def of(self, planned: Planned) -> Design | None:
        """How it is measured; None without prompts to measure it on."""
        if any(self.asked.get(benchmark, 0) < 2 for benchmark in planned.benchmarks):
            return None
        variations = tuple(
            (weight, self.seen.variation(name, planned.arms, self.asked[name], self._samples(name)))
            for name, weight in planned.benchmarks.items()
        )
        sides = tuple(self._side(arm, weight) for arm, weight in planned.arms.items())
        methods = [side.method for side in sides if side.method is not None]
        pooled = {
            method: tuple(len(seeds) for arm, seeds in self.runs.items() if arm[0] == method) for method in methods
        }
        return Design(sides, variations, self.seen.seed_sd(methods)[0], pooled)

    def _samples(self, benchmark: str) -> int:
        return self.study.evaluate.sampling_of(benchmark).samples

    def _side(self, arm: ArmKey, weight: float) -> Side:
        seeds = self.runs.get(arm, {0: 1})
        is_trained = arm != BASELINE_ARM and arm[0] != GIVEN
        return Side(weight, len(seeds), min(seeds.values()), arm[0] if is_trained else None)


def list_gains(declared: DeclaredRuns, benchmarks: list[str]) -> Iterator[Planned]:
    """What `comparisons` has on each benchmark: every selection over each of its controls, and every arm over the
    untrained student."""
    arms, treatments = list(dict.fromkeys(declared.arms.values())), declared.treatments
    for benchmark in benchmarks:
        for arm in arms:
            others = [other for other in arms if other[:-1] == arm[:-1] and other[-1] not in treatments]
            for other in [*(others if arm[-1] in treatments else []), BASELINE_ARM]:
                kind = other[-1] or BASELINE
                name = f"{'-'.join(part for part in arm if part)} over {kind}"
                yield Planned(name, kind, {arm: 1.0, other: -1.0}, {benchmark: 1.0}, benchmark)


def list_declared(study: Study) -> tuple[list[Planned], list[str]]:
    """The contrasts of means that params.yaml declares, and the names of the others: those whose weights depend on
    pairs that are not there yet, of pass@k, of deltas, and of what is asked of several at once."""
    planned, others = list[Planned](), list[str]()
    for row in expand_all(study):
        weights = find_weights(row) if isinstance(row, Row) and row.measure == AVERAGE else None
        if weights is None or not isinstance(row, Row):
            others.append(row.name)
        else:
            planned.append(Planned(row.name, DECLARED, weights, row.benchmarks, row.label, row.margin is not None))
    return planned, others


def find_weights(row: Row) -> dict[ArmKey, float] | None:
    """The weight of each arm; None where an expression over its pairs decides it."""
    return row.declared_weights()
