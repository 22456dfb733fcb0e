"""What harnesses write as a score, as a number from 0 to 1."""

import math
from typing import Any

from curation.core.messages import show_value
from curation.core.ranges import Scale

LETTERS = {"C": 1.0, "I": 0.0, "P": 0.5, "N": 0.0}  # correct, incorrect, partially, no answer


def read_score(value: Any, scale: Scale | None) -> float | None:
    """The score that `value` is, `scale` its ends; None where it is none, as NaN is. Raises ValueError with what is
    wrong with it, and the way out."""
    if isinstance(value, str) and value in LETTERS:
        return LETTERS[value]
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, dict):
        raise ValueError(f"the score is several, {show_value(value)}; name one as metric")
    if not isinstance(value, bool | int | float):
        raise ValueError(f"the score {show_value(value)} is no number, and none of {', '.join(LETTERS)}")
    low, high = (0.0, 1.0) if scale is None or isinstance(value, bool) else scale
    if not low <= value <= high:
        way_out = "correct scale" if scale else "name its ends as scale, such as [0, 100]"
        raise ValueError(f"the score {show_value(value)} is not from {low:g} to {high:g}; {way_out}")
    return (float(value) - low) / (high - low)
