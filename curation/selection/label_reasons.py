"""Why a selection that labels single traces takes one or does not, in the numbers that it drew by."""

import numpy as np

from curation.selection.labelled import Labelled
from curation.selection.ranking import Ranker
from curation.selection.reasons import Sorted, Why, pick_named, unmet, where
from curation.selection.unpaired import BOTH_LABELS, REPEATED


def explain_label(labelled: Labelled, seed: int, trace_id: int) -> Why | None:
    """Why the selection takes a trace, or does not; None where the trace is of no train prompt, or has no text."""
    ids, settings = labelled.traces.rows["trace_id"].to_numpy(), labelled.settings
    row = int(np.searchsorted(ids, trace_id))
    if row == len(ids) or ids[row] != trace_id:
        return None
    reason = labelled.reason_of(row)
    if settings.require and reason in settings.require:
        return Why(reason, *unmet(settings.require[reason], labelled.traces, row))
    label = bool(labelled.desirable[row])
    if row in Sorted(labelled.pool):
        rank, _ = Ranker(ids, seed).rank(row, labelled.pool)
        numbers = {"label": label, "rank": rank, "of": len(labelled.pool), "room": len(labelled.kept)}
        said = f"{'desirable' if label else 'undesirable'}, rank {rank} of {len(labelled.pool)} by draw"
        return Why(reason, numbers, f"{said}, room for {len(labelled.kept)}")
    columns = pick_named(settings.label, labelled.traces, row)
    said = f"{settings.label}{where(columns)}"
    if reason == REPEATED:
        stays = int(ids[next(other for other in _alike(labelled, row) if other in Sorted(labelled.pool))])
        return Why(reason, {"columns": columns, "stays": stays}, f"trace {stays} says the same, and stays; {said}")
    if reason == BOTH_LABELS:
        against = [int(ids[other]) for other in _alike(labelled, row) if labelled.reason_of(other) == BOTH_LABELS]
        other = next(one for one in against if labelled.desirable[np.searchsorted(ids, one)] != label)
        words = f"trace {other} says the same under the other label; here {said}"
        return Why(reason, {"columns": columns, "against": other}, words)
    return Why(reason, {"columns": columns}, said)


def _alike(labelled: Labelled, row: int) -> list[int]:
    """The rows of its prompt that have the same text, by their ids."""
    rows = labelled.traces.rows
    same = (rows["prompt_id"] == rows["prompt_id"][row]) & (rows["text_id"] == rows["text_id"][row])
    return np.flatnonzero(same.to_numpy()).tolist()
