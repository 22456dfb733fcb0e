"""The labels section of `curation plan`: how many labelled pairs it takes to know how far a judge can be believed."""

import json

import polars as pl

from curation.commands.rows import print_rows
from curation.core.study import Study
from curation.explore.labels.budget import budget_judges
from curation.reliability.label_budget import ASSUMED_CORRELATION, LabelBudget


def tell_labels(study: Study, half_width: float, share: float | None, as_json: bool) -> None:
    """Print the budgets of the study's judges for an interval of `half_width`, from data/reliability.parquet as far as
    it can be read. Of a judge that is not in it `share` is assumed, or the measure's own share."""
    budgets = budget_judges(study, half_width, share)
    if as_json:
        print(json.dumps([budget._asdict() for budget in budgets], indent=1))
    else:
        print_labels(budgets, half_width)


def _row(budget: LabelBudget) -> dict[str, str]:
    at_hand = "" if budget.half_width_now is None else f"{budget.pairs_now:,} pairs, ±{budget.half_width_now:.3f}"
    return {
        "of": ".".join(filter(None, (budget.judge, budget.dimension))),
        "measure": budget.measure,
        "by": budget.basis,
        "share": f"{budget.share:.3f}",
        "design effect": f"{budget.design_effect:.2f}",
        "pairs": f"{budget.pairs:,}",
        "of prompts": f"{budget.prompts:,}",
        "or prompts of one pair": f"{budget.prompts_of_one_pair:,}",
        "at hand": at_hand,
    }


def print_labels(budgets: list[LabelBudget], half_width: float) -> None:
    """Print a row for each judge, dimension and measure, and what was assumed."""
    print(f"labels: pairs and prompts for a 95 % interval that reaches {half_width:g} to either side")
    if not budgets:
        print(
            "no judge is measured against a truth, and none is asked in two orders; "
            "declare the judge, and reliability.truth"
        )
        return
    rows = pl.DataFrame(list(map(_row, budgets)))
    print_rows(rows[[name for name in rows.columns if any(rows[name])]])
    in_all = budgets[0].pairs_in_all
    if in_all and any(budget.pairs > in_all for budget in budgets):
        print(f"this study has {in_all:,} pairs, those without a right side among them; more take more prompts")
    if any(budget.basis == "assumed" for budget in budgets):
        print(
            f"assumed: the share (--share sets it), and that pairs of one prompt correlate by {ASSUMED_CORRELATION};"
            " `dvc repro reliability` on some labels says what they do"
        )
