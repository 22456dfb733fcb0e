"""What each contrast of a study can see, before it is run."""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from curation.core.params import BASELINE
from curation.core.progress import progress
from curation.core.study import Study
from curation.experiment.compare import declared_runs
from curation.experiment.declarations import Margin
from curation.experiment.estimate import PROMPTS, SEEDS, THIS_RUN
from curation.experiment.margin_power import Together, margin_power, size_of, smallest_margin
from curation.experiment.pilot import FEWEST_PROMPTS, Pilot, assumption, pilot
from curation.experiment.planned import DECLARED, Asked, Planned, Unforeseen, list_declared, list_gains
from curation.experiment.power import POWER, Design, Measured, Needs, Side, detectable, find_needs, half_width, power
from curation.experiment.terms import arm_name
from curation.experiment.values import AVERAGE, BASELINE_ARM, BEST, GIVEN, ArmKey, DeclaredRuns

GAIN, ALL_GAIN, SLOPE, SUM = "a gain", "all gain", "a slope", "a sum"  # what is to be found, where there is no margin


class Detection(NamedTuple):
    """What a contrast can see. `asks` says what it is to find; `prompts` are of all its benchmarks, `seeds` of the arm
    with the fewest, None without one that is trained; `half_width` is how far its interval will reach; `smallest` the
    gain that it finds four times in five, or the margin that it shows so often where there is no difference.

    Of `compare.detect`, or of the margin: how often it is found or shown, whether that is often enough, and what it
    takes, each alone. `scope` is `seeds`, or `this run` where no arm has two: there is no p then, and the figures are
    of these runs' prompts alone. `same_as` is the contrast above it that asks the same, if there is one.
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
    same_as: str | None = None


class Power(NamedTuple):
    """All contrasts of a study, and what their figures rest on. `passed_over` has the benchmarks with results of fewer
    than `fewest` prompts, and of how many."""

    contrasts: list[Detection]
    unforeseen: list[Unforeseen]
    detect: float | None
    seed_sd: float
    seed_basis: str
    passed_over: Mapping[str, int]
    fewest: int = FEWEST_PROMPTS


def foresee(study: Study, prompts: pl.DataFrame, results: pl.DataFrame) -> Power:
    """What the study's contrasts can see, by the results that there are. `prompts` has those of its own benchmarks;
    those that other harnesses asked are known by their results."""
    settings, declared = study.compare, declared_runs(study)
    seen, detect = pilot(declared, results, assumption(settings.assume)), settings.detect
    asked = dict(prompts.filter(pl.col("source").is_in(study.benchmarks)).group_by("source").len().rows())
    asked |= {name: len(seen.values[name, AVERAGE].prompts) for name in study.results if (name, AVERAGE) in seen.values}
    designs = _Designs(study, declared, seen, asked)
    sd, basis = seen.seed_sd({run.method for run in study.runs.values()})
    own, joint, unforeseen = list_declared(study)
    planned: list[Planned | Asked] = [*own, *joint, *list_gains(declared, designs.measured)]
    looked, first = list[Detection](), dict[Hashable, str]()
    with progress("power", len(planned), "contrasts") as shown:
        for one in planned:
            members = one.members if isinstance(one, Asked) else (one,)
            if why := designs.find_lack(members):
                unforeseen.append(Unforeseen(one.name, why))
            else:
                same = first.setdefault(one.question, one.name)
                found = (
                    look_at_all(one, designs.together(one.members), detect)
                    if isinstance(one, Asked)
                    else look(one, designs.of(one), detect)
                )
                looked.append(found._replace(same_as=None if same == one.name else same))
            shown.advance()
    return Power(looked, unforeseen, detect, sd, basis, seen.passed_over)


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
    """How a study's contrasts are measured. `asked` are the prompts of each benchmark, `measured` the runs that are
    measured on it: of another harness's those whose logs are named."""

    def __init__(self, study: Study, declared: DeclaredRuns, seen: Pilot, asked: Mapping[str, int]) -> None:
        self.study, self.declared, self.seen, self.asked = study, declared, seen, asked
        own = {BASELINE, *study.runs, *study.models.folders}
        self.measured = {name: set(study.results[name].runs) if name in study.results else own for name in study.splits}

    def find_lack(self, members: Sequence[Planned]) -> str | None:
        """Why they cannot be foreseen, if they cannot."""
        for benchmark in (name for member in members for name in member.benchmarks):
            if self.asked.get(benchmark, 0) < 2:
                where = f"results.{benchmark}: no log of it" if benchmark in self.study.results else benchmark
                return f"{where} has two prompts"
        for member in members:
            for arm in member.arms:
                if not self._seeds(arm, member.benchmarks):
                    return f"no run of {arm_name(arm)} is measured on {', '.join(member.benchmarks)}"
        return None

    def of(self, planned: Planned) -> Design:
        """How it is measured."""
        variations = tuple(
            (weight, self.seen.variation(name, planned.arms, self.asked[name], self._samples(name), planned.measure))
            for name, weight in planned.benchmarks.items()
        )
        on, weights = planned.benchmarks, planned.arms.items()
        sides = tuple(self._side(arm, weight, on) for arm, weight in weights if abs(weight) > 1e-12)
        methods = [side.method for side in sides if side.method is not None]
        arms = dict.fromkeys(self.declared.arms.values())
        pooled = {
            method: tuple(len(seeds) for arm in arms if arm[0] == method and (seeds := self._seeds(arm, on)))
            for method in methods
        }
        sd, _ = self.seen.seed_sd(methods, planned.measure)
        return Design(sides, variations, sd, pooled, planned.measure == BEST)

    def together(self, members: Sequence[Planned]) -> Together:
        """How they are measured, and how they correlate: by the arms and the benchmarks that two share."""
        designs = tuple(map(self.of, members))
        arms = list(dict.fromkeys(arm for one in members for arm in one.arms))
        benchmarks = list(dict.fromkeys(name for one in members for name in one.benchmarks))
        runs = np.array([[one.arms.get(arm, 0.0) for arm in arms] for one in members])
        counts = [self._side(arm, 1.0, benchmarks) for arm in arms]
        runs = runs / np.sqrt([side.seeds * side.draws for side in counts])
        names = np.array([[one.benchmarks.get(name, 0.0) for name in benchmarks] for one in members])
        names = names / np.sqrt([self.asked[name] for name in benchmarks])
        shared = (runs @ runs.T) * (names @ names.T)
        own = np.sqrt(np.maximum(np.diag(shared), 1e-300))
        return Together(designs, shared / np.outer(own, own))

    def _samples(self, benchmark: str) -> int:
        if benchmark in self.study.results:
            return self.seen.values[benchmark, AVERAGE].samples
        return self.study.evaluate.sampling_of(benchmark).samples

    def _seeds(self, arm: ArmKey, benchmarks: Iterable[str]) -> dict[int, int]:
        """How many runs of each seed the arm has on all the benchmarks. An arm without a seed of training is a run of
        seed 0."""
        there = [self.measured[name] for name in benchmarks]
        own = {BASELINE: BASELINE_ARM} if arm == BASELINE_ARM else self.declared.arms
        seeds = dict[int, int]()
        for run in (run for run, of in own.items() if of == arm and all(run in runs for runs in there)):
            seed = self.declared.seeds.get(run, 0)
            seeds[seed] = seeds.get(seed, 0) + 1
        return seeds

    def _side(self, arm: ArmKey, weight: float, benchmarks: Iterable[str]) -> Side:
        seeds = self._seeds(arm, benchmarks) or {0: 1}
        is_trained = arm != BASELINE_ARM and arm[0] != GIVEN
        return Side(weight, len(seeds), min(seeds.values()), arm[0] if is_trained else None)
