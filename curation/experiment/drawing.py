"""What controls draw: the same pairs, or labelled traces, with other labels, or others like them."""

import numpy as np
import polars as pl

from curation.core.stats import dense_rank
from curation.experiment.controls import Params as Control
from curation.experiment.matching import draw_matched
from curation.selection.labelled import Labelled
from curation.selection.ranking import Ranker, draws
from curation.selection.rules import NEVER_RANKED
from curation.selection.select import Selection, find_unscored
from curation.tables.ids import content_id

COIN = 1 << 40  # so that a pair's coin is not its draw


def control_rows(control: Control, seed: int, selection: Selection) -> tuple[np.ndarray, np.ndarray]:
    """The row numbers of the control's pairs, and a mask of those whose labels are swapped. Draws are of `seed` and the
    selection's name: another seed draws another control, and so does another selection of the same size.

    Fewer pairs than the selection keeps are drawn only where no others match within its limit of pairs of one prompt.
    """
    ids = selection.pairs.column("pair_id").to_numpy()
    seed = content_id(selection.verdicts["selection"].first(), seed)
    rows = selection.kept
    if control.pairs == "all":
        rows = pool(control, selection)
    elif control.pairs == "drawn":
        rows = _draw(control, selection, Ranker(ids, seed))
    return rows, _swapped(control, seed, ids[rows])


def control_traces(control: Control, seed: int, labelled: Labelled) -> pl.DataFrame:
    """trace_id, prompt_id and label of the control's labelled traces, by `seed` and the selection's name as
    `control_rows`. Drawn are as many of each label as the selection takes, from all that it could take."""
    ids = labelled.traces.rows["trace_id"].to_numpy()
    seed = content_id(labelled.name, seed)
    rows = {"own": labelled.kept, "all": labelled.pool}.get(control.pairs)
    if rows is None:
        need = np.bincount(labelled.desirable[labelled.kept], minlength=2)
        label = labelled.desirable[labelled.pool].astype(np.int64)
        rows = labelled.pool[Ranker(ids, seed).first_of_each(need[label], label, labelled.pool)]
    return labelled.examples(rows, labelled.desirable[rows] ^ _swapped(control, seed, ids[rows]))


def _swapped(control: Control, seed: int, ids: np.ndarray) -> np.ndarray:
    """A mask of the rows of these ids whose labels change."""
    if control.labels == "shuffled":
        return np.asarray(draws(ids, seed ^ COIN) >> np.uint64(63) > 0)
    return np.full(len(ids), control.labels == "reversed")


def pool(control: Control, selection: Selection) -> np.ndarray:
    """The rows that a selection could rank, or, unless the control requires what it does, could if it required nothing;
    of pairs of the same two texts one, and of a pair and its reverse the one that ranks higher."""
    reasons = [*NEVER_RANKED, *(selection.settings.require if control.require else ())]
    never_ranked = selection.verdicts["reason"].is_in(reasons).to_numpy(writable=True)
    never_ranked[find_unscored(selection.settings, selection.worth, np.arange(len(never_ranked)))] = True
    pairs = selection.pairs
    rows = pairs.without_repeats(np.flatnonzero(~never_ranked))
    if not pairs.has_reversed_pairs:
        return rows
    return np.asarray(rows[~selection.ranker.outranked_by_reverse(*pairs.trace_ids(), rows)])


def _draw(control: Control, selection: Selection, ranker: Ranker) -> np.ndarray:
    """As many rows of the pool as are kept, and as many of each combination of matched values, under the selection's
    limit of pairs of one prompt."""
    pairs = selection.pairs
    expressions = {str(number): f"({text})::varchar" for number, text in enumerate(control.match)}
    drawn_from = pool(control, selection)
    rows = np.union1d(selection.kept, drawn_from)  # no other can make an expression fail
    group = np.zeros(len(ranker.ids), np.int64)
    if expressions:
        values = pairs.values(expressions, "controls: match.", rows)
        group[rows] = dense_rank(values.select(pl.concat_str(pl.all().fill_null(""), separator="\x1f")).to_series())
    limit = selection.settings.limits.per_prompt or len(ranker.ids)
    prompt = dense_rank(pairs.column("prompt_id"))
    return draw_matched(selection.kept, drawn_from, group, prompt, limit, ranker)
