"""What the rows cost: calls, tokens and dollars."""

from collections.abc import Mapping
from typing import Any

from curation.exchange.card.facts import Facts, model_name
from curation.exchange.card.markdown import code, filled, section

COUNTED = ("answered", "failed", "prompt_tokens", "completion_tokens")


def costs(facts: Facts) -> list[str]:
    """The section on costs. Nothing where no call was made."""
    shown = [_cells(row, code(row["stage"]), code(row["name"]), code(model_name(row["model"]))) for row in facts.calls]
    if not shown:
        return []
    total = {name: sum(row[name] for row in facts.calls) for name in (*COUNTED, "usd")}
    shown.append(_cells(total, "**all**", None, None))
    head = ("stage", "for", "model", "calls answered", "failed", "prompt tokens", "completion tokens", "USD")
    unpriced = sorted({row["model"] for row in facts.calls} - set(facts.study.budget.prices))
    note = "Dollars are of the models whose prices params.yaml declares, and of calls that were bought for this study."
    said = note if len(unpriced) < len({row["model"] for row in facts.calls}) else (
        "params.yaml declares no price for these models, so no dollars are counted."
    )  # fmt: skip
    return section("Cost", filled(head, shown, head[3:]), [said, ""])


def _cells(row: Mapping[str, Any], *named: str | None) -> tuple[str | None, ...]:
    return (*named, *(f"{row[name]:,}" for name in COUNTED), f"{row['usd']:.4f}" if row["usd"] else None)
