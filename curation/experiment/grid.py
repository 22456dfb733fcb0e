"""The study grid: which subsets are learnt from (arms), by which method and which seed of training (runs)."""

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, TypeAlias

from pydantic import BeforeValidator, Field, PlainValidator

from curation.core.messages import show_value
from curation.core.params import Strict
from curation.core.ranges import Seed
from curation.core.references import Refers
from curation.core.study import Study

if TYPE_CHECKING:
    from curation.experiment.controls import Params as Control

OWN = "own"  # a selection's own budget
MOST_CHARACTERS = 200  # of a run's name, which files and folders are called by


class Arm(NamedTuple):
    """A subset to learn from. `draw` is the seed of what its control draws, None where nothing is drawn."""

    selection: str
    generator_pairs: str
    budget: str
    control: str
    draw: int | None

    @property
    def name(self) -> str:
        """`selection-generator_pairs-budget-control`, and `-draw` where there is one."""
        return "-".join(str(part) for part in self if part is not None)


class Run(NamedTuple):
    """An arm learnt from by a method, with a seed of training."""

    method: str
    arm: Arm
    seed: int

    @property
    def name(self) -> str:
        """`method-`, the arm's name and `-seed`."""
        return f"{self.method}-{self.arm.name}-{self.seed}"


def _budget(value: Any) -> int | str:
    if value != OWN and (not isinstance(value, int) or isinstance(value, bool)):
        raise ValueError(f"{show_value(value)} is neither a number of pairs nor {OWN!r}")
    if value != OWN and not 1 <= value < 2**31:
        raise ValueError(f"{show_value(value)} is no number of pairs to learn from; give one from 1 to {2**31 - 1}")
    return OWN if value == OWN else int(value)


def _listed(value: Any) -> Any:
    """One value as a list of it."""
    return value if value is None or isinstance(value, list) else [value]


Budget: TypeAlias = Annotated[int | str, PlainValidator(_budget)]
OneOrMore = BeforeValidator(_listed)


class Wanted(Strict):
    """One of `grid.arms`: the arms of every combination of what it names, a value or a list each. What it leaves out is
    the grid's axis of that name."""

    selection: Annotated[list[str], OneOrMore, Refers("selections")]
    generator_pairs: Annotated[list[str] | None, OneOrMore, Refers("generator_pairs")] = None
    budget: Annotated[list[Budget] | None, OneOrMore] = None
    control: Annotated[list[str] | None, OneOrMore, Refers("controls")] = None
    methods: Annotated[list[str] | None, OneOrMore, Refers("methods")] = None
    seeds: Annotated[list[Seed] | None, OneOrMore] = None
    draws: Annotated[list[Seed] | None, OneOrMore] = None


class Axes(NamedTuple):
    """The values whose every combination is a run, in the order of `Wanted`; no draws: each seed draws by itself."""

    selections: list[str]
    generator_pairs: list[str]
    budgets: list[int | str]
    controls: list[str]
    methods: list[str]
    seeds: list[int]
    draws: list[int] | None

    def arms(self, controls: dict[str, "Control"]) -> Iterator[tuple[Arm, list[int]]]:
        """Each arm, and the seeds that it is trained with."""
        budgets = [str(budget) for budget in self.budgets]
        for parts in itertools.product(self.selections, self.generator_pairs, budgets, self.controls):
            if parts[-1] not in controls or not controls[parts[-1]].draws:
                yield Arm(*parts, None), self.seeds
            elif self.draws is None:
                yield from ((Arm(*parts, seed), [seed]) for seed in self.seeds)
            else:
                yield from ((Arm(*parts, draw), self.seeds) for draw in self.draws)


