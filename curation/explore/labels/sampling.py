"""Which pairs are labelled, and in which order: the same for everybody who asks for the same sample."""

import numpy as np

from curation.core.errors import CurationError
from curation.core.study import Study
from curation.explore.labels.session import Session
from curation.explore.lists.pair_columns import PairColumns
from curation.explore.tables import Tables
from curation.selection import candidates
from curation.selection.ranking import Ranker
from curation.selection.restored import restore_file
from curation.selection.rules import GENERATOR_SHARE, KEPT
from curation.tables.expressions.evaluation import to_floats

MOST_LISTED = 100_000  # pairs: more than anybody labels


def list_pairs(study: Study, session: Session) -> np.ndarray:
    """The ids of the first MOST_LISTED pairs of the session's sample, in their order: a random sample and one of pairs
    on which two judges disagree as draws of the seed have it, one near a cut the nearest first. No two texts come
    twice. Raises CurationError where a table is not there, or a selection has no cut."""
    pairs = candidates.from_files(study)
    rows = np.flatnonzero(~pairs.column("identical").to_numpy())
    rows = _drop_reversed(pairs, pairs.without_repeats(rows))
    if session.where:
        named = PairColumns(Tables(study))
        rows = rows[named.values({"where": session.where}, "", rows).to_series().fill_null(False).to_numpy()]
    key = None
    if session.sample == "disagree":
        signs = [np.sign(to_floats(pairs.values({one: _delta(one)}, "", rows).to_series())) for one in session.judges]
        rows = rows[signs[0] * signs[1] < 0]
    if session.sample == "cut":
        key = _distances(study, session.selection, pairs)
        rows = rows[~np.isnan(key[rows])]
    ids = pairs.column("pair_id").to_numpy()
    ranker = Ranker(ids, session.seed, key)
    rows = rows[ranker.first(MOST_LISTED, rows)]
    ordered: np.ndarray = ids[rows[ranker.argsort(rows)]]
    return ordered


def _delta(judged: str) -> str:
    judge, _, dimension = judged.partition(".")
    return f'"{judge}"."delta_{dimension}"'


def _drop_reversed(pairs: candidates.Candidates, rows: np.ndarray) -> np.ndarray:
    """`rows` without those whose two traces are those of an earlier one the other way round: a label is about both."""
    if not pairs.has_reversed_pairs:
        return rows
    both = np.sort(np.column_stack([side[rows] for side in pairs.trace_ids()]), axis=1)
    _, first = np.unique(both, axis=0, return_index=True)
    return rows[np.sort(first)]


def _distances(study: Study, name: str, pairs: candidates.Candidates) -> np.ndarray:
    """How far each candidate that came to the budget of a selection is from the last that it keeps, by what it ranks
    by; nan for all others. Raises CurationError if it ranks by nothing, or leaves none of these out."""
    selection = restore_file(name, study.selections[name], pairs)
    reasons = selection.settings.reasons
    number = selection.verdicts["reason"].to_physical().to_numpy()
    reached = np.flatnonzero(number >= reasons.index(GENERATOR_SHARE))
    kept = reached[number[reached] == reasons.index(KEPT)]
    key = selection.ranker.key
    if key is None or not len(kept) or len(kept) == len(reached):
        why = "ranks by no value" if key is None else "keeps none of its pairs, or all"
        raise CurationError(f"selection: {name} {why}, so it has no cut; name another, or sample at random")
    distances = np.full(len(number), np.nan)
    distances[reached] = np.abs(key[reached] - np.max(key[kept]))
    return distances
