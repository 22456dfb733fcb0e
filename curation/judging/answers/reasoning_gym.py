"""reasoning-gym's own scorer of the task that a prompt is from."""

import json
import re
from functools import cache
from typing import Any, Literal

from curation.core.params import Strict
from curation.judging.answers._kind import Verdict


class Params(Strict):
    """A verifier of kind reasoning_gym. It has no settings."""

    kind: Literal["reasoning_gym"]


PLAIN = Params(kind="reasoning_gym")
WRAPPED = re.compile(r"\A[\s$`*]*(.*?)[\s$`*]*\.?[\s$`*]*\Z", re.DOTALL)


def verify(settings: Params, answer: str, reference: str, task: str, entry: str | None) -> Verdict:
    """What the scorer of `task` gives `answer`, from 0 to 1, as it stands or without the blanks, dollars, emphasis and
    full stop around it, whichever is more; None where the scorer fails. Raises ValueError if there is no such task."""
    scorer, asked = _scorer(task), json.loads(entry or "{}")
    given: list[float] = []
    failed = ""
    for text in dict.fromkeys((answer, WRAPPED.sub(r"\1", answer))):
        try:
            given.append(float(scorer(text, asked)))
        except Exception as error:  # some scorers raise whatever they meet on what they cannot read
            failed = type(error).__name__
    if not given:
        return Verdict(None, answer, reference, f"the scorer of {task} cannot read the answer ({failed})")
    return Verdict(max(given), answer, reference, f"the scorer of {task} gives it {max(given):g}")


@cache
def _scorer(task: str) -> Any:
    import reasoning_gym

    return reasoning_gym.get_score_answer_fn(task)
