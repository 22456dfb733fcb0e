"""What a reply of a reward model says of a trace."""

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from curation.calls import scores
from curation.calls.call import Reply
from curation.models import reward_model

if TYPE_CHECKING:
    from curation.judging.judges.reward import Params

AGGREGATES: dict[str, Callable[[Sequence[float]], float]] = {
    "min": min,
    "mean": lambda steps: math.fsum(steps) / len(steps),
    "last": lambda steps: steps[-1],
    "product": math.prod,
}


class Scored(NamedTuple):
    """What a reply says of a trace: a score for each dimension, none of which is there without the others."""

    scores: Sequence[float | None]
    status: str
    rationale: str | None


def parse(settings: "Params", reply: Reply) -> Scored:
    """The scores that a reply gives, or a status that says why there are none."""
    none = [None] * len(settings.dimensions)
    if reply.error is not None:
        return Scored(none, "error", None)
    if isinstance(settings.engine, reward_model.Params) and (reply.prompt_tokens or 0) > settings.engine.max_length:
        limit = settings.engine.max_length
        return Scored(none, "truncated", f"{reply.prompt_tokens} tokens, more than max_length: {limit}")
    rows = scores.read_rows(reply)
    if rows is None:
        return Scored(none, "unparsable", None)
    if settings.steps is None:
        if len(rows) > 1 or len(rows[0]) != len(none):
            return Scored(none, "unparsable", f"{len(rows[-1])} numbers for {len(none)} dimensions")
        return Scored(rows[0], "scored", None)
    if any(len(row) <= settings.steps.label for row in rows):
        return Scored(none, "unparsable", f"{len(rows[0])} labels, and none is number {settings.steps.label}")
    steps = [row[settings.steps.label] for row in rows]
    return Scored([AGGREGATES[settings.steps.aggregate](steps)], "scored", ", ".join(f"{step:.9g}" for step in steps))