class Params(Strict):
    """`grid` in params.yaml. Every combination of the axes is a run; where there are `arms`, only those of its entries
    are. A budget is a number of pairs, or `own` for the selection's. Empty axes make no run.

    `seeds` are of training, `draws` of what controls draw: null where each seed draws by itself.
    """

    methods: Annotated[list[str], Refers("methods")]
    selections: Annotated[list[str], Refers("selections")]
    generator_pairs: Annotated[list[str], Refers("generator_pairs")]
    budgets: list[Budget]
    controls: Annotated[list[str], Refers("controls")]
    seeds: list[Seed]
    draws: list[Seed] | None = None
    arms: Annotated[list[Wanted] | None, Field(max_length=10_000)] = None

    def axes(self) -> list[Axes]:
        """Of each entry of `arms`, or of the grid itself where it has none."""
        own = Axes(
            self.selections, self.generator_pairs, self.budgets, self.controls, self.methods, self.seeds, self.draws
        )
        if self.arms is None:
            return [own]
        named = [zip(own, wanted.model_dump().values(), strict=True) for wanted in self.arms]
        return [Axes._make(axis if value is None else value for axis, value in values) for values in named]

    def list_arms(self, controls: dict[str, "Control"]) -> list[Arm]:
        """All arms, each once, in the order of the entries and their axes."""
        return list(dict.fromkeys(arm for axes in self.axes() for arm, _ in axes.arms(controls)))

    def list_runs(self, controls: dict[str, "Control"]) -> list[Run]:
        """All runs but the baseline, each once, in the order of the entries and their axes."""
        runs = (
            Run(method, arm, seed)
            for axes in self.axes()
            for method in axes.methods
            for arm, seeds in axes.arms(controls)
            for seed in seeds
        )
        return list(dict.fromkeys(runs))

    def mistakes(self, study: Study) -> Iterator[str]:
        """What is named twice, an entry that makes no arm, two runs of one name, and methods that would be compared
        though they differ in arithmetic."""
        from curation.experiment.labelled_arms import find_labelled_mistakes  # it loads DuckDB, which no run needs

        yield from _find_twice("", self)
        for number, wanted in enumerate(self.arms or []):
            yield from _find_twice(f"arms.{number}.", wanted)
            named = wanted.model_dump()
            for axis, values in zip(named, self.axes()[number], strict=True):
                if values == [] and axis != "methods" and (named[axis] == [] or axis != "draws"):
                    may_lack = named[axis] == [] and axis != "selection"
                    way_out = f"name one, or leave `{axis}` out" if may_lack else "name one"
                    yield f"arms.{number}: names no {axis}, so it makes no arm; {way_out}"
        if self.draws == []:
            yield "draws: names none, so no arm that draws is made; name one, or leave it out: each seed draws its own"
        used = dict.fromkeys(name for axes in self.axes() for name in axes.methods)
        bf16 = {name: study.methods[name].bf16 for name in used if name in study.methods}
        if len(set(bf16.values())) > 1:
            by_method = ", ".join(f"{str(on).lower()} in {name}" for name, on in bf16.items())
            yield f"methods: bf16 is {by_method}; runs are compared, so give them one"
        for selection in dict.fromkeys(name for name, _, pairs, *_ in self._list_sizes(study) if pairs == 0):
            if not study.selections[selection].takes_no_pair:
                yield f"selections: {selection!r} keeps no pair, so its arms have nothing to train on; raise its budget"
        yield from find_labelled_mistakes(self.list_runs(study.controls), study)
        yield from self._find_name_faults(study)

    def _find_name_faults(self, study: Study) -> Iterator[str]:
        """Arms and runs that files cannot be called by, or two by one name."""
        runs, arms = self.list_runs(study.controls), self.list_arms(study.controls)
        yield from (
            f"selections: {name!r} is an arm and a selection; rename the selection"
            for name in sorted({arm.name for arm in arms} & set(study.selections))
        )
        names = [run.name for run in runs] or [arm.name for arm in arms]
        if names and len(longest := max(names, key=len)) > MOST_CHARACTERS:
            yield f"selections: {longest[:40]!r}… is a run with too long a name for a file; shorten its parts' names"
        if len(set(names)) < len(names):
            yield f"selections: two combinations are called {max(names, key=names.count)!r}; rename one of their parts"

    def warnings(self, study: Study) -> Iterator[str]:
        """Arms that have fewer examples than a method reads at once."""
        warned = dict.fromkeys(
            (name, selection, budget, size)
            for selection, budget, pairs, traces, methods in self._list_sizes(study)
            for name in methods
            if (size := traces if study.methods[name].kind == "kto" else pairs)
            and study.methods[name].batch_size > size
        )
        for name, selection, budget, size in warned:
            what = "traces" if study.methods[name].kind == "kto" else "pairs"
            yield (
                f"methods: {name!r} reads {study.methods[name].batch_size} examples at once, more than {size:g} {what} "
                f"of {selection!r} (budget {budget}) are; lower its batch_size, or raise the budget"
            )

    def _list_sizes(self, study: Study) -> Iterator[tuple[str, int | str, float | None, float | None, list[str]]]:
        """Each selection and budget, how many pairs and how many unpaired examples their arms have at most, None where
        params.yaml does not say, and the methods that they are trained by."""
        for axes in self.axes():
            for selection, budget in itertools.product(axes.selections, axes.budgets):
                settings = study.selections[selection]
                pairs = (settings.budget or {}).get("pairs") if isinstance(budget, str) else budget
                traces = None if pairs is None else 2 * pairs
                if settings.unpaired is not None and isinstance(budget, str):
                    traces = (settings.unpaired.budget or {}).get("traces")
                yield selection, budget, pairs, traces, axes.methods


def _find_twice(place: str, named: Strict) -> Iterator[str]:
    """A value that an axis of `named` has twice."""
    for axis in type(named).model_fields:
        values = [str(value) for value in getattr(named, axis) or []] if axis != "arms" else []
        twice = [value for value in sorted(set(values)) if values.count(value) > 1]
        yield from (f"{place}{axis}: {value!r} is there twice" for value in twice)
