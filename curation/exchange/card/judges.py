"""Who judged: each judge and what it was asked, and how far it can be believed."""

from collections.abc import Iterator, Sequence
from typing import Any

from curation.exchange.card.facts import Facts, model_name
from curation.exchange.card.markdown import (
    code,
    details,
    fence,
    filled,
    listed,
    number,
    section,
    share,
    table,
    tag,
    text,
    with_interval,
)

KINDS = {
    "answer": "compares the final answer with the reference",
    "imported": "ratings from a file",
    "listed": "what the preference set says",
    "process": "a model that rates each step",
    "reward": "a reward model",
    "rubric": "a model that rates by a rubric",
    "verdict": "a model that is shown both answers, in both orders",
}
SHOWN = {"answer": "the answer", "reasoning": "the reasoning", "both": "reasoning and answer"}
RULES = {
    "mean": "the weighted mean",
    "mean_z": "the weighted mean of the standardized ratings",
    "median_z": "the median of the standardized ratings",
}
ACCURACY = "pairwise_accuracy"
BELIEVED = {ACCURACY: "right", "auroc": "AUROC", "repeat_alpha": "alpha of repeats"}  # measure: its column


def judges(facts: Facts) -> list[str]:
    """The sections on who judged, and how far each can be believed."""
    asked = section("Judges", _table(facts), _panels(facts), _asked(facts))
    return asked + section("How far the judges can be believed", _believed(facts))


def _judges(facts: Facts) -> list[tuple[str, Any]]:
    return [*facts.study.judges.items(), *facts.study.pairwise_judges.items()]


def _table(facts: Facts) -> list[str]:
    counts = {
        row["judge"]: row
        for view in ("judgments", "preferences")
        for row in facts.ask(
            view, f"select judge, count(*) as n, count(*) filter (status = 'scored') as scored from {view} group by all"
        )
    }
    rows = []
    for name, judge in _judges(facts):
        model, of, count = getattr(judge, "model", None), getattr(judge, "source", None), counts.get(name)
        made = None if count is None else share(count["scored"], count["n"])
        kind = f"{KINDS[judge.kind]}{f', {code(of)}' if of else ''}"
        rates = ", ".join(f"`{dimension}`" for dimension in judge.dimension_names)
        rows.append((code(name), kind, code(model_name(str(model))) if model else None, rates, _scale(judge), made))
    return filled(("judge", "is", "model", "rates", "scale", "judgments with a score"), rows)


def _scale(judge: Any) -> str | None:
    ends = {f"{low:g} to {high:g}" for low, high in getattr(judge, "scales", {}).values()}
    return "; ".join(sorted(ends)) or None


def _panels(facts: Facts) -> Iterator[str]:
    for name, panel in facts.study.delta.panels.items():
        members = [
            f"`{member.judge}.{member.dimension}`{f' (weight {member.weight:g})' if member.weight != 1 else ''}"
            for member in panel.members
        ]
        yield from (f"The panel {code(name)} is {RULES[panel.rule]} of {listed(members)}.", "")


def _asked(facts: Facts) -> Iterator[str]:
    """The words that each judge which is a model was asked in; those of several that were asked alike, once."""
    asked: dict[tuple[str, ...], list[str]] = {}
    for name, judge in _judges(facts):
        if said := getattr(judge, "instructions", None):
            asked.setdefault((*fence(said), *_rubric(judge), *_shown(judge)), []).append(tag(name))
    for body, names in asked.items():
        yield from details(f"What {listed(names)} {'was' if len(names) == 1 else 'were'} asked", body)


def _shown(judge: Any) -> list[str]:
    """What a judge saw beside its instructions, and how it was sampled."""
    reference = " and the reference answer" if judge.reference else ", and no reference answer"
    times = "once" if judge.repeats == 1 else f"{judge.repeats} times"
    sampling = f"at temperature {judge.sampling.temperature:g}, at most {judge.sampling.max_tokens} tokens"
    return [f"It was shown {SHOWN[judge.shows or 'both']}{reference}, and asked {times}, {sampling}.", ""]


def _rubric(judge: Any) -> list[str]:
    if judge.kind != "rubric":
        return []
    rows = []
    for name, rated in judge.dimensions.items():
        scores = "<br>".join(f"{score}: {text(said)}" for score, said in sorted(rated.scores.items()))
        rows.append((f"`{name}`", text(rated.description), scores))
    return table(("dimension", "asks", "scores"), rows)


def _believed(facts: Facts) -> Iterator[str]:
    """A line for each judge and dimension: how often it is right; then what of it is suspect."""
    rows = facts.ask("reliability", "select * from reliability where value is not null order by all")
    found = {(row["judge"], row["dimension"], row["measure"]): row for row in rows}
    rated = list(dict.fromkeys((row["judge"], row["dimension"]) for row in rows))
    truth = next((row["against"] for row in rows if row["measure"] == ACCURACY), None)
    if truth is not None:
        yield f"What is right is what {code(truth)} says. *Right*: how often the judge rates the right one of two"
        yield "answers better, equal ratings counted half, over *pairs* of which one is; *chosen right*: how often"
        yield "that is the chosen one."
    if rated:
        yield from ("Intervals are of 95 %, clustered by prompt. Bold is suspect.", "")
    shown = []
    for named in rated:
        measures = [found.get((*named, name)) for name in BELIEVED]
        accuracy = measures[0] or {"n": None, "base_rate": None}
        coverage = found.get((*named, "coverage"), {}).get("value")
        figures = (accuracy["n"], number(accuracy["base_rate"]), number(coverage))
        shown.append((code(named[0]), f"`{named[1]}`", *map(with_interval, measures), *figures))
    head = ("judge", "dimension", *BELIEVED.values(), "pairs", "chosen right", "coverage")
    yield from filled(head, shown, ["pairs", "chosen right", "coverage"])
    yield from _suspects(rows)


def _suspects(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """What is suspect of each judge and dimension, a line each."""
    suspect: dict[str, list[str]] = {}
    for row in rows:
        if row["suspect"]:
            suspect.setdefault(f"{row['judge']}.{row['dimension']}", []).append(f"`{row['measure']}`")
    for name, measures in suspect.items():
        yield f"- suspect of {code(name)}: {listed(list(dict.fromkeys(measures)))}"
    yield from [""] if suspect else []
