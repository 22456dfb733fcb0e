"""The arms of the grid: what a selection keeps of some generators' pairs under a budget, or what a control puts in its
place."""

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from curation.core.study import Study
from curation.experiment import grid
from curation.experiment.controls import Params as Control
from curation.experiment.drawing import control_rows, control_traces
from curation.experiment.update_rows import update_rows
from curation.selection.candidates import Candidates
from curation.selection.labelled import Labelled, label_traces, labelled_messages
from curation.selection.rules import GENERATOR_PAIRS, Params
from curation.selection.select import Selection, select, shortfall_message
from curation.selection.single_traces import SingleTraces
from curation.selection.subset import kept_rows, mean_margin, subset_rows

SHARED = {"pairs": "pairs", "labelled": "labelled traces"}  # what an arm may have in common with its selection


class Shared(NamedTuple):
    """How many pairs, or labelled traces, a control has in common with its selection, and which share of either."""

    number: int
    of_control: float
    of_selection: float


class ArmRows(NamedTuple):
    """An arm's pairs, and those of the selection that it is, or is compared with, as `subset_rows` gives them; and
    the message that the selection keeps too few, if it does, and its notes. Where the selection labels single traces,
    `labelled` are the arm's, and `own_labelled` the selection's; None where it does not. `update_rows` are the examples
    by whose number it takes its updates, None where these are its own. `shared` is what a control has in common with
    its selection: `pairs`, and `labelled` traces."""

    rows: pl.DataFrame
    selection_rows: pl.DataFrame
    shortfall: str | None
    notes: list[str]
    update_rows: pl.DataFrame | None
    labelled: pl.DataFrame | None = None
    own_labelled: pl.DataFrame | None = None
    shared: Mapping[str, Shared] = {}


def arms(
    wanted: Iterable[grid.Arm], study: Study, pairs: Candidates, traces: SingleTraces | None = None
) -> Iterator[tuple[grid.Arm, ArmRows]]:
    """The pairs of each of the arms, and of `traces` the labelled ones where its selection labels some. Arms of one
    selection, generators and budget share what it keeps. Raises CurationError if an expression fails on a value."""

    @cache
    def kept(name: str, generator_pairs: str, budget: str) -> tuple[Selection, pl.DataFrame, Labelled | None]:
        settings = restrict(study.selections[name], study.generator_pairs[generator_pairs].where, budget)
        selection = select(name, settings, pairs)
        labelled = None if traces is None else label_traces(name, settings, traces)
        return selection, kept_rows(selection, study.dimensions), labelled

    for arm in wanted:
        control, draw = study.controls[arm.control], arm.draw or 0
        selection, own, labelled = kept(arm.selection, arm.generator_pairs, arm.budget)
        rows, swapped = control_rows(control, draw, selection)
        drawn = subset_rows(selection, rows, swapped, study.dimensions)
        counted = update_rows(control, selection, labelled)
        made = ArmRows(drawn, own, shortfall_message(selection), selection.notes, counted)
        made = made if labelled is None else _add_labelled(made, labelled, control, draw)
        yield arm, made if control.treatment else made._replace(shared=find_shared(made))


def _add_labelled(made: ArmRows, labelled: Labelled, control: Control, draw: int) -> ArmRows:
    unmatched = ["unpaired: labelled traces are drawn by their label alone; match is of pairs"] if control.match else []
    return made._replace(
        notes=[*made.notes, *labelled_messages(labelled), *unmatched],
        labelled=control_traces(control, draw, labelled),
        own_labelled=labelled.own,
    )


def restrict(settings: Params, condition: str, budget: str) -> Params:
    """The settings with the requirement that `condition` is true, and with `budget` pairs unless that is the
    selection's own; then with twice as many labelled traces, if it takes such, and no pair if it wants none."""
    changes: dict[str, Any] = {"require": {GENERATOR_PAIRS: condition, **settings.require}}
    if budget != grid.OWN:
        changes["budget"] = {"pairs": 0.0 if settings.takes_no_pair else float(budget)}
        if settings.unpaired is not None:
            changes["unpaired"] = settings.unpaired.with_budget(2 * int(budget))
    return settings.model_copy(update=changes)


def messages(study: Study, arm: grid.Arm, made: ArmRows) -> list[str]:
    """The warnings about an arm: its selection keeps too few pairs, its control has fewer than that, or some of its
    own; and the selection's notes."""
    pairs, own, said = made.rows, made.selection_rows, [made.shortfall] if made.shortfall else []
    if pairs.height < own.height:
        why = "not enough pairs match; match fewer values, or raise limits.per_prompt"
        said.append(f"control {arm.control} has {pairs.height} pairs, its selection {own.height}: {why}")
    if study.controls[arm.control].pairs == "drawn":
        for what, (number, of_control, of_selection) in made.shared.items():
            shares = f"{of_control:.0%} of the control's, {of_selection:.0%} of the selection's"
            with_it = f"control {arm.control} shares {number} {SHARED[what]} with its selection: {shares}"
            said += [with_it] if number else []
    return [*said, *made.notes]


def find_shared(made: ArmRows) -> dict[str, Shared]:
    """What an arm has in common with its selection, whichever way round a pair stands, and under whichever label a
    trace; nothing of what one of the two has none of."""
    both = {"pairs": (made.rows, made.selection_rows, "pair_id")}
    if made.labelled is not None and made.own_labelled is not None:
        both["labelled"] = (made.labelled, made.own_labelled, "trace_id")
    return {
        what: Shared(shared := len(np.intersect1d(rows[key], own[key])), shared / rows.height, shared / own.height)
        for what, (rows, own, key) in both.items()
        if rows.height and own.height
    }


def arm_metrics(made: ArmRows, unpaired: pl.DataFrame) -> dict[str, object]:
    """The numbers of pairs, their prompts and unpaired examples, and the mean margin; and what is shared."""
    return {
        "pairs": made.rows.height,
        "prompts": made.rows["prompt_id"].n_unique(),
        "unpaired": unpaired.height,
        **mean_margin(made.rows),
        **({"shared": {what: shared._asdict() for what, shared in made.shared.items()}} if made.shared else {}),
    }
