"""Why a control has a pair, or a labelled trace, or has it not, in the numbers that it was drawn by."""

from typing import Any, NamedTuple

import numpy as np

from curation.experiment.controls import Params as Control
from curation.experiment.drawing import find_lots, find_swapped, pool, seed_of
from curation.selection.labelled import Labelled
from curation.selection.ranking import Ranker
from curation.selection.reasons import Why
from curation.selection.rules import KEPT, NEVER_RANKED
from curation.selection.select import Selection, find_unscored
from curation.tables.ids import content_id

MOST_NAMED = 5  # pairs of the selection that a drawn one stands beside
SELECTED, NOT_SELECTED, IN_POOL, NOT_IN_POOL, DRAWN, NOT_DRAWN = (
    "selected", "not_selected", "in_pool", "not_in_pool", "drawn", "not_drawn",
)  # fmt: skip


class Held(NamedTuple):
    """What a control's table says of a pair: whether it is there, and how many pairs of its prompt are."""

    pair: bool
    of_prompt: int


def has_it(why: Why) -> bool:
    """Whether the control has what `why` is about. Where its table says otherwise, that was made by other settings."""
    return why.reason in (SELECTED, IN_POOL, DRAWN)


def explain_draw(control: Control, seed: int, selection: Selection, row: int, held: Held) -> Why:
    """Why the control of this selection, whose arm has this seed, has the candidate with this row number or not. What
    `control_rows` draws by is counted, and nothing is drawn again: under a limit of pairs of one prompt the table says
    which pairs had to give way."""
    seed = seed_of(selection, seed)
    if control.pairs == "drawn":
        why = _drawn(control, seed, selection, row, held)
    elif control.pairs == "own":
        reason = str(selection.verdicts["reason"][row])
        has = reason == KEPT
        said = "a pair that the selection keeps" if has else f"only what the selection keeps, and this is {reason}"
        why = Why(SELECTED if has else NOT_SELECTED, {}, said)
    else:
        rows = pool(control, selection)
        has = _holds(rows, row)
        said = f"one of all {len(rows)} that could be ranked" if has else _outside(control, selection, row)
        why = Why(IN_POOL if has else NOT_IN_POOL, {"of": len(rows)}, said)
    return _add_labels(why, control, seed, selection.pairs.column("pair_id").to_numpy()[[row]])


def _drawn(control: Control, seed: int, selection: Selection, row: int, held: Held) -> Why:
    lots, limit = find_lots(control, seed, selection), selection.settings.limits.per_prompt
    numbers: dict[str, Any] = {"seed": seed, "of": len(lots.pool)}
    if not _holds(lots.pool, row):
        return Why(NOT_IN_POOL, numbers, _outside(control, selection, row))
    alike, kept = (rows[lots.group[rows] == lots.group[row]] for rows in (lots.pool, selection.kept))
    rank, _ = lots.ranker.rank(row, alike)
    numbers |= {"rank": rank, "of": len(alike), "room": len(kept)}
    said = f"rank {rank} of {len(alike)} by draw"
    if control.match:
        place = int(np.searchsorted(lots.known, row))
        matched = dict(zip(control.match, lots.matched.row(place), strict=True))
        beside = [int(lots.ranker.ids[other]) for other in kept[:MOST_NAMED]]
        numbers |= {"matched": matched, "beside": beside}
        said += f" among those where {' and '.join(_is(text, value) for text, value in matched.items())}"
    said += f", room for {len(kept)}, as many as the selection keeps"
    if control.match and len(kept):
        said += f": {', '.join(map(str, numbers['beside']))}{', …' if len(kept) > MOST_NAMED else ''}"
    has = held.pair if limit else rank <= len(kept)
    if limit:
        numbers |= {"limit": limit, "of_prompt": held.of_prompt}
        said += f"; of its prompt {held.of_prompt} are drawn, limits.per_prompt {limit}"
        if has != (rank <= len(kept)):
            said += "; it is in for one whose prompt is full" if has else "; it gave way"
    return Why(DRAWN if has else NOT_DRAWN, numbers, said)


def _outside(control: Control, selection: Selection, row: int) -> str:
    """Why a row is not in the pool."""
    reason = str(selection.verdicts["reason"][row])
    if reason in NEVER_RANKED or (control.require and reason in selection.settings.require):
        return f"it cannot be drawn, for the selection has it as {reason}"
    if len(find_unscored(selection.settings, selection.worth, np.array([row]))):
        return f"it cannot be drawn: {' and '.join(selection.settings.ranking_expressions)} gives no number"
    return "it cannot be drawn: another pair of the same texts, or its reverse, stands for it"


def _is(text: str, value: Any) -> str:
    return f"{text} is {'unknown' if value is None else value}"


def _add_labels(why: Why, control: Control, seed: int, key: np.ndarray) -> Why:
    """Whether the labels of what it has are swapped, and by what."""
    if control.labels == "as_is" or not has_it(why):
        return why
    swapped = bool(find_swapped(control, seed, key)[0])
    if control.labels == "reversed":
        said = "labels are swapped, as all are"
    else:
        said = "labels are swapped, by its coin" if swapped else "labels stay, by its coin"
    return why._replace(numbers=why.numbers | {"swapped": swapped}, words=f"{why.words}; {said}")


def _holds(rows: np.ndarray, row: int) -> bool:
    """Whether sorted row numbers hold one."""
    at = int(np.searchsorted(rows, row))
    return at < len(rows) and bool(rows[at] == row)


def explain_labelled_draw(control: Control, seed: int, labelled: Labelled, trace_id: int) -> Why | None:
    """The same of a labelled trace, of which `control_traces` draws as many of each label as the selection takes; None
    where the trace is of no train prompt, or has no text."""
    ids = labelled.traces.rows["trace_id"].to_numpy()
    row, seed = int(np.searchsorted(ids, trace_id)), content_id(labelled.name, seed)
    if row == len(ids) or ids[row] != trace_id:
        return None
    if control.pairs == "own":
        has = _holds(np.sort(labelled.kept), row)
        said = "a trace that the selection takes" if has else "only what the selection takes"
        why = Why(SELECTED if has else NOT_SELECTED, {}, said)
    elif not _holds(labelled.pool, row):
        said = f"it cannot be drawn, for the selection has it as {labelled.reason_of(row)}"
        why = Why(NOT_IN_POOL, {"of": len(labelled.pool)}, said)
    elif control.pairs == "all":
        why = Why(IN_POOL, {"of": len(labelled.pool)}, f"one of all {len(labelled.pool)} that have a label")
    else:
        alike, kept = (
            rows[labelled.desirable[rows] == labelled.desirable[row]] for rows in (labelled.pool, labelled.kept)
        )
        rank, _ = Ranker(ids, seed).rank(row, alike)
        label = "desirable" if labelled.desirable[row] else "undesirable"
        said = f"rank {rank} of {len(alike)} {label} ones by draw, room for {len(kept)}, as many as the selection takes"
        numbers = {"seed": seed, "rank": rank, "of": len(alike), "room": len(kept)}
        why = Why(DRAWN if rank <= len(kept) else NOT_DRAWN, numbers, said)
    return _add_labels(why, control, seed, ids[[row]])
