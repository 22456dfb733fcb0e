"""One arm of the grid: what a selection keeps of some generators' pairs under a budget, or what a control puts in
its place."""

from typing import Any, NamedTuple

import numpy as np
import polars as pl

from curation.core.study import Study
from curation.experiment import grid
from curation.experiment.controls import controlled
from curation.selection.candidates import Candidates
from curation.selection.rules import GENERATOR_PAIRS, Params
from curation.selection.select import kept, select, short, taken


class Made(NamedTuple):
    """An arm's pairs, and those of the selection it stands beside, as `subset.written` takes them; and what `short`
    says of the selection."""

    rows: pl.DataFrame
    own: pl.DataFrame
    short: str | None


def arm(cell: grid.Arm, study: Study, pairs: Candidates) -> Made:
    """The pairs of the arm. Raises CurationError if an expression fails on a value."""
    settings = narrowed(
        study.selections[cell.selection], study.generator_pairs[cell.generator_pairs].where, cell.budget
    )
    verdicts = select(cell.selection, settings, pairs)
    rows, swapped = controlled(study.controls[cell.control], settings, cell.seed, verdicts, pairs)
    return Made(
        taken(settings, rows, swapped, pairs, study.dimensions),
        kept(settings, verdicts, pairs, study.dimensions),
        short(settings, verdicts),
    )


def narrowed(settings: Params, where: str, budget: str) -> Params:
    """The selection, of pairs where the expression is true, with another budget of pairs unless it is the
    selection's own."""
    changes: dict[str, Any] = {"require": {GENERATOR_PAIRS: where, **settings.require}}
    return settings.model_copy(update=changes if budget == grid.OWN else changes | {"budget": {"pairs": float(budget)}})


def counts(rows: pl.DataFrame, loose: pl.DataFrame, own: pl.DataFrame) -> dict[str, object]:
    """Pairs, their prompts and mean margin, unpaired examples, and how many of either a run on the selection itself
    would see, for equal updates."""
    sides = (
        np.unique(np.concatenate([own["chosen_trace_id"], own["rejected_trace_id"]])),
        np.intersect1d(own["chosen_trace_id"], own["rejected_trace_id"]),
    )
    mean = rows["margin"].mean()
    margin = {} if mean is None else {"mean_margin": float(str(mean))}
    return {"pairs": rows.height, "prompts": rows["prompt_id"].n_unique(), "unpaired": loose.height, **margin,
            "own_pairs": own.height, "own_unpaired": len(sides[0]) - len(sides[1])}  # fmt: skip
