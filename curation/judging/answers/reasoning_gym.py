"""reasoning-gym's own scorer of the task that a prompt is from."""

import json
from functools import cache
from typing import Any

from curation.judging.answers._kind import Unreadable


def score(answer: str, reference: str, task: str, entry: str | None) -> float:
    """What the scorer of `task` gives `answer`, from 0 to 1. Raises Unreadable where the scorer fails, ValueError if
    there is no such task."""
    scorer = _scorer(task)
    try:
        return float(scorer(answer, json.loads(entry or "{}")))
    except Exception as error:  # some scorers raise whatever they meet on what they cannot read
        raise Unreadable(type(error).__name__) from None


@cache
def _scorer(task: str) -> Any:
    import reasoning_gym

    return reasoning_gym.get_score_answer_fn(task)
