"""How rows were selected: in words, as it was declared, and every candidate by the reason of its verdict."""

import io
from collections.abc import Iterator
from typing import Any

from ruamel.yaml import YAML

from curation.core.params import Strict
from curation.core.text import say_count
from curation.exchange.card.facts import Facts
from curation.exchange.card.markdown import code, details, fence, listed, section, table
from curation.experiment.controls import Params as Control
from curation.experiment.grid import OWN, Arm
from curation.selection import rules
from curation.selection.unpaired import Unpaired

REASONS = {
    rules.KEPT: "a pair of the selection",
    rules.IDENTICAL: "both texts are identical",
    rules.GENERATOR_PAIRS: "other generators than the arm asks for",
    rules.UNSCORED: "its value is not known",
    rules.REPEATED: "the same texts stand in another pair",
    rules.OUTSIDE: "its value is outside the band",
    rules.REVERSED: "the pair stands both ways round, and the other way ranks higher",
    rules.PER_PROMPT: "the prompt has as many already",
    rules.GENERATOR_SHARE: "the generator has its share already",
    rules.OVER_BUDGET: "others rank higher, and the budget is spent",
}
CONTROLS = {
    "own": "its own pairs",
    "drawn": "as many pairs as it keeps, drawn at random from all that it could rank",
    "all": "all pairs that it could rank",
}
LABELS = {
    "as_is": "",
    "reversed": ", with chosen and rejected swapped in every pair",
    "shuffled": ", with chosen and rejected swapped in those for which a coin comes up heads",
}


def selecting(facts: Facts) -> list[str]:
    """The section on how rows were selected, a part for each selection and arm."""
    parts = [line for name in facts.selections for line in _selection(facts, name)]
    arms = [line for name in facts.arms if name in facts.study.arms for line in _arm(facts, name)]
    return section("How it was selected", parts, arms)


def _selection(facts: Facts, name: str) -> list[str]:
    settings = facts.study.selections[name]
    words = [f"- {sentence}" for sentence in say(settings)]
    declared = {"selections": {name: _written(settings)}}
    return section(code(name), [*words, ""], _verdicts(facts, name, settings), _declared(declared), level=3)


def _verdicts(facts: Facts, name: str, settings: rules.Params) -> list[str]:
    counts = {
        row["reason"]: row["n"]
        for row in facts.ask(
            "selections",
            "select reason, count(*) as n from selections where selection = $name group by all",
            name=name,
        )
    }
    means = REASONS | {reason: f"does not meet {code(text)}" for reason, text in settings.require.items()}
    order = [reason for reason in settings.reasons if counts.get(reason)]
    rows = [(f"`{reason}`", means[reason], f"{counts[reason]:,}") for reason in order]
    total = [("all candidates", "", f"{sum(counts.values()):,}")] if rows else []
    return table(("reason", "is", "pairs"), [*rows, *total], ["pairs"])


def _arm(facts: Facts, name: str) -> list[str]:
    study, arm = facts.study, facts.study.arms[name]
    control, pairs = study.controls[arm.control], study.generator_pairs[arm.generator_pairs]
    declared: dict[str, Any] = {"controls": {arm.control: _written(control)}}
    if pairs.where != "true":
        declared["generator_pairs"] = {arm.generator_pairs: _written(pairs)}
    return section(code(name), [f"{say_arm(arm, control, pairs.where)}", ""], _declared(declared), level=3)


def say_arm(arm: Arm, control: Control, where: str) -> str:
    """What an arm is, in a sentence."""
    of = code(arm.selection)
    if control.treatment:
        said = f"The pairs of {of} as it keeps them"
    else:
        said = f"A control of {of}: {CONTROLS[control.pairs]}{LABELS[control.labels]}"
    if control.match:
        said += f"; as many of each value of {listed([code(text) for text in control.match])}"
    if control.require:
        said += "; only such as its requirements let in"
    if arm.budget != OWN:
        said += f"; with a budget of {arm.budget} pairs in the place of its own"
    if where != "true":
        said += f"; only pairs of generators with {code(where)}"
    return f"{said}{'' if arm.draw is None else f' (draw {arm.draw})'}."


