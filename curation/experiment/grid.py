"""The study grid: every combination of its axes is an arm, a subset to learn from, and with a method and a seed a
run."""

import itertools
from collections.abc import Iterator
from typing import Annotated, Any, NamedTuple, TypeAlias

from pydantic import PlainValidator

from curation.core.messages import show_value
from curation.core.params import Strict
from curation.core.ranges import Seed
from curation.core.references import Refers
from curation.core.study import Study

OWN = "own"  # a selection's own budget
MOST_CHARACTERS = 200  # of a run's name, which files and folders are called by


class Arm(NamedTuple):
    """One combination of all axes but the methods; its name is DVC's for it."""

    selection: str
    generator_pairs: str
    budget: str
    control: str
    seed: int

    @property
    def name(self) -> str:
        """`selection-generator_pairs-budget-control-seed`."""
        return "-".join(map(str, self))


class Run(NamedTuple):
    """An arm learnt from by a method."""

    method: str
    arm: Arm

    @property
    def name(self) -> str:
        """`method-` and the arm's name."""
        return f"{self.method}-{self.arm.name}"


def _budget(value: Any) -> int | str:
    if value != OWN and (not isinstance(value, int) or isinstance(value, bool)):
        raise ValueError(f"{show_value(value)} is neither a number of pairs nor {OWN!r}")
    if value != OWN and not 1 <= value < 2**31:
        raise ValueError(f"{show_value(value)} is no number of pairs to learn from; give one from 1 to {2**31 - 1}")
    return OWN if value == OWN else int(value)


Budget: TypeAlias = Annotated[int | str, PlainValidator(_budget)]


class Params(Strict):
    """`grid` in params.yaml: the axes. A budget is a number of pairs, or `own` for the selection's. Empty axes make
    no run."""

    methods: Annotated[list[str], Refers("methods")]
    selections: Annotated[list[str], Refers("selections")]
    generator_pairs: Annotated[list[str], Refers("generator_pairs")]
    budgets: list[Budget]
    controls: Annotated[list[str], Refers("controls")]
    seeds: list[Seed]

    def mistakes(self, study: Study) -> Iterator[str]:
        """An axis that names something twice, two runs of one name, and methods that would be compared though they
        differ in arithmetic."""
        axes = [(axis, [str(value) for value in getattr(self, axis)]) for axis in type(self).model_fields]
        twice = [(axis, value) for axis, values in axes for value in sorted(set(values)) if values.count(value) > 1]
        yield from (f"{axis}: {value!r} is there twice" for axis, value in twice)
        bf16 = {name: study.methods[name].bf16 for name in self.methods if name in study.methods}
        if len(set(bf16.values())) > 1:
            by_method = ", ".join(f"{str(on).lower()} in {name}" for name, on in bf16.items())
            yield f"methods: bf16 is {by_method}; runs are compared, so give them one"
        for selection, _, pairs in self._list_sizes(study):
            if pairs == 0:
                yield f"selections: {selection!r} keeps no pair, so its arms have nothing to train on; raise its budget"
        names = [run.name for run in self.runs()]
        yield from (
            f"selections: {name!r} is an arm and a selection; rename the selection"
            for name in sorted(set(study.arms) & set(study.selections))
        )
        if names and len(longest := max(names, key=len)) > MOST_CHARACTERS:
            yield f"selections: {longest[:40]!r}… is a run with too long a name for a file; shorten its parts' names"
        if not twice and len(set(names)) < len(names):
            yield f"selections: two combinations are called {max(names, key=names.count)!r}; rename one of their parts"

    def warnings(self, study: Study) -> Iterator[str]:
        """Arms that have fewer examples than a method reads at once."""
        for selection, budget, pairs in self._list_sizes(study):
            for name in self.methods:
                method = study.methods[name]
                if pairs and method.batch_size > pairs * (2 if method.kind == "kto" else 1):
                    yield (
                        f"methods: {name!r} reads {method.batch_size} examples at once, more than {pairs:g} pairs of "
                        f"{selection!r} (budget {budget}) are; lower its batch_size, or raise the budget"
                    )

    def _list_sizes(self, study: Study) -> Iterator[tuple[str, int | str, float | None]]:
        """Each selection and budget, and how many pairs their arms have at most; None where params.yaml does not
        say."""
        for selection, budget in itertools.product(self.selections, self.budgets):
            own = study.selections[selection].budget or {} if selection in study.selections else {}
            yield selection, budget, own.get("pairs") if isinstance(budget, str) else budget

    def arms(self) -> list[Arm]:
        """All arms, in the order of the axes."""
        budgets = [str(budget) for budget in self.budgets]
        return [
            Arm(*combination)
            for combination in itertools.product(
                self.selections, self.generator_pairs, budgets, self.controls, self.seeds
            )
        ]

    def runs(self) -> list[Run]:
        """All runs but the baseline, in the order of the axes."""
        return [Run(method, arm) for method in self.methods for arm in self.arms()]
