"""The terms of a contrast: which arms of the study each one names."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, NamedTuple

from pydantic import BeforeValidator

from curation.core.messages import did_you_mean, show_value
from curation.core.params import BASELINE, Strict
from curation.core.study import Study
from curation.experiment.grid import Budget, OneOrMore
from curation.experiment.values import BASELINE_ARM, GIVEN, ArmKey

ARM = ("method", "selection", "generator_pairs", "budget", "control")  # what an arm is, whatever its seed

Named = Annotated[list[str] | None, OneOrMore]


class Term(Strict):
    """Arms of the grid, by what they are: a value or a list each, of which every combination is meant; their mean is
    what counts. `model` names weights trained elsewhere, or `baseline`."""

    method: Named = None
    selection: Named = None
    generator_pairs: Named = None
    budget: Annotated[list[Budget] | None, OneOrMore] = None
    control: Named = None
    model: Named = None

    def named(self) -> dict[str, list[str]]:
        """The values by axis, of the axes that it names."""
        return {axis: [str(value) for value in values] for axis in ARM if (values := getattr(self, axis)) is not None}


def _read_term(value: Any) -> Any:
    """`baseline` as the term that it stands for."""
    if value == BASELINE:
        return {"model": BASELINE}
    if not isinstance(value, dict | Term):
        ways = "a mapping of what its runs are (method, selection, …)"
        raise ValueError(f"{show_value(value)} is neither {BASELINE!r} nor {ways}")
    return value


TermOrBaseline = Annotated[Term, BeforeValidator(_read_term)]


class KnownArms(NamedTuple):
    """The arms that a study's grid trains, the weights trained elsewhere, and the controls that are the selection
    itself."""

    arms: Sequence[ArmKey]
    models: Sequence[str]
    treatments: Sequence[str]

    def list_values(self, axis: str) -> list[str]:
        """What the arms have of it, each once."""
        return list(dict.fromkeys(arm[ARM.index(axis)] for arm in self.arms))


def known_arms(study: Study) -> KnownArms:
    """Those of the study."""
    arms = list(dict.fromkeys((run.method, *run.arm[:-1]) for run in study.runs.values()))
    treatments = [name for name, control in study.controls.items() if control.treatment]
    return KnownArms(arms, study.models.names, treatments)


def find_arms(term: Term, shared: Mapping[str, list[str]], known: KnownArms) -> tuple[list[ArmKey], list[str]]:
    """The arms that `term` names, and what is wrong with it: `.axis: …`, or `: …` where it is of all of it.

    What it leaves out is as in `shared`; else, of `control`, the selection itself, and of any other axis the only
    value that arms with the rest of it have.
    """
    if term.model is not None:
        return _find_models(term, known)
    named, faults = dict(shared) | term.named(), list[str]()
    for axis, values in named.items():
        there = known.list_values(axis)
        faults += [
            f".{axis}: {value!r} is not in the grid, which has {', '.join(there) or 'no runs'}"
            for value in values
            if value not in there
        ]
        faults += [f".{axis}: names none; leave it out, or name one"] if not values else []
        faults += [f".{axis}: names {value!r} twice" for value in dict.fromkeys(values) if values.count(value) > 1]
    if faults:
        return [], faults
    if not known.arms:
        return [], [": the grid has no runs; name methods, selections and seeds in it"]
    if "control" not in named and len(of_selections := _meet(known.list_values("control"), known.treatments)) == 1:
        named["control"] = of_selections
    found = [_find_arm(dict(zip(named, values, strict=True)), known) for values in itertools.product(*named.values())]
    return [arm for arm in found if not isinstance(arm, str)], list(
        dict.fromkeys(arm for arm in found if isinstance(arm, str))
    )


def _meet(values: Sequence[str], others: Sequence[str]) -> list[str]:
    return [value for value in values if value in others]


def _find_arm(named: Mapping[str, str], known: KnownArms) -> ArmKey | str:
    """The one arm that has these values, or what to say where there is none, or several."""
    matching = [arm for arm in known.arms if all(arm[ARM.index(axis)] == value for axis, value in named.items())]
    if len(matching) == 1:
        return matching[0]
    shown = " ".join(named[axis] for axis in ARM if axis in named)
    if not matching:
        return f": the grid has no run {shown}; add it to grid.arms"
    open_axes = [axis for axis in ARM if len({arm[ARM.index(axis)] for arm in matching}) > 1]
    axis = open_axes[0]
    values = ", ".join(dict.fromkeys(arm[ARM.index(axis)] for arm in matching))
    return f": leaves {axis} out, of which {shown or 'the grid'} has {values}; name one, or several as a list"


def _find_models(term: Term, known: KnownArms) -> tuple[list[ArmKey], list[str]]:
    there = [BASELINE, *known.models]
    names = term.model or []
    faults = [f".model: {name!r} is not in models{did_you_mean(name, there)}" for name in names if name not in there]
    if also := list(term.named()):
        faults.append(f".{also[0]}: weights trained elsewhere have none; leave it out, or model")
    arms = [BASELINE_ARM if name == BASELINE else (GIVEN, name, "", "", "") for name in names]
    return ([], faults) if faults else (arms, [])


def arm_name(arm: ArmKey) -> str:
    """As metrics and messages call it."""
    return "-".join(arm).strip("-") or BASELINE
