"""What each contrast of a study can see, before it is run."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from curation.core.progress import progress
from curation.core.study import Study
from curation.experiment.compare import declared_runs
from curation.experiment.declarations import Margin
from curation.experiment.estimate import PROMPTS, SEEDS, THIS_RUN
from curation.experiment.margin_power import Together, margin_power, size_of, smallest_margin
from curation.experiment.pilot import Pilot, assumption, pilot
from curation.experiment.planned import DECLARED, Asked, Planned, Unforeseen, list_declared, list_gains
from curation.experiment.power import POWER, Design, Measured, Needs, Side, detectable, find_needs, half_width, power
from curation.experiment.values import BASELINE_ARM, BEST, GIVEN, ArmKey, DeclaredRuns

GAIN, ALL_GAIN, SLOPE, SUM = "a gain", "all gain", "a slope", "a sum"  # what is to be found, where there is no margin


class Detection(NamedTuple):
    """What a contrast can see. `asks` says what it is to find; `prompts` are of all its benchmarks, `seeds` of the arm
    with the fewest, None without one that is trained; `half_width` is how far its interval will reach; `smallest` the
    gain that it finds four times in five, or the margin that it shows so often where there is no difference.

    Of `compare.detect`, or of the margin: how often it is found or shown, whether that is often enough, and what it
    takes, each alone. `scope` is `seeds`, or `this run` where no arm has two: there is no p then, and the figures are
    of these runs' prompts alone.
    """

    contrast: str
    kind: str
    asks: str
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


class Power(NamedTuple):
    """All contrasts of a study, and what their figures rest on."""

    contrasts: list[Detection]
    unforeseen: list[Unforeseen]
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
    own, joint, unforeseen = list_declared(study)
    planned: list[Planned | Asked] = [*own, *joint, *list_gains(declared, study.benchmarks)]
    looked = list[Detection]()
    with progress("power", len(planned), "contrasts") as shown:
        for one in planned:
            members = one.members if isinstance(one, Asked) else (one,)
            if any(asked.get(benchmark, 0) < 2 for member in members for benchmark in member.benchmarks):
                unforeseen.append(Unforeseen(one.name, "its benchmarks have fewer than two prompts"))
            elif isinstance(one, Asked):
                looked.append(look_at_all(one, designs.together(one.members), detect))
            else:
                looked.append(look(one, designs.of(one), detect))
            shown.advance()
    return Power(looked, unforeseen, detect, sd, basis)


def look(planned: Planned, design: Design, detect: float | None) -> Detection:
    """What a contrast can see that is measured so. A gain is looked for where it is one, and not where there is to be
    none."""
    found = _found(planned.name, planned.kind, planned.label, design)
    if (margin := planned.margin) is not None:
        return found._replace(
            asks=_name_margin(margin),
            smallest=smallest_margin(design, margin),
            **_reached(design, lambda changed: margin_power(changed, margin), design.is_of_seeds),
        )
    if planned.is_slope or not design.is_gain:
        return found._replace(asks=SLOPE if planned.is_slope else SUM, smallest=detectable(design))
    wanted = {} if detect is None else _reached(design, lambda changed: power(changed, detect), design.is_of_seeds)
    return found._replace(asks=GAIN, smallest=detectable(design), **wanted)


def look_at_all(asked: Asked, together: Together, detect: float | None) -> Detection:
    """What is seen of several contrasts at once, with the figures of the one whose interval is widest."""
    widest, of_seeds = together.widest, all(design.is_of_seeds for design in together.designs)
    label = asked.members[together.designs.index(widest)].label
    found = _found(asked.name, DECLARED, label, widest)
    if (margin := asked.margin) is not None:
        return found._replace(
            asks=f"all {_name_margin(margin)}",
            smallest=together.smallest_margin(margin),
            **_reached(together, lambda changed: changed.power_of_margin(margin), of_seeds),
        )
    told = dict[str, Any]()
    if detect is not None and all(design.is_gain for design in together.designs):
        told = _reached(together, lambda changed: changed.power_of_all(detect), of_seeds)
    return found._replace(asks=ALL_GAIN, smallest=together.detectable(), **told)


def _name_margin(margin: Margin) -> str:
    return f"{'not worse by' if margin.equivalence is None else 'alike within'} {size_of(margin):g}"


def _reached(design: Measured, shown: Callable[[Measured], float], is_of_seeds: bool) -> dict[str, Any]:
    """How often that is shown, whether often enough, and what it takes."""
    often = shown(design)
    needs = find_needs(design, lambda changed: shown(changed) >= POWER)
    return {"power": often, "can": often >= POWER and is_of_seeds, "needs": needs}


def _found(name: str, kind: str, label: str, design: Design) -> Detection:
    """What holds of a contrast whatever it asks."""
    seeds = [side.seeds for side in design.sides if side.method is not None]
    return Detection(
        contrast=name,
        kind=kind,
        asks="",
        benchmark=label,
        prompts=design.prompts,
        samples=min(variation.samples for _, variation in design.benchmarks),
        seeds=min(seeds, default=None),
        scope=PROMPTS if not design.methods else SEEDS if design.is_of_seeds else THIS_RUN,
        half_width=half_width(design),
        smallest=0.0,
        power=None,
        can=None,
        needs=None,
        basis="; ".join(dict.fromkeys(variation.basis for _, variation in design.benchmarks)),
    )


class _Designs:
    """How a study's contrasts are measured. `asked` are the prompts of each benchmark."""

    def __init__(self, study: Study, declared: DeclaredRuns, seen: Pilot, asked: Mapping[str, int]) -> None:
        self.study, self.seen, self.asked = study, seen, asked
        self.runs = dict[ArmKey, dict[int, int]]()  # of each arm, how many runs each seed has
        for run, arm in declared.arms.items():
            of_seed = self.runs.setdefault(arm, {})
            of_seed[declared.seeds[run]] = of_seed.get(declared.seeds[run], 0) + 1

    def of(self, planned: Planned) -> Design:
        """How it is measured."""
        variations = tuple(
            (weight, self.seen.variation(name, planned.arms, self.asked[name], self._samples(name), planned.measure))
            for name, weight in planned.benchmarks.items()
        )
        sides = tuple(self._side(arm, weight) for arm, weight in planned.arms.items() if abs(weight) > 1e-12)
        methods = [side.method for side in sides if side.method is not None]
        pooled = {
            method: tuple(len(seeds) for arm, seeds in self.runs.items() if arm[0] == method) for method in methods
        }
        sd, _ = self.seen.seed_sd(methods, planned.measure)
        return Design(sides, variations, sd, pooled, planned.measure == BEST)

    def together(self, members: Sequence[Planned]) -> Together:
        """How they are measured, and how they correlate: by the arms and the benchmarks that two share."""
        designs = tuple(map(self.of, members))
        arms = list(dict.fromkeys(arm for one in members for arm in one.arms))
        benchmarks = list(dict.fromkeys(name for one in members for name in one.benchmarks))
        runs = np.array([[one.arms.get(arm, 0.0) for arm in arms] for one in members])
        counts = [self._side(arm, 1.0) for arm in arms]
        runs = runs / np.sqrt([side.seeds * side.draws for side in counts])
        names = np.array([[one.benchmarks.get(name, 0.0) for name in benchmarks] for one in members])
        names = names / np.sqrt([self.asked[name] for name in benchmarks])
        shared = (runs @ runs.T) * (names @ names.T)
        own = np.sqrt(np.maximum(np.diag(shared), 1e-300))
        return Together(designs, shared / np.outer(own, own))

    def _samples(self, benchmark: str) -> int:
        return self.study.evaluate.sampling_of(benchmark).samples

    def _side(self, arm: ArmKey, weight: float) -> Side:
        seeds = self.runs.get(arm, {0: 1})
        is_trained = arm != BASELINE_ARM and arm[0] != GIVEN
        return Side(weight, len(seeds), min(seeds.values()), arm[0] if is_trained else None)