def say(settings: rules.Params) -> Iterator[str]:
    """A selection in words, a sentence for each of its rules, in the order in which they apply."""
    for name, text in settings.require.items():
        yield f"A pair must meet `{name}`: {code(text)}."
    yield _say_keep(settings)
    limits = settings.limits
    if limits.per_prompt is not None:
        yield f"At most {say_count(limits.per_prompt, 'pair')} of one prompt."
    if (cap := limits.generator_share) is not None:
        yield f"No generator wrote more than {cap.at_most:.0%} of the {cap.side} side.".replace("%", " %")
    if settings.strata is not None:
        shares = {"equal": "equally", "proportional": "by their numbers of pairs"}[settings.strata.shares]
        yield f"The budget is divided {shares} among the values of {code(settings.strata.by)}."
    yield _say_budget(settings.budget)
    if settings.p_chosen is not None:
        yield f"How probable it is that chosen is the better side is {code(settings.p_chosen)}."
    if settings.order is not None:
        yield f"Trainers are to see the pairs by {code(settings.order.by)}, {settings.order.first} first."
    if settings.unpaired is not None:
        yield from _say_unpaired(settings.unpaired)


def _say_keep(settings: rules.Params) -> str:
    value, keep = code(settings.value or ""), settings.keep
    match keep:
        case rules.End(kind=end):
            return f"Pairs are ranked by {value}, the {'highest' if end == 'top' else 'lowest'} first."
        case rules.Band(low=low, high=high):
            ends = [
                *([f"at least {low:g}"] if low is not None else []),
                *([f"at most {high:g}"] if high is not None else []),
            ]
            return f"Pairs whose {value} is {listed(ends) if ends else 'known'}, in a random order."
        case rules.Quantiles(low=low, high=high):
            return f"Pairs between the quantiles {low:g} and {high:g} of {value}, in a random order."
        case rules.Nearest(target=target):
            return f"Pairs are ranked by how near {value} is to {code(str(target))}, the nearest first."
    ranked = f" Their margin is {value}, which ranks none." if value else ""
    return f"Pairs come in a random order (seed {settings.seed}).{ranked}"


def _say_budget(budget: dict[Any, float] | None) -> str:
    match budget or {}:
        case {"pairs": pairs}:
            return f"The first {say_count(int(pairs), 'pair is', 'pairs are')} kept."
        case {"share": part}:
            return f"The first {part:.1%} of what is left are kept.".replace("%", " %")
        case {"tokens": tokens}:
            return f"Pairs are kept up to {int(tokens):,} tokens of both sides, by the student's tokenizer."
    return "All that is left is kept."


def _say_unpaired(unpaired: Unpaired) -> Iterator[str]:
    yield f"Labelled answers are single traces: desirable where {code(unpaired.label)} is true."
    for name, text in (unpaired.require or {}).items():
        yield f"Such a trace must meet `{name}`: {code(text)}."
    match unpaired.budget or {}:
        case {"traces": traces}:
            yield f"{int(traces):,} of them are drawn."
        case {"share": part}:
            yield f"{part:.1%} of them are drawn.".replace("%", " %")


def _written(settings: Strict) -> Any:
    """What params.yaml says of it, without what was left out; whole numbers are written as such."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: plain(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [plain(inner) for inner in value]
        return int(value) if isinstance(value, float) and value.is_integer() else value

    return plain(settings.model_dump(mode="json", exclude_unset=True))


def _declared(declared: dict[str, Any]) -> list[str]:
    """What params.yaml says, to be opened."""
    yaml, body = YAML(typ="safe", pure=True), io.StringIO()
    yaml.default_flow_style, yaml.width = False, 110
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]  # the keys stay in their order
    yaml.dump(declared, body)
    return details("As it was declared", fence(body.getvalue(), "yaml"))
