"""What controls draw: the same pairs, or labelled traces, with other labels, or others like them."""

from typing import NamedTuple

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


class Lots(NamedTuple):
    """What a control draws its pairs from: the row numbers of a `pool`, of each candidate the number of its `group`,
    those whose matched values are the same, and the draws that say which come first. `matched` are the values of
    `match`, in its order, of the rows `known`: those of the pool and of the selection."""

    pool: np.ndarray
    group: np.ndarray
    ranker: Ranker
    known: np.ndarray
    matched: pl.DataFrame


def control_rows(control: Control, seed: int, selection: Selection) -> tuple[np.ndarray, np.ndarray]:
    """The row numbers of the control's pairs, and a mask of those whose labels are swapped. Draws are of `seed` and the
    selection's name: another seed draws another control, and so does another selection of the same size.

    Fewer pairs than the selection keeps are drawn only where no others match within its limit of pairs of one prompt.
    """
    ids, seed = selection.pairs.column("pair_id").to_numpy(), seed_of(selection, seed)
    rows = selection.kept
    if control.pairs == "all":
        rows = pool(control, selection)
    elif control.pairs == "drawn":
        rows = _draw(selection, find_lots(control, seed, selection))
    return rows, find_swapped(control, seed, ids[rows])


def seed_of(selection: Selection, seed: int) -> int:
    """What a control of the selection draws by where its arm has this seed."""
    return content_id(selection.verdicts["selection"].first(), seed)


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
    return labelled.examples(rows, labelled.desirable[rows] ^ find_swapped(control, seed, ids[rows]))


def find_swapped(control: Control, seed: int, ids: np.ndarray) -> np.ndarray:
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


def find_lots(control: Control, seed: int, selection: Selection) -> Lots:
    """What the control draws from by a `seed_of` the selection."""
    pairs = selection.pairs
    ranker = Ranker(pairs.column("pair_id").to_numpy(), seed)
    expressions = {str(number): f"({text})::varchar" for number, text in enumerate(control.match)}
    drawn_from = pool(control, selection)
    rows = np.union1d(selection.kept, drawn_from)  # no other can make an expression fail
    group, matched = np.zeros(len(ranker.ids), np.int64), pl.DataFrame()
    if expressions:
        matched = pairs.values(expressions, "controls: match.", rows)
        group[rows] = dense_rank(matched.select(pl.concat_str(pl.all().fill_null(""), separator="\x1f")).to_series())
    return Lots(drawn_from, group, ranker, rows, matched)


def _draw(selection: Selection, lots: Lots) -> np.ndarray:
    """As many rows of the pool as are kept, and as many of each combination of matched values, under the selection's
    limit of pairs of one prompt."""
    limit = selection.settings.limits.per_prompt or len(lots.group)
    prompt = dense_rank(selection.pairs.column("prompt_id"))
    return draw_matched(selection.kept, lots.pool, lots.group, prompt, limit, lots.ranker)
