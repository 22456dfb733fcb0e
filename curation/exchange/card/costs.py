"""What the rows cost: calls, tokens and dollars."""

from collections.abc import Mapping, Sequence
from typing import Any

from curation.exchange.card.facts import Facts, model_name
from curation.exchange.card.markdown import code, filled, listed, section

NOUNS = {"generate": "generators", "judge": "judges", "prefer": "pairwise judges", "evaluate": "runs"}
STAGES = list(NOUNS)
MOST_NAMED = 3
COUNTED = ("answered", "failed", "prompt_tokens", "completion_tokens")


def costs(facts: Facts) -> list[str]:
    """The section on costs, a line for each stage and model. Nothing where no call was made."""
    groups: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in sorted(facts.calls, key=lambda row: (STAGES.index(row["stage"]), row["model"], row["name"])):
        groups.setdefault((row["stage"], row["model"]), []).append(row)
    if not groups:
        return []
    lines = [
        _cells(rows, f"`{stage}`", _names(rows), code(model_name(model))) for (stage, model), rows in groups.items()
    ]
    head = ("stage", "for", "model", "calls answered", "failed", "prompt tokens", "completion tokens", "USD")
    models = {model for _, model in groups}
    if models.isdisjoint(facts.study.budget.prices):
        said = "params.yaml declares no price for these models, so no dollars are counted."
    else:
        said = "Dollars are of the calls that were bought for this study, of models whose prices params.yaml declares."
    return section("Cost", filled(head, [*lines, _cells(facts.calls, "**all**", None, None)], head[3:]), [said, ""])


def _names(rows: Sequence[Mapping[str, Any]]) -> str:
    """What asked for the calls: a few names, or how many there are."""
    names = [code(row["name"]) for row in rows]
    return listed(names) if len(names) <= MOST_NAMED else f"{len(names)} {NOUNS[rows[0]['stage']]}"


def _cells(rows: Sequence[Mapping[str, Any]], *named: str | None) -> tuple[str | None, ...]:
    dollars = sum(row["usd"] for row in rows)
    counts = (f"{sum(row[name] for row in rows):,}" for name in COUNTED)
    return (*named, *counts, f"{dollars:.4f}" if dollars else None)
