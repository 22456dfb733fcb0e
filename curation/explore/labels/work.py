"""What a labeller has done and what comes next."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np

from curation.core.errors import CurationError
from curation.explore.labels.gold import RANDOM, VERDICTS, Gold, Label, Scores
from curation.explore.labels.session import Session
from curation.explore.tables import Row
from curation.tables.contracts import SIDES

ANSWERS = {"left": "chosen_first", "right": "rejected_first"}  # which order makes the answer say chosen


def find_next(gold: Gold, session: Session, listed: np.ndarray) -> int | None:
    """The pair to label now: one whose label was taken back, the latest first; else the first of those listed that
    this labeller has no label of; then, if they are asked for, those skipped. None where there is none.

    In a random sample a pair counts only if it was labelled in one: of those labelled for what is known of them the
    sample would be missing."""
    own, known = gold.of(session.labeller), set(listed.tolist())
    for label in reversed(own.values()):
        if label.action == "undo" and label.pair_id in known:
            return label.pair_id
    new = (pair_id for pair_id in map(int, listed) if not is_done(own.get(pair_id), session))
    skipped = (pair_id for pair_id in map(int, listed) if session.skipped and own[pair_id].action == "skip")
    return next(chain(new, skipped), None)


def is_done(label: Label | None, session: Session) -> bool:
    """Whether a pair is not shown again."""
    return label is not None and (session.rule["kind"] != RANDOM or label.sample["kind"] == RANDOM)


def make_row(
    session: Session,
    before: Label | None,
    pair: Row,
    traces: Mapping[str, Row],
    answer: str,
    scores: Mapping[str, Scores],
) -> Row:
    """The row of an answer: left, right, tie, both_bad, skip or undo, for a pair that was shown as `order_of` has it.
    A pair that was labelled before is of the sample that it was of, unless it is a random one now."""
    order = order_of(session, before, pair["pair_id"])
    action = answer if answer in ("skip", "undo") else "label"
    verdict = None if action != "label" else answer
    if answer in ANSWERS:
        verdict = "chosen" if order == ANSWERS[answer] else "rejected"
    if verdict not in (*VERDICTS, None):
        raise CurationError(f"answer: {answer!r} is none; press one of the buttons")
    sample = session.rule if before is None or session.rule["kind"] == RANDOM else before.sample
    sides = {
        side: {
            "trace_id": str(traces[side]["trace_id"]),
            "reasoning": traces[side]["reasoning"],
            "completion": traces[side]["completion"],
            "scores": dict(scores[side]),
        }
        for side in SIDES
    }
    about = {"pair_id": str(pair["pair_id"]), "action": action, "verdict": verdict, "order": order}
    return about | {"blind": session.blind, "sample": dict(sample)} | sides


def order_of(session: Session, before: Label | None, pair_id: int) -> str:
    """Which side is shown first: as this labeller saw the pair before, or drawn."""
    return session.order(pair_id) if before is None else before.order


def last_done(gold: Gold, session: Session) -> Label | None:
    """The labeller's last label or skip that stands."""
    return next((one for one in reversed(gold.of(session.labeller).values()) if one.action != "undo"), None)


def count_labels(labels: Iterable[Label]) -> dict[str, int]:
    """How many say what: `decided`, that one side is better, `tie`, `both_bad`, `skip` and `undo`."""
    counts = dict.fromkeys(("decided", *VERDICTS[2:], "skip", "undo"), 0)
    for label in labels:
        counts["decided" if label.verdict in SIDES else label.verdict or label.action] += 1
    return counts


def find_dimensions(gold: Gold) -> list[str]:
    """The dimensions that some row has a score of."""
    return sorted({name for scores in gold.all_scores() for name in scores})


def summarize(gold: Gold) -> Sequence[dict[str, Any]]:
    """A row for each labeller: how many labels of each sort, and how many of a random sample."""
    return [
        {
            "labeller": name,
            **count_labels(own.values()),
            "random": sum(label.sample["kind"] == RANDOM for label in own.values()),
        }
        for name, own in sorted(gold.labels.items())
    ]
