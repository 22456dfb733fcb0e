"""One arm of the grid: what a selection keeps of some generators' pairs under a budget, or what a control puts in
its place."""

from typing import Any, NamedTuple

import numpy as np
import polars as pl

from curation.core.study import Study
from curation.experiment import grid
from curation.experiment.controls import Params as Control
from curation.experiment.controls import control_rows
from curation.selection.candidates import Candidates
from curation.selection.rules import GENERATOR_PAIRS, Params
from curation.selection.select import select, shortfall_message
from curation.selection.subset import kept_rows, mean_margin, subset_rows
from curation.tables.contracts import SIDES


class ArmRows(NamedTuple):
    """An arm's pairs, and those of the selection that it is, or is compared with, as `subset_rows` gives them; and
    the message that the selection keeps too few, if it does, and its notes."""

    rows: pl.DataFrame
    selection_rows: pl.DataFrame
    shortfall: str | None
    notes: list[str]


def arm(coordinates: grid.Arm, study: Study, pairs: Candidates) -> ArmRows:
    """The pairs of the arm. Raises CurationError if an expression fails on a value."""
    condition = study.generator_pairs[coordinates.generator_pairs].where
    settings = restrict(study.selections[coordinates.selection], condition, coordinates.budget)
    selection = select(coordinates.selection, settings, pairs)
    control = study.controls[coordinates.control]
    rows, swapped = control_rows(control, coordinates.seed, selection)
    return ArmRows(
        subset_rows(selection, rows, swapped, study.dimensions),
        kept_rows(selection, study.dimensions),
        shortfall_message(selection),
        selection.notes,
    )


def restrict(settings: Params, condition: str, budget: str) -> Params:
    """The settings with the requirement that `condition` is true, and with `budget` pairs unless that is the
    selection's own."""
    changes: dict[str, Any] = {"require": {GENERATOR_PAIRS: condition, **settings.require}}
    if budget != grid.OWN:
        changes["budget"] = {"pairs": float(budget)}
    return settings.model_copy(update=changes)


def shared_pairs_message(arm: ArmRows, name: str, control: Control) -> str | None:
    """How many pairs of a control that draws others are its selection's own; None where none is."""
    shared = len(np.intersect1d(arm.rows["pair_id"], arm.selection_rows["pair_id"])) if control.pairs == "drawn" else 0
    return f"{shared} of the {arm.rows.height} pairs of control {name} are its selection's own" if shared else None


def shortfall_messages(arm: ArmRows, control: str) -> list[str]:
    """The warnings about an arm: its selection keeps too few pairs, or the control has fewer than it."""
    pairs, of_selection = arm.rows.height, arm.selection_rows.height
    messages = [arm.shortfall] if arm.shortfall else []
    if pairs < of_selection:
        why = "not enough pairs match; match fewer values, or raise limits.per_prompt"
        messages.append(f"control {control} has {pairs} pairs, its selection {of_selection}: {why}")
    return messages


def arm_metrics(rows: pl.DataFrame, unpaired: pl.DataFrame, selection_rows: pl.DataFrame) -> dict[str, object]:
    """The numbers of pairs, their prompts and unpaired examples, and the mean margin; and how many pairs and unpaired
    examples a run on the selection itself would see, for equal updates."""
    chosen, rejected = (selection_rows[f"{side}_trace_id"].unique() for side in SIDES)
    return {
        "pairs": rows.height,
        "prompts": rows["prompt_id"].n_unique(),
        "unpaired": unpaired.height,
        **mean_margin(rows),
        "own_pairs": selection_rows.height,
        "own_unpaired": len(np.setxor1d(chosen, rejected, assume_unique=True)),
    }
