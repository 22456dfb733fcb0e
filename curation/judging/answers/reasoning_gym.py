"""reasoning-gym's own scorer of the task that a prompt is from."""

import json
from functools import cache
from typing import Any, Literal

from curation.core.params import Strict
from curation.judging.answers._kind import Verdict


class Params(Strict):
    """A verifier of kind reasoning_gym. It has no settings."""

    kind: Literal["reasoning_gym"]


PLAIN = Params(kind="reasoning_gym")


def verify(settings: Params, answer: str, reference: str, task: str, entry: str | None) -> Verdict:
    """What the scorer of `task` gives `answer`, from 0 to 1; unscored where the scorer fails. Raises ValueError if
    there is no such task."""
    scorer = _scorer(task)
    try:
        given = float(scorer(answer, json.loads(entry or "{}")))
    except Exception as error:  # some scorers raise whatever they meet on what they cannot read
        why = f"the scorer of {task} cannot read the answer ({type(error).__name__})"
        return Verdict(None, answer, reference, why)
    return Verdict(given, answer, reference, f"the scorer of {task} gives it {given:g}")


@cache
def _scorer(task: str) -> Any:
    import reasoning_gym

    return reasoning_gym.get_score_answer_fn(task)
